"""Flows and aioreactive's observables, both ways, against the real package."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aioreactive as rx
import pytest
import pytest_asyncio
from aioreactive import AsyncAnonymousObservable, AsyncObservable, AsyncObserver, AsyncSubject
from expression import pipe
from expression.system import AsyncDisposable

from flowsock import MutableSharedFlow, as_flow, coroutine_scope, flow, flow_of, merge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.asyncio


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Fail a test that leaves tasks behind, other than the mailboxes that aioreactive itself never stops."""
    yield
    await turns()
    assert [task for task in asyncio.all_tasks() - {asyncio.current_task()} if "start_immediate" not in repr(task)] == []


def is_even(number: int) -> bool:
    return number % 2 == 0


def ten_times(number: int) -> int:
    return 10 * number


class Probe(AsyncObservable[int]):
    """Runs a function as a task that sends to the observer; knows how often it is subscribed to."""

    def __init__(self, work: Callable[[AsyncObserver[int]], Awaitable[None]]) -> None:
        self._work = work
        self.subscriptions = 0
        self.log: list[str] = []

    async def subscribe_async(self, send: Any = None, throw: Any = None, close: Any = None) -> AsyncDisposable:
        assert isinstance(send, AsyncObserver)
        self.subscriptions += 1
        observer: AsyncObserver[int] = send

        async def run() -> None:
            await self._work(observer)

        task = asyncio.create_task(run())

        async def dispose() -> None:
            await turns()
            task.cancel()
            await asyncio.wait({task})
            self.subscriptions -= 1
            self.log.append("disposed")

        return AsyncDisposable.create(dispose)


class Recorder(AsyncObserver[Any]):
    """Remembers every call, in the grammar's order."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.ended = asyncio.Event()

    async def asend(self, value: object) -> None:
        await asyncio.sleep(0)
        self.events.append(value)

    async def athrow(self, error: Exception) -> None:
        self.events.append(error)
        self.ended.set()

    async def aclose(self) -> None:
        self.events.append("closed")
        self.ended.set()


async def record(observable: AsyncObservable[Any]) -> list[object]:
    recorder = Recorder()
    async with await observable.subscribe_async(recorder):
        async with asyncio.timeout(5):
            await recorder.ended.wait()
    return recorder.events


class TestObservableAsFlow:
    async def test_values_come_in_order_and_then_the_end(self) -> None:
        assert await as_flow(rx.from_iterable(range(10))).to_list() == list(range(10))

    async def test_operators_of_both_sides_compose(self) -> None:
        observable = pipe(rx.from_iterable(range(10)), rx.filter(is_even), rx.map(ten_times))
        assert await as_flow(observable).map(str).drop(1).to_list() == ["20", "40", "60", "80"]

    async def test_each_collection_subscribes_anew(self) -> None:
        values = as_flow(rx.from_iterable([1, 2]))
        assert [await values.to_list(), await values.to_list()] == [[1, 2], [1, 2]]

    async def test_an_empty_and_a_single_observable(self) -> None:
        assert await as_flow(rx.empty()).to_list() == []
        assert await as_flow(rx.single(42)).to_list() == [42]

    async def test_an_async_iterable_observable(self) -> None:
        async def numbers() -> AsyncIterator[int]:
            for number in range(3):
                await asyncio.sleep(0)
                yield number

        assert await as_flow(rx.from_async_iterable(numbers())).to_list() == [0, 1, 2]

    async def test_a_timer_observable(self) -> None:
        assert await as_flow(rx.interval(0, 1)).first() == 0
        assert await as_flow(rx.timer(0)).to_list() == [0]

    async def test_a_failure_comes_after_the_values_that_were_sent_before_it(self) -> None:
        error = ValueError("observable")

        async def work(observer: AsyncObserver[int]) -> None:
            await observer.asend(1)
            await observer.athrow(error)

        probe = Probe(work)
        seen: list[int] = []
        with pytest.raises(ValueError, match="observable") as raised:
            await as_flow(probe).collect(seen.append)
        assert raised.value is error
        assert seen == [1]
        assert probe.log == ["disposed"]

    async def test_asend_waits_until_the_collector_handled_the_value(self) -> None:
        log: list[str] = []

        async def work(observer: AsyncObserver[int]) -> None:
            for number in range(2):
                await observer.asend(number)
                log.append(f"sent {number}")
            await observer.aclose()

        async def handle(number: int) -> None:
            log.append(f"handling {number}")
            await turns()
            log.append(f"handled {number}")

        await as_flow(Probe(work)).collect(handle)
        assert log == ["handling 0", "handled 0", "sent 0", "handling 1", "handled 1", "sent 1"]

    async def test_concurrent_senders_wait_in_line(self) -> None:
        log: list[str] = []

        async def send(observer: AsyncObserver[int], number: int) -> None:
            await observer.asend(number)
            log.append(f"sent {number}")

        async def work(observer: AsyncObserver[int]) -> None:
            await asyncio.gather(*(send(observer, number) for number in range(3)))
            await observer.aclose()

        async def handle(number: int) -> None:
            await turns()
            log.append(f"handled {number}")

        await as_flow(Probe(work)).collect(handle)
        assert [line for line in log if "handled" in line] == ["handled 0", "handled 1", "handled 2"]
        for number in range(3):
            assert log.index(f"handled {number}") < log.index(f"sent {number}")

    async def test_the_chain_runs_in_the_task_that_collects(self) -> None:
        tasks: set[object] = set()
        subject: AsyncSubject[int] = AsyncSubject()

        async def send() -> None:
            await turns()
            await subject.asend(1)
            await subject.aclose()

        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            await as_flow(subject).collect(lambda _: tasks.add(asyncio.current_task()))
        assert tasks == {asyncio.current_task()}

    async def test_a_value_whose_sender_was_cancelled_meanwhile_is_taken_back(self) -> None:
        subject: AsyncSubject[int] = AsyncSubject()
        seen: list[int] = []
        busy = asyncio.Event()

        async def handle(number: int) -> None:
            seen.append(number)
            await busy.wait()

        async with coroutine_scope() as scope:
            job = scope.launch(as_flow(subject).collect, handle)
            await turns()
            first = asyncio.create_task(subject.asend(1))
            second = asyncio.create_task(subject.asend(2))
            await turns()
            second.cancel()
            busy.set()
            await first
            await subject.asend(3)
            await subject.aclose()
            await job
        assert seen == [1, 3]

    async def test_early_stop_disposes_and_lets_the_sender_go(self) -> None:
        log: list[str] = []

        async def work(observer: AsyncObserver[int]) -> None:
            number = 0
            try:
                while True:
                    await observer.asend(number)
                    number += 1
            except asyncio.CancelledError:
                log.append(f"cancelled after {number}")

        probe = Probe(work)
        # This sender never looks up: it sends on, and nobody takes it, until it is disposed of.
        assert await as_flow(probe).take(3).to_list() == [0, 1, 2]
        assert probe.subscriptions == 0
        [line] = log
        assert line.startswith("cancelled after"), "it was given the turns that it takes to be cancelled"

    async def test_senders_that_still_wait_when_the_collection_ends_are_let_go(self) -> None:
        subject: AsyncSubject[int] = AsyncSubject()
        collection = asyncio.create_task(as_flow(subject).take(1).to_list())
        await turns()
        async with asyncio.timeout(5):
            await asyncio.gather(*(subject.asend(number) for number in range(3)))
        assert await collection == [0]

    async def test_who_sends_to_a_collector_that_was_cancelled_is_let_go(self) -> None:
        given: list[AsyncObserver[int]] = []

        async def subscribe(observer: AsyncObserver[int]) -> AsyncDisposable:
            given.append(observer)
            return AsyncDisposable.empty()

        collection = asyncio.create_task(as_flow(AsyncAnonymousObservable(subscribe)).collect())
        await turns()
        collection.cancel()
        with pytest.raises(asyncio.CancelledError):
            await collection
        async with asyncio.timeout(5):
            await given[0].asend(1)

    async def test_an_observable_cannot_swallow_an_error_of_the_collector(self) -> None:
        seen: list[int] = []

        async def subscribe(observer: AsyncObserver[int]) -> AsyncDisposable:
            with suppress(Exception):
                await observer.asend(1)
            await observer.asend(2)
            await observer.aclose()
            return AsyncDisposable.empty()

        def handle(number: int) -> None:
            seen.append(number)
            raise ValueError("collector")

        with pytest.raises(ValueError, match="collector"):
            await as_flow(AsyncAnonymousObservable(subscribe)).collect(handle)
        assert seen == [1]

    async def test_an_early_stop_leaves_a_subject_usable_for_others(self) -> None:
        subject: AsyncSubject[int] = AsyncSubject()
        others: list[int] = []

        async def remember(number: int) -> None:
            others.append(number)

        async with coroutine_scope() as scope, await subject.subscribe_async(remember):
            first = scope.launch(as_flow(subject).first)
            await turns()
            await subject.asend(1)
            await subject.asend(2)
            assert await first == 1
        assert others == [1, 2]

    async def test_cancelling_the_collector_disposes(self) -> None:
        probe = Probe(lambda observer: asyncio.sleep(3600))
        async with coroutine_scope() as scope:
            job = scope.launch(as_flow(probe).collect)
            await turns()
            assert probe.subscriptions == 1
            await job.cancel_and_join()
            assert probe.subscriptions == 0

    async def test_cancelling_the_task_natively_disposes(self) -> None:
        probe = Probe(lambda observer: asyncio.sleep(3600))
        task = asyncio.create_task(as_flow(probe).collect())
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert probe.subscriptions == 0

    async def test_a_failing_collector_disposes_and_the_observable_does_not_notice(self) -> None:
        noticed: list[Exception] = []

        async def work(observer: AsyncObserver[int]) -> None:
            try:
                await observer.asend(1)
            except Exception as error:
                noticed.append(error)

        def fail(_number: int) -> None:
            raise ValueError("collector")

        probe = Probe(work)
        with pytest.raises(ValueError, match="collector"):
            await as_flow(probe).collect(fail)
        assert probe.subscriptions == 0
        assert noticed == []

    async def test_what_an_observable_sends_after_its_end_is_ignored(self) -> None:
        async def work(observer: AsyncObserver[int]) -> None:
            await observer.asend(1)
            await observer.aclose()
            await observer.asend(2)
            await observer.athrow(ValueError("after the end"))
            await observer.aclose()

        assert await as_flow(Probe(work)).to_list() == [1]

    async def test_an_observable_may_send_while_it_is_subscribed_to(self) -> None:
        async def subscribe(observer: AsyncObserver[int]) -> AsyncDisposable:
            await observer.asend(1)
            await observer.asend(2)
            await observer.aclose()
            return AsyncDisposable.empty()

        async def handle(number: int) -> None:
            await turns()
            seen.append(number)

        seen: list[int] = []
        await as_flow(AsyncAnonymousObservable(subscribe)).collect(handle)
        assert seen == [1, 2]

    async def test_an_observable_that_sends_without_end_while_it_is_subscribed_to_is_stopped(self) -> None:
        async def subscribe(observer: AsyncObserver[int]) -> AsyncDisposable:
            number = 0
            while True:
                await observer.asend(number)
                number += 1

        assert await as_flow(AsyncAnonymousObservable(subscribe)).take(3).to_list() == [0, 1, 2]

    async def test_an_observable_that_cannot_be_subscribed_to_fails_the_collection(self) -> None:
        async def subscribe(observer: AsyncObserver[int]) -> AsyncDisposable:
            raise ValueError("no subscription")

        with pytest.raises(ValueError, match="no subscription"):
            await as_flow(AsyncAnonymousObservable(subscribe)).collect()

    async def test_a_value_sent_by_the_collector_itself_comes_behind_the_one_it_handles(self) -> None:
        subject: AsyncSubject[int] = AsyncSubject()
        log: list[str] = []

        async def handle(number: int) -> None:
            log.append(f"begin {number}")
            if number < 2:
                await subject.asend(number + 1)
            else:
                await subject.aclose()
            log.append(f"end {number}")

        async with coroutine_scope() as scope:
            job = scope.launch(as_flow(subject).collect, handle)
            await turns()
            await subject.asend(0)
            await job
        assert log == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]

    async def test_it_can_be_iterated_without_a_scope(self) -> None:
        seen = [number async for number in as_flow(rx.from_iterable(range(5)))]
        assert seen == list(range(5))

    async def test_leaving_an_iteration_early_disposes(self) -> None:
        async def work(observer: AsyncObserver[int]) -> None:
            for number in range(100):
                await observer.asend(number)

        probe = Probe(work)
        async with as_flow(probe).open() as items:
            async for number in items:
                if number == 2:
                    break
        assert probe.subscriptions == 0

    async def test_many_observables_merge_with_other_flows(self) -> None:
        merged = merge(as_flow(rx.from_iterable(range(50))), flow_of(*range(50, 100)))
        assert sorted(await merged.to_list()) == list(range(100))


class TestFlowAsObservable:
    async def test_values_come_in_order_and_then_the_end(self) -> None:
        assert await record(flow_of(1, 2, 3).to_observable()) == [1, 2, 3, "closed"]

    async def test_a_failure_goes_to_athrow_behind_the_values_and_ends_it(self) -> None:
        error = ValueError("flow")

        @flow
        async def numbers() -> AsyncIterator[int]:
            yield 1
            raise error

        assert await record(numbers().to_observable()) == [1, error]

    async def test_functions_may_be_given_instead_of_an_observer(self) -> None:
        seen: list[object] = []
        ended = asyncio.Event()

        async def send(value: int) -> None:
            seen.append(value)

        async def close() -> None:
            ended.set()

        async with await flow_of(1, 2).to_observable().subscribe_async(send, close=close):
            await ended.wait()
        assert seen == [1, 2]

    async def test_operators_of_aioreactive_apply(self) -> None:
        observable = pipe(flow_of(*range(6)).to_observable(), rx.filter(is_even), rx.map(ten_times))
        assert await record(observable) == [0, 20, 40, "closed"]
        assert await rx.run(pipe(flow_of(1, 2, 3).to_observable(), rx.map(ten_times))) == 30

    async def test_each_subscription_collects_anew(self) -> None:
        collections = 0

        @flow
        async def numbers() -> AsyncIterator[int]:
            nonlocal collections
            collections += 1
            yield collections

        observable = numbers().to_observable()
        assert collections == 0
        assert await record(observable) == [1, "closed"]
        assert await record(observable) == [2, "closed"]

    async def test_the_flow_waits_for_asend(self) -> None:
        log: list[str] = []
        ended = asyncio.Event()

        @flow
        async def numbers() -> AsyncIterator[int]:
            for number in range(2):
                log.append(f"produced {number}")
                yield number

        async def send(number: int) -> None:
            await turns()
            log.append(f"handled {number}")

        async def close() -> None:
            ended.set()

        async with await numbers().to_observable().subscribe_async(send, close=close):
            await ended.wait()
        assert log == ["produced 0", "handled 0", "produced 1", "handled 1"]

    async def test_disposing_cancels_the_collection_and_waits_for_its_cleanup(self) -> None:
        log: list[str] = []

        @flow
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.sleep(3600)
            finally:
                await turns()
                log.append("cleaned up")

        recorder = Recorder()
        subscription = await numbers().to_observable().subscribe_async(recorder)
        await turns()
        await subscription.dispose_async()
        assert log == ["cleaned up"]
        await subscription.dispose_async()
        assert recorder.events == [1]

    async def test_disposing_at_once_runs_nothing(self) -> None:
        ran: list[str] = []
        subscription = await as_flow(lambda: ran.append("ran")).to_observable().subscribe_async(Recorder())
        await subscription.dispose_async()
        await turns()
        assert ran == []

    async def test_disposing_after_the_end_does_nothing(self) -> None:
        recorder = Recorder()
        subscription = await flow_of(1).to_observable().subscribe_async(recorder)
        await recorder.ended.wait()
        await subscription.dispose_async()
        assert recorder.events == [1, "closed"]

    async def test_an_observer_may_dispose_from_inside_asend(self) -> None:
        log: list[object] = []

        @flow
        async def numbers() -> AsyncIterator[int]:
            try:
                for number in range(100):
                    yield number
            finally:
                await turns()
                log.append("cleaned up")

        async def send(number: int) -> None:
            if number == 2:
                await subscription.dispose_async()
                await turns()
            log.append(number)

        async def close() -> None:
            log.append("closed")

        subscription = await numbers().to_observable().subscribe_async(send, close=close)
        await turns(100)
        assert log == [0, 1, 2, "cleaned up"]

    async def test_a_limiting_operator_of_aioreactive_stops_the_flow(self) -> None:
        log: list[str] = []

        @flow
        async def numbers() -> AsyncIterator[int]:
            try:
                for number in range(10_000):
                    yield number
                    await asyncio.sleep(0)
            finally:
                log.append("cleaned up")

        assert await record(pipe(numbers().to_observable(), rx.take(2))) == [0, 1, "closed"]
        await turns()
        assert log == ["cleaned up"]

    async def test_a_failing_observer_gets_its_own_error(self) -> None:
        error = ValueError("observer")
        thrown: list[Exception] = []
        ended = asyncio.Event()

        async def send(_number: int) -> None:
            raise error

        async def throw(raised: Exception) -> None:
            thrown.append(raised)
            ended.set()

        async with await flow_of(1, 2).to_observable().subscribe_async(send, throw):
            await ended.wait()
        assert thrown == [error]

    async def test_a_failure_of_the_cleanup_comes_out_of_disposing(self) -> None:
        @flow
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.sleep(3600)
            finally:
                raise ValueError("cleanup")

        recorder = Recorder()
        subscription = await numbers().to_observable().subscribe_async(recorder)
        await turns()
        with pytest.raises(ValueError, match="cleanup"):
            await subscription.dispose_async()
        assert recorder.events == [1]

    async def test_a_subscription_that_nobody_keeps_is_not_collected_as_garbage(self) -> None:
        ended: list[str] = []

        @flow
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Future()
            finally:
                ended.append("ended")

        await numbers().to_observable().subscribe_async(Recorder())
        await turns()
        gc.collect()
        assert ended == []
        [collection] = [task for task in asyncio.all_tasks() if task.get_name() == "flow.to_observable"]
        collection.cancel()

    async def test_a_slow_observer_of_a_shared_flow_gets_every_value(self) -> None:
        shared: MutableSharedFlow[int] = MutableSharedFlow()
        recorder = Recorder()
        async with await shared.take(50).to_observable().subscribe_async(recorder):
            await turns()
            for number in range(50):
                await shared.emit(number)
            await recorder.ended.wait()
        assert recorder.events == [*range(50), "closed"]

    async def test_a_flow_with_tasks_of_its_own(self) -> None:
        assert await record(flow_of(*range(20)).buffer(4).flat_map_merge(lambda n: flow_of(n)).to_observable()) == [
            *range(20),
            "closed",
        ]

    async def test_there_and_back_again(self) -> None:
        there = pipe(flow_of(*range(100)).map(lambda n: n + 1).to_observable(), rx.map(ten_times))
        assert await as_flow(there).take(3).to_list() == [10, 20, 30]
