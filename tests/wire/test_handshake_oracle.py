"""The Sans-I/O layer of `websockets` as the other end of the handshake, and as its judge.

The deliberate differences: the oracle answers a wrong or missing version with 400, we with 426. It takes a request
without Host, and an offer of one subprotocol twice, which we refuse. It wants `Upgrade` to be `websocket` and nothing
else, and no empty `Connection`, where we look for the element. It refuses to speak without a subprotocol when it knows
some and the client offers none.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.http11 import Request as OracleRequest
from websockets.http11 import Response as OracleResponse
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from flowsock.wire.handshake import (
    Agreement,
    accept_response,
    check_response,
    choose_subprotocol,
    client_request,
    new_key,
    upgrade_error,
)
from flowsock.wire.http import RequestReader, ResponseReader
from tests.wire.support import bounded


def verdict_of_oracle(data: bytes) -> int:
    server = ServerProtocol()
    server.receive_data(data)
    requests = server.events_received()
    if not requests:
        return 400
    assert isinstance(requests[0], OracleRequest)
    return server.accept(requests[0]).status_code


def verdict(data: bytes) -> int:
    request = RequestReader().feed(data)
    assert request is not None
    error = upgrade_error(request)
    return 101 if error is None else error.status


@pytest.mark.parametrize("offers", [[], ["chat"], ["a", "chat"]])
def test_our_client_and_its_server(offers: list[str]) -> None:
    server = ServerProtocol(subprotocols=[Subprotocol("chat")] if offers else None)
    key = new_key()
    server.receive_data(client_request("localhost:80", "/path?x", key, headers={"A": "b"}, subprotocols=offers))
    (request,) = server.events_received()
    assert isinstance(request, OracleRequest)
    assert (request.path, request.headers["a"]) == ("/path?x", "b")
    server.send_response(server.accept(request))
    answer = ResponseReader().feed(b"".join(server.data_to_send()))
    assert answer is not None
    assert check_response(answer, key, subprotocols=offers) == Agreement("chat" if offers else None)


@pytest.mark.parametrize("offers", [[], ["chat"], ["a", "chat"]])
def test_its_client_and_our_server(offers: list[str]) -> None:
    client = ClientProtocol(parse_uri("ws://localhost/path?x"), subprotocols=[Subprotocol(name) for name in offers] or None)
    client.send_request(client.connect())
    request = RequestReader().feed(b"".join(client.data_to_send()))
    assert request is not None
    assert request.target == "/path?x"
    assert upgrade_error(request) is None
    client.receive_data(accept_response(request, Agreement(choose_subprotocol(request, ["chat"]))))
    (response,) = client.events_received()
    assert isinstance(response, OracleResponse)
    assert client.state is State.OPEN
    assert client.subprotocol == ("chat" if offers else None)


key_values = st.sampled_from(("dGhlIHNhbXBsZSBub25jZQ==", "abcd", "A" * 24, "!" * 22 + "==", ""))
upgrade_values = st.sampled_from(("websocket", "WebSocket", "h2c", ""))
connection_values = st.sampled_from(("Upgrade", "keep-alive, upgrade", "keep-alive"))
version_values = st.sampled_from(("13", "13", "13", "12", "x"))
fields = st.tuples(
    st.lists(upgrade_values.map(lambda value: f"Upgrade: {value}"), max_size=1),
    st.lists(connection_values.map(lambda value: f"Connection: {value}"), max_size=2),
    st.lists(key_values.map(lambda value: f"Sec-WebSocket-Key: {value}"), max_size=2),
    version_values.map(lambda value: [f"Sec-WebSocket-Version: {value}"]),
).map(lambda groups: [line for group in groups for line in group])


@bounded
@given(fields)
def test_our_server_and_the_oracle_agree_whom_to_let_in(lines: list[str]) -> None:
    data = "\r\n".join(["GET / HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    ours, theirs = verdict(data), verdict_of_oracle(data)
    assert (ours == 101) is (theirs == 101)
    # Which fault is named first may differ.
    assert ours in (101, 400, 426)
