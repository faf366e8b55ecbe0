"""Going on where a collector once stood, as far as the replay cache of a hot flow reaches back."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from flowsock.emitting import Emitter, settle
from flowsock.flows.source import Operator

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowsock.emitting import Emit
    from flowsock.flows.dispatcher import Dispatcher
    from flowsock.flows.source import Source


class Resumed(Operator[Any]):
    """A hot source's values behind the last replayed one that a predicate finds; all of them, if it finds none."""

    __slots__ = ("_engine", "_is_last", "_on_gap")

    def __init__(
        self,
        upstream: Source[Any],
        engine: Dispatcher[Any],
        is_last: Callable[[Any], bool],
        on_gap: Callable[[Emitter[Any]], object] | None,
    ) -> None:
        super().__init__(upstream)
        self._engine = engine
        self._is_last = is_last
        self._on_gap = on_gap

    async def collect(self, emit: Emit[Any]) -> None:
        if self._on_gap is not None and not self._seen():
            await settle(self._on_gap(Emitter(emit)))
        # From here to the subscription nothing is awaited: what the cache holds is what the subscription will replay.
        await self.upstream.collect(_skipping(self._seen(), emit))

    def _seen(self) -> deque[Any]:
        """Give what was seen already, oldest first."""
        cache = self._engine.replay_cache
        for index in range(len(cache) - 1, -1, -1):
            if self._is_last(cache[index]):
                return deque(cache[: index + 1])
        return deque()


def _skipping(seen: deque[Any], emit: Emit[Any]) -> Emit[Any]:
    def pass_unseen(value: Any) -> object:
        # Not by their number: actions on the subscription may have emitted something before.
        if seen and value is seen[0]:
            seen.popleft()
            return None
        return emit(value)

    return pass_unseen
