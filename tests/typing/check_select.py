"""What the type checkers infer of `select`; read by them, run by nobody."""

from __future__ import annotations

from typing import assert_type

from flowsock import Channel, Job, on_timeout, select, select_unbiased
from flowsock.clause import Clause


async def shout(number: int) -> str:
    return str(number)


async def tell() -> bytes:
    return b""


async def clauses(numbers: Channel[int], job: Job[float]) -> None:
    assert_type(numbers.on_receive(), Clause[int])
    assert_type(numbers.on_receive(str), Clause[str])
    assert_type(numbers.on_receive(shout), Clause[str])
    assert_type(numbers.on_receive(lambda number: [number]), Clause[list[int]])
    assert_type(numbers.on_receive(closed=None), Clause[int | None])
    assert_type(numbers.on_receive(shout, closed=None), Clause[str | None])
    assert_type(numbers.on_send(1), Clause[None])
    assert_type(numbers.on_send(1, tell), Clause[bytes])
    assert_type(job.on_join(), Clause[None])
    assert_type(job.on_join(tell), Clause[bytes])
    assert_type(job.on_await(), Clause[float])
    assert_type(job.on_await(lambda number: [number]), Clause[list[float]])
    assert_type(on_timeout(5), Clause[None])
    assert_type(on_timeout(5, tell), Clause[bytes])


async def selects(numbers: Channel[int], texts: Channel[str], job: Job[float]) -> None:
    assert_type(await select(numbers.on_receive()), int)
    assert_type(await select_unbiased(numbers.on_receive(shout), texts.on_receive()), str)
    assert_type(await select(numbers.on_send(1), job.on_join(), on_timeout(5)), None)
    assert_type(await select(numbers.on_receive(), texts.on_receive()), int | str)
    assert_type(await select(numbers.on_receive(), texts.on_receive(), on_timeout(5)), int | str | None)
    assert_type(
        await select_unbiased(numbers.on_receive(), texts.on_receive(len), job.on_await(), on_timeout(5)), int | float | None
    )
    same = [numbers.on_receive(), numbers.on_receive()]
    assert_type(await select(*same), int)
