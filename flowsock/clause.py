"""What a select chooses from: the protocol between a clause, the thing it is about, and the select that waits.

A select asks its clauses in order whether they can take effect at once (`Clause.poll`). If none can, it registers them all
and sleeps. Whatever happens first *chooses* its clause, from plain code; the select leaves all the other queues in that same
step, so that nobody ever meets a clause that lost. The select's own task then finishes the clause that won.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from flowsock.emitting import READY, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

T_co = TypeVar("T_co", covariant=True)


class Nothing(Enum):
    """The type of the one marker that says "no value here", since ``None`` is a value."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


class Selection(Protocol):
    """One select that waits."""

    def choose(self, clause: Clause[Any], outcome: object, /) -> None:
        """End the wait: this clause won, with this outcome. Does nothing once the wait is over."""
        ...


class Clause(ABC, Generic[T_co]):
    """One way for a select to end, and the type of what the select then returns.

    A clause is a plain value: nothing happens before it is given to a select, and it may be used again.
    """

    __slots__ = ()

    @abstractmethod
    def poll(self) -> object:
        """Take effect now and give the outcome, or `NOTHING` if that is not possible now."""

    @abstractmethod
    def register(self, selection: Selection, /) -> Callable[[], object]:
        """Choose this clause as soon as it can take effect, after `poll` gave `NOTHING`.

        Returns:
            What withdraws the clause. It may be called when there is nothing left to withdraw.
        """

    @abstractmethod
    async def finish(self, outcome: Any, /) -> T_co:
        """Turn the outcome into the select's result: raise if the clause failed, else call what the user gave."""

    def lost(self) -> None:
        """Learn, in the select's task, that the select ended otherwise."""

    def discard(self, outcome: Any, /) -> None:
        """Learn that the clause won, but an error or a cancellation came before its outcome reached anybody."""


async def result_of(function: Callable[..., Any], *args: object) -> Any:
    """Call a user's function, sync or async, and give its result."""
    result = function(*args)
    pending = waiting(result)
    if pending is not None:
        return await pending
    return None if result is READY else result


def nothing_to_withdraw() -> None:
    """Do nothing: for a clause, or a handler, that is in nobody's queue."""
