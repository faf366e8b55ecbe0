"""Exactly one clause of a select takes effect, and the others leave no trace."""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from anyio import CancelScope, create_task_group, current_time, get_cancelled_exc_class, sleep
from anyio.lowlevel import checkpoint

from flowsock import (
    Channel,
    ChannelClosed,
    JobCancelled,
    WouldBlock,
    coroutine_scope,
    on_timeout,
    select,
    select_unbiased,
    supervisor_scope,
)
from tests.turns import settled

if TYPE_CHECKING:
    from flowsock.clause import Clause
    from flowsock.scopes.job import Job

pytestmark = pytest.mark.anyio


def waiting(channel: Channel[Any]) -> tuple[int, int, int]:
    statistics = channel.statistics()
    return statistics.size, statistics.waiting_senders, statistics.waiting_receivers


async def select_into(seen: list[Any], *clauses: Clause[Any]) -> None:
    seen.append(await select(*clauses))


async def select_in(scope: CancelScope, seen: list[Any], *clauses: Clause[Any]) -> None:
    with scope:
        seen.append(await select(*clauses))


async def send(channel: Channel[Any], value: object) -> None:
    await channel.send(value)


async def give(value: str) -> str:
    return value


async def fail(error: Exception) -> str:
    raise error


# Order


async def test_the_first_that_can_happen_wins() -> None:
    """Scenario select-01."""
    async with coroutine_scope() as scope:
        first, second = scope.launch(give, "first"), scope.launch(give, "second")
    assert {await select(first.on_await(), second.on_await()) for _ in range(10_000)} == {"first"}


async def test_unbiased_chooses_by_chance() -> None:
    """Scenario select-02."""
    async with coroutine_scope() as scope:
        first, second = scope.launch(give, "first"), scope.launch(give, "second")
    seen = Counter([await select_unbiased(first.on_await(), second.on_await()) for _ in range(10_000)])
    assert min(seen["first"], seen["second"]) >= 2500


async def test_a_ready_clause_wins_before_a_later_one_that_fails() -> None:
    """Scenario select-34."""
    ready: Channel[int] = Channel(1)
    closed: Channel[int] = Channel()
    ready.send_nowait(1)
    closed.close()
    assert await select(ready.on_receive(), closed.on_receive()) == 1


async def test_a_clause_that_fails_wins_before_a_later_one_that_is_ready() -> None:
    ready: Channel[int] = Channel(1)
    closed: Channel[int] = Channel()
    ready.send_nowait(1)
    closed.close()
    for failing in (closed.on_receive(), closed.on_send(2)):
        with pytest.raises(ChannelClosed):
            await select(failing, ready.on_receive())
    assert ready.receive_nowait() == 1


# Channels


async def test_a_value_is_sent_to_a_receiver_that_waits() -> None:
    """Scenario select-03."""
    channel: Channel[str] = Channel()
    seen: list[str] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_receive())
        await settled()
        with CancelScope() as scope:
            scope.cancel()
            assert await select(channel.on_send("OK", lambda: "sent")) == "sent", "selected without suspending"
    assert seen == ["OK"]


async def test_a_receiver_that_lost_to_a_default_leaves_no_ghost() -> None:
    """Scenario select-05."""
    channel: Channel[str] = Channel()
    assert await select(channel.on_receive(), on_timeout(0, lambda: "default")) == "default"
    with pytest.raises(WouldBlock):
        channel.send_nowait("a")
    async with create_task_group() as tasks:
        tasks.start_soon(send, channel, "b")
        await settled()
        assert waiting(channel) == (0, 1, 0)
        assert await channel.receive() == "b"


async def test_a_select_that_waits_to_send() -> None:
    """Scenario select-06."""
    channel: Channel[str] = Channel()
    seen: list[str] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_send("OK", lambda: "sent"))
        await settled()
        assert (seen, waiting(channel)) == ([], (0, 1, 0))
        assert await channel.receive() == "OK"
    assert seen == ["sent"]


async def test_a_select_that_waits_to_receive() -> None:
    """Scenario select-07."""
    channel: Channel[str] = Channel()
    seen: list[str] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_receive())
        await settled()
        await channel.send("OK")
    assert seen == ["OK"]


async def test_a_channel_that_is_closed_fails_a_waiting_select() -> None:
    """Scenario select-09."""
    channel: Channel[str] = Channel()
    other: Channel[str] = Channel()

    async def expect_the_end() -> None:
        with pytest.raises(ChannelClosed):
            await select(other.on_receive(), channel.on_receive(str.upper))

    async with create_task_group() as tasks:
        tasks.start_soon(expect_the_end)
        await settled()
        channel.close()
        assert waiting(other) == (0, 0, 0)


async def test_sending_to_a_closed_channel_fails_and_what_was_sent_is_still_received() -> None:
    """Scenario select-11."""
    lost: list[int] = []
    channel: Channel[int] = Channel(on_undelivered=lost.append)
    async with create_task_group() as tasks:
        tasks.start_soon(send, channel, 1)
        await settled()
        channel.close()
        with pytest.raises(ChannelClosed):
            await select(channel.on_send(2), on_timeout(0))
        assert await channel.receive() == 1
    assert lost == [2]


async def test_close_does_not_disturb_a_select_that_waits_to_send_but_cancel_does() -> None:
    channel: Channel[int] = Channel()
    seen: list[str] = []

    async def expect_the_end() -> None:
        with pytest.raises(ChannelClosed):
            await select(channel.on_send(2))

    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_send(1, lambda: "sent"))
        await settled()
        tasks.start_soon(expect_the_end)
        await settled()
        channel.close()
        await settled()
        assert seen == []
        assert await channel.receive() == 1
        await settled()
        channel.cancel()
    assert seen == ["sent"]


async def test_a_thousand_lost_receives_leave_nothing_behind() -> None:
    """Scenario select-15."""
    channel: Channel[int] = Channel()
    for _ in range(1000):
        assert await select(channel.on_receive(str), on_timeout(0, lambda: "default")) == "default"
    assert waiting(channel) == (0, 0, 0)


async def test_a_thousand_lost_sends_leave_nothing_behind() -> None:
    """Scenario select-21."""
    channel: Channel[int] = Channel(1)
    channel.send_nowait(0)
    for number in range(1000):
        assert await select(channel.on_send(number), on_timeout(0, lambda: "default")) == "default"
    assert waiting(channel) == (1, 0, 0)
    assert channel.receive_nowait() == 0


async def test_a_thousand_cancelled_selects_leave_the_channels_usable() -> None:
    sources: list[Channel[int]] = [Channel(), Channel()]
    full: Channel[int] = Channel()
    clauses: list[Clause[int | None]] = [*(source.on_receive() for source in sources), full.on_send(1), on_timeout(1000)]
    seen: list[int | None] = []
    async with create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(select_into, seen, *clauses)
        await settled()
        assert [waiting(each) for each in (*sources, full)] == [(0, 0, 1000), (0, 0, 1000), (0, 1000, 0)]
        tasks.cancel_scope.cancel()
    assert [waiting(each) for each in (*sources, full)] == [(0, 0, 0)] * 3
    async with create_task_group() as tasks:
        for channel in (*sources, full):
            tasks.start_soon(send, channel, 7)
            await settled()
            assert await channel.receive() == 7


async def test_the_function_runs_in_the_selecting_task_and_may_wait() -> None:
    """Scenario select-17."""
    channel: Channel[int] = Channel()
    gate: Channel[int] = Channel()
    seen: list[str] = []

    async def add_from_gate(number: int) -> str:
        seen.append(f"got {number}")
        return f"made {number + await gate.receive()}"

    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_receive(add_from_gate))
        await settled()
        channel.send_nowait(42)
        assert seen == [], "not in the sender's task"
        await settled()
        assert seen == ["got 42"]
        gate.send_nowait(1)
    assert seen == ["got 42", "made 43"]


async def test_a_select_that_waits_for_room() -> None:
    """Scenario select-19."""
    channel: Channel[str] = Channel(1)
    channel.send_nowait("BUF")
    seen: list[str] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_send("OK", lambda: "sent"))
        await settled()
        assert seen == []
        assert [await channel.receive(), await channel.receive()] == ["BUF", "OK"]
    assert seen == ["sent"]


async def test_sending_to_and_receiving_from_one_channel_is_refused() -> None:
    """Rule SE6."""
    channel: Channel[int] = Channel(1)
    for clauses in ((channel.on_send(1), channel.on_receive()), (channel.on_receive(), channel.on_send(1))):
        with pytest.raises(ValueError, match="one channel"):
            await select(*clauses)
    assert waiting(channel) == (0, 0, 0)
    await channel.send(1)
    assert await channel.receive() == 1


async def test_two_selects_meet() -> None:
    left: Channel[int] = Channel()
    right: Channel[int] = Channel()
    seen: list[Any] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, left.on_send(1, lambda: "sent"), right.on_receive())
        await settled()
        tasks.start_soon(select_into, seen, right.on_receive(), left.on_receive())
    assert sorted(map(str, seen)) == ["1", "sent"]
    assert (waiting(left), waiting(right)) == ((0, 0, 0), (0, 0, 0))


async def test_the_losers_are_gone_in_the_step_of_the_choice() -> None:
    first: Channel[int] = Channel()
    second: Channel[int] = Channel()
    full: Channel[int] = Channel()
    seen: list[int | None] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, first.on_receive(), second.on_receive(), full.on_send(3), on_timeout(1000))
        await settled()
        second.send_nowait(2)
        with pytest.raises(WouldBlock):
            first.send_nowait(1)
        with pytest.raises(WouldBlock):
            full.receive_nowait()
        first.close()
    assert seen == [2]


async def test_one_channel_twice_is_one_receiver() -> None:
    channel: Channel[int] = Channel()
    seen: list[str] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, channel.on_receive("first {}".format), channel.on_receive("second {}".format))
        await settled()
        channel.send_nowait(1)
        with pytest.raises(WouldBlock):
            channel.send_nowait(2)
    assert seen == ["first 1"]


async def test_what_ends_two_clauses_at_once_ends_the_first() -> None:
    channel: Channel[int] = Channel()
    seen: list[str] = []
    async with coroutine_scope() as scope:
        job = scope.launch(channel.receive)
        await settled()
        scope.launch(select_into, seen, job.on_join(lambda: "first"), job.on_join(lambda: "second"))
        await settled()
        channel.send_nowait(1)
        await settled()
        scope.launch(select_into, seen, channel.on_receive(closed="third"), channel.on_receive(closed="fourth"))
        await settled()
        channel.close()
    assert seen == ["first", "third"]


async def test_the_end_of_a_channel_as_a_value() -> None:
    channel: Channel[int] = Channel(1)
    clause = channel.on_receive(str, closed=None)
    channel.send_nowait(1)
    assert await select(clause) == "1"
    seen: list[str | None] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_into, seen, clause)
        await settled()
        channel.close()
    assert seen == [None]
    assert await select(clause) is None


async def test_the_error_that_a_channel_was_closed_with_is_no_value() -> None:
    channel: Channel[int] = Channel()
    channel.close(ValueError("cause"))
    with pytest.raises(ValueError, match="cause"):
        await select(channel.on_receive(closed=None))
    with pytest.raises(ValueError, match="cause"):
        await select(channel.on_send(1))


async def test_a_received_value_is_not_awaited_itself() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(give, "result")
        channel: Channel[Job[str]] = Channel(1)
        channel.send_nowait(job)
        assert await select(channel.on_receive()) is job


async def test_a_function_may_be_the_send_of_another_channel() -> None:
    source: Channel[int] = Channel(1)
    target: Channel[int] = Channel(1)
    source.send_nowait(1)
    moved: object = await select(source.on_receive(target.send))
    assert moved is None
    assert target.receive_nowait() == 1


# Jobs


async def test_the_job_that_ends_first_is_selected_and_the_other_goes_on() -> None:
    """Scenario select-22."""
    done: list[str] = []

    async def slow() -> str:
        await checkpoint()
        await checkpoint()
        done.append("slow")
        return "slow"

    async with coroutine_scope() as scope:
        first, second = scope.launch(slow), scope.launch(give, "fast")
        assert await select(first.on_await(), second.on_await()) == "fast"
        assert done == []
    assert done == ["slow"]


async def test_a_failed_job_fails_the_select() -> None:
    """Scenario select-24."""
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        failed, ready = scope.launch(fail, ValueError("failed")), scope.launch(give, "ready")
    with pytest.raises(ValueError, match="failed"):
        await select(failed.on_await(str.upper), ready.on_await())
    assert await select(ready.on_await(str.upper), failed.on_await()) == "READY"


async def test_a_job_that_is_cancelled_fails_a_select_that_awaits_it() -> None:
    """Scenario select-25."""
    called: list[None] = []
    async with coroutine_scope() as scope:
        job = scope.launch(sleep, inf)

        async def expect_the_error() -> None:
            with pytest.raises(JobCancelled):
                await select(job.on_await(called.append))

        scope.launch(expect_the_error)
        await settled()
        job.cancel()
    assert called == []


async def test_joining_a_cancelled_job_never_fails() -> None:
    """Scenario select-26."""
    async with coroutine_scope() as scope:
        job = scope.launch(sleep, inf)
        job.cancel()
    assert await select(job.on_join(lambda: "ended")) == "ended"
    await select(job.on_join())


async def test_joining_a_job_that_ends_meanwhile() -> None:
    gate: Channel[int] = Channel()
    other: Channel[int] = Channel()
    async with coroutine_scope() as scope:
        job = scope.launch(gate.receive)
        ended = scope.launch(partial(select, other.on_receive(), job.on_join(lambda: "ended")))
        await settled()
        gate.send_nowait(1)
        assert await ended == "ended"
        assert waiting(other) == (0, 0, 0)


async def test_joining_a_failed_child_of_a_supervisor() -> None:
    async with supervisor_scope(on_error=lambda _job, _error: None) as scope:
        job = scope.launch(fail, ValueError("failed"))
        assert await select(job.on_join(lambda: "ended")) == "ended"


async def test_a_loop_that_joins_a_failing_child_is_cancelled_instead() -> None:
    """Scenario select-28, rule SE10."""
    channel: Channel[int] = Channel()
    joined = False

    def join() -> None:
        nonlocal joined
        joined = True

    async def send_and_fail() -> None:
        await channel.send(1)
        raise ValueError("E")

    with pytest.raises(ValueError, match="E"):
        async with coroutine_scope() as scope:
            job = scope.launch(send_and_fail)
            for _ in range(1000):
                await select(channel.on_receive(closed=None), job.on_join(join))
    assert not joined


async def test_a_select_that_lost_interest_leaves_the_job() -> None:
    async with coroutine_scope() as scope:
        job = scope.launch(sleep, inf)
        for _ in range(1000):
            assert await select(job.on_join(), on_timeout(0, lambda: "default")) == "default"
        async with create_task_group() as tasks:
            tasks.start_soon(select_into, [], job.on_join(), job.on_await())
            await settled()
            tasks.cancel_scope.cancel()
        job.cancel()


# Timeouts


@pytest.mark.usefixtures("virtual_clock")
async def test_the_shortest_timeout_wins() -> None:
    """Scenario select-29."""
    start = current_time()
    clauses = [on_timeout(seconds, partial(give, str(seconds))) for seconds in (1000, 100, inf, 500)]
    assert await select(*clauses) == "100"
    assert current_time() - start == pytest.approx(100)


@pytest.mark.parametrize("seconds", [0, -10])
async def test_a_timeout_that_is_over_wins_at_once(seconds: float) -> None:
    """Scenarios select-30 and select-31."""
    with CancelScope() as scope:
        scope.cancel()
        assert await select(on_timeout(1000, lambda: "long"), on_timeout(seconds, lambda: "over")) == "over"


async def test_timeouts_that_are_over_are_unbiased_too() -> None:
    """Scenario select-32."""
    clauses = [on_timeout(-1000, lambda: -1000), on_timeout(0, lambda: 0), on_timeout(1000, lambda: 1000)]
    seen = Counter([await select_unbiased(*clauses) for _ in range(10_000)])
    assert min(seen[-1000], seen[0]) >= 2500
    assert seen[1000] == 0


@pytest.mark.usefixtures("virtual_clock")
async def test_a_timeout_withdraws_the_others_and_leaves_no_timer() -> None:
    lost: list[int] = []
    channel: Channel[int] = Channel()
    full: Channel[int] = Channel(on_undelivered=lost.append)
    assert await select(channel.on_receive(), full.on_send(1), on_timeout(5)) is None
    assert (waiting(channel), waiting(full), lost) == ((0, 0, 0), (0, 0, 0), [1])
    async with create_task_group() as tasks:
        seen: list[int] = []
        tasks.start_soon(select_into, seen, channel.on_receive(), on_timeout(5))
        await settled()
        channel.send_nowait(1)
        await sleep(10)
        assert seen == [1]


@pytest.mark.usefixtures("virtual_clock")
async def test_a_value_and_a_timeout_in_the_same_moment_are_one_of_them() -> None:
    for delay in (4.999, 5.0, 5.001):
        channel: Channel[int] = Channel(1)
        seen: list[int | None] = []
        async with create_task_group() as tasks:
            tasks.start_soon(select_into, seen, channel.on_receive(), on_timeout(5))
            await sleep(delay)
            channel.send_nowait(1)
        assert seen == [1] if len(channel) == 0 else seen == [None]


# Cancellation


async def test_a_cancelled_select_is_gone_at_once_everywhere() -> None:
    lost: list[int] = []
    source: Channel[int] = Channel()
    full: Channel[int] = Channel(on_undelivered=lost.append)
    scope = CancelScope()
    seen: list[object] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_in, scope, seen, source.on_receive(), full.on_send(1), on_timeout(1000))
        await settled()
        scope.cancel()
        await settled()
        assert (waiting(source), waiting(full)) == ((0, 0, 0), (0, 0, 0))
    assert (seen, lost) == ([], [1])


async def test_a_select_cancelled_in_the_step_of_the_send_does_not_swallow_the_value() -> None:
    channel: Channel[int] = Channel(1)
    scope = CancelScope()
    seen: list[object] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_in, scope, seen, channel.on_receive(), on_timeout(1000))
        await settled()
        scope.cancel()
        channel.send_nowait(1)
    assert seen == []
    assert channel.receive_nowait() == 1


async def test_a_value_that_was_handed_over_wins_against_a_later_cancellation() -> None:
    """What Kotlin calls prompt cancellation (undelivered-14) is the other way round here: see the catalog, G13."""
    lost: list[int] = []
    channel: Channel[int] = Channel(on_undelivered=lost.append)
    scope = CancelScope()
    seen: list[object] = []
    async with create_task_group() as tasks:
        tasks.start_soon(select_in, scope, seen, channel.on_receive(), on_timeout(1000))
        await settled()
        channel.send_nowait(1)
        scope.cancel()
    assert (seen, lost) == ([1], [])


async def test_a_select_that_starts_in_a_cancelled_scope_leaves_no_trace() -> None:
    channel: Channel[int] = Channel()
    for clauses in ([channel.on_receive()], [channel.on_receive(), on_timeout(1000)], [channel.on_send(1)]):
        with CancelScope() as scope:
            scope.cancel()
            with pytest.raises(get_cancelled_exc_class()):
                await select(*clauses)
    assert waiting(channel) == (0, 0, 0)


async def test_a_failing_function_is_the_callers_error_and_the_value_is_gone() -> None:
    channel: Channel[int] = Channel(1)
    channel.send_nowait(0)
    with pytest.raises(ZeroDivisionError):
        await select(channel.on_receive(lambda number: 1 // number))
    assert waiting(channel) == (0, 0, 0)


async def test_what_on_undelivered_raises_for_a_loser_comes_out_and_the_value_of_the_winner_is_reported() -> None:
    lost: list[int] = []

    def refuse(value: int) -> None:
        raise ValueError(value)

    full: Channel[int] = Channel(on_undelivered=refuse)
    source: Channel[int] = Channel(1, on_undelivered=lost.append)
    source.send_nowait(1)
    with pytest.raises(ValueError, match="2"):
        await select(full.on_send(2), source.on_receive())
    assert lost == [1]


# Arguments


async def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one"):
        await select()
    with pytest.raises(ValueError, match="number"):
        on_timeout(nan)
    channel: Any = Channel[int]()
    with pytest.raises(TypeError, match="not a clause"):
        await select(channel.on_receive(), channel)


async def test_a_clause_may_be_used_again() -> None:
    channel: Channel[int] = Channel(3)
    clause = channel.on_receive()
    for value in range(3):
        channel.send_nowait(value)
    assert [await select(clause, clause) for _ in range(3)] == [0, 1, 2]
