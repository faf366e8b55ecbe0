"""Letting the other tasks of a test run."""

from __future__ import annotations

from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint


async def settled() -> None:
    """Run the other tasks until each of them waits for something; virtual time does not move."""
    # On asyncio, anyio's function sleeps a tenth of a second unless everybody waits already.
    for _ in range(30):
        await checkpoint()
    await wait_all_tasks_blocked()


async def a_while() -> None:
    """Let the others have a few turns: for stages, where waiting for all others would wait for the test."""
    for _ in range(3):
        await checkpoint()
