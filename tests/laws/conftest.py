"""Fixtures for the laws: nothing is left to the garbage collector."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package", autouse=True)
def _small_heap() -> Iterator[None]:
    """Let each collection of garbage look at what the laws made only: that is what makes it cheap."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def nothing_left_to_the_garbage_collector() -> Iterator[None]:
    """Fail the test if it leaves something unfinished, which warns when it is collected; warnings are errors."""
    yield
    gc.collect()
