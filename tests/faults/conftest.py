"""The loops that faults are tried on: asyncio's own and uvloop, both on real time, since sockets are real."""

from __future__ import annotations

from tests.sessions.conftest import anyio_backend as anyio_backend
