"""Jupyter's kernels run on asyncio; time is virtual here."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock.testing import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, Any]:
    """Run each test on asyncio, on a virtual clock."""
    return virtual_time("asyncio")
