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
    "channel_iter-03": "There is no iterator that can be asked for a next value; `receive(closed=...)` gives value or end.",
    "channel_iter-04": "There is no iterator that can be asked for a next value, so nothing is called out of order.",
    "channel_close-15": "There are no result objects that could be nested: the end is an error, or what `closed=` says.",
    "select-33": "Locks are anyio's, which know nothing of `select`; Kotlin has deprecated that clause, too.",
    "propagation-09": "A job without a body owns no children: only a block, or a task group, does.",
    "propagation-10": "A `CompletableDeferred` owns no children: only a block, or a task group, does.",
    "timeout_scope-14": (
        "The body of anyio's `move_on_after(0)` is entered and runs to its first checkpoint, like everything that is cancelled."
    ),
    "job-11": "On anyio a result that is there wins against a cancellation in the same step; the next checkpoint sees that.",
    "job-12": "On anyio an end that was reached wins against a cancellation in the same step; the next checkpoint sees that.",
}
