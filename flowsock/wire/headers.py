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


def _normalize(fields: HeadersLike) -> tuple[tuple[str, str], ...]:
    pairs = cast("Mapping[str, str]", fields).items() if isinstance(fields, Mapping) else fields
    return tuple((name.lower(), value) for name, value in pairs)


def _check(_headers: object, _attribute: object, pairs: tuple[tuple[str, str], ...]) -> None:
    for name, value in pairs:
        if not is_token(name):
            raise ValueError(f"malformed header name {name!r}")
        if _value.fullmatch(value) is None:
            raise ValueError(f"malformed value of header {name!r}")


@frozen
class Headers:
    """Hold header fields in their order, a name as often as it came.

    Names are case-insensitive and kept in lower case. No name or value can hold what would end its line.

    Args:
        pairs: Names and values, or a mapping.

    Raises:
        ValueError: A name is not a token, or a value has control characters (RFC 9110 section 5.5).
    """

    pairs: tuple[tuple[str, str], ...] = field(default=(), converter=_normalize, validator=_check)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    def get(self, name: str, default: object = None) -> object:
        """Give the first value of that name, or the default."""
        return next(iter(self.get_all(name)), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Give every value of that name, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.pairs if key == wanted)

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
        return bool(self.get_all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


def as_headers(fields: HeadersLike) -> Headers:
    """Make header fields of whatever they can be made of; those that are made already stay as they are."""
    return fields if isinstance(fields, Headers) else Headers(fields)
