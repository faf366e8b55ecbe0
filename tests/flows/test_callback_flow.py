"""`callback_flow`: values that an interface of callbacks pushes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio import fail_after

from flowsock import Producer, callback_flow, coroutine_scope
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Button:
    """Calls back whoever listens."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[int], object]] = []

    def press(self, value: int) -> None:
        for listener in list(self.listeners):
            listener(value)


@callback_flow
async def presses(producer: Producer[int], button: Button, *, slow_cleanup: bool = False) -> None:
    def listen(value: int) -> None:
        if value < 0:
            producer.close(ValueError("broken") if value == -1 else None)
        else:
            producer.send_nowait(value)

    def stop() -> None:
        button.listeners.remove(listen)

    async def stop_slowly() -> None:
        await a_while()
        stop()

    button.listeners.append(listen)
    await producer.await_close(stop_slowly if slow_cleanup else stop)


@pytest.mark.parametrize("slow_cleanup", [False, True])
async def test_the_cleanup_runs_however_the_collection_ends(slow_cleanup: bool) -> None:
    """Scenario callback_flow-03."""
    button = Button()
    seen: list[int] = []

    def handle(value: int) -> None:
        seen.append(value)
        if value == 11:
            raise ValueError("downstream")

    source = presses(button, slow_cleanup=slow_cleanup)
    for last in (11, -2):
        seen.clear()
        with fail_after(5):
            async with coroutine_scope() as scope:
                job = scope.launch(source.filter(lambda value: value > 10).catch().on_each(handle).catch().collect)
                await settled()
                for value in (1, 2, last):
                    button.press(value)
                await settled()
                assert job.is_completed
        assert button.listeners == []
        assert seen == ([11] if last == 11 else [])
    async with coroutine_scope() as scope:
        job = scope.launch(source.collect)
        await settled()
        assert len(button.listeners) == 1
        await job.cancel_and_join()
        assert button.listeners == []


async def test_closing_with_an_error_fails_the_collection_after_the_values() -> None:
    """Scenario callback_flow-04."""
    button = Button()
    seen: list[int] = []

    async def handle(value: int) -> None:
        await a_while()
        seen.append(value)

    async def press() -> None:
        await settled()
        for value in (1, 2, 3, 4, 5, -1):
            button.press(value)
        assert button.listeners
        await a_while()
        assert button.listeners == []

    with pytest.raises(ValueError, match="broken"), fail_after(5):
        async with coroutine_scope() as scope:
            scope.launch(press)
            await presses(button).collect(handle)
    assert button.listeners == []
    assert seen == [1, 2, 3, 4, 5]


async def test_a_body_that_returns_with_its_producer_open_fails_the_collection() -> None:
    @callback_flow
    async def forgetful(producer: Producer[int]) -> None:
        producer.send_nowait(1)

    @callback_flow
    async def closing(producer: Producer[int]) -> None:
        await producer.send(1)
        producer.close()

    with pytest.raises(RuntimeError, match="await_close"):
        await forgetful().collect()
    assert await closing().to_list() == [1]
