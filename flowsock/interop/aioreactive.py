"""aioreactive's observables as flows, and flows as its observables; on asyncio only, as aioreactive is.

Both ways keep the order of values and the back-pressure: a sender's ``asend`` returns when the value was handled. (Many
operators of aioreactive put a mailbox without bound in between, which is then what fills up.)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from aioreactive import AsyncAnonymousObserver, AsyncObservable, AsyncObserver
from anyio import CancelScope
from expression.system import AsyncDisposable

from flowsock.channels.capacity import UNLIMITED
from flowsock.channels.channel import Channel
from flowsock.emitting import TURN, settle
from flowsock.flows.source import Source, collect_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aioreactive.types import CloseAsync, SendAsync, ThrowAsync

    from flowsock.emitting import Emit
    from flowsock.flows.flow import Flow
    from flowsock.scopes.groups import Stop

T = TypeVar("T")

# A value, and what its sender waits for.
_Sent: TypeAlias = "tuple[T, asyncio.Future[None] | None]"


class ObservableSource(Source[T]):
    """The values of an observable, which each collection subscribes to.

    Law: values are handled in the collecting task, one after the other, in the order of the calls of ``asend``. However the
    collection ends, it disposes of the subscription before it returns. What the collector raises is not shown to the
    observable, unless that one sends from inside ``subscribe_async``, in the collecting task itself.
    """

    __slots__ = ("_observable",)

    def __init__(self, observable: AsyncObservable[T]) -> None:
        self._observable = observable

    async def collect(self, emit: Emit[Any]) -> None:
        observer: _Collector[T] = _Collector(emit)
        subscription = AsyncDisposable.empty()
        try:
            subscription = await self._observable.subscribe_async(observer)
            await observer.run()
        finally:
            observer.end()
            with CancelScope(shield=True):
                await subscription.dispose_async()


class _Collector(AsyncObserver[T]):
    """Hands what other tasks send to the task that collects, and makes them wait until it was handled."""

    __slots__ = ("_busy", "_emit", "_inbox", "_task")

    def __init__(self, emit: Emit[T]) -> None:
        self._emit = emit
        self._task = asyncio.current_task()
        self._busy = False
        # Without bound, because every sender waits for its own value anyway.
        self._inbox: Channel[_Sent[T]] = Channel(UNLIMITED, on_undelivered=_release)

    async def asend(self, value: T) -> None:
        if self._inbox.is_closed_for_send:
            # A sender that never waits must see that its subscription was disposed of.
            await TURN
        elif asyncio.current_task() is not self._task:
            handled = asyncio.get_running_loop().create_future()
            self._inbox.send_nowait((value, handled))
            await handled
        elif self._busy:
            # The collector itself sent while it handles a value: that comes behind this one, and cannot be waited for.
            self._inbox.send_nowait((value, None))
        else:
            await self._handle(value)

    async def athrow(self, error: Exception) -> None:
        self._inbox.close(error)

    async def aclose(self) -> None:
        self._inbox.close()

    async def run(self) -> None:
        """Handle what is sent until the observable ends."""
        async for value, handled in self._inbox:
            if handled is None or not handled.cancelled():
                try:
                    await self._handle(value)
                finally:
                    _release((value, handled))

    def end(self) -> None:
        """Accept nothing more, and let all senders go."""
        self._inbox.cancel()

    async def _handle(self, value: T) -> None:
        self._busy = True
        try:
            await settle(self._emit(value))
        except Exception as error:
            # A sender in this very task gets the error first, and may swallow it.
            self._inbox.cancel(error)
            raise
        finally:
            self._busy = False


def _release(sent: _Sent[Any]) -> None:
    _value, handled = sent
    if handled is not None and not handled.done():
        handled.set_result(None)


def to_observable(flow: Flow[T]) -> AsyncObservable[T]:
    """Make an observable of a flow: each subscription collects it anew.

    Law: the collection is a task of asyncio that belongs to the subscription, not to a scope: nobody but the subscriber waits
    for it. It awaits the observer's ``asend`` before it goes on. A failure of the flow, or of ``asend``, goes to ``athrow``,
    completion to ``aclose``. Disposing of the subscription cancels the task, waits until the flow has cleaned up, and raises
    what failed meanwhile; the observer hears nothing more. Disposed of from inside ``asend``, the flow stops when that returns.
    """
    return _FlowObservable(flow.source)


class _FlowObservable(AsyncObservable[T]):
    __slots__ = ("_source",)

    def __init__(self, source: Source[T]) -> None:
        self._source = source

    async def subscribe_async(
        self,
        send: SendAsync[T] | AsyncObserver[T] | None = None,
        throw: ThrowAsync | None = None,
        close: CloseAsync | None = None,
    ) -> AsyncDisposable:
        given: Any = send
        observer: AsyncObserver[T] = given if isinstance(send, AsyncObserver) else AsyncAnonymousObserver(send, throw, close)
        return _Subscription(self._source, observer)


# asyncio itself refers to its tasks only weakly, and the subscriber may not keep the subscription.
_running: set[asyncio.Task[None]] = set()


class _Subscription(AsyncDisposable):
    """One collection of a flow on behalf of an observer."""

    __slots__ = ("_disposed", "_observer", "_source", "_task")

    def __init__(self, source: Source[T], observer: AsyncObserver[T]) -> None:
        self._source = source
        self._observer = observer
        self._disposed = False
        self._task = asyncio.create_task(self._run(), name="flow.to_observable")
        _running.add(self._task)
        self._task.add_done_callback(_running.discard)

    async def _run(self) -> None:
        try:
            await collect_until(self._source, self._sending)
        except Exception as error:
            if self._disposed:
                raise
            await self._observer.athrow(error)
        else:
            if not self._disposed:
                await self._observer.aclose()

    def _sending(self, stop: Stop) -> Callable[[Any], Awaitable[None]]:
        async def send(value: Any) -> None:
            await self._observer.asend(value)
            if self._disposed:
                raise stop

        return send

    async def dispose_async(self) -> None:
        self._disposed = True
        if asyncio.current_task() is self._task:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()
