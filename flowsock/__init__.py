"""Kotlin's coroutine vocabulary for Python, and WebSocket sessions that are flows."""

from flowsock.channels.channel import (
    BUFFERED as BUFFERED,
)
