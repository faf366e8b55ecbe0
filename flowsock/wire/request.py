"""What a client asked: the head of a request (RFC 9110 sections 6 and 7)."""

from __future__ import annotations

import re
from functools import cached_property
from sys import intern
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from attrs import Factory, field, frozen

from flowsock.wire.headers import Headers, as_headers
from flowsock.wire.query import Query

if TYPE_CHECKING:
    from collections.abc import Mapping

_host: Final = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


def is_host(text: str) -> bool:
    """Tell whether the text is a host with an optional port, as `Host` carries it (RFC 9110 section 7.2)."""
    return _host.fullmatch(text) is not None


def _asked_host(request: Request) -> str:
    # Most requests ask for the same one.
    return intern(request.headers.get("host") or "")


@frozen
class Request:
    """Hold the head of a request, and where it came from.

    Args:
        method: The method, in its own case.
        target: The path and the query as they were sent; route on this when every escape matters.
        headers: The header fields.
        http_version: ``1.1``, nothing else is let in.
        client: The address that the request came from, without a port; ``None`` where there is none, as on a Unix socket.
            Behind proxies that are trusted, the address that they tell of.
        secure: Whether it came over TLS, as far as this end, and the proxies that are trusted, can tell.
        host: The host that was asked for, with its port unless it is the scheme's own.

    >>> request = Request("GET", "/rooms/a%20b?n=1")
    >>> request.path, request.query["n"]
    ('/rooms/a b', '1')
    """

    method: str
    target: str
    headers: Headers = field(default=Headers(), converter=as_headers)
    http_version: str = "1.1"
    client: str | None = field(default=None, kw_only=True)
    secure: bool = field(default=False, kw_only=True)
    host: str = field(default=Factory(_asked_host, takes_self=True), kw_only=True)

    @property
    def path(self) -> str:
        """Give the target's path with its escapes resolved.

        Escaped slashes become slashes too, and bytes that are not UTF-8 become U+FFFD.
        """
        return unquote(self.target.partition("?")[0])

    @cached_property
    def query(self) -> Query:
        """Give the query's parameters; of a repeated name the first value, and ``query.get_all(name)`` gives every one."""
        return Query(self.target.partition("?")[2])

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """Give the cookies; of a repeated name the first, which is the most specific (RFC 6265 section 5.4)."""
        found: dict[str, str] = {}
        for cookie in ";".join(self.headers.get_all("cookie")).split(";"):
            name, separator, value = cookie.partition("=")
            if separator:
                found.setdefault(name.strip(" \t"), value.strip(" \t").strip('"'))
        return MappingProxyType(found)

    @property
    def last_event_id(self) -> str | None:
        """Give the id of the last event that a client of `App.sse` has seen, if it comes back after a lost connection."""
        sent = self.headers.get("last-event-id")
        return sent.encode("latin-1").decode(errors="replace") if sent else None
