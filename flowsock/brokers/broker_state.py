"""What the connection to a broker is doing."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen


@frozen
class BrokerConnecting:
    """A connection is being opened.

    Attributes:
        attempt: How many attempts there were since the last connection, this one included.

    >>> BrokerConnecting(attempt=3)
    BrokerConnecting(attempt=3)
    """

    attempt: int


@frozen
class BrokerConnected:
    """Messages come and go.

    >>> async with open_broker("memory://") as broker:
    ...     print(broker.state.value)
    BrokerConnected()
    """


@frozen
class BrokerWaiting:
    """The next attempt is to come.

    Attributes:
        seconds: After how long.
        error: Why the last one failed, or its connection ended.

    >>> BrokerWaiting(seconds=0.5, error=ConnectionRefusedError("nobody listens"))
    BrokerWaiting(seconds=0.5, error=ConnectionRefusedError('nobody listens'))
    """

    seconds: float
    error: Exception = field(eq=id)


@frozen
class BrokerClosed:
    """The broker is not open: not yet, or not any more.

    >>> Broker("memory://").state.value
    BrokerClosed()
    """


BrokerState: TypeAlias = BrokerConnecting | BrokerConnected | BrokerWaiting | BrokerClosed
"""What the connection to a `Broker` is doing."""
