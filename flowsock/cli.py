"""The command line: ``flowsock demo``, ``flowsock serve``, ``flowsock schema`` and ``flowsock connect``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from flowsock.serving import add_server_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowsock.sessions.app import App


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words)
    options.words = words
    try:
        options.command(options)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flowsock", description="WebSocket sessions that are flows.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="serve a page with an echo, a chat and a live dashboard")
    _add_address(demo)
    demo.set_defaults(command=_demo)

    serve = commands.add_parser("serve", help="serve an app of yours")
    serve.add_argument("app", metavar="MODULE:APP", help="the module, and the name of the App in it")
    _add_address(serve)
    add_server_options(serve)
    serve.set_defaults(command=_serve)

    schema = commands.add_parser("schema", help="describe the messages of an app of yours, as an AsyncAPI 3.0 document")
    schema.add_argument("app", metavar="MODULE:APP", help="the module, and the name of the App in it")
    schema.add_argument("--title", help="what the document is called (default: MODULE)")
    schema.add_argument("--api-version", default="0.0.0", metavar="VERSION", help="of what is described (default: %(default)s)")
    schema.set_defaults(command=_schema)

    connect = commands.add_parser("connect", help="talk to a WebSocket: a line is a message, both ways")
    connect.add_argument("url", help="ws://… or wss://…")
    connect.add_argument("-H", "--header", action="append", default=[], metavar="NAME: VALUE", help="another request header")
    connect.add_argument("-s", "--subprotocol", action="append", default=[], metavar="NAME", help="a subprotocol to offer")
    connect.set_defaults(command=_connect)
    return parser


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="the port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--drain-timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long sessions may take to end when the server stops (default: %(default)g)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text}")
    return int(text)


def _demo(options: argparse.Namespace) -> None:
    from flowsock.demo.app import app

    app.run(host=options.host, port=options.port, drain_timeout=options.drain_timeout)


def _serve(options: argparse.Namespace) -> None:
    from flowsock.serving import serve_app, serve_with_workers

    if options.workers > 1:
        serve_with_workers(options)
    else:
        serve_app(load_app(options.app), options)


def _schema(options: argparse.Namespace) -> None:
    import json

    from flowsock.asyncapi import describe

    title = options.title or options.app.partition(":")[0]
    document = describe(load_app(options.app), title=title, version=options.api_version)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _connect(options: argparse.Namespace) -> None:
    from flowsock.terminal import talk

    headers = [tuple(part.strip() for part in header.partition(":")[::2]) for header in options.header]
    sys.exit(talk(options.url, headers, options.subprotocol))


def load_app(place: str) -> App:
    """Import the app that ``module:name`` stands for.

    Raises:
        SystemExit: with one line that says what could not be imported.
    """
    from flowsock.sessions.app import App
    from flowsock.sessions.server.running import imported_to_be_served

    module_name, separator, name = place.partition(":")
    if not (separator and module_name and name):
        raise SystemExit(f"flowsock: {place!r} is not of the form MODULE:APP, like chat:app")
    sys.path.insert(0, "")
    try:
        with imported_to_be_served():
            module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise SystemExit(f"flowsock: cannot import {module_name!r}: {error}") from None
    app = getattr(module, name, None)
    if not isinstance(app, App):
        what = "nothing" if app is None else f"a {type(app).__name__}"
        raise SystemExit(f"flowsock: {place!r} is {what}, not a flowsock.App")
    return app
