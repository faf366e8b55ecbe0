"""How many sessions a server has room for."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from flowsock.sessions.server.server_config import ServerConfig

_LATER: Final = {"retry-after": "10"}
FULL: Final = plain_response(503, "too many sessions", _LATER)
_GREEDY: Final = plain_response(429, "too many sessions from this address", _LATER)


class Seats:
    """Count the sessions of a server, in all and by address."""

    __slots__ = ("_by_address", "_config", "_taken")

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._taken = 0
        self._by_address: Counter[str] = Counter()

    def take(self, client: str | None) -> Response | None:
        """Take a seat for a client, which `leave` gives back; or give the response that turns it away."""
        config = self._config
        if config.max_sessions is not None and self._taken >= config.max_sessions:
            return FULL
        if config.max_sessions_per_address is not None and client is not None:
            address = _household(client)
            if self._by_address[address] >= config.max_sessions_per_address:
                return _GREEDY
            self._by_address[address] += 1
        self._taken += 1
        return None

    def leave(self, client: str | None) -> None:
        """Give a seat back."""
        self._taken -= 1
        if self._config.max_sessions_per_address is not None and client is not None:
            address = _household(client)
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


def _household(client: str) -> str:
    """Give what belongs to one client: of IPv6, everybody has a network of 64 bits at least."""
    address = ip_address(client)
    return client if isinstance(address, IPv4Address) else str(ip_network((int(address), 64), strict=False))
