"""What can happen in a collection of a flow, as values to compare."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen
class Item(Generic[T]):
    """The flow emitted a value."""

    value: T


@frozen
class Complete:
    """The flow completed."""


@frozen
class Error:
    """The flow failed."""

    error: Exception


Event: TypeAlias = Item[T] | Complete | Error
"""What a collector sees."""


@frozen
class Stopped:
    """The collector left before the flow had ended: by a cancellation, an early stop or an error of its own."""
