"""What the demo tells its viewers."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Said(msgspec.Struct, tag_field="kind", tag="said", frozen=True):
    """Somebody said something."""

    who: str
    text: str
    at: float


class Members(msgspec.Struct, tag_field="kind", tag="members", frozen=True):
    """Who is in the room now."""

    names: list[str]


Notice: TypeAlias = Said | Members


class Gauges(msgspec.Struct, frozen=True):
    """What the dashboard shows: percent of one core, MiB, open sessions, messages a second both ways, seconds."""

    at: float
    cpu: float
    memory: float
    sessions: int
    messages: float
    uptime: float
