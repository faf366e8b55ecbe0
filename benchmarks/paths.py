"""One path through the library, so many times, and nothing else: ``python -m benchmarks.paths NAME COUNT``.

`instructions` runs this under callgrind, where only what the processor does counts; the network is left out.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from benchmarks.echo_apps import Said
from benchmarks.load import json_object, masked_frame
from flowsock import MutableSharedFlow, as_flow, coroutine_scope
from flowsock.codecs.translation import translations
from flowsock.sessions.config import WebSocketConfig
from flowsock.sessions.terms import Terms
from flowsock.wire.headers import Headers
from flowsock.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock import Session
    from flowsock.sessions.connection.transport import Transport

    Path = Callable[[int], Awaitable[None]]

_CHUNK: Final = 100
_SUBSCRIBERS: Final = 1000


class NullTransport:
    """Take bytes, and count them."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, data: bytes, /) -> None:
        """Count the bytes."""
        self.written += len(data)

    def get_extra_info(self, _name: str, default: Any = None, /) -> Any:
        """Know nothing."""
        return default


def _session(transport: NullTransport, types: tuple[type, ...]) -> Session[Any, Any]:
    request = Request("GET", "/", Headers([("host", "localhost")]))
    terms = Terms(request=request, config=WebSocketConfig(), translation=translations(types).default)
    return terms.session(cast("Transport", transport), asyncio.get_running_loop())


async def _receive(session: Session[Any, Any], count: int, data: bytes) -> None:
    for number in range(count):
        session.connection.data_received(data)
        if number % _CHUNK == 0:
            await asyncio.sleep(0)


async def echo(count: int, size: int = 32, frame: bytes | None = None, types: tuple[type, ...] = ()) -> None:
    """Echo by a pipeline."""
    session, transport = _opened(types)
    async with coroutine_scope() as scope:
        session.incoming.on_each(session.send).launch_in(scope)
        await asyncio.sleep(0)
        await _receive(session, count, frame or masked_frame(bytes(size)))
        scope.cancel()
    assert transport.written >= count * size


async def large_echo(count: int) -> None:
    """Echo 8 KiB by a pipeline."""
    await echo(count, 8192)


async def json_echo(count: int) -> None:
    """Echo JSON by a pipeline, as text."""
    await echo(count, 32, masked_frame(json_object(32), text=True))


async def typed_echo(count: int) -> None:
    """Echo JSON by a pipeline, decoded and encoded."""
    await echo(count, 32, masked_frame(json_object(32), text=True), (Said, Said))


async def iterated_echo(count: int) -> None:
    """Echo by ``async for``, one message a turn of the loop."""
    session, transport = _opened()

    async def loop() -> None:
        async for message in session.incoming:
            await session.send(message)

    async with coroutine_scope() as scope:
        scope.launch(loop)
        await asyncio.sleep(0)
        data = masked_frame(bytes(32))
        for _ in range(count):
            session.connection.data_received(data)
            await asyncio.sleep(0)
        scope.cancel()
    assert transport.written >= count * 32


async def fan_out(count: int) -> None:
    """Send to a thousand sessions, a subscription each; one count is one of them."""
    messages: MutableSharedFlow[str] = MutableSharedFlow(extra_buffer_capacity=64)
    sessions = [_opened() for _ in range(_SUBSCRIBERS)]
    async with coroutine_scope() as scope:
        for session, _ in sessions:
            messages.on_each(session.send).launch_in(scope)
        await asyncio.sleep(0)
        for number in range(count // _SUBSCRIBERS):
            await messages.emit(f"message {number:020}")
        scope.cancel()
    assert sum(transport.written for _, transport in sessions) >= count // _SUBSCRIBERS * _SUBSCRIBERS * 28


async def cold_flow(count: int) -> None:
    """Sum through two maps and a filter; one count is an element."""
    total = 0

    def add(value: int) -> None:
        nonlocal total
        total += value

    await as_flow(range(count)).map(lambda n: n * 3).map(lambda n: n + 1).filter(lambda n: n & 1 == 0).collect(add)


def _opened(types: tuple[type, ...] = ()) -> tuple[Session[Any, Any], NullTransport]:
    transport = NullTransport()
    return _session(transport, types), transport


PATHS: Final[dict[str, Path]] = {
    "echo": echo,
    "echo, async for": iterated_echo,
    "echo of 8 KiB": large_echo,
    "echo of JSON": json_echo,
    "echo of JSON, typed": typed_echo,
    "fan-out to a session": fan_out,
    "element of a cold flow": cold_flow,
}


async def main(name: str, count: int) -> None:
    """Run one path."""
    await PATHS[name](count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
