from __future__ import annotations

import pytest

from flowsock.errors import ProtocolError
from flowsock.wire.assembly import Assembly


def test_binary_pieces_are_joined() -> None:
    assembly = Assembly(text=False)
    for piece in (b"\xff", b"", b"\xfe\x00"):
        assembly.add(piece)
    assert assembly.finish() == b"\xff\xfe\x00"


def test_text_may_be_cut_anywhere() -> None:
    assembly = Assembly(text=True)
    for byte in "aé€😀".encode():
        assembly.add(bytes((byte,)))
    assert assembly.finish() == "aé€😀"


def test_text_that_ends_inside_a_code_point_is_refused() -> None:
    assembly = Assembly(text=True)
    assembly.add("€".encode()[:2])
    with pytest.raises(ProtocolError) as caught:
        assembly.finish()
    assert caught.value.code == 1007


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"", b"\x80"),  # a continuation byte with nothing to continue
        (b"", b"\xc0"),  # the start of an overlong form
        (b"", b"\xf5"),  # the start of what lies beyond U+10FFFF
        (b"\xe0", b"\x80"),  # overlong
        (b"\xed", b"\xa0"),  # a surrogate
        (b"\xf0", b"\x80"),  # overlong
        (b"\xf4", b"\x90"),  # beyond U+10FFFF
        (b"\xce\xba\xe1\xbd", b"\xce"),  # cut short by a new code point
    ],
)
def test_text_is_refused_at_the_first_byte_that_spoils_it(good: bytes, bad: bytes) -> None:
    assembly = Assembly(text=True)
    assembly.add(good)
    with pytest.raises((UnicodeDecodeError, ProtocolError)):
        assembly.add(bad)
