"""Paths with parameters."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import Factory, field, frozen

_parameter: Final = re.compile(r"\{([^{}]*?)(\.\.\.)?\}")
_control: Final = re.compile(r"[\x00-\x1f\x7f]")
_separator: Final = re.compile(r"[/\\]")
_broken_escape: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _parse(path: str) -> tuple[_Part, ...]:
    if not path.startswith("/"):
        raise ValueError(f"a path begins with '/', and this one does not: {path!r}")
    parts = tuple(map(_part, path.split("/")[1:]))
    names = [part.text for part in parts if part.is_parameter]
    if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
        raise ValueError(f"the parameters of a path need names of their own: {path!r}")
    if any("{" in part.text or "}" in part.text for part in parts):
        raise ValueError(f"a parameter of a path is a whole segment, like '/{{name}}': {path!r}")
    if any(part.takes_rest for part in parts[:-1]):
        raise ValueError(f"a parameter that takes the rest of a path is the last one: {path!r}")
    return parts


@frozen
class _Part:
    text: str
    is_parameter: bool = False
    takes_rest: bool = False


def _part(segment: str) -> _Part:
    match = _parameter.fullmatch(segment)
    return _Part(segment) if match is None else _Part(match[1], is_parameter=True, takes_rest=match[2] is not None)


@frozen
class Pattern:
    """A path whose segments are fixed or, in braces, parameters; ``{name...}`` takes the rest (Ktor's tailcard).

    Raises:
        ValueError: the path does not begin with ``/``, a parameter is nameless, named twice or a part of a segment only, or
            one that takes the rest is not the last.
    """

    path: str
    _parts: tuple[_Part, ...] = field(init=False, repr=False, default=Factory(lambda self: _parse(self.path), takes_self=True))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name the parameters, in order."""
        return tuple(part.text for part in self._parts if part.is_parameter)

    def match(self, target_path: str) -> dict[str, str] | None:
        """Give the parameters' values if the path, as it was sent, is of this pattern.

        Laws: the path is split first and its escapes are resolved then, so that ``%2F`` is part of a value and no separator. No
        value is empty, but that of the rest may be. No value holds what is not UTF-8, a control character or a segment that
        would lead a file system elsewhere (``..``, or an empty one, as at the start of an absolute path).
        """
        parts, segments = self._parts, target_path.split("/")[1:]
        if parts[-1].takes_rest and len(segments) >= len(parts):
            rest = len(parts) - 1
            segments[rest:] = ["/".join(segments[rest:])]
        if len(parts) != len(segments):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            value = _decode(segment)
            if value is None:
                return None
            if not part.is_parameter:
                if value != part.text:
                    return None
            elif not (_is_safe(value) and (value or part.takes_rest)):
                return None
            else:
                found[part.text] = value
        return found


def _decode(segment: str) -> str | None:
    if "%" not in segment:
        return segment
    if _broken_escape.search(segment):
        return None
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None


def _is_safe(value: str) -> bool:
    *inner, last = _separator.split(value)
    return _control.search(value) is None and not {"", ".", ".."}.intersection(inner) and last not in (".", "..")
