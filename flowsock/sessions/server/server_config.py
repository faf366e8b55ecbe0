"""Every setting of a server, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, field, frozen

from flowsock.settings import not_negative, positive, replaced
from flowsock.wire.forwarding import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowsock.wire.forwarding import ProxyHeaders


def _known_headers(_config: object, _setting: object, value: ProxyHeaders) -> None:
    if value not in ("x-forwarded", "forwarded"):
        raise ValueError(f"proxy_headers are 'x-forwarded' or 'forwarded', not {value!r}")


def _names(networks: Iterable[str]) -> tuple[str, ...]:
    if isinstance(networks, str):
        raise TypeError(f"trusted_proxies are a list of networks, not one string: [{networks!r}]")
    return tuple(networks)


def _proxies(config: ServerConfig) -> TrustedProxies:
    return TrustedProxies.of(config.trusted_proxies, config.proxy_headers)


@frozen(kw_only=True)
class ServerConfig:
    """Hold the limits and the timing of a server.

    Args:
        handshake_timeout: Seconds that a client has from its connection to its session: TLS, the request, the guard.
        drain_timeout: Seconds that sessions, event streams and pages have to end when the server stops.
        max_handshakes: Connections that are no session (yet); one more gets 503. ``None`` for no limit.
        max_sessions: Sessions and event streams at a time; one more gets 503. ``None`` for no limit.
        max_sessions_per_address: The same for one IPv4 address or one IPv6 network of 64 bits, and 429.
        trusted_proxies: Who is believed about where a request came from: addresses and networks, like ``"10.0.0.0/8"``, and
            ``"unix"`` for whoever connects over a Unix socket.
        proxy_headers: What they tell it in: ``"x-forwarded"`` for ``X-Forwarded-For``, ``-Proto`` and ``-Host``, or
            ``"forwarded"`` for ``Forwarded`` (RFC 7239). The other kind is never looked at, since the client may have sent it.
        reuse_port: Whether other processes may listen at the same host and port; the kernel shares the connections out.
        access_log: Whether the logger ``flowsock.access`` gets a line when a session or a page ends, at level INFO.

    Raises:
        ValueError: a duration or a limit is not positive, or a network is none.
        TypeError: ``trusted_proxies`` is one string.

    >>> ServerConfig(max_sessions=10_000).drain_timeout
    30.0
    """

    handshake_timeout: float = field(default=10.0, validator=positive)
    drain_timeout: float = field(default=30.0, validator=not_negative)
    max_handshakes: int | None = field(default=4096, validator=positive)
    max_sessions: int | None = field(default=None, validator=positive)
    max_sessions_per_address: int | None = field(default=None, validator=positive)
    trusted_proxies: tuple[str, ...] = field(default=(), converter=_names)
    proxy_headers: ProxyHeaders = field(default="x-forwarded", validator=_known_headers)
    reuse_port: bool = False
    access_log: bool = False
    proxies: TrustedProxies = field(init=False, repr=False, eq=False, default=Factory(_proxies, takes_self=True))

    def with_overrides(self, overrides: Mapping[str, Any]) -> ServerConfig:
        """Give a copy with some settings replaced.

        Raises:
            TypeError: there is no such setting.
        """
        return replaced(self, "server", overrides)
