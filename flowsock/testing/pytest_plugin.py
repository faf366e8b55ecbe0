"""Virtual time for the tests of anyio's pytest plugin, by one line in ``conftest.py``.

::

    from flowsock.testing.pytest_plugin import virtual_time_backend as anyio_backend

Not registered as a plugin of its own: pytest would import it, and all of flowsock's flows, for tests that have no use for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from flowsock.testing.clock import virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time_backend(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    """Run each test marked ``anyio`` on asyncio and on trio, if that is installed, with a new virtual clock."""
    backend: str = request.param
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    return virtual_time(backend)
