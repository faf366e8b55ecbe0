"""Room for sessions, in all and by address."""

from __future__ import annotations

import pytest

from flowsock import App, HandshakeRejected, ServerConfig, Session, connect, serve
from flowsock.sessions.server.seats import Seats
from tests.sessions.support import until, ws


def status(seats: Seats, client: str | None) -> int | None:
    response = seats.take(client)
    return None if response is None else response.status


def test_without_a_limit_there_is_room() -> None:
    seats = Seats(ServerConfig())
    assert {status(seats, "192.0.2.1") for _ in range(1000)} == {None}


def test_a_seat_that_was_left_can_be_taken() -> None:
    seats = Seats(ServerConfig(max_sessions=2))
    assert [status(seats, client) for client in ("192.0.2.1", None, "192.0.2.2")] == [None, None, 503]
    seats.leave(None)
    assert [status(seats, "192.0.2.2"), status(seats, "192.0.2.2")] == [None, 503]


def test_an_address_has_its_share() -> None:
    seats = Seats(ServerConfig(max_sessions_per_address=1))
    assert [status(seats, client) for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", None, None)] == [
        None,
        429,
        None,
        None,
        None,
    ]
    seats.leave("192.0.2.1")
    assert status(seats, "192.0.2.1") is None


def test_an_ipv6_network_of_64_bits_is_one_client() -> None:
    seats = Seats(ServerConfig(max_sessions_per_address=1))
    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8:0:1::1")
    assert [status(seats, client) for client in addresses] == [None, 429, 429, None]


def test_a_client_that_is_turned_away_takes_no_seat() -> None:
    seats = Seats(ServerConfig(max_sessions=2, max_sessions_per_address=1))
    assert [status(seats, client) for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [None, 429, None]


@pytest.mark.anyio
async def test_sessions_that_are_too_many_are_told_to_come_later() -> None:
    app = App()

    @app.websocket("/")
    async def echo(session: Session) -> None:
        await session.incoming.collect(session.send)

    async with serve(app, port=0, max_sessions=1) as server:
        async with connect(ws(server)):
            with pytest.raises(HandshakeRejected) as caught:
                async with connect(ws(server)):
                    pytest.fail("let in")
            assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "10")
        await until(lambda: not server.open_sessions)
        async with connect(ws(server)) as again:
            await again.send("hi")
            assert await again.incoming.first() == "hi"
