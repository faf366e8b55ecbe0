"""What can happen in a collection of a flow, as values to compare."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen
class Item(Generic[T]):
    """The flow emitted a value.

    >>> (await observe(flow_of("a"))).events[0].event
    Item(value='a')
    """

    value: T


@frozen
class Complete:
    """The flow completed.

    >>> (await observe(empty_flow())).end
    Complete()
    """


@frozen
class Error:
    """The flow failed.

    >>> (await observe(marbles("#", error=ValueError("broken")))).end
    Error(error=ValueError('broken'))
    """

    error: Exception


Event: TypeAlias = Item[T] | Complete | Error
"""What a collector sees."""


@frozen
class Left:
    """The collector left before the flow had ended: by a cancellation, an early stop or an error of its own.

    >>> source = marbles("-a-b-|")
    >>> await source.first()
    'a'
    >>> source.collections[0].end
    Left()
    """
