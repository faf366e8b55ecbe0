"""Law of transparency: catch and retry see errors from above them, never from below."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from anyio import CancelScope, Event, fail_after, move_on_after, sleep, sleep_forever

from flowsock import Cancellation, Emitter, Flow, MutableSharedFlow, MutableStateFlow, coroutine_scope, flow, flow_of
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


class Handler:
    """Remember what it was asked to handle."""

    def __init__(self) -> None:
        self.caught: list[Exception] = []

    def catch(self, _emit: object, error: Exception) -> None:
        self.caught.append(error)

    def retry(self, error: Exception, _attempt: int = 0) -> bool:
        self.caught.append(error)
        return False


def explode(_value: object) -> object:
    raise ValueError("below")


async def explode_later(_value: object) -> object:
    await a_while()
    raise ValueError("below")


GUARDS: dict[str, Callable[[Flow[int], Handler], Flow[int]]] = {
    "catch": lambda flow, handler: flow.catch(handler.catch),
    "retry": lambda flow, handler: flow.retry(when=handler.retry),
    "retry_when": lambda flow, handler: flow.retry_when(lambda _emit, error, attempt: handler.retry(error, attempt)),
    "all": lambda flow, handler: (
        flow.catch(handler.catch).retry(when=handler.retry).map(lambda value: value).catch(handler.catch)
    ),
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
@pytest.mark.parametrize("fail", [explode, explode_later])
async def test_errors_from_below_pass(guard: Callable[[Flow[int], Handler], Flow[int]], fail: Callable[[int], object]) -> None:
    """Scenarios catch-03, retry-04, terminal-30."""
    handler = Handler()
    collections = (
        guard(flow_of(1, 2), handler).collect(fail),
        guard(flow_of(1, 2), handler).map(fail).collect(),
        guard(flow_of(1, 2), handler).buffer(2).map(fail).collect(),
        guard(flow_of(1, 2), handler).on_each(fail).take(1).first(),
        guard(flow_of(1, 2).take(1), handler).on_completion(lambda _emit, _cause: fail(0)).collect(),
    )
    for collection in collections:
        with pytest.raises(ValueError, match="below"):
            await collection
    assert handler.caught == []


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
@pytest.mark.parametrize("fail", [explode, explode_later])
async def test_errors_from_below_pass_over_a_hot_flow(
    guard: Callable[[Flow[int], Handler], Flow[int]], fail: Callable[[int], object]
) -> None:
    handler = Handler()
    shared = MutableSharedFlow[int]()
    replaying = MutableSharedFlow[int](replay=1)
    replaying.emit_nowait(1)
    for hot in (shared, shared.buffer(4), shared.conflate(), replaying, MutableStateFlow(1)):

        async def run(hot: Flow[int] = hot) -> None:
            with pytest.raises(ValueError, match="below"):
                await guard(hot, handler).collect(fail)

        async with coroutine_scope() as scope:
            job = scope.launch(run)
            await settled()
            shared.emit_nowait(1)
            with fail_after(5):
                await job
    assert handler.caught == []


async def test_errors_from_above_are_handled() -> None:
    handler = Handler()
    shared = MutableSharedFlow[int]()

    async def run(failing: Flow[object]) -> list[object]:
        return await failing.catch(handler.catch).to_list()

    async with coroutine_scope() as scope:
        for failing in (shared.map(explode), shared.map(explode_later), shared.map(explode).buffer(3)):
            job = scope.launch(run, failing)
            await settled()
            shared.emit_nowait(1)
            with fail_after(5):
                assert await job == []
    assert [str(error) for error in handler.caught] == ["below"] * 3


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
async def test_an_error_while_the_source_cleans_up_after_a_failure_below_is_not_handled(
    guard: Callable[[Flow[int], Handler], Flow[int]],
) -> None:
    """Scenario retry-07, rule G5: the newer error comes out, with the older one as its cause, and nobody handles it."""

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise KeyError("cleaning up")

    handler = Handler()
    with pytest.raises(KeyError) as raised:
        await guard(source(), handler).collect(explode)
    assert handler.caught == []
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS.keys())
@pytest.mark.parametrize("fail", [explode, explode_later])
async def test_a_cancellation_of_something_else_does_not_hide_a_failure_below(
    guard: Callable[[Flow[int], Handler], Flow[int]], fail: Callable[[int], object]
) -> None:
    """Rule G5: of the two, what came from below is the one to know about. By itself it is an error as any other."""

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise Cancellation("cleaning up")

    handler = Handler()
    with pytest.raises(ValueError, match="below"):
        await guard(source(), handler).collect(fail)
    assert handler.caught == []
    with suppress(Cancellation):
        await guard(source(), handler).collect()
    assert [type(error) for error in handler.caught] == [Cancellation]


async def test_an_error_in_a_handler_is_not_handled_by_the_same_operator() -> None:
    """Scenario catch-11: stages run from above to below, each exactly once."""
    log: list[str] = []

    def stage(name: str) -> Callable[[object, Exception], None]:
        def handle(_emit: object, error: Exception) -> None:
            log.append(name)
            if name != "last":
                raise error

        return handle

    failing: Flow[object] = flow_of(1).map(explode)
    await failing.catch(stage("a")).catch(stage("b")).catch(stage("c")).catch(stage("last")).collect()
    assert log == ["a", "b", "c", "last"]


async def test_an_error_from_below_an_emission_of_the_handler_passes() -> None:
    handled: list[Exception] = []

    async def handle(emit: Emitter[int], error: Exception) -> None:
        handled.append(error)
        await emit(2)

    def fail_at_two(value: object) -> None:
        if value == 2:
            raise KeyError

    with pytest.raises(KeyError):
        await flow_of(1).map(explode).catch(handle).collect(fail_at_two)
    assert len(handled) == 1


async def test_a_cancellation_is_not_handled() -> None:
    handler = Handler()
    async with coroutine_scope() as scope:
        jobs = [guard(hanging(), handler).launch_in(scope) for guard in GUARDS.values()]
        await settled()
        for job in jobs:
            job.cancel()
    assert handler.caught == []


@flow
async def hanging() -> AsyncIterator[int]:
    yield 1
    await sleep_forever()


@pytest.mark.usefixtures("virtual_clock")
async def test_a_timeout_of_the_sources_own_is_an_error_from_above() -> None:
    """Scenario catch-05; also when it strikes while the value is below."""

    @flow
    async def impatient() -> AsyncIterator[int]:
        with fail_after(1):
            await sleep_forever()
        yield 0

    @flow
    async def impatient_with_others() -> AsyncIterator[int]:
        with fail_after(1):
            yield 1
        yield 2

    handler = Handler()
    assert await impatient().catch(lambda emit, _error: emit(1)).to_list() == [1]
    seen: list[int] = []

    async def slow(value: int) -> None:
        seen.append(value)
        await sleep(5)

    await impatient_with_others().catch(handler.catch).collect(slow)
    assert seen == [1]
    assert [type(error) for error in handler.caught] == [TimeoutError]


@pytest.mark.usefixtures("virtual_clock")
async def test_a_source_that_outlived_its_own_timeout_is_guarded_as_before() -> None:
    @flow
    async def lenient() -> AsyncIterator[int]:
        with move_on_after(1):
            yield 1
        yield 2
        raise KeyError("above")

    handler = Handler()
    seen: list[int] = []

    async def slow_at_first(value: int) -> None:
        seen.append(value)
        if value == 1:
            await sleep(5)

    await lenient().catch(handler.catch).collect(slow_at_first)
    assert seen == [1, 2]
    assert [type(error) for error in handler.caught] == [KeyError]


async def test_a_cancelled_collector_gets_nothing_from_a_handler() -> None:
    """The source fails while it is being cancelled; the handler would emit."""

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            await sleep_forever()
            yield 0
        finally:
            raise KeyError("cleaning up")

    seen: list[int] = []
    with CancelScope() as scope:

        async def run() -> None:
            await source().catch(lambda emit, _error: emit(1)).retry().collect(seen.append)

        async with coroutine_scope() as inner:
            inner.launch(run)
            await settled()
            scope.cancel()
    assert seen == []


async def test_values_of_failed_attempts_are_kept_and_each_failure_is_asked_about_once() -> None:
    """Scenario retry-01."""
    attempts: list[int] = []
    handler = Handler()

    @flow
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ValueError

    def again(_emit: object, _error: Exception, attempt: int) -> bool:
        attempts.append(attempt)
        return attempt < 3

    total = await source().retry_when(again).catch(handler.catch).fold(0, lambda total, value: total + value)
    assert (total, attempts, len(handler.caught)) == (4, [0, 1, 2, 3], 1)


async def test_a_failure_below_a_buffer_cancels_the_source_without_asking_the_guard() -> None:
    handler = Handler()
    log: list[str] = []

    @flow
    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await Event().wait()
        finally:
            log.append("cleaned up")

    with pytest.raises(ValueError, match="below"), fail_after(5):
        await source().catch(handler.catch).buffer(1).collect(explode)
    assert log == ["cleaned up"]
    assert handler.caught == []
