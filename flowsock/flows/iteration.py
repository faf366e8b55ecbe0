"""Pulling values out of a source that pushes them: ``async for`` and ``open()``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from flowsock.channels.channel import Channel
from flowsock.errors import FlowsockError, JobCancelled
from flowsock.flows.hot_iterator import HotIterator
from flowsock.flows.source import HotSource
from flowsock.scopes.groups import Stop, task_group
from flowsock.scopes.scope import current_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator
    from types import TracebackType

    from flowsock.flows.source import Source
    from flowsock.scopes.groups import Tasks
    from flowsock.scopes.job import Job

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Handover:
    """Suspends a collection in the hands of the one who drives it, not in the event loop."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, None]:
        yield self


_HANDOVER: Final = _Handover()
_MOST_WAITS: Final = 100


class _Hand:
    """Where the collection lays a value; it does not refer to the iterator, so that dropping that one is noticed."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def lay(self, value: Any) -> _Handover:
        self.value = value
        return _HANDOVER

    def pick(self) -> Any:
        value, self.value = self.value, None
        return value


class StepIterator(Generic[T_co]):
    """Iterate a sequential source in the calling task, by running its collection one value at a time.

    Whatever the collection awaits is awaited by the caller of ``__anext__``; at each value it stands still until the next
    call. Dropping the iterator half-way unwinds the collection on the spot.
    """

    __slots__ = ("_collection", "_hand")

    def __init__(self, source: Source[T_co]) -> None:
        self._hand = _Hand()
        self._collection: Coroutine[Any, Any, None] | None = source.collect(self._hand.lay)

    def __aiter__(self) -> StepIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        return await self

    def __await__(self) -> Generator[Any, Any, T_co]:
        collection = self._collection
        if collection is None:
            raise StopAsyncIteration
        try:
            awaited = collection.send(None)
            while awaited is not _HANDOVER:
                try:
                    answer = yield awaited
                except BaseException as error:
                    awaited = collection.throw(error)
                else:
                    awaited = collection.send(answer)
        except StopIteration:
            self._collection = None
            raise StopAsyncIteration from None
        except StopAsyncIteration as error:
            self._collection = None
            raise _not_the_end() from error
        except BaseException:
            self._collection = None
            raise
        value: T_co = self._hand.pick()
        return value

    def __del__(self) -> None:
        collection, self._collection = self._collection, None
        if collection is None:
            return
        # Whatever it would await while it cleans up is broken off, and so on until it has ended. (``close()`` would not reach
        # an async generator that is in the middle of closing, and would leave it to the garbage collector.)
        for waits in range(_MOST_WAITS):
            try:
                collection.throw(Stop())
            except (Stop, StopIteration):
                if not waits:
                    return
                break
        warnings.warn(
            "an `async for` over a flow was left early, and the flow has to await something to clean up: "
            "use `async with flow.open() as items:`, which waits for it",
            ResourceWarning,
            stacklevel=2,
        )


def _not_the_end() -> RuntimeError:
    """Make what a loop over a flow raises instead of ending where it must not (as generators do, PEP 479)."""
    return RuntimeError("a callback of the flow raised StopAsyncIteration: give `anext` a default, or catch it")


class Items(Generic[T_co]):
    """The values of a flow whose producer runs in a task of its own; one at a time, the producer waits in between."""

    __slots__ = ("_channel", "_error")

    def __init__(self) -> None:
        self._channel: Channel[T_co] = Channel()
        self._error: Exception | None = None

    async def produce(self, source: Source[T_co]) -> None:
        self._error = JobCancelled("the job that ran this flow was cancelled while it was being iterated")
        try:
            await source.collect(self._channel.send)
            self._error = None
        except StopAsyncIteration as error:
            self._error = _not_the_end()
            self._error.__cause__ = error
        except Exception as error:
            self._error = error
        finally:
            self._channel.close()

    def __aiter__(self) -> AsyncIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        try:
            return await self._channel.__anext__()
        except StopAsyncIteration:
            error, self._error = self._error, None
            if error is not None:
                raise error from error.__cause__
            raise


def iterate(source: Source[Any]) -> AsyncIterator[Any]:
    """Iterate in the calling task if that is possible, and over a job of the current scope otherwise."""
    if isinstance(source, HotSource) and source.direct:
        return HotIterator(source)
    if not source.is_concurrent:
        return StepIterator(source)
    scope = current_scope()
    if scope is None:
        raise FlowsockError(
            "this flow runs tasks of its own, so `async for` needs a scope to run them in: iterate inside "
            "`async with coroutine_scope():`, or use `async with flow.open() as items:`"
        )
    items: Items[Any] = Items()
    return _Owned(items, scope.launch(items.produce, source, name="async for"))


class _Owned(Generic[T_co]):
    """Items together with the job that produces them; the job does not refer to this, so dropping it ends the job."""

    __slots__ = ("_items", "_job")

    def __init__(self, items: Items[T_co], job: Job[None]) -> None:
        self._items = items
        self._job = job

    def __aiter__(self) -> AsyncIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        try:
            return await self._items.__anext__()
        finally:
            # The traceback of a cancellation may live until the garbage collector comes: it must not keep the job running.
            del self

    def __del__(self) -> None:
        self._job.cancel()


class Opened(Generic[T_co]):
    """The context manager behind ``flow.open()``."""

    __slots__ = ("_group", "_source", "_tasks")

    def __init__(self, source: Source[T_co]) -> None:
        self._source = source
        self._group = task_group()

    async def __aenter__(self) -> Items[T_co]:
        self._tasks: Tasks = await self._group.__aenter__()
        items: Items[T_co] = Items()
        self._tasks.start_soon(items.produce, self._source)
        return items

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, traceback)
