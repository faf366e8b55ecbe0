"""Random operations on a shared flow, against a model small enough to be seen to be right."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from flowsock import BufferOverflow, MutableSharedFlow, coroutine_scope
from flowsock.testing.clock import virtual_time
from tests.turns import settled

if TYPE_CHECKING:
    from flowsock import Job, Scope

SUSPEND, DROP_OLDEST, DROP_LATEST = BufferOverflow.SUSPEND, BufferOverflow.DROP_OLDEST, BufferOverflow.DROP_LATEST


class Model:
    """Rules SF1 to SF9, where a free collector picks a value up at once; each value is the number of its emission."""

    def __init__(self, replay: int, extra: int, policy: BufferOverflow) -> None:
        self.replay = replay
        self.capacity = replay + extra
        self.policy = policy
        self.values: list[int] = []
        self.forgotten = 0
        self.following: dict[int, int] = {}  # which index each collector wants next
        self.slow: set[int] = set()
        self.busy: set[int] = set()
        self.seen: dict[int, list[int]] = {}
        self.queue: list[int] = []
        self.rendezvous: int | None = None
        self.emitted: set[int] = set()

    @property
    def replay_cache(self) -> list[int]:
        return self.values[self._start() :]

    def emit(self, number: int) -> None:
        if not self.following or self._has_room():
            self._accept(number)
        elif self.policy is SUSPEND:
            self.queue.append(number)
        else:
            self.emitted.add(number)
            if self.policy is DROP_OLDEST:
                self.values.append(number)
                oldest = len(self.values) - self.capacity
                self.following = {name: max(index, oldest) for name, index in self.following.items()}
        self._progress()

    def subscribe(self, name: int, *, slow: bool) -> None:
        self.following[name] = self._start()
        self.seen[name] = []
        if slow:
            self.slow.add(name)
        self._progress()

    def go_on(self, name: int) -> None:
        self.busy.discard(name)
        self._progress()

    def leave(self, name: int) -> None:
        self.busy.discard(name)
        self.following.pop(name, None)
        self._progress()

    def cancel(self, number: int) -> None:
        if number in self.queue:
            self.queue.remove(number)
        elif number == self.rendezvous:
            self.rendezvous = None
            self.following = dict.fromkeys(self.following, len(self.values))
        self._progress()

    def reset(self) -> None:
        self.forgotten = len(self.values)

    def _start(self) -> int:
        return max(self.forgotten, len(self.values) - self.replay)

    def _has_room(self) -> bool:
        if self.capacity == 0:
            return self.rendezvous is None and not self.queue
        return len(self.values) - min(self.following.values()) < self.capacity and not self.queue

    def _accept(self, number: int) -> None:
        self.values.append(number)
        if self.capacity == 0:
            self.rendezvous = number
        else:
            self.emitted.add(number)

    def _progress(self) -> None:
        while True:
            before = len(self.values), sum(self.following.values())
            for name, index in self.following.items():
                if name not in self.busy and index < len(self.values):
                    self.seen[name].append(self.values[index])
                    self.following[name] += 1
                    self.busy |= {name} & self.slow
            if self.rendezvous is not None and all(index == len(self.values) for index in self.following.values()):
                self.emitted.add(self.rendezvous)
                self.rendezvous = None
            if self.queue:
                first, *others = self.queue
                self.queue = []
                if not self.following or self._has_room():
                    self._accept(first)
                    self.queue = others
                else:
                    self.queue = [first, *others]
            if before == (len(self.values), sum(self.following.values())) and not (self.queue and not self.following):
                return


class Collector:
    """Keep each value until told to go on; a fast one takes what comes."""

    def __init__(self, scope: Scope, shared: MutableSharedFlow[int], *, slow: bool) -> None:
        self.seen: list[int] = []
        self.gate = Event()
        self.job = shared.on_each(self.hold if slow else self.seen.append).launch_in(scope)

    async def hold(self, value: int) -> None:
        self.seen.append(value)
        self.gate = Event()
        await self.gate.wait()


OPERATIONS = ["emit", "emit", "emit", "fast", "slow", "go on", "go on", "leave", "cancel", "reset"]


async def walk(replay: int, extra: int, policy: BufferOverflow, steps: list[tuple[str, int]]) -> None:
    shared: MutableSharedFlow[int] = MutableSharedFlow(replay=replay, extra_buffer_capacity=extra, on_buffer_overflow=policy)
    model = Model(replay, extra, policy)
    collectors: list[Collector] = []
    emitters: dict[int, Job[None]] = {}
    cancelled: set[int] = set()
    async with coroutine_scope() as scope:
        for number, (operation, choice) in enumerate(steps):
            if operation == "emit":
                emitters[number] = scope.launch(shared.emit, number)
                model.emit(number)
            elif operation in ("fast", "slow"):
                model.subscribe(len(collectors), slow=operation == "slow")
                collectors.append(Collector(scope, shared, slow=operation == "slow"))
            elif operation == "reset":
                shared.reset_replay_cache()
                model.reset()
            elif operation == "cancel":
                waiting = [*model.queue, *([] if model.rendezvous is None else [model.rendezvous])]
                if waiting:
                    chosen = waiting[choice % len(waiting)]
                    emitters[chosen].cancel()
                    cancelled.add(chosen)
                    model.cancel(chosen)
            elif collectors:
                name = choice % len(collectors)
                if operation == "leave":
                    collectors[name].job.cancel()
                    model.leave(name)
                else:
                    collectors[name].gate.set()
                    model.go_on(name)
            await settled()
            assert [collector.seen for collector in collectors] == list(model.seen.values())
            assert shared.replay_cache == model.replay_cache
            assert {number for number, job in emitters.items() if job.is_completed} - cancelled == model.emitted
            assert shared.subscription_count.value == len(model.following)
        scope.cancel()


SHAPES = [
    (0, 0, SUSPEND),
    (0, 1, SUSPEND),
    (1, 0, SUSPEND),
    (1, 2, SUSPEND),
    (2, 1, SUSPEND),
    (1, 0, DROP_OLDEST),
    (0, 2, DROP_OLDEST),
    (2, 1, DROP_OLDEST),
    (1, 0, DROP_LATEST),
    (1, 2, DROP_LATEST),
]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 9)), max_size=50))
def test_it_behaves_as_the_model(backend: str, shape: tuple[int, int, BufferOverflow], steps: list[tuple[str, int]]) -> None:
    name, options = virtual_time(backend)
    anyio.run(partial(walk, *shape, steps), backend=name, backend_options=dict(options))
