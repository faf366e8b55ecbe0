"""Flows among the values of an event handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowsock.flows.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowsock.emitting import Emitter


def flattening(handler: Callable[..., Flow[Any]]) -> Callable[..., Flow[Any]]:
    """Make a function whose flow has, in the place of each flow among the values, the values of that one."""
    return lambda *arguments, **named: handler(*arguments, **named).transform(_pass_on)


def _pass_on(emit: Emitter[Any], value: Any) -> Awaitable[object]:
    return emit.all(value) if issubclass(type(value), Flow) else emit(value)
