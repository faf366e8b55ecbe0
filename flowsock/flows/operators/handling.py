"""Operators around the beginning, the end and the failure of a flow."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from anyio import get_cancelled_exc_class, sleep
from anyio.lowlevel import checkpoint_if_cancelled

from flowsock.emitting import TURN, Emitter, Refusal, Watched, settle, waiting
from flowsock.errors import Cancellation
from flowsock.flows.source import HotSource, Operator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.emitting import Emit
    from flowsock.flows.source import Source
    from flowsock.scopes.restart import Backoff

    Decision: TypeAlias = Callable[[Emitter[Any], Exception, int], Awaitable[bool]]


def swallow(_emit: Emitter[Any], _error: Exception) -> None:
    """Do nothing about a failure."""


def always(_error: Exception) -> bool:
    return True


class Downstream:
    """The emit function below an operator, which remembers whether it failed.

    Law of transparency: an error that came from downstream is none of the operator's business, even if the upstream raised
    another one while it unwound, which comes out then unless it is a `Cancellation`. A cancellation of the task does not come
    from downstream: it may be a timeout of the upstream's own.
    """

    __slots__ = ("_cancelled", "_emit", "_failure")

    def __init__(self, emit: Emit[Any]) -> None:
        self._cancelled = get_cancelled_exc_class()
        self._emit = emit
        self._failure: BaseException | None = None

    def note(self, error: BaseException) -> None:
        if self._failure is None and not isinstance(error, self._cancelled):
            self._failure = error

    def pass_on(self, error: Exception) -> None:
        """Raise what comes out if downstream failed; otherwise the error is the upstream's, and the operator's business."""
        if self._failure is not None:
            raise self._failure if isinstance(error, Cancellation) else error

    def emit(self, value: Any) -> object:
        try:
            result = self._emit(value)
        except BaseException as error:
            self.note(error)
            raise
        if result is not None and (pending := waiting(result)) is not None:
            return Watched(pending, self.note)
        return None


class Catch(Operator[Any]):
    """The upstream's values; an upstream failure goes to the handler, which may emit, and then the flow ends."""

    __slots__ = ("handler", "kinds")

    def __init__(
        self, upstream: Source[Any], handler: Callable[[Any, Exception], Any], kinds: tuple[type[Exception], ...]
    ) -> None:
        super().__init__(upstream)
        self.handler = handler
        self.kinds = kinds

    async def collect(self, emit: Emit[Any]) -> None:
        downstream = Downstream(emit)
        try:
            await self.upstream.collect(downstream.emit)
        except self.kinds as error:
            downstream.pass_on(error)
            caught = error
        else:
            return
        await checkpoint_if_cancelled()
        await settle(self.handler(Emitter(emit), caught))


class Retry(Operator[Any]):
    """The upstream's values, collected again after each failure for which the decision, made anew per collection, is yes."""

    __slots__ = ("make_decision",)

    def __init__(self, upstream: Source[Any], make_decision: Callable[[], Decision]) -> None:
        super().__init__(upstream)
        self.make_decision = make_decision

    async def collect(self, emit: Emit[Any]) -> None:
        decision = self.make_decision()
        emitter = Emitter(emit)
        attempt = 0
        while (error := await self._failure(emit)) is not None:
            if not await decision(emitter, error, attempt):
                raise error
            attempt += 1
            await TURN

    async def _failure(self, emit: Emit[Any]) -> Exception | None:
        downstream = Downstream(emit)
        try:
            await self.upstream.collect(downstream.emit)
        except Exception as error:
            downstream.pass_on(error)
            return error
        return None


def retry_when(predicate: Callable[[Emitter[Any], Exception, int], object]) -> Callable[[], Decision]:
    """Decide by a callback, sync or async, which may emit."""

    async def decide(emitter: Emitter[Any], error: Exception, attempt: int) -> bool:
        return bool(await settle(predicate(emitter, error, attempt)))

    return lambda: decide


def retry_up_to(
    attempts: float, kinds: tuple[type[Exception], ...], when: Callable[[Exception], object], backoff: Backoff | None
) -> Callable[[], Decision]:
    """Decide by a budget, the kind of error and a callback, and wait before saying yes."""
    if attempts < 1:
        raise ValueError(f"retry needs 1 attempt or more, got {attempts}")
    ask = retry_when(lambda _emitter, error, _attempt: when(error))()

    def make() -> Decision:
        waits = backoff.waits() if backoff is not None else None

        async def decide(emitter: Emitter[Any], error: Exception, attempt: int) -> bool:
            if attempt >= attempts or not isinstance(error, kinds) or not await ask(emitter, error, attempt):
                return False
            if waits is not None:
                await sleep(next(waits))
            return True

        return decide

    return make


class OnStart(Operator[Any]):
    """An action, which may emit, and then the upstream's values."""

    __slots__ = ("action",)

    def __init__(self, upstream: Source[Any], action: Callable[[Any], Any]) -> None:
        super().__init__(upstream)
        self.action = action

    async def collect(self, emit: Emit[Any]) -> None:
        await settle(self.action(Emitter(emit)))
        await self.upstream.collect(emit)


class OnCompletion(Operator[Any]):
    """The upstream's values and then, however the collection ended, an action, which may emit after a normal end."""

    __slots__ = ("action",)

    def __init__(self, upstream: Source[Any], action: Callable[[Any, BaseException | None], Any]) -> None:
        super().__init__(upstream)
        self.action = action

    async def collect(self, emit: Emit[Any]) -> None:
        try:
            await self.upstream.collect(emit)
        except Exception as error:
            # A cancellation that meets the action must not hide what went wrong before.
            with suppress(get_cancelled_exc_class()):
                await settle(self.action(Refusal(error), error))
            raise
        except BaseException as cause:
            await settle(self.action(Refusal(cause), cause))
            raise
        await settle(self.action(Emitter(emit), None))


class OnEmpty(Operator[Any]):
    """The upstream's values, or, if it ended normally without any, an action, which may emit."""

    __slots__ = ("action",)

    def __init__(self, upstream: Source[Any], action: Callable[[Any], Any]) -> None:
        super().__init__(upstream)
        self.action = action

    async def collect(self, emit: Emit[Any]) -> None:
        empty = True

        def note(value: Any) -> object:
            nonlocal empty
            empty = False
            return emit(value)

        await self.upstream.collect(note)
        if empty:
            await settle(self.action(Emitter(emit)))


class OnSubscription(Operator[Any]):
    """A hot source's values, after actions, which may emit, that run once the collector is registered."""

    __slots__ = ("actions", "hot")

    def __init__(self, hot: HotSource[Any], actions: tuple[Callable[[Any], Any], ...]) -> None:
        super().__init__(hot)
        self.hot = hot
        self.actions = actions

    async def collect(self, emit: Emit[Any]) -> None:
        subscriber = self.hot.subscribe(emit)
        try:
            for action in self.actions:
                await settle(action(Emitter(emit)))
            await subscriber.run()
        finally:
            subscriber.close()


def subscribed_with(source: Source[Any], action: Callable[[Any], Any]) -> OnSubscription:
    """Add an action; of several, the one applied first runs first."""
    if isinstance(source, OnSubscription):
        return OnSubscription(source.hot, (*source.actions, action))
    assert isinstance(source, HotSource)
    return OnSubscription(source, (action,))
