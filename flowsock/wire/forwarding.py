"""Where a request came from, as the proxies on its way tell (RFC 7239, and the X-Forwarded fields that are older).

Anybody can write these fields. They are believed as far as they were written by proxies that are trusted, read from the nearest
one outwards, and one family of fields only: a proxy that writes the one lets the other pass as the client made it up.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import evolve, frozen

from flowsock.wire.request import is_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowsock.wire.headers import Headers
    from flowsock.wire.request import Request

ProxyHeaders: TypeAlias = Literal["x-forwarded", "forwarded"]
"""Which fields the trusted proxies write: ``X-Forwarded-For``, ``-Proto`` and ``-Host``, or ``Forwarded``."""

UNIX: Final = "unix"
"""Stands for whoever connects over a Unix socket."""

_node: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_pair: Final = re.compile(r'\s*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^";,\s]*))\s*')


@frozen
class _Hop:
    """What one proxy says of whoever connected to it."""

    client: str = ""
    scheme: str = ""
    host: str = ""


@frozen
class TrustedProxies:
    """Know which proxies are believed.

    Args:
        networks: Their addresses, ``"192.0.2.1"`` or ``"10.0.0.0/8"``; ``"unix"`` for those that connect over a Unix socket.
        headers: Which fields they write.

    Raises:
        ValueError: a network is none.
        TypeError: ``networks`` is one string.
    """

    networks: frozenset[str | IPv4Network | IPv6Network]
    headers: ProxyHeaders = "x-forwarded"

    @classmethod
    def of(cls, networks: Iterable[str], headers: ProxyHeaders = "x-forwarded") -> TrustedProxies:
        """Take what was written down."""
        if isinstance(networks, str):
            raise TypeError(f"trusted proxies are a list of networks, not one string: [{networks!r}]")
        return cls(frozenset(UNIX if network == UNIX else ip_network(network) for network in networks), headers)

    def resolve(self, request: Request) -> Request:
        """Give the request as it was where it entered the trusted proxies."""
        if not self._trusts(request.client):
            return request
        hops = _legacy_hops(request.headers) if self.headers == "x-forwarded" else _standard_hops(request.headers)
        for hop in hops:
            client = normal_address(hop.client)
            request = evolve(
                request,
                client=client or request.client,
                secure=hop.scheme in ("https", "wss") if hop.scheme else request.secure,
                host=hop.host if is_host(hop.host) else request.host,
            )
            if client is None or not self._trusts(client):
                break
        return request

    def _trusts(self, client: str | None) -> bool:
        if client is None or not self.networks:
            return UNIX in self.networks
        address = ip_address(client)
        return any(not isinstance(network, str) and address in network for network in self.networks)


def normal_address(text: str) -> str | None:
    """Give an address in its normal form, without a port, or ``None`` for what is none."""
    match = _node.fullmatch(text)
    try:
        address = ip_address((match[1] or match[2]) if match is not None else text)
    except ValueError:
        return None
    # What an IPv4 client looks like to a socket that listens to both.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _legacy_hops(headers: Headers) -> Iterator[_Hop]:
    """Give what the proxies say, the nearest first; scheme and host may be said once, for all of them."""
    clients = reversed(headers.elements("x-forwarded-for"))
    schemes = [scheme.lower() for scheme in reversed(headers.elements("x-forwarded-proto"))]
    hosts = headers.elements("x-forwarded-host")[::-1]
    for number, client in enumerate(clients):
        yield _Hop(client, _at(schemes, number), _at(hosts, number))


def _at(values: list[str] | tuple[str, ...], number: int) -> str:
    return values[min(number, len(values) - 1)] if values else ""


def _standard_hops(headers: Headers) -> Iterator[_Hop]:
    """Give the elements of Forwarded, the nearest first (RFC 7239 section 4); a malformed field says nothing."""
    elements = list(chain.from_iterable(map(_elements, headers.get_all("forwarded"))))
    for pairs in reversed(elements):
        yield _Hop(pairs.get("for", ""), pairs.get("proto", "").lower(), pairs.get("host", ""))


def _elements(value: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    position = 0
    while match := _pair.match(value, position):
        name, quoted, token = match.groups()
        elements[-1][name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = match.end()
        if position == len(value):
            return elements
        if value[position] == ",":
            elements.append({})
        elif value[position] != ";":
            return []
        position += 1
    return []
