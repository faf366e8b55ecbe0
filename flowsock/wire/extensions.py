"""The header field `Sec-WebSocket-Extensions` (RFC 6455 section 9.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from flowsock.wire.headers import is_token

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowsock.wire.headers import Headers

FIELD: Final = "sec-websocket-extensions"

# Each repetition of spaces is followed by something that is no space, so matching takes linear time.
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_name: Final = re.compile(rf"[ \t]*({_TOKEN})")
_parameter: Final = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?')
_separator: Final = re.compile(r"[ \t]*(?:,|\Z)")
_escape: Final = re.compile(r"\\(.)")


@frozen
class Extension:
    """Name an extension with its parameters, as one end offers it or the other answers.

    Args:
        name: The registered token.
        parameters: Names and values in order; None is no value.
    """

    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        parts = (name if value is None else f"{name}={value}" for name, value in self.parameters)
        return "; ".join((self.name, *parts))


def parse_extensions(headers: Headers) -> tuple[Extension, ...]:
    """Read the extensions that a head names, the preferred first; none when it has no such field.

    Several fields are one list. A quoted value is the same as a plain one.

    Args:
        headers: The fields of a request or a response.

    Raises:
        ValueError: A field breaks the grammar, upon which the connection is failed (RFC 6455 section 9.1).
    """
    fields = headers.get_all(FIELD)
    if not fields:
        return ()
    extensions = tuple(_parse(", ".join(fields)))
    if not extensions:
        raise ValueError(f"a {FIELD} without an extension")
    return extensions


def _parse(text: str) -> Iterable[Extension]:
    position = 0
    while position < len(text):
        if name := _name.match(text, position):
            position = name.end()
            parameters: list[tuple[str, str | None]] = []
            while parameter := _parameter.match(text, position):
                position = parameter.end()
                key, plain, quoted = parameter.groups()
                parameters.append((key, plain if quoted is None else _unquote(quoted)))
            yield Extension(name[1], tuple(parameters))
        separator = _separator.match(text, position)
        if separator is None:
            raise ValueError(f"a malformed {FIELD}")
        position = separator.end()


def _unquote(quoted: str) -> str:
    value = _escape.sub(r"\1", quoted)
    if not is_token(value):
        raise ValueError(f"a {FIELD} with a quoted value that is no token")
    return value
