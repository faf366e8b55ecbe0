"""The pages of the API reference, and which public name is on which of them: read from where the names are defined."""

from __future__ import annotations

import ast
import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

import flowsock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path(flowsock.__file__).parent
HOMES: Final[dict[str, str]] = vars(flowsock)["_HOMES"]

# Whoever searches for a name looks for its definition.
BOOST: Final = "---\nsearch:\n  boost: 2\n---"

# The first part that a name's home starts with decides.
_PAGES: Final = {
    "flowsock.flows.builders": ("operators", "Operators and builders"),
    "flowsock.emitting": ("flows", "Flows"),
    "flowsock.flows": ("flows", "Flows"),
    "flowsock.scopes": ("scopes", "Scopes and jobs"),
    "flowsock.channels": ("channels", "Channels and select"),
    "flowsock.sessions.client": ("client", "Client"),
    "flowsock.sessions.server": ("server", "Server"),
    "flowsock.sessions": ("sessions", "Sessions and routes"),
    "flowsock.brokers": ("brokers", "Brokers and topics"),
    "flowsock.rooms": ("rooms", "Rooms and presence"),
    "flowsock.wire": ("wire", "Requests, frames and close codes"),
    "flowsock.codecs": ("messages", "Messages"),
    "flowsock.errors": ("errors", "Errors"),
    "anyio": ("errors", "Errors"),
}

# What one part of the library needs of another, and a reader does not.
INTERNAL: Final = {
    "Address": ("clean_up", "listen"),
    "App": ("expect_running", "find", "session_routes"),
    "BrokerConfig": ("with_overrides",),
    "Channel": ("accept", "end_as", "ended", "enqueue", "hand", "leave", "poll", "put_back", "undelivered", "wait", "withdraw"),
    "CompletableDeferred": ("run",),
    "Job": ("complete_once", "is_resting", "run", "silence"),
    "Restart": ("budget",),
    "Room": ("enter", "kick_here", "leave", "send_here", "show", "users"),
    "Rooms": ("get", "here", "show"),
    "Scope": ("end", "ends_quietly_by", "enter", "wake"),
    "Server": ("drain", "greet", "listen", "stop", "take"),
    "ServerConfig": ("with_overrides",),
    "Session": ("cancel", "connection", "enter", "is_over_by", "leave"),
    "Topic": ("deliver", "line", "settings", "tell"),
    "WebSocketConfig": ("changed", "spoken", "with_overrides"),
}


@frozen
class Page:
    """A page of the reference, and the public paths of what is on it."""

    name: str
    title: str
    introduction: str
    paths: tuple[str, ...]

    @property
    def uri(self) -> str:
        return f"reference/{self.name}.md"

    @property
    def is_written(self) -> bool:
        """Tell whether somebody wrote it; the others are generated."""
        return (ROOT / "docs" / self.uri).exists()

    @property
    def markdown(self) -> str:
        # Whoever searches for a name looks for its definition.
        return (
            "\n\n".join(("---\nsearch:\n  boost: 2\n---", f"# {self.title}", self.introduction, *map(entry, self.paths))) + "\n"
        )


def entry(path: str, **options: object) -> str:
    """Give the lines that mkdocstrings puts a name's documentation in the place of."""
    kind = getattr(flowsock, path.removeprefix("flowsock."), None)
    if isinstance(kind, type):
        # The methods of flows have a page of their own.
        options["members"] = None if kind is not flowsock.Flow else False
        options["filters"] = ["!^_", *(f"!^{name}$" for name in INTERNAL.get(kind.__name__, ()))]
        options["show_if_no_docstring"] = issubclass(kind, Enum)
        options["show_bases"] = issubclass(kind, Exception) or any(base.__name__ in HOMES for base in kind.__bases__)
        options["inherited_members"] = [name for base in kind.__mro__[1:] for name in _lent_by(base)]
    return f"::: {path}\n    options: {json.dumps(options)}"


def _lent_by(base: type) -> Iterator[str]:
    """Give the public members of a base class of ours that is not public itself."""
    if base.__module__.startswith("flowsock.") and base.__name__ not in HOMES:
        yield from (name for name in vars(base) if not name.startswith("_"))


def pages() -> Iterator[Page]:
    """Give the pages of the names in ``flowsock``, and then one for each public module that has names of its own."""
    found: dict[tuple[str, str], list[str]] = {place: [] for place in _PAGES.values()}
    for name, home in HOMES.items():
        found.setdefault(_place(home), []).append(f"flowsock.{name}")
    for (name, title), paths in found.items():
        if paths:
            yield Page(name, title, "Imported from `flowsock`.", tuple(paths))
    for module, names in public_modules().items():
        yield Page(
            module.removeprefix("flowsock."),
            f"`{module}`",
            entry(module, members=False, show_root_heading=False, show_root_toc_entry=False),
            tuple(f"{module}.{name}" for name in names),
        )


def public_modules() -> dict[str, tuple[str, ...]]:
    """Give the modules that list names of their own, and these names; what ``flowsock`` gives is imported from there."""
    paths = {_module(path): path for path in PACKAGE.rglob("*.py")}
    listed = {module: _listed(path) for module, path in sorted(paths.items()) if not _known(module)}
    return {module: names for module, names in listed.items() if names and module != "flowsock"}


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def public_paths() -> list[str]:
    """Give every public name as a reader writes it: ``flowsock.Flow``, ``flowsock.testing.turbine``."""
    return [path for page in pages() for path in page.paths]


def _listed(path: Path) -> tuple[str, ...]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(each, ast.Name) and each.id == "__all__" for each in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


def _place(home: str) -> tuple[str, str]:
    folder = home.split(".")[1] if "." in home else home
    return next(iter(_known(home)), (folder, folder.capitalize()))


def _known(home: str) -> list[tuple[str, str]]:
    return [place for start, place in _PAGES.items() if f"{home}.".startswith(f"{start}.")]
