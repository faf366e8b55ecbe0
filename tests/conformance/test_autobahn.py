"""The core of Autobahn's cases in both roles, and a few about compression; ``python -m tests.conformance`` runs all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.autobahn import client_verdicts, failed, server_verdicts
from tests.sessions.conftest import socket_backend as anyio_backend  # noqa: F401

if TYPE_CHECKING:
    from pathlib import Path

CORE = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
COMPRESSION = ["12.*.3", "13.*.3"]
COUNT = 247 + 5 + 7

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def test_the_server_fails_no_case(tmp_path: Path) -> None:
    verdicts = await server_verdicts([*CORE, *COMPRESSION], tmp_path)
    assert failed(verdicts) == {}
    assert len(verdicts) == COUNT


async def test_the_client_fails_no_case(tmp_path: Path) -> None:
    verdicts = await client_verdicts([*CORE, *COMPRESSION], tmp_path)
    assert failed(verdicts) == {}
    assert len(verdicts) == COUNT
