"""Which pages may connect: the Origin of a request (RFC 6454, RFC 6455 section 10.2).

A WebSocket carries the cookies of its host, whichever page opened it, and CORS does not guard it: this does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from flowsock.wire.response import Response, plain_response

if TYPE_CHECKING:
    from flowsock.wire.request import Request

AllowedOrigins: TypeAlias = Literal["same", "*"] | Sequence[str]
"""Which pages may connect: those of the same host, all, or those listed."""

_PORTS: Final = {"http": "80", "https": "443"}
_HOST: Final = r"[a-z0-9._~-]+|\[[0-9a-f:.]+\]"
_origin: Final = re.compile(rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?")
_entry: Final = re.compile(rf"(https?)://(\*\.)?({_HOST})(?::([0-9]{{1,5}}|\*))?")
# A page that is not of the web: a sandboxed one, an extension's, an app's.
_opaque: Final = re.compile(r"null|(?!https?:)[a-z][a-z0-9+.-]*://[!-~]*", re.IGNORECASE)


@frozen
class _Origin:
    scheme: str
    host: str
    port: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def _parse(text: str) -> _Origin | None:
    match = _origin.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return _Origin(scheme, host, port or _PORTS[scheme])


@lru_cache
def _compile(entry: str) -> re.Pattern[str]:
    """Make what a whole origin of the web, with its port, has to match."""
    match = _entry.fullmatch(entry.lower())
    if match is None:
        raise ValueError(
            f"{entry!r} is not an origin: give a scheme, a host and a port if it is not the scheme's own, like "
            f"'https://example.com', 'https://*.example.com' or 'http://localhost:*'"
        )
    scheme, wildcard, host, port = match.groups()
    labels = r"(?:[a-z0-9_~-]+\.)+" if wildcard else ""
    number = r"[0-9]+" if port == "*" else port or _PORTS[scheme]
    return re.compile(f"{scheme}://{labels}{re.escape(host)}:{number}")


def check_origins(allowed: AllowedOrigins) -> None:
    """Check a setting before there is a request.

    Raises:
        ValueError: It is a single string, but neither ``"same"`` nor ``"*"``, or an entry of the list is no origin.
    """
    if isinstance(allowed, str):
        if allowed not in ("same", "*"):
            raise ValueError(f"allowed origins are 'same', '*' or a list of origins, not {allowed!r}")
        return
    for entry in allowed:
        if _opaque.fullmatch(entry) is None:
            _compile(entry)


def is_same_origin(request: Request) -> bool:
    """Tell whether the page that connects came from this very host; true when no page is named.

    Args:
        request: What the client asked; its `Origin` is compared with the host that it asked for (RFC 6454 section 5).
    """
    origins = request.headers.get_all("origin")
    if not origins:
        return True
    origin = _parse(origins[0])
    if len(origins) > 1 or origin is None:
        return False
    # Of a plain request the scheme says nothing: TLS may have ended at a proxy that is not known to us, and a page's own
    # scheme decides what port an unnamed one is, since the browser left it out for the same reason. What is given up:
    # somebody who can forge http pages of this host (so sits in the network) may use the cookies that are not marked
    # Secure. Over TLS, and behind trusted proxies that tell of it, this is closed; else by listing the origins.
    if request.secure and origin.scheme != "https":
        return False
    return _parse(f"{origin.scheme}://{request.host.removesuffix(':')}") == origin


def origin_error(request: Request, allowed: AllowedOrigins) -> Response | None:
    """Check whether the page that connects may; None when it may, else how to refuse it.

    Browsers always name the page, so a request that names none is let in.

    Args:
        request: What the client asked (RFC 6455 section 10.2).
        allowed: ``"same"``, ``"*"``, or origins like ``"https://example.com"``; ``https://*.example.com`` stands for all hosts
            below that one and not for itself, ``http://localhost:*`` for all ports. Those that are not of the web, like
            ``"null"`` or an extension's, are compared letter by letter.
    """
    origins = request.headers.get_all("origin")
    if len(origins) > 1:
        return plain_response(400, "more than one Origin")
    if not origins or allowed == "*":
        return None
    if is_same_origin(request) if allowed == "same" else _is_listed(origins[0], allowed):
        return None
    return plain_response(403, "this Origin may not connect")


def _is_listed(text: str, allowed: Sequence[str]) -> bool:
    origin = _parse(text)
    if origin is None:
        return _opaque.fullmatch(text) is not None and text in allowed
    return any(_compile(entry).fullmatch(str(origin)) for entry in allowed if _opaque.fullmatch(entry) is None)


def cors_headers(request: Request, allowed: AllowedOrigins) -> tuple[tuple[str, str], ...]:
    """Give what lets the page that asks read the answer, after `origin_error` let it in (the fetch standard, section 3.2)."""
    origin = request.headers.get("origin")
    if origin is None or allowed == "same":
        return ()
    if allowed == "*":
        return (("access-control-allow-origin", "*"),)
    # Cookies come with a request of a listed page only.
    credentials = ("access-control-allow-credentials", "true")
    return (("access-control-allow-origin", origin), credentials, ("vary", "origin"))
