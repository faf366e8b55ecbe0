"""``flowsock connect``: a terminal, or a pipe, as one end of a session."""

from __future__ import annotations

import asyncio
import os
import sys
from threading import Thread
from typing import TYPE_CHECKING, Final

import anyio

from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel
from flowsock.errors import HandshakeError, HandshakeRejected, SessionClosed
from flowsock.scopes.groups import is_group
from flowsock.scopes.scope import coroutine_scope
from flowsock.sessions.client.client import connect
from flowsock.sessions.connection.connection import is_orderly
from flowsock.sessions.server.running import loop_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope
    from flowsock.sessions.session import Session
    from flowsock.wire.close import CloseReason

_SILENCE: Final = 1.0


def talk(url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]) -> int:
    """Send the lines of standard input, print what comes back, and give the exit status.

    Law: at the end of the input, what is still coming is printed until the server closes or is silent for a second. Everything
    that is not a message goes to standard error.
    """
    return anyio.run(_talk, url, headers, subprotocols, backend_options=loop_options())


async def _talk(url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]) -> int:
    try:
        reason = await _run_session(url, headers, subprotocols)
    except HandshakeRejected as error:
        return _failed(f"{error}: {error.body.decode(errors='replace').strip()}")
    except (HandshakeError, OSError, ValueError) as error:
        return _failed(str(error) or type(error).__name__)
    _note(f"closed: {reason}")
    return 0 if is_orderly(reason) else 1


async def _run_session(url: str, headers: Sequence[tuple[str, str]], subprotocols: Sequence[str]) -> CloseReason:
    try:
        async with connect(url, headers=headers, subprotocols=subprotocols) as session:
            _note(f"connected to {url}" + (f" ({session.subprotocol})" if session.subprotocol else ""))
            await _exchange(session)
            await session.close()
            reason = session.close_reason
    except (SessionClosed, ExceptionGroup) as error:
        reason = _reason(error)
        if reason is None:
            raise
    assert reason is not None
    return reason


def _reason(error: BaseException) -> CloseReason | None:
    """Give the reason of an end, which sending and receiving may both have run into."""
    if is_group(error):
        reasons = [_reason(inner) for inner in error.exceptions]
        return None if None in reasons else reasons[0]
    return error.reason if isinstance(error, SessionClosed) else None


async def _exchange(session: Session) -> None:
    heard = anyio.Event()

    def show(message: str | bytes) -> None:
        _print(message)
        heard.set()

    async with coroutine_scope() as scope:
        shown = session.incoming.on_each(show).launch_in(scope)
        scope.launch(_stop_at_end, shown, scope)
        async for line in _input_lines():
            await session.send(line)
        silent = False
        while not silent:
            heard = anyio.Event()
            with anyio.move_on_after(_SILENCE) as waited:
                await heard.wait()
            silent = waited.cancelled_caught
        scope.cancel()


async def _stop_at_end(shown: Job[None], scope: Scope) -> None:
    await shown.join()
    scope.cancel()


def _input_lines() -> Channel[str]:
    lines: Channel[str] = Channel(UNLIMITED)
    call = asyncio.get_running_loop().call_soon_threadsafe
    # A daemon, because nothing can interrupt a read from a terminal; by descriptor, because nobody but this thread may wait
    # for the lock of sys.stdin when the interpreter ends.
    Thread(target=_read_lines, args=(lines, call), daemon=True, name="standard input").start()
    return lines


def _read_lines(lines: Channel[str], call: Callable[..., object]) -> None:
    rest = b""
    try:
        while data := os.read(sys.stdin.fileno(), 65536):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                call(lines.send_nowait, line.decode(errors="replace"))
        if rest:
            call(lines.send_nowait, rest.decode(errors="replace"))
        call(lines.close)
    except RuntimeError:
        # The event loop has ended before the input.
        return


def _print(message: str | bytes) -> None:
    text = message if isinstance(message, str) else f"binary: {message.hex(' ')}"
    sys.stdout.write(f"< {text}\n" if sys.stdout.isatty() else f"{text}\n")
    sys.stdout.flush()


def _note(line: str) -> None:
    sys.stderr.write(f"flowsock: {line}\n")
    sys.stderr.flush()


def _failed(line: str) -> int:
    _note(line)
    return 1
