"""A stream pipeline without a socket: it runs as it is on asyncio and on trio."""

from collections.abc import AsyncIterator

import anyio

from flowsock import flow, merge


@flow
async def sensor(name: str, period: float, *readings: float) -> AsyncIterator[tuple[str, float]]:
    for reading in readings:
        await anyio.sleep(period)
        yield name, reading


async def main() -> None:
    both = merge(sensor("roof", 0.010, 18.5, 18.5, 19.0, 35.2), sensor("cellar", 0.012, 11.0, 11.5, 11.5))
    changes = both.distinct_until_changed_by(lambda reading: reading)
    plausible = changes.filter(lambda reading: reading[1] < 30)
    await plausible.on_each(lambda reading: print(*reading)).collect()

    hottest = await both.map(lambda reading: reading[1]).fold(float("-inf"), max)
    print("hottest", hottest)


if __name__ == "__main__":
    anyio.run(main)
