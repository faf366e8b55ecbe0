"""Which scenarios of `scenario_ids.txt` no test names, and why."""

from __future__ import annotations

from typing import Final

# The sentence says what in Python, or on anyio, rules the scenario out, and what holds instead.
CANNOT_HOLD: Final[dict[str, str]] = {
    "builders-07": (
        "A source that never waits takes a turn every 128 values, which starves nobody, and sees the cancellation there "
        "(`cancellable` sees it at once)."
    ),
    "transparency-01": (
        "A `yield` belongs to the generator whose body it is in, so no other task can emit from inside `@flow`; "
        "`@channel_flow` is for that."
    ),
    "transparency-04": (
        "A task that the body of `@flow` starts has nothing to emit with: a `yield` in it makes a generator of its own."
    ),
    "flow_on-06": (
        "There are no dispatchers and no context with a job in it, so there is no `flow_on`; `buffer` separates producer "
        "and collector."
    ),
    "flat_map_merge-08": (
        "Only the backend cancels: an error that an inner flow raises is never taken for a quiet end, which would drop "
        "what it had not emitted."
    ),
    "shared_flow-06": (
        "Direct dispatch: an idle collector takes the value inside `emit_nowait`, so nobody has to be waited for; a busy "
        "one refuses it."
    ),
    "virtual_time-04": "No code moves the clock by hand: it jumps to the next timer when every task waits.",
    "virtual_time-06": "The clock cannot be advanced by hand, so not by a negative time either.",
    "virtual_time-07": (
        "The clock does not tell background tasks from others: any timer moves it, and a test ends when its scope does."
    ),
    "turbine-13": (
        "A turbine waits on the clock of the event loop: on virtual time its test is over at once, and deterministic."
    ),
}

TO_BE_DONE: Final = frozenset(
    {
        "channel_iter-03",
        "channel_iter-04",
        "channel_close-01",
        "channel_close-03",
        "channel_close-04",
        "channel_close-05",
        "channel_close-06",
        "channel_close-07",
        "channel_close-08",
        "channel_close-15",
        "channel_close-17",
        "consume-01",
        "consume-03",
        "consume-04",
        "consume-05",
        "consume-06",
        "consume-07",
        "produce-03",
        "produce-05",
        "produce-06",
        "produce-12",
        "select-33",
        "scope-11",
        "scope-13",
        "supervisor-09",
        "supervisor-10",
        "propagation-01",
        "propagation-02",
        "propagation-03",
        "propagation-04",
        "propagation-07",
        "propagation-09",
        "propagation-10",
        "timeout_scope-02",
        "timeout_scope-06",
        "timeout_scope-07",
        "timeout_scope-08",
        "timeout_scope-09",
        "timeout_scope-12",
        "timeout_scope-13",
        "timeout_scope-14",
        "deferred-04",
        "lazy-02",
        "lazy-04",
        "lazy-05",
        "await_all-01",
        "await_all-04",
        "await_all-05",
        "completable-04",
        "completable-10",
        "job-05",
        "job-06",
        "job-11",
        "job-12",
        "job-13",
        "job-14",
        "mutex-02",
        "mutex-03",
        "mutex-04",
        "mutex-05",
        "semaphore-01",
        "semaphore-03",
        "semaphore-04",
        "semaphore-05",
    }
)
