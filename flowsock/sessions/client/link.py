"""`Link`: one session after another, as if they were one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic

from anyio import current_time, sleep

from flowsock.channels.channel import Channel
from flowsock.emitting import settle
from flowsock.errors import ChannelClosed, SessionClosed
from flowsock.flows.conduit import ChannelSubscriber
from flowsock.flows.flow import Flow
from flowsock.flows.source import HotSource
from flowsock.flows.state import MutableStateFlow
from flowsock.parking import WaitingRoom
from flowsock.sessions.client.link_state import Connected, Connecting, LinkState, Stopped, Waiting
from flowsock.sessions.connection.connection import own_reason
from flowsock.sessions.session import In, Out, Session
from flowsock.wire.close import CloseCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from flowsock.emitting import Emit
    from flowsock.flows.flow import StateFlow
    from flowsock.flows.subscriber import Subscriber
    from flowsock.scopes.job import Job
    from flowsock.scopes.scope import Scope
    from flowsock.sessions.client.link_rules import LinkRules

    Dial = Callable[[], Awaitable[AbstractAsyncContextManager[Session[Any, Any]]]]
    Setup = Callable[[Session[Any, Any]], object]


class _Arrivals(HotSource[Any]):
    """What comes through a channel, dispatched to an idle collector in place."""

    __slots__ = ("_channel",)

    direct = True

    def __init__(self, channel: Channel[Any]) -> None:
        self._channel = channel

    def subscribe(self, emit: Emit[Any]) -> Subscriber[Any]:
        return ChannelSubscriber(self._channel, emit)


class Link(Generic[In, Out]):
    """A session that is opened again when it is lost; made by `reconnecting`.

    Laws:

    - `incoming` gives the messages of all sessions, the last of one before the first of the next; while nobody collects, they
      wait as those of a session do. It completes when a session ends with 1000, or by `close`, and raises when the link stops
      because of an error.
    - `send` suspends while no session is open. A message is sent once: what a session had accepted when it was lost is not sent
      again. It raises when the link has stopped.
    - A session is set up before anybody may send, and its end is followed by the next attempt as the backoff draws it.

    Attributes:
        incoming: The messages, a hot flow; of several collectors each message goes to one.
        state: `Connecting`, `Connected`, `Waiting` or `Stopped`.

    >>> app = App()
    >>> echo = app.websocket("/")(lambda session: session.incoming.collect(session.send))
    >>> async with serve(app, port=0) as server, reconnecting(f"ws://127.0.0.1:{server.port}") as link:
    ...     await link.send("hello")
    ...     await link.incoming.first()
    ...     await link.close()
    ...     print(link.state.value)
    'hello'
    Stopped(error=SessionClosed('the session is closed: 1000 (NORMAL)'))
    """

    __slots__ = (
        "_arrivals",
        "_dial",
        "_job",
        "_ready",
        "_rules",
        "_scope",
        "_session",
        "_setup",
        "_state",
        "incoming",
        "state",
    )

    def __init__(self, scope: Scope, dial: Dial, rules: LinkRules, setup: Setup | None) -> None:
        self._scope = scope
        self._dial = dial
        self._rules = rules
        self._setup = setup
        self._session: Session[In, Out] | None = None
        self._ready = WaitingRoom()
        self._arrivals: Channel[In] = Channel()
        self._state: MutableStateFlow[LinkState] = MutableStateFlow(Connecting(1))
        self.incoming: Flow[In] = Flow(_Arrivals(self._arrivals))
        self.state: StateFlow[LinkState] = self._state.as_state_flow()
        self._job: Job[None] = scope.launch(self._run)

    # What a user calls

    def send(self, message: Out, /) -> Awaitable[None]:
        """Send a message by the session that is open, or else by the next one; await the result before sending the next.

        Raises:
            SessionClosed: the session ended while the message waited for a slow peer, so that nobody knows whether it arrived;
                or the link has stopped after a clean end.
            Exception: the link has stopped because of this error.
            TypeError: no frame can carry the message.
        """
        session = self._session
        if session is not None and session.is_open:
            return session.send(message)
        return self._send_later(message)

    async def _send_later(self, message: Out) -> None:
        session = await self._next_session()
        await session.send(message)

    async def _next_session(self) -> Session[In, Out]:
        while (session := self._session) is None or not session.is_open:
            self._check_running()
            await self._ready.sleep()
        return session

    def _check_running(self) -> None:
        state = self._state.value
        if isinstance(state, Stopped):
            raise state.error

    async def close(self, code: int = CloseCode.NORMAL, message: str = "") -> None:
        """Close the session that is open, if any, and open no other.

        Law: `incoming` completes. Closing a link that has stopped does nothing.

        Raises:
            ValueError: as for `Session.close`.
        """
        reason = own_reason(code, message)
        if self._session is not None:
            await self._session.close(code, message)
        await self._job.cancel_and_join()
        self._stop(SessionClosed(reason))

    # What the link does

    async def _run(self) -> None:
        attempt, waits = 0, self._rules.backoff.waits()
        while True:
            attempt += 1
            self._state.value = Connecting(attempt)
            began = current_time()
            error = await self._attempt()
            if isinstance(error, SessionClosed) and current_time() - began >= self._rules.stable_after:
                attempt, waits = 0, self._rules.backoff.waits()
            if attempt == self._rules.attempts or self._rules.is_final(error):
                self._stop(error)
                return
            seconds = next(waits)
            self._state.value = Waiting(seconds, error)
            await sleep(seconds)

    async def _attempt(self) -> Exception:
        """Carry one session, and give what it ended with."""
        relay: Job[None] | None = None
        try:
            async with await self._dial() as session:
                await self._set_up(session)
                # Not a job of the session, whose scope ends soon after its peer has gone: nothing that came is to be lost.
                relay = self._scope.launch(self._relay, session)
                self._publish(session)
                await relay.join()
            session.connection.check_open()
            raise AssertionError(session)
        except Exception as error:
            self._session = None
            if relay is not None:
                await relay.join()
            return error

    async def _set_up(self, session: Session[In, Out]) -> None:
        if self._setup is None:
            return
        try:
            await settle(self._setup(session))
        except Exception:
            # Whatever it missed because the session ended, the end is the reason.
            session.connection.check_open()
            raise

    async def _relay(self, session: Session[In, Out]) -> None:
        with suppress(SessionClosed, ChannelClosed):
            await session.incoming.collect(self._arrivals.send)

    def _publish(self, session: Session[In, Out]) -> None:
        self._session = session
        self._state.value = Connected(session)
        self._ready.wake_all()

    def _stop(self, error: Exception) -> None:
        if isinstance(self._state.value, Stopped):
            return
        self._session = None
        self._state.value = Stopped(error)
        # A clean end is an end, as it is for a session.
        self._arrivals.close(None if type(error) is SessionClosed else error)
        self._ready.wake_all()

    def __repr__(self) -> str:
        return f"<Link {self._state.value}>"
