"""`produce`: a job and the channel that it fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from anyio import CancelScope, create_task_group, fail_after, get_cancelled_exc_class, sleep_forever
from anyio.lowlevel import checkpoint

from flowsock import (
    BUFFERED,
    RENDEZVOUS,
    UNLIMITED,
    Channel,
    ChannelClosed,
    JobCancelled,
    Producer,
    coroutine_scope,
    produce,
    supervisor_scope,
)
from tests.turns import settled

if TYPE_CHECKING:
    from flowsock import Job

pytestmark = pytest.mark.anyio


async def fail(error: Exception) -> NoReturn:
    await checkpoint()
    raise error


async def one_and_two(producer: Producer[int]) -> None:
    await producer.send(1)
    await producer.send(2)


async def test_the_channel_gives_what_the_body_sends_and_ends_with_it() -> None:
    """Scenario produce-01."""
    async with coroutine_scope() as scope:
        channel = produce(scope, one_and_two)
        assert await channel.receive() == 1
        assert await channel.receive() == 2
        assert await channel.receive(closed="closed") == "closed"


@pytest.mark.parametrize("capacity", [RENDEZVOUS, 1, 10, 1000, BUFFERED, UNLIMITED])
async def test_any_number_of_values_through_any_capacity(capacity: int) -> None:
    """Scenario produce-15."""
    ended: list[int] = []

    with fail_after(5):
        for count in (1, 10, 100):
            async with coroutine_scope() as scope:

                async def body(producer: Producer[int], count: int = count) -> None:
                    for value in range(count):
                        await producer.send(value)
                    ended.append(count)

                assert await produce(scope, body, capacity=capacity).to_list() == [*range(count)]
    assert ended == [1, 10, 100]


async def test_the_job_has_a_name_and_belongs_to_the_scope() -> None:
    async with coroutine_scope() as scope:
        produce(scope, one_and_two)
        produce(scope, one_and_two, name="given")
        assert [job.name for job in scope.jobs] == ["one_and_two", "given"]
        scope.cancel()


async def test_the_jobs_of_the_body_keep_the_channel_open() -> None:
    async def body(producer: Producer[int]) -> None:
        async def send(value: int) -> None:
            await settled()
            await producer.send(value)

        for value in range(3):
            producer.scope.launch(send, value)

    async with coroutine_scope() as scope:
        assert sorted(await produce(scope, body).to_list()) == [0, 1, 2]


async def test_cancelling_the_channel_cancels_the_job() -> None:
    """Scenario produce-03; the producer sees its own cancellation, the receiver what the channel was cancelled with."""
    seen: list[type[BaseException]] = []
    error = ValueError("X")

    async def body(producer: Producer[int]) -> None:
        try:
            await one_and_two(producer)
        except BaseException as raised:
            seen.append(type(raised))
            raise

    with fail_after(5):
        async with coroutine_scope() as scope:
            channel = produce(scope, body)
            [job] = scope.jobs
            assert await channel.receive() == 1
            await settled()
            channel.cancel(error)
            with pytest.raises(ValueError, match="X"):
                await channel.receive()
            await job.join()
            assert scope.is_active
    assert seen == [get_cancelled_exc_class()]
    with pytest.raises(JobCancelled) as raised:
        job.result()
    assert raised.value.__cause__ is error


async def test_a_failure_ends_the_channel_with_it_and_fails_the_scope() -> None:
    async def body(producer: Producer[int]) -> None:
        await producer.send(1)
        raise ValueError("E")

    seen: list[object] = []

    async def receive(channel: Channel[int]) -> None:
        seen.append(await channel.receive())
        with pytest.raises(ValueError, match="E"):
            await channel.receive()
        seen.append("E")

    with fail_after(5):
        async with create_task_group() as outside:
            with pytest.raises(ValueError, match="E"):
                async with coroutine_scope() as scope:
                    outside.start_soon(receive, produce(scope, body, capacity=1))
                    await sleep_forever()
    assert seen == [1, "E"]


async def test_the_channel_is_open_until_the_body_has_cleaned_up() -> None:
    """Scenario produce-05."""

    async def body(producer: Producer[int]) -> None:
        producer.scope.launch(fail, ValueError("E"))
        try:
            await sleep_forever()
        finally:
            for value in range(10):
                producer.send_nowait(value)

    with fail_after(5):
        async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
            channel = produce(scope, body, capacity=UNLIMITED)
            assert [await channel.receive() for _ in range(10)] == [*range(10)]
            with pytest.raises(ValueError, match="E"):
                await channel.receive()


async def test_a_cancelled_producer_may_still_send_where_there_is_room() -> None:
    """Scenario produce-06."""
    seen: list[int] = []

    async with coroutine_scope() as scope:

        async def body(producer: Producer[int]) -> None:
            for value in range(5):
                await producer.send(value)
            scope.cancel()
            await producer.send(-1)
            await checkpoint()
            await producer.send(5)

        channel = produce(scope, body, capacity=UNLIMITED)
    with pytest.raises(JobCancelled):
        await channel.consume_each(seen.append)
    assert seen == [0, 1, 2, 3, 4, -1]


async def test_a_child_that_fails_elsewhere_leaves_the_producer_alone() -> None:
    """Scenario produce-12."""
    reported: list[Exception] = []
    error = ValueError("E")
    async with supervisor_scope(on_error=lambda _job, failure: reported.append(failure)) as elsewhere:

        async def body(producer: Producer[int]) -> None:
            job: Job[NoReturn] = elsewhere.launch(fail, error)
            await job.join()
            await producer.send(3)

        async with coroutine_scope() as scope:
            assert await produce(scope, body).to_list() == [3]
    assert reported == [error]


async def test_the_end_of_the_scope_is_no_quiet_end_of_the_channel() -> None:
    async with coroutine_scope() as scope:
        channel = produce(scope, one_and_two)
        assert await channel.receive() == 1
        scope.cancel("the end")
    with pytest.raises(JobCancelled, match="the end"):
        await channel.to_list()


async def test_a_body_that_sends_after_it_closed_fails() -> None:
    async def body(producer: Producer[int]) -> None:
        producer.close()
        await producer.send(1)

    with pytest.raises(ChannelClosed):
        async with coroutine_scope() as scope:
            produce(scope, body)


async def test_a_failure_after_the_channel_was_cancelled_is_still_reported() -> None:
    reported: list[Exception] = []

    async def body(producer: Producer[int]) -> None:
        try:
            await producer.send(1)
        finally:
            raise ValueError("cleanup")

    async with supervisor_scope(on_error=lambda _job, error: reported.append(error)) as scope:
        channel = produce(scope, body)
        await settled()
        channel.cancel()
    assert [str(error) for error in reported] == ["cleanup"]


async def test_awaiting_the_close_runs_the_cleanup() -> None:
    log: list[str] = []

    async def body(producer: Producer[int]) -> None:
        await producer.await_close(lambda: log.append("cleanup"))

    async with coroutine_scope() as scope:
        channel = produce(scope, body)
        await settled()
        assert log == []
        channel.close()
        await settled()
        assert log == ["cleanup"]
        cancelled = produce(scope, body)
        await settled()
        cancelled.cancel()
        await settled()
        assert log == ["cleanup", "cleanup"]


async def test_arguments_are_checked_at_once() -> None:
    async with coroutine_scope() as scope:
        with pytest.raises(ValueError, match="capacity"):
            produce(scope, one_and_two, capacity=-5)
        assert scope.jobs == ()
    with pytest.raises(RuntimeError):
        produce(scope, one_and_two)


async def test_a_receiver_that_is_cancelled_leaves_the_producer_running() -> None:
    async with coroutine_scope() as scope:
        channel = produce(scope, one_and_two)
        with CancelScope() as cancelled:
            cancelled.cancel()
            await checkpoint()
        assert await channel.to_list() == [1, 2]
