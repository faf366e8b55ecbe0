"""`reconnecting`: a session from this end that comes back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast, get_args

from flowsock.codecs.message_codec import MessageFormat
from flowsock.codecs.translation import as_codec_choice, translations
from flowsock.emitting import settle
from flowsock.scopes.restart import Backoff
from flowsock.scopes.scope import coroutine_scope
from flowsock.sessions.client.client import connect
from flowsock.sessions.client.link import Link
from flowsock.sessions.client.link_rules import STOP_CODES, STOP_STATUSES, LinkRules
from flowsock.sessions.session import In, Out, Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
    from types import TracebackType

    from flowsock.wire.headers import HeadersLike


class reconnecting(Generic[In, Out]):
    """Keep a session open while a block lasts, however often it is lost: ``async with reconnecting("ws://…") as link: …``.

    Laws: entering the block does not wait for a session. Leaving it closes the session with 1000, or tells the server that we
    go when it is left by an error, and leaves nothing running. The first attempt is like the others: its failure is retried.

    A link stops for good when a session ends with one of ``stop_codes``, the handshake with one of ``stop_statuses``, the
    server's certificate is not trusted, ``setup`` raises anything but the end of its session, or the attempts are used up.
    `Link` tells what its users see then. Everything else is retried.

    Args:
        url: As for `connect`.
        setup: Is called, and awaited, with each new session before anybody may send: to log in, to subscribe again. What it
            reads from ``session.incoming`` does not come to ``link.incoming``.
        headers: More header fields for each opening request, or a function, sync or async, that gives them afresh.
        backoff: The waits between attempts, with full jitter.
        stable_after: Seconds that a session must last for the waits to begin afresh.
        attempts: How many attempts there may be since the last session that lasted so long; ``None`` for no limit.
        stop_codes: Close codes that end it; add your own by ``reconnecting.STOP_CODES | {4001}``.
        stop_statuses: HTTP statuses that end it.
        options: The other arguments of `connect`.

    Raises:
        ValueError, TypeError: an argument is not allowed, as for `connect` and `Backoff`.

    >>> app = App()
    >>> greeting = app.websocket("/")(lambda session: session.send("hello"))
    >>> async with serve(app, port=0) as server, reconnecting[str, str](f"ws://127.0.0.1:{server.port}") as link:
    ...     await link.incoming.to_list()
    ['hello']
    """

    STOP_CODES: ClassVar = STOP_CODES
    STOP_STATUSES: ClassVar = STOP_STATUSES

    def __init__(
        self,
        url: str,
        *,
        setup: Callable[[Session[In, Out]], object] | None = None,
        headers: HeadersLike | Callable[[], HeadersLike | Awaitable[HeadersLike]] = (),
        backoff: Backoff | None = None,
        stable_after: float = 30.0,
        attempts: int | None = None,
        stop_codes: Iterable[int] = STOP_CODES,
        stop_statuses: Iterable[int] = STOP_STATUSES,
        **options: Any,
    ) -> None:
        if "socket" in options:
            raise TypeError("a socket connects once: reconnecting() opens connections of its own")
        self._url = url
        self._setup = setup
        self._headers = headers
        self._options = options
        self._rules = LinkRules(
            backoff=backoff or Backoff(),
            stable_after=stable_after,
            attempts=attempts,
            stop_codes=stop_codes,
            stop_statuses=stop_statuses,
        )
        # What is wrong with the arguments is wrong now.
        connect(url, headers=() if callable(headers) else headers, **options)

    async def __aenter__(self) -> Link[In, Out]:
        types = get_args(getattr(self, "__orig_class__", None))
        # A type without a codec is wrong now, and not at each attempt.
        translations(types, as_codec_choice(self._options.get("codec", MessageFormat.JSON)))
        self._block = self._run(types)
        return await self._block.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._block.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _run(self, types: tuple[Any, ...]) -> AsyncGenerator[Link[In, Out]]:
        make: Any = cast("Any", connect)
        if types:
            make = make[types]

        async def dial() -> connect[In, Out]:
            headers = await settle(self._headers()) if callable(self._headers) else self._headers
            dialled: connect[In, Out] = make(self._url, headers=headers, **self._options)
            return dialled

        async with coroutine_scope() as scope:
            link = Link[In, Out](scope, dial, self._rules, self._setup)
            yield link
            await link.close()
            scope.cancel()
