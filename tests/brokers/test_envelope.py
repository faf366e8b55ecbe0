"""What a message looks like on its way."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowsock.brokers.envelope import OVERHEAD, Envelope, unpack


def test_people_can_read_it() -> None:
    assert Envelope("ab12", 7, '{"who":"ann"}').pack() == b'flowsock1 ab12 7 t {"who":"ann"}'


@given(st.integers(0, 2**64 - 1), st.text() | st.binary())
def test_what_is_packed_is_unpacked(number: int, content: str | bytes) -> None:
    envelope = Envelope("0" * 32, number, content)
    data = envelope.pack()
    assert unpack(data) == envelope
    assert len(data) <= OVERHEAD + len(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"hello",
        b"flowsock1",
        b"flowsock1 a 1 t",
        b"flowsock2 a 1 t x",
        b"flowsock1  1 t x",
        b"flowsock1 a -1 t x",
        b"flowsock1 a \xb2 t x",
        b"flowsock1 a 1_0 t x",
        b"flowsock1 a 111111111111111111111 t x",
        b"flowsock1 a 1 p x",
        b"flowsock1 a 1 t \xff",
        b"flowsock1 \xff 1 t x",
        b"flowsock1 " + b"a" * 33 + b" 1 t x",
        pickle.dumps({"who": "ann"}),
    ],
)
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"envelope|codec can't decode"):
        unpack(junk)


@given(st.binary())
def test_anything_is_an_envelope_or_a_value_error(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return
