"""One message to many sessions: the pipelines of the design, word for word, and what a slow reader does to the others."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

import flowsock.wire.codec
from flowsock import App, BufferOverflow, CloseCode, CloseReason, MutableSharedFlow, Session, connect, serve
from flowsock.wire.frames import encode_frame
from tests.sessions.conftest import ASYNCIO
from tests.sessions.support import BOUND, failures, open_peer, until, ws
from tests.typing.check_seed_pipelines import app, messages

pytestmark = pytest.mark.anyio


async def test_the_echo_of_the_design() -> None:
    async with serve(app, port=0) as server, connect[str, str](ws(server, "/echo")) as session:
        assert await session.incoming.first() == "Connection established"
        for word in ("hello", "world"):
            await session.send(word)
            assert await session.incoming.first() == f"You said: {word}"
        await session.send("BYE")
        assert await session.incoming.to_list() == []
        assert session.close_reason == CloseReason(1000, "Bye")


async def test_the_chat_of_the_design(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(app, port=0) as server, AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(connect[str, str](ws(server, "/chat"))) for _ in range(50)]
        await until(lambda: messages.subscription_count.value == 50)
        for number, session in enumerate(sessions):
            await session.send(f"from {number}")
        with anyio.fail_after(BOUND):
            heard = [await session.incoming.take(50).to_list() for session in sessions]
        assert sorted(heard[0]) == sorted(f"from {number}" for number in range(50))
        # Nobody sees two messages in another order than somebody else.
        assert all(order == heard[0] for order in heard)
    await until(lambda: messages.subscription_count.value == 0)
    assert failures(caplog) == []


async def test_whoever_comes_or_goes_in_between_disturbs_nobody() -> None:
    async with serve(app, port=0) as server, connect[str, str](ws(server, "/chat")) as stays:
        for number in range(20):
            async with connect[str, str](ws(server, "/chat")):
                await until(lambda: messages.subscription_count.value == 2)
                await messages.emit(f"{number} with two")
            await until(lambda: messages.subscription_count.value == 1)
            await messages.emit(f"{number} alone")
        expected = [f"{number} {how}" for number in range(20) for how in ("with two", "alone")]
        with anyio.fail_after(BOUND):
            assert await stays.incoming.take(40).to_list() == expected


async def test_a_slow_reader_is_bounded_and_dropped_and_the_others_get_everything(caplog: pytest.LogCaptureFixture) -> None:
    room: MutableSharedFlow[str] = MutableSharedFlow(extra_buffer_capacity=64)
    served = App()
    reasons: list[CloseReason | None] = []

    @served.websocket("/", send_timeout=0.3, close_timeout=0.05)
    async def handler(session: Session[str, str]) -> None:
        room.buffer(64, on_buffer_overflow=BufferOverflow.DROP_OLDEST).on_each(session.send).launch_in(session.scope)
        try:
            await session.incoming.collect(room.emit)
        finally:
            reasons.append(session.close_reason)

    async with serve(served, port=0) as server, AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(connect[str, str](ws(server))) for _ in range(5)]
        await stack.enter_async_context(open_peer(server, receive_buffer=4096))
        await until(lambda: room.subscription_count.value == 6)
        heard = [0] * len(readers)

        async def read(index: int) -> None:
            async for message in readers[index].incoming:
                assert int(message[:8]) == heard[index]
                heard[index] += 1

        async with anyio.create_task_group() as tasks:
            for index in range(len(readers)):
                tasks.start_soon(read, index)
            number = 0
            with anyio.fail_after(2 * BOUND):
                while not reasons:
                    await room.emit(f"{number:08}" + "x" * 20_000)
                    number += 1
                    # As fast as the readers are, so that only the one that never reads falls behind.
                    await until(lambda number=number: min(heard) > number - 30)  # type: ignore[misc]
                await until(lambda: min(heard) == number)
            tasks.cancel_scope.cancel()
        assert reasons[0] is not None
        assert reasons[0].code == CloseCode.TRY_AGAIN_LATER
        assert number > 64
    assert failures(caplog) == []


async def test_a_message_is_encoded_once_for_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[bytes] = []
    message = " ".join(["to", "everybody"])  # an object that nobody has encoded yet

    def counting(opcode: int, payload: bytes, *, masked: bool) -> bytes:
        if not masked and payload:
            encoded.append(payload)
        return encode_frame(opcode, payload, masked=masked)

    async with serve(app, port=0) as server, AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(connect[str, str](ws(server, "/chat"))) for _ in range(20)]
        await until(lambda: messages.subscription_count.value == 20)
        monkeypatch.setattr(flowsock.wire.codec, "encode_frame", counting)
        await messages.emit(message)
        for session in sessions:
            assert await session.incoming.first() == message
        monkeypatch.undo()
    assert encoded == [b"to everybody"]


@pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)
async def test_an_idle_chat_session_has_two_tasks() -> None:
    async with serve(app, port=0) as server, AsyncExitStack() as stack:
        before = len(anyio.get_running_tasks())
        for _ in range(10):
            await stack.enter_async_context(open_peer(server, "/chat"))
        await until(lambda: messages.subscription_count.value == 10)
        handlers = len(anyio.get_running_tasks()) - before
        assert handlers <= 20
