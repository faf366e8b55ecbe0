"""Where a server listens."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from errno import EADDRINUSE
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio
from attrs import Attribute, field, frozen

if TYPE_CHECKING:
    from flowsock.sessions.server.tls import ServerTLS

_BACKLOG: Final = 1024
_LAST_PORT: Final = 65535


def _a_port(_address: object, _setting: Attribute[Any], port: int) -> None:
    if not 0 <= port <= _LAST_PORT:
        raise ValueError(f"a port is a number from 0 to {_LAST_PORT}, not {port}")


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


@frozen
class Address:
    """Name a place to listen at: a host and a port, a Unix socket, or a socket that the process was given.

    Args:
        host: A name or an address; a name that has several addresses stands for all of them.
        port: The port; 0 takes a free one.
        uds: The path of a Unix socket, instead of host and port. A socket that nobody listens on any more is replaced.
        fd: The descriptor of a socket that listens already, instead of either.
        ssl: TLS: an ``SSLContext``, or the files of the certificate (with its chain) and of the key, both PEM.

    Raises:
        ValueError: there is no such port, or both ``uds`` and ``fd`` are given.

    >>> Address(port=0).is_network
    True
    """

    host: str = "127.0.0.1"
    port: int = field(default=8080, validator=_a_port)
    uds: Path | None = field(default=None, kw_only=True, converter=_path)
    fd: int | None = field(default=None, kw_only=True)
    ssl: ServerTLS | None = field(default=None, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.uds is not None and self.fd is not None:
            raise ValueError("an address is a Unix socket's path or a descriptor, not both")

    @property
    def is_network(self) -> bool:
        """Tell whether it is a host and a port."""
        return self.uds is None and self.fd is None

    def __str__(self) -> str:
        if self.fd is not None:
            return f"descriptor {self.fd}"
        return f"{self.host}:{self.port}" if self.uds is None else str(self.uds)

    async def listen(self, *, reuse_port: bool = False) -> list[socket.socket]:
        """Open the sockets.

        Args:
            reuse_port: Let other processes listen at the same host and port; the kernel shares the connections out.

        Raises:
            OSError: the address cannot be listened at.
        """
        try:
            if self.fd is not None:
                return [_inherited(self.fd)]
            if self.uds is not None:
                return [_unix(self.uds)]
            return await self._listen_on_network(reuse_port=reuse_port)
        except OSError as error:
            # The operating system does not say at which address.
            raise OSError(error.errno, error.strerror or str(error), str(self)) from None

    async def _listen_on_network(self, *, reuse_port: bool) -> list[socket.socket]:
        found = await anyio.getaddrinfo(self.host or None, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets: list[socket.socket] = []
        try:
            for family, _kind, _protocol, _name, place in dict.fromkeys(found):
                port = sockets[0].getsockname()[1] if sockets and not self.port else self.port
                sockets.append(_network(family, (place[0], port, *place[2:]), reuse_port=reuse_port))
        except BaseException:
            for each in sockets:
                each.close()
            raise
        return sockets

    def clean_up(self) -> None:
        """Remove what a closed socket leaves behind: the file of a Unix socket."""
        if self.uds is not None:
            with suppress(FileNotFoundError):
                self.uds.unlink()


def name_of(listening: socket.socket) -> tuple[str, int] | str:
    """Give host and port of a socket, or the path of a Unix socket."""
    name = listening.getsockname()
    return name if isinstance(name, str) else name[:2]


def url_of(name: tuple[str, int] | str, *, secure: bool) -> str:
    """Give what the pages are called that are served there."""
    scheme = "https" if secure else "http"
    if isinstance(name, str):
        return f"{scheme}+unix://{quote(name, safe='')}"
    host, port = name
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _network(family: int, place: tuple[Any, ...], *, reuse_port: bool) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # The IPv4 address of the same name has a socket of its own.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(place)
        return _listening(listening)
    except BaseException:
        listening.close()
        raise


def _unix(path: Path) -> socket.socket:
    _make_room(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        return _listening(listening)
    except BaseException:
        listening.close()
        raise


def _make_room(path: Path) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(EADDRINUSE, os.strerror(EADDRINUSE))


def _inherited(descriptor: int) -> socket.socket:
    inherited = socket.socket(fileno=descriptor)
    inherited.setblocking(False)
    return inherited


def _listening(listening: socket.socket) -> socket.socket:
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening
