"""The query of a request (the WHATWG's URL standard, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl


class Query(Mapping[str, str]):
    """Hold the parameters of a query: a mapping that gives the first value of each name, and all of them when asked.

    What is escaped is resolved, ``+`` is a space, and bytes that are not UTF-8 become U+FFFD.

    Args:
        text: What stands behind the ``?``.
    """

    __slots__ = ("_values",)

    def __init__(self, text: str = "") -> None:
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def get_all(self, name: str) -> tuple[str, ...]:
        """Give every value of that name, in order."""
        return tuple(self._values.get(name, ()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Query({self._values})"
