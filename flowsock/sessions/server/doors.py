"""The places that a server listens at, all of them open or none."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from flowsock.sessions.server.address import url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowsock.sessions.connection.handshake import Handshake
    from flowsock.sessions.drivers.driver import Driver, Listener
    from flowsock.sessions.server.address import Address
    from flowsock.sessions.server.server_config import ServerConfig


class Doors:
    """Hold the listeners of a server.

    Attributes:
        urls: What the pages behind them are called, the first address first.
        host: The host of the first one, or ``""`` if it is a Unix socket.
        port: The port of the first one, or 0 if it is a Unix socket.
    """

    __slots__ = ("_closing", "host", "port", "urls")

    def __init__(self, addresses: Sequence[Address], listeners: Sequence[Listener], closing: ExitStack) -> None:
        self._closing = closing
        name = listeners[0].name
        self.host, self.port = ("", 0) if isinstance(name, str) else name
        self.urls = tuple(
            url_of(listener.name, secure=address.ssl is not None)
            for listener, address in zip(listeners, addresses, strict=True)
        )

    @classmethod
    async def open(
        cls, addresses: Sequence[Address], driver: Driver, config: ServerConfig, greet: Callable[[], Handshake | None]
    ) -> Self:
        """Begin to listen.

        Raises:
            OSError: an address cannot be listened at.
            ValueError: a certificate cannot be used.
        """
        with ExitStack() as closing:
            listeners: list[Listener] = []
            for address in addresses:
                listener = await driver.listen(
                    greet, address, reuse_port=config.reuse_port, tls_timeout=config.handshake_timeout
                )
                closing.callback(address.clean_up)
                closing.callback(listener.close)
                listeners.append(listener)
            return cls(addresses, listeners, closing.pop_all())

    def close(self) -> None:
        """Take no new connections."""
        self._closing.close()
