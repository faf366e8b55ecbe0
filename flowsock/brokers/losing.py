"""How the many errors of a broker's library become one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowsock.brokers.engine import BrokerLost
from flowsock.scopes.groups import collapse, is_group

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def losing(*failures: type[Exception]) -> Generator[None]:
    """Raise `BrokerLost` for what the library, and the sockets below it, raise when a connection is of no use any more.

    Args:
        failures: What that is, besides ``OSError``, of which ``TimeoutError`` is one.
    """
    kinds: tuple[type[Exception], ...] = (*failures, OSError, BrokerLost)
    try:
        yield
    except BaseExceptionGroup as group:
        # Task groups of libraries wrap whatever passes them.
        error = collapse(group)
        others = error.split(kinds)[1] if is_group(error) else None
        if others is not None or not (is_group(error) or isinstance(error, kinds)):
            raise
        raise BrokerLost(str(error)) from error
    except BrokerLost:
        raise
    except kinds as error:
        raise BrokerLost(str(error) or type(error).__name__) from error
