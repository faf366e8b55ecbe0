"""Operators around the beginning, the end and the failure of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after, get_cancelled_exc_class, sleep_forever

from flowsock import Backoff, Emitter, Flow, MutableSharedFlow, as_flow, coroutine_scope, empty_flow, flow, flow_of
from flowsock.testing import assert_marbles, marbles
from tests.turns import a_while, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


class Flaky:
    """Emit 1 and fail, so many times; then emit 1 and end."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.runs = 0

    @flow
    async def flow(self) -> AsyncIterator[int]:
        self.runs += 1
        yield 1
        if self.runs <= self.failures:
            raise ValueError(f"run {self.runs}")


# catch


async def test_catch_emits_instead_of_the_failure_and_the_flow_completes() -> None:
    async def handler(emit: Emitter[Any], error: Exception) -> None:
        await emit(-1)
        await a_while()
        await emit(str(error))

    assert await Flaky(1).flow().catch(handler).to_list() == [1, -1, "run 1"]
    assert await Flaky(1).flow().catch(lambda emit, _error: emit(-2)).to_list() == [1, -2]
    assert await Flaky(1).flow().catch().to_list() == [1]
    assert await flow_of(1).catch(handler).to_list() == [1]


async def test_catch_handles_the_kinds_it_was_given_only() -> None:
    assert await Flaky(1).flow().catch(lambda emit, _error: emit(2), KeyError, ValueError).to_list() == [1, 2]
    with pytest.raises(ValueError, match="run 1"):
        await Flaky(1).flow().catch(lambda emit, _error: emit(2), KeyError).to_list()


async def test_a_handler_may_raise_another_error() -> None:
    def translate(_emit: object, error: Exception) -> None:
        raise KeyError(str(error))

    with pytest.raises(KeyError, match="run 1"):
        await Flaky(1).flow().catch(translate).to_list()
    assert await Flaky(1).flow().catch(translate).catch(lambda emit, _error: emit(2), KeyError).to_list() == [1, 2]


# retry


async def test_retry_collects_again_as_often_as_allowed() -> None:
    """Scenario retry-02."""
    flaky = Flaky(3)
    assert await flaky.flow().retry(attempts=4).to_list() == [1, 1, 1, 1]
    assert flaky.runs == 4
    flaky = Flaky(3)
    with pytest.raises(ValueError, match="run 3"):
        await flaky.flow().retry(attempts=2).collect()
    assert flaky.runs == 3
    assert await Flaky(50).flow().retry().count() == 51


async def test_retry_asks_about_kind_and_error() -> None:
    """Scenario retry-03."""
    assert await Flaky(1).flow().retry(ValueError, attempts=1).count() == 2
    for refusing in (
        Flaky(1).flow().retry(KeyError),
        Flaky(1).flow().retry(when=lambda error: "run 2" in str(error)),
        Flaky(1).flow().retry_when(lambda _emit, _error, _attempt: False),
    ):
        with pytest.raises(ValueError, match="run 1"):
            await refusing.collect()

    async def patient(error: Exception) -> bool:
        await a_while()
        return isinstance(error, ValueError)

    assert await Flaky(2).flow().retry(when=patient).count() == 3


async def test_a_retry_may_emit_and_wait_before_it_is_decided() -> None:
    async def again(emit: Emitter[Any], error: Exception, attempt: int) -> bool:
        await a_while()
        await emit(f"{attempt}: {error}")
        return attempt < 1

    seen: list[object] = []
    with pytest.raises(ValueError, match="run 2"):
        await Flaky(5).flow().retry_when(again).collect(seen.append)
    assert seen == [1, "0: run 1", 1, "1: run 2"]
    assert await Flaky(5).flow().retry_when(again).take(2).to_list() == [1, "0: run 1"]


async def test_with_the_attempts_used_up_the_predicate_is_not_asked() -> None:
    asked: list[Exception] = []

    def ask(error: Exception) -> bool:
        asked.append(error)
        return True

    with pytest.raises(ValueError, match="run 3"):
        await Flaky(9).flow().retry(attempts=2, when=ask).collect()
    assert len(asked) == 2


async def test_each_collection_has_its_own_attempts() -> None:
    """Rule G1."""
    flaky = Flaky(2)
    retried = flaky.flow().retry(attempts=2)
    assert await retried.count() == 3
    flaky.runs = 0
    assert await retried.count() == 3


def test_attempts_are_checked_when_the_operator_is_applied() -> None:
    """Rule G3."""
    for attempts in (0, -1):
        with pytest.raises(ValueError, match="retry"):
            flow_of(1).retry(attempts=attempts)


async def test_a_cancelled_retry_does_not_run_again() -> None:
    """Scenario retry-06."""
    runs: list[int] = []

    @flow
    async def hang() -> AsyncIterator[int]:
        runs.append(1)
        await sleep_forever()
        yield 0

    async with coroutine_scope() as scope:
        job = hang().retry().launch_in(scope)
        await settled()
        with fail_after(5):
            await job.cancel_and_join()
    assert runs == [1]


@pytest.mark.usefixtures("virtual_clock")
async def test_a_backoff_waits_between_attempts() -> None:
    source = marbles("-a#")
    backoff = Backoff(1.0, factor=2.0, maximum=3.0, jitter=lambda: 1.0)
    await assert_marbles(source.retry(attempts=4, backoff=backoff), "-a--a---a----a----a#")
    assert source.lines == ["-a#"] * 5


# on_start


async def test_of_several_actions_the_one_applied_last_runs_first() -> None:
    """Scenarios on_start-01 and on_start-02."""
    assert await flow_of("a").on_start(lambda emit: emit("C")).on_start(lambda emit: emit("D")).to_list() == ["D", "C", "a"]

    async def begin(emit: Emitter[Any]) -> None:
        await emit("Begin")

    started = flow_of("a", "b", "c").on_start(begin)
    assert await started.to_list() == await started.to_list() == ["Begin", "a", "b", "c"]


async def test_on_a_shared_flow_on_start_runs_before_the_subscription() -> None:
    shared = MutableSharedFlow[int]()
    seen: list[int] = []
    async with coroutine_scope() as scope:
        shared.on_start(lambda _emit: shared.emit(1)).on_each(seen.append).launch_in(scope)
        await settled()
        shared.emit_nowait(2)
        assert seen == [2]
        scope.cancel()


async def test_a_failing_action_fails_the_flow_before_it_starts() -> None:
    log: list[str] = []

    def explode(_emit: object) -> None:
        raise ValueError("action")

    @flow
    async def source() -> AsyncIterator[int]:
        log.append("started")
        yield 1

    with pytest.raises(ValueError, match="action"):
        await source().on_start(explode).collect()
    assert log == []


# on_completion


async def test_the_order_of_events() -> None:
    """Scenario on_completion-01."""
    log: list[object] = []

    @flow
    async def source() -> AsyncIterator[int]:
        log.append("emit")
        yield 2
        log.append("after emit")

    await (
        source()
        .on_each(lambda _value: log.append("a"))
        .on_completion(lambda _emit, cause: log.append(cause))
        .on_each(lambda _value: log.append("b"))
        .collect()
    )
    assert log == ["emit", "a", "b", "after emit", None]


async def test_after_a_normal_end_the_action_may_emit() -> None:
    """Scenarios on_completion-05, on_completion-11 and on_completion-12."""
    done = flow_of("a", "b", "c").on_completion(lambda emit, _cause: emit("Done"))
    assert await done.to_list() == ["a", "b", "c", "Done"]
    assert await empty_flow().on_completion(lambda emit, _cause: emit(42)).to_list() == [42]
    causes: list[object] = []

    async def end(emit: Emitter[Any], cause: BaseException | None) -> None:
        causes.append(cause)
        await emit(-1)

    assert await as_flow(range(1, 11)).take(5).on_completion(end).to_list() == [1, 2, 3, 4, 5, -1]
    assert causes == [None]


async def test_after_a_failure_the_action_sees_the_cause_and_cannot_emit() -> None:
    """Scenario on_completion-06: errors from above and from below."""

    def fail_at_six(value: int) -> None:
        if value == 6:
            raise ValueError("six")

    seen: list[int] = []
    causes: list[BaseException | None] = []
    refused: list[BaseException] = []

    async def end(emit: Emitter[Any], cause: BaseException | None) -> None:
        causes.append(cause)
        try:
            await emit(-1)
        except ValueError as error:
            refused.append(error)
            raise

    with pytest.raises(ValueError, match="six"):
        await as_flow(range(1, 11)).on_each(fail_at_six).on_completion(end).collect(seen.append)
    with pytest.raises(ValueError, match="six"):
        await as_flow(range(1, 11)).on_completion(end).on_each(fail_at_six).collect()
    assert seen == [1, 2, 3, 4, 5]
    assert refused == causes
    assert len(causes) == 2


async def test_after_a_cancellation_the_action_runs_and_the_cancellation_goes_on() -> None:
    """Scenario on_completion-07."""
    seen: list[int] = []
    causes: list[BaseException | None] = []
    refused: list[BaseException] = []

    async def end(emit: Emitter[Any], cause: BaseException | None) -> None:
        causes.append(cause)
        try:
            await emit(-1)
        except BaseException as error:
            refused.append(error)
            raise

    async with coroutine_scope() as scope:

        async def cancel_at_six(value: int) -> None:
            if value == 6:
                scope.cancel()
            await a_while()

        await as_flow(range(1, 11)).on_each(cancel_at_six).on_completion(end).collect(seen.append)
    assert seen == [1, 2, 3, 4, 5]
    assert [type(cause) for cause in causes] == [get_cancelled_exc_class()]
    assert len(refused) == 1


async def test_an_early_stop_from_below_is_no_normal_end() -> None:
    """Scenarios on_completion-09 and on_completion-16."""
    causes: list[BaseException | None] = []

    async def end(emit: Emitter[Any], cause: BaseException | None) -> None:
        causes.append(cause)
        await emit(42)

    assert await flow_of(239).on_completion(end).first() == 239
    assert await flow_of(1, 2, 3).take(100).on_completion(end).first() == 1
    assert len(causes) == 2
    assert None not in causes


def zipped(values: Flow[int]) -> Flow[int]:
    return values.zip_with(flow_of(1), lambda value, _one: value)


BETWEEN: dict[str, tuple[Callable[[Flow[int]], Flow[int]], Callable[[Flow[int]], Flow[int]]]] = {
    "zip, take": (lambda values: values.zip_with(flow_of(1, 2), lambda value, _: value), lambda values: values.take(1)),
    "take, zip": (lambda values: values.take(2), zipped),
    "take, first": (lambda values: values.take(2), lambda values: as_flow(values.first)),
    "zip, first": (zipped, lambda values: as_flow(values.first)),
    "take, take": (lambda values: values.take(2), lambda values: values.take(1)),
    "zip, zip": (lambda values: values.zip_with(flow_of(1, 2), lambda value, _: value), zipped),
}


@pytest.mark.parametrize("name", BETWEEN)
async def test_between_two_limits_the_lower_one_is_the_cause_of_the_end(name: str) -> None:
    """Scenario on_completion-15."""
    upper, lower = BETWEEN[name]
    causes: list[BaseException | None] = []
    ended = upper(flow_of(1, 2, 3)).on_completion(lambda _emit, cause: causes.append(cause))
    with fail_after(5):
        assert await lower(ended).to_list() == [1]
    assert len(causes) == 1
    assert causes[0] is not None


async def test_a_failing_action_replaces_the_cause() -> None:
    def fail(_emit: object, _cause: object) -> None:
        raise KeyError("action")

    with pytest.raises(KeyError, match="action") as raised:
        await Flaky(1).flow().on_completion(fail).collect()
    assert isinstance(raised.value.__context__, ValueError)
    with pytest.raises(KeyError, match="action"):
        await flow_of(1).on_completion(fail).collect()


# on_empty


async def test_on_empty_runs_if_there_was_no_value_and_no_failure() -> None:
    """A filtered flow is empty too; ``None`` is a value."""

    async def fill(emit: Emitter[Any]) -> None:
        await emit("a")
        await emit("b")

    assert await empty_flow().on_empty(fill).to_list() == ["a", "b"]
    filtered: Flow[object] = flow_of(1).filter(lambda _value: False)
    assert await filtered.on_empty(fill).to_list() == ["a", "b"]
    assert await flow_of(None).on_empty(fill).to_list() == [None]

    def fail(_value: int) -> int:
        raise ValueError("no value")

    with pytest.raises(ValueError, match="no value"):
        await flow_of(1).map(fail).on_empty(fill).collect()


async def test_a_cancelled_on_empty_cleans_up() -> None:
    """Scenario on_empty-04."""
    log: list[object] = []

    async def hang(_emit: Emitter[Any]) -> None:
        try:
            await sleep_forever()
        finally:
            log.append("cleaned up")

    async with coroutine_scope() as scope:
        job = empty_flow().on_empty(hang).on_each(log.append).launch_in(scope)
        await settled()
        with fail_after(5):
            await job.cancel_and_join()
    assert log == ["cleaned up"]
