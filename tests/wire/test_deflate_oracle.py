"""The Sans-I/O layer of `websockets`, with its ``PerMessageDeflate``, as the oracle of compression.

Both read the same bytes, and what one writes or offers the other reads and answers. The deliberate differences, beside those
in `test_codec_oracle`:

- What is no DEFLATE: the oracle fails with 1002, we with 1007, for the payload and not the framing is wrong (RFC 6455 section
  7.4.1).
- A block with BFINAL: the oracle ignores everything behind it, in all later messages too; we go on, as RFC 7692 section
  7.2.3.4 shows. Broken streams in which one appears are not compared.
- The limit: the oracle counts a frame's compressed bytes too, we only what they inflate to; RFC 7692 leaves it open.
- A window of 8 bits for what a server sends: the oracle declines the offer, we accept it and send nothing compressed, which
  RFC 7692 section 6 allows for every message. An answer that wants it of a client: the oracle fails, we do the same as there.
- An answer that allows a client more than it offered: the oracle fails, we take what we offered (RFC 7692 section 7.1.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from flowsock.errors import HandshakeError
from flowsock.wire.close import CloseReason
from flowsock.wire.deflate import Deflate, accept_deflate, answer_deflate, check_deflate, offer_deflate
from flowsock.wire.deflate_codec import DeflateCodec
from flowsock.wire.extensions import Extension
from flowsock.wire.frames import Close, Event, Failure, Ping
from tests.wire.support import bounded, cut_lists, events_of
from tests.wire.test_codec_oracle import FILLER, LIMIT, events_of_protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.protocol import Protocol

KEEP = Deflate(server_max_window_bits=15, client_max_window_bits=15, threshold=1)

agreements = st.builds(
    Deflate,
    server_max_window_bits=st.integers(9, 15),
    client_max_window_bits=st.integers(9, 15),
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    threshold=st.sampled_from((1, 100)),
)


def their_extension(agreed: Deflate, *, client: bool) -> PerMessageDeflate:
    """Give the oracle's end of an agreement."""
    server_side = agreed.server_no_context_takeover, agreed.server_max_window_bits
    client_side = agreed.client_no_context_takeover, agreed.client_max_window_bits
    local, remote = (client_side, server_side) if client else (server_side, client_side)
    return PerMessageDeflate(remote[0], local[0], remote[1], local[1])


def oracle(agreed: Deflate, *, client: bool) -> Protocol:
    if client:
        protocol: Protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=LIMIT)
    else:
        protocol = ServerProtocol(state=OPEN, max_size=LIMIT)
    protocol.extensions = [their_extension(agreed, client=client)]
    return protocol


# Streams

parts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode),
    st.binary(max_size=30),
    st.builds(lambda unit, times: unit * times, st.sampled_from((b"ab", b"\0", "é".encode())), st.integers(0, 300)),
)
text_parts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode)


@st.composite
def frames_of_messages(draw: st.DrawFn) -> list[Frame]:
    """Give frames of whole messages, in fragments, with control frames between."""
    frames: list[Frame] = []
    for _ in range(draw(st.integers(0, 4))):
        text = draw(st.booleans())
        pieces = draw(st.lists(text_parts if text else parts, min_size=1, max_size=3))
        for index, piece in enumerate(pieces):
            opcode = Opcode.CONT if index else Opcode.TEXT if text else Opcode.BINARY
            frames.append(Frame(opcode, piece, fin=index == len(pieces) - 1))
            if draw(st.booleans()):
                frames.append(Frame(draw(st.sampled_from((Opcode.PING, Opcode.PONG))), draw(st.binary(max_size=5))))
    return frames


def written_by_oracle(frames: Sequence[Frame], agreed: Deflate, *, client: bool) -> bytes:
    extension = their_extension(agreed, client=client)
    return b"".join(each.serialize(mask=client, extensions=[extension]) for each in frames)


def events_of_oracle(data: bytes, agreed: Deflate, *, client: bool) -> list[Event]:
    return events_of_protocol(oracle(agreed, client=client), data)


def codec(agreed: Deflate, *, client: bool) -> DeflateCodec:
    return DeflateCodec(agreed, client=client, max_message_size=LIMIT)


@bounded
@given(agreements, st.booleans(), frames_of_messages(), cut_lists)
def test_what_the_oracle_compresses_we_read_as_it_does(
    agreed: Deflate, client: bool, frames: list[Frame], cuts: list[int]
) -> None:
    data = written_by_oracle(frames, agreed, client=not client)
    theirs = events_of_oracle(data, agreed, client=client)
    ours = events_of(data, cuts, codec=codec(agreed, client=client))
    assert_agree(ours, theirs)
    if not any(isinstance(event, Failure) for event in theirs):
        assert ours == theirs


@bounded
@given(agreements, st.booleans(), st.lists(text_parts.map(bytes.decode) | parts, max_size=6))
def test_what_we_compress_the_oracle_reads(agreed: Deflate, client: bool, messages: list[str | bytes]) -> None:
    sender = DeflateCodec(agreed, client=client)
    data = b"".join(sender.text(item) if isinstance(item, str) else sender.binary(item) for item in messages)
    data += sender.ping(b"p") + sender.close(CloseReason(1001, "bye"))
    expected = [*messages, Ping(b"p"), Close(CloseReason(1001, "bye"))]
    assert events_of_oracle(data, agreed, client=not client) == expected


changes = st.binary(max_size=2) | st.sampled_from((b"\xc1", b"\xc0", b"\x41"))


@st.composite
def broken(draw: st.DrawFn, *, client: bool) -> bytes:
    data = bytearray(written_by_oracle(draw(frames_of_messages()), KEEP, client=client))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from((b"\xc1", b"\xc0", b"\x41"))
        )
    return bytes(data) + FILLER


def assert_agree(ours: list[Event], theirs: list[Event]) -> None:
    """Assert that both read the same up to where one stops, and that whoever goes on has a reason to."""
    common = 0
    while common < min(len(ours), len(theirs)) and ours[common] == theirs[common]:
        common += 1
    rest, other = ours[common:], theirs[common:]
    if not rest and not other:
        return
    mine, their = rest[0], other[0] if other else None
    if isinstance(mine, Failure):
        codes = {1002: {1002, 1007, 1009}, 1007: {1002, 1007, 1009}, 1008: {1002}, 1009: {1002, 1007, 1009}}
        if mine.reason.code == 1007 or mine.reason.message == "malformed payload length":
            # We fail as soon as that is certain, the oracle reads on.
            return
        assert isinstance(their, Failure)
        assert their.reason.code in codes[mine.reason.code]
    elif isinstance(mine, Close):
        assert their in (mine, Failure(CloseReason(1002)))
    else:
        # The oracle counted what is compressed.
        assert their == Failure(CloseReason(1009))


def is_past_a_final_block(protocol: Protocol) -> bool:
    (extension,) = protocol.extensions
    assert isinstance(extension, PerMessageDeflate)
    return extension.decoder.eof


@pytest.mark.parametrize("client", [False, True])
def test_both_agree_about_broken_streams(client: bool) -> None:
    @bounded
    @given(broken(client=not client), cut_lists)
    def check(data: bytes, cuts: list[int]) -> None:
        protocol = oracle(KEEP, client=client)
        theirs = events_of_protocol(protocol, data)
        assume(not is_past_a_final_block(protocol))
        ours = codec(KEEP, client=client).receive(data)
        assert_agree(ours, theirs)
        split = events_of(data, cuts, codec=codec(KEEP, client=client))
        assert split[:-1] == ours[:-1]
        assert split == ours or all(
            isinstance(end, Failure) and end.reason.code in (1007, 1009) for end in (split[-1], ours[-1])
        )

    check()


def are_faults_of_one_message(*ends: Event) -> bool:
    return all(isinstance(end, Failure) and end.reason.code in (1007, 1009) for end in ends)


# Agreeing

their_clients = st.builds(
    ClientPerMessageDeflateFactory,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.none() | st.integers(8, 15),
    client_max_window_bits=st.none() | st.just(True) | st.integers(9, 15),
)
their_servers = st.builds(
    ServerPerMessageDeflateFactory,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.none() | st.integers(9, 15),
    client_max_window_bits=st.none() | st.integers(8, 15),
)
our_settings = st.builds(
    Deflate,
    server_max_window_bits=st.integers(8, 15),
    client_max_window_bits=st.integers(8, 15),
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
)


def parameters_of(extension: Extension) -> list[Any]:
    return list(extension.parameters)


def as_agreed(extension: PerMessageDeflate, *, client: bool) -> tuple[bool, bool, int, int]:
    remote = extension.remote_no_context_takeover, extension.remote_max_window_bits
    local = extension.local_no_context_takeover, extension.local_max_window_bits
    server, of_client = (remote, local) if client else (local, remote)
    return server[0], of_client[0], server[1], of_client[1]


def ours_agreed(agreed: Deflate) -> tuple[bool, bool, int, int]:
    return (
        agreed.server_no_context_takeover,
        agreed.client_no_context_takeover,
        agreed.server_max_window_bits,
        agreed.client_max_window_bits,
    )


@bounded
@given(their_clients, our_settings)
def test_their_client_and_our_server_agree(client: ClientPerMessageDeflateFactory, settings: Deflate) -> None:
    offer = Extension("permessage-deflate", tuple(client.get_request_params()))
    agreed = accept_deflate(settings, [offer])
    assert agreed is not None
    try:
        extension = client.process_response_params(parameters_of(answer_deflate(agreed)), [])
    except NegotiationError:
        # Theirs refuses to be told 8.
        assert agreed.client_max_window_bits == 8
        return
    assert as_agreed(extension, client=True) == ours_agreed(agreed)


@bounded
@given(our_settings, their_servers)
def test_our_client_and_their_server_agree(settings: Deflate, server: ServerPerMessageDeflateFactory) -> None:
    try:
        parameters, extension = server.process_request_params(parameters_of(offer_deflate(settings)), [])
    except NegotiationError:
        # Theirs refuses to use 8.
        assert settings.server_max_window_bits == 8
        return
    agreed = check_deflate(settings, [Extension("permessage-deflate", tuple(parameters))])
    assert agreed is not None
    server_side = as_agreed(extension, client=False)
    assert ours_agreed(agreed)[0] == server_side[0]
    assert ours_agreed(agreed)[2] == server_side[2]
    # We may use less than they are ready for.
    assert ours_agreed(agreed)[1] >= server_side[1]
    assert ours_agreed(agreed)[3] <= server_side[3]


names = st.sampled_from(
    ("server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits", "x")
)
values = st.none() | st.integers(6, 17).map(str) | st.sampled_from(("", "010", "x"))
extensions = st.builds(
    Extension, st.just("permessage-deflate"), st.lists(st.tuples(names, values), max_size=4).map(lambda each: tuple(each))
)


@bounded
@given(extensions)
def test_both_decline_the_same_offers(offer: Extension) -> None:
    ours = accept_deflate(KEEP, [offer])
    try:
        ServerPerMessageDeflateFactory().process_request_params(parameters_of(offer), [])
    except Exception:
        assert ours is None or ours.server_max_window_bits == 8
    else:
        assert ours is not None


@bounded
@given(extensions)
def test_both_refuse_the_same_answers(answer: Extension) -> None:
    def ours() -> Deflate | None:
        return check_deflate(KEEP, [answer])

    try:
        ClientPerMessageDeflateFactory().process_response_params(parameters_of(answer), [])
    except Exception:
        if ("client_max_window_bits", "8") in answer.parameters:
            return
        with pytest.raises(HandshakeError):
            ours()
    else:
        assert ours() is not None
