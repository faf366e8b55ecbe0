"""What a client asked: the head of a request (RFC 9110 sections 6 and 7)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

from attrs import field, frozen

from flowsock.wire.headers import Headers, as_headers

_host: Final = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


def is_host(text: str) -> bool:
    """Tell whether the text is a host with an optional port, as `Host` carries it (RFC 9110 section 7.2)."""
    return _host.fullmatch(text) is not None


@frozen
class Request:
    """Hold the head of a request.

    Args:
        method: The method, in its own case.
        target: The request target as it was sent; route on this when every escape matters.
        headers: The header fields.
        http_version: ``1.1``, nothing else is let in.
    """

    method: str
    target: str
    headers: Headers = field(default=Headers(), converter=as_headers)
    http_version: str = "1.1"

    @property
    def path(self) -> str:
        """Give the target's path with its escapes resolved.

        Escaped slashes become slashes too, and bytes that are not UTF-8 become U+FFFD.
        """
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        """Give the query's parameters; of a repeated name, the last value."""
        return dict(self._parameters())

    def query_all(self, name: str) -> tuple[str, ...]:
        """Give every value of one query parameter, in order."""
        return tuple(value for key, value in self._parameters() if key == name)

    def _parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def cookies(self) -> dict[str, str]:
        """Give the cookies; of a repeated name the first, which is the most specific (RFC 6265 section 5.4)."""
        found: dict[str, str] = {}
        for cookie in ";".join(self.headers.get_all("cookie")).split(";"):
            name, separator, value = cookie.partition("=")
            if separator:
                found.setdefault(name.strip(), value.strip().strip('"'))
        return found
