"""HTTP header fields (RFC 9110 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar, cast, overload

from attrs import field, frozen

D = TypeVar("D")

HeadersLike: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""What `Headers` can be made of."""

_token: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_value: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\u0100-\U0010ffff]*")


def is_token(text: str) -> bool:
    """Tell whether the text is a token (RFC 9110 section 5.6.2)."""
    return _token.fullmatch(text) is not None


def _written(fields: HeadersLike) -> str:
    """Write the fields, checked, into one text: ``\\n``, the name, ``\\0`` and the value of each."""
    pairs = cast("Mapping[str, str]", fields).items() if isinstance(fields, Mapping) else fields
    lines: list[str] = []
    for name, value in pairs:
        if not is_token(name):
            raise ValueError(f"malformed header name {name.lower()!r}")
        if _value.fullmatch(value) is None:
            raise ValueError(f"malformed value of header {name.lower()!r}")
        lines.append(f"\n{name.lower()}\0{value}")
    return "".join(lines)


@frozen(repr=False)
class Headers:
    """Hold header fields in their order, a name as often as it came.

    Names are case-insensitive and kept in lower case. No name or value can hold what would end its line.

    Args:
        pairs: Names and values, or a mapping.

    Raises:
        ValueError: A name is not a token, or a value has control characters (RFC 9110 section 5.5).
    """

    # One text takes a fifth of what a tuple of pairs does, and every open session holds one; looking a name up is as fast.
    _text: str = field(default="", converter=_written, alias="pairs")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Give names and values."""
        pairs = (line.partition("\0") for line in self._text[1:].split("\n")) if self._text else ()
        return tuple((name, value) for name, _, value in pairs)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    def get(self, name: str, default: object = None) -> object:
        """Give the first value of that name, or the default."""
        return next(self._values(name), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Give every value of that name, in order."""
        return tuple(self._values(name))

    def _values(self, name: str) -> Iterator[str]:
        text, label = self._text, f"\n{name.lower()}\0"
        start = text.find(label)
        while start >= 0:
            start += len(label)
            stop = text.find("\n", start)
            yield text[start:] if stop < 0 else text[start:stop]
            start = text.find(label, stop) if stop >= 0 else stop

    def elements(self, name: str) -> tuple[str, ...]:
        """Give the elements of a comma-separated list, over all fields of that name (RFC 9110 section 5.6.1)."""
        return tuple(part.strip(" \t") for value in self.get_all(name) for part in value.split(","))

    def as_dict(self) -> dict[str, str]:
        """Give a plain dict; the values of a repeated name are joined by commas (RFC 9110 section 5.3)."""
        joined: dict[str, list[str]] = {}
        for name, value in self.pairs:
            joined.setdefault(name, []).append(value)
        return {name: ", ".join(values) for name, values in joined.items()}

    def __contains__(self, name: str) -> bool:
        return f"\n{name.lower()}\0" in self._text

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return self._text.count("\n")

    def __repr__(self) -> str:
        return f"Headers(pairs={self.pairs!r})"


def as_headers(fields: HeadersLike) -> Headers:
    """Make header fields of whatever they can be made of; those that are made already stay as they are."""
    return fields if isinstance(fields, Headers) else Headers(fields)
