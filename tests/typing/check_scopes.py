"""What the type checkers infer of scopes, jobs and produced channels; read by them, run by nobody."""

from __future__ import annotations

from typing import assert_type

from flowsock import Channel, CompletableDeferred, Job, Producer, Scope, await_all, produce, while_select


async def count(text: str) -> int:
    return len(text)


async def jobs(scope: Scope) -> None:
    assert_type(scope.launch(count, "a"), Job[int])
    assert_type(scope.launch(len, "a", lazy=True), Job[int])
    assert_type(await scope.launch(count, "a"), int)
    assert_type(scope.launch(count, "a").result(), int)
    assert_type(await await_all(scope.launch(count, "a"), scope.launch(len, "b")), list[int])


async def completables(scope: Scope) -> None:
    deferred: CompletableDeferred[int] = CompletableDeferred(scope)
    assert_type(deferred.complete(1), bool)
    assert_type(await deferred, int)
    await takes_a_float_job(deferred)


async def takes_a_float_job(job: Job[float]) -> None:
    assert_type(await job, float)


async def channels(scope: Scope) -> None:
    async def body(producer: Producer[int]) -> None:
        await producer.send(1)

    numbers = produce(scope, body)
    assert_type(numbers, Channel[int])
    assert_type(await numbers.receive(), int)
    assert_type(await numbers.receive(closed=None), int | None)
    assert_type(await numbers.to_list(), list[int])
    with numbers.consume() as consumed:
        assert_type(consumed, Channel[int])
    assert_type(await while_select(numbers.on_receive(bool, closed=False)), None)
