"""A supervisor: jobs that fail are started again with growing waits, and do not disturb each other."""

from itertools import count

import anyio

from flowsock import Backoff, Job, Restart, supervisor_scope

attempts = {"prices": count(1), "news": count(1)}


async def poll(feed: str) -> None:
    attempt = next(attempts[feed])
    if feed == "prices" and attempt < 3:
        raise ConnectionError(f"{feed}: attempt {attempt} failed")
    if feed == "news":
        raise ConnectionError(f"{feed}: there is no news")
    print(f"{feed}: attempt {attempt} worked")


def give_up(job: Job[None], error: Exception) -> None:
    print(f"{job.name}: given up after {next(attempts[job.name]) - 1} attempts: {error}")


async def main() -> None:
    patience = Restart(attempts=3, within=60, backoff=Backoff(0.01, maximum=0.05))
    async with supervisor_scope(on_error=give_up) as scope:
        for feed in attempts:
            scope.launch(poll, feed, name=feed, restart=patience)


if __name__ == "__main__":
    anyio.run(main)
