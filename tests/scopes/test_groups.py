"""`collapse`: what is left of an exception group for the caller to see."""

from __future__ import annotations

import pytest
from anyio import get_cancelled_exc_class

from flowsock.scopes.groups import Stop, collapse, task_group

pytestmark = pytest.mark.anyio


def group(*errors: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("group", errors)


def cancellation() -> BaseException:
    kind = get_cancelled_exc_class()
    return kind.__new__(kind)


async def test_one_error_is_itself() -> None:
    error = ValueError()
    assert collapse(group(error)) is error


async def test_real_errors_win_against_everything_that_only_unwinds() -> None:
    error = ValueError()
    assert collapse(group(Stop(), cancellation(), error, GeneratorExit())) is error


async def test_a_stop_wins_against_cancellations() -> None:
    stop = Stop()
    assert collapse(group(cancellation(), stop, GeneratorExit())) is stop


async def test_a_stop_is_found_however_deep_it_is_wrapped() -> None:
    stop = Stop()
    assert collapse(group(group(group(stop), cancellation()))) is stop


async def test_cancellations_alone_become_one() -> None:
    first = cancellation()
    assert collapse(group(first, cancellation())) is first


async def test_several_errors_stay_a_group_without_what_only_unwinds() -> None:
    first, second = ValueError(), KeyError()
    collapsed = collapse(group(first, Stop(), second, first))
    assert isinstance(collapsed, ExceptionGroup)
    assert collapsed.exceptions == (first, second)


async def test_a_group_of_real_errors_inside_is_somebodys_own_and_stays() -> None:
    own = ExceptionGroup("own", [ValueError()])
    assert collapse(group(own, cancellation())) is own


async def test_copies_of_one_group_are_one_error() -> None:
    own = ExceptionGroup("own", [ValueError(), KeyError()])
    collapsed = collapse(group(own, own.derive(own.exceptions)))
    assert isinstance(collapsed, ExceptionGroup)
    assert collapsed.message == "own"


async def test_a_group_inside_that_holds_a_stop_is_freed_from_it() -> None:
    error = ValueError()
    assert collapse(group(group(Stop(), error))) is error


async def test_the_task_group_raises_an_error_of_its_body_as_itself() -> None:
    error = ValueError("body")
    with pytest.raises(ValueError, match="body") as raised:
        async with task_group():
            raise error
    assert raised.value is error
    assert error.__context__ is None


async def test_the_task_group_raises_a_stop_of_its_body_as_itself() -> None:
    stop = Stop()
    with pytest.raises(Stop) as raised:
        async with task_group():
            raise stop
    assert raised.value is stop
