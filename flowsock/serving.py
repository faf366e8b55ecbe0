"""``flowsock serve``: its options, and what they come to."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flowsock.sessions.app import App
    from flowsock.sessions.server.address import Address
    from flowsock.sessions.server.server_config import ServerConfig

_SETTINGS: Final = (
    "drain_timeout",
    "handshake_timeout",
    "max_handshakes",
    "max_sessions",
    "max_sessions_per_address",
    "trusted_proxies",
    "proxy_headers",
    "access_log",
)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``flowsock serve`` takes besides the address."""
    parser.add_argument("--uds", metavar="PATH", help="listen on a Unix socket instead of a host and a port")
    parser.add_argument("--fd", type=int, metavar="NUMBER", help="listen on a socket that was inherited, by its descriptor")
    parser.add_argument("--certificate", metavar="FILE", help="serve over TLS, with this certificate and its chain, in PEM")
    parser.add_argument("--key", metavar="FILE", help="the key of the certificate, in PEM (default: it is in the same file)")
    parser.add_argument(
        "--workers", type=_count, default=1, metavar="COUNT", help="serve with so many processes (default: %(default)s)"
    )
    parser.add_argument(
        "--broker",
        metavar="URL",
        help="what the app's topics go through: memory://, redis://…, redis+stream://…, nats://… or nats+jetstream://…",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument("--handshake-timeout", type=float, metavar="SECONDS", help="from the connection to the session")
    limits.add_argument("--max-handshakes", type=_count, metavar="COUNT", help="connections that are no session yet")
    limits.add_argument("--max-sessions", type=_count, metavar="COUNT", help="sessions at a time, of one worker")
    limits.add_argument(
        "--max-sessions-per-address", type=_count, metavar="COUNT", help="sessions at a time of one client, at one worker"
    )
    around = parser.add_argument_group("around it")
    around.add_argument(
        "--trusted-proxy",
        action="append",
        dest="trusted_proxies",
        metavar="NETWORK",
        help="believe this proxy about where requests come from: an address, a network, or 'unix'; may be repeated",
    )
    around.add_argument(
        "--proxy-headers",
        choices=("x-forwarded", "forwarded"),
        help="what the proxies write: X-Forwarded-For and the like, or Forwarded (default: x-forwarded)",
    )
    around.add_argument("--access-log", action="store_true", default=None, help="write a line for each session and each page")
    # What a worker is started with.
    parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 up, not {text}")
    return int(text)


def serve_app(app: App, options: argparse.Namespace) -> None:
    """Serve an app in this process, until a signal comes."""
    from flowsock.sessions.server.running import run
    from flowsock.sessions.server.supervised import Supervisor

    address, config = _address_and_config(options)
    if options.broker is not None:
        _use_broker(app, options.broker)
    if config.access_log:
        _show_access_log()
    supervisor = None if options.supervised is None else Supervisor(options.supervised)
    run(app, (address,), config, supervisor)


def _use_broker(app: App, url: str) -> None:
    try:
        app.broker.use(url)
    except (ValueError, ImportError) as error:
        raise SystemExit(f"flowsock: {error}") from None


def serve_with_workers(options: argparse.Namespace) -> None:
    """Serve an app in processes of their own, until a signal comes."""
    import anyio

    from flowsock.sessions.server.running import cannot_listen, loop_options

    address, config = _address_and_config(options)
    try:
        went_well = anyio.run(_look_after_workers, options, address, config, backend_options=loop_options())
    except OSError as error:
        raise cannot_listen(error) from None
    sys.exit(0 if went_well else 1)


async def _look_after_workers(options: argparse.Namespace, address: Address, config: ServerConfig) -> bool:
    from flowsock.sessions.server.address import name_of, url_of
    from flowsock.workers import Workers

    # Whether the address is to be had is seen here, once. Of a host and a port each worker has a socket of its own then: the
    # kernel shares the connections out between sockets, not between processes that have the same one.
    sockets = await address.listen()
    url, descriptor = url_of(name_of(sockets[0]), secure=address.ssl is not None), sockets[0].fileno()
    where = ["--port", str(sockets[0].getsockname()[1])] if address.is_network else ["--fd", str(descriptor)]
    inherited = () if address.is_network else (descriptor,)
    for each in sockets if address.is_network else ():
        each.close()
    try:
        arguments = [*options.words, "--workers", "1", *where]
        return await Workers(arguments, inherited, options.workers, config.drain_timeout).run(url)
    finally:
        for each in sockets:
            each.close()
        address.clean_up()


def _address_and_config(options: argparse.Namespace) -> tuple[Address, ServerConfig]:
    from flowsock.sessions.server.address import Address
    from flowsock.sessions.server.server_config import ServerConfig
    from flowsock.sessions.server.tls import server_context

    settings: dict[str, Any] = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    if options.key is not None and options.certificate is None:
        raise SystemExit("flowsock: a key is for a certificate: give --certificate too")
    uds = options.uds if options.fd is None else None
    try:
        tls = None
        if options.certificate is not None:
            tls = server_context((options.certificate, options.key or options.certificate))
        address = Address(options.host, options.port, uds=uds, fd=options.fd, ssl=tls)
        # Workers listen at one port together.
        return address, ServerConfig(**settings, reuse_port=options.supervised is not None and address.is_network)
    except ValueError as error:
        raise SystemExit(f"flowsock: {error}") from None


def _show_access_log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("flowsock.access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
