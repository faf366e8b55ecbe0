"""Who may pass: a check of a request before it is answered."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from flowsock.emitting import settle
from flowsock.sessions.routes.parameters import name_of
from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowsock.wire.headers import HeadersLike
    from flowsock.wire.request import Request

    GuardFunction: TypeAlias = Callable[..., object]

_FORBIDDEN: Final = plain_response(403, "forbidden")


def reject(status: int = 403, message: str = "forbidden", headers: HeadersLike = ()) -> Response:
    """Make the answer with which a guard turns a client away.

    Args:
        status: 300 to 599.
        message: One line for people; the client sees it.
        headers: More header fields, such as ``{"www-authenticate": "Bearer"}`` or ``{"retry-after": "30"}``.

    Raises:
        ValueError: the status would let the client in, or a header is malformed.

    Law: a guard that gives it opens no session, and the answer ends the connection.

    >>> reject(401, "log in first").status
    401
    """
    if status < 300:
        raise ValueError(f"{status} does not turn anybody away: a guard rejects with 300 to 599")
    return plain_response(status, message, headers)


@frozen
class Guard:
    """A function that a request has to pass.

    Attributes:
        function: Takes the request, and what it names of the path's parameters.
        parameters: Their names.
    """

    function: GuardFunction
    parameters: tuple[str, ...]

    async def check(self, request: Request, parameters: Mapping[str, Any]) -> object:
        """Give what the function lets pass, or the `Response` that turns the client away.

        Law: ``None`` and ``False`` turn it away with 403, so that who is found by no lookup is not let in by it.
        """
        admitted = await settle(self.function(request, **{name: parameters[name] for name in self.parameters}))
        return _FORBIDDEN if admitted is None or admitted is False else admitted


def make_guard(function: GuardFunction, path_parameters: Sequence[str]) -> Guard:
    """Make a guard of a function.

    Raises:
        ValueError: it takes no request, or a parameter that the path does not have.
    """
    names = list(inspect.signature(function).parameters)
    if not names:
        raise ValueError(f"the guard {name_of(function)} must take the request as its first parameter")
    _request, *others = names
    if unknown := [name for name in others if name not in path_parameters]:
        raise ValueError(f"the guard {name_of(function)} takes {unknown}, which the path does not have")
    return Guard(function, tuple(others))
