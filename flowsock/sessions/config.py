"""Every setting of a session, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from attrs.validators import instance_of, is_callable, optional

from flowsock.codecs.message_codec import MessageFormat
from flowsock.codecs.translation import CodecChoice, as_codec_choice, codec_names
from flowsock.sessions.slow_reader import SlowReader
from flowsock.settings import positive, replaced
from flowsock.wire.deflate import Deflate, as_deflate
from flowsock.wire.origins import check_origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowsock.codecs.undecodable import Undecodable
    from flowsock.wire.origins import AllowedOrigins


def known_origins(_config: object, _setting: object, value: AllowedOrigins) -> None:
    """Validate origins; see `check_origins`."""
    check_origins(value)


def subprotocol_names(names: Iterable[str]) -> tuple[str, ...]:
    """Give the names of subprotocols.

    Raises:
        TypeError: it is one string, of which every letter would be a name.
    """
    if isinstance(names, str):
        raise TypeError(f"subprotocols are a list of names, not one string: [{names!r}]")
    return tuple(names)


@frozen(kw_only=True)
class WebSocketConfig:
    """Hold the limits and the timing of sessions; all of an app's, or one route's, or one client's.

    Args:
        ping_interval: Seconds between two pings to a silent peer; ``None`` sends none.
        ping_timeout: Seconds after which a peer that answers nothing is given up.
        max_message_size: Bytes in one received message, over all its fragments and inflated; ``None`` for no limit.
        max_fragments: Frames in one received message.
        incoming_queue: Messages that wait for the handler before the socket is not read any more.
        outgoing_high_water: Bytes that wait for the peer before it counts as slow, and ``send`` suspends.
        slow_reader: What ``send`` does then instead of suspending, or the policy's name.
        outgoing_queue: Messages that wait for a slow peer under the other policies, on top of the bytes above.
        outgoing_queue_size: Bytes in these messages.
        send_timeout: Seconds that a slow peer has to catch up, before the session is given up with 1013.
        close_timeout: Seconds to wait for the peer's answer to a Close, and for a handler to notice that the peer has gone.
        origins: Which browser pages may connect: those of the ``"same"`` origin, ``"*"`` for all, or a list of origins, like
            ``["https://example.com", "https://*.example.com"]``. Requests without an Origin, so not from a browser, may always.
        subprotocols: What the server speaks, the preferred one first.
        deflate: Whether messages may be compressed, and how: ``True``, or a `Deflate` with settings of your own.
        codec: How messages of other types than ``str`` and ``bytes`` are written: ``"json"`` or ``"msgpack"``
            (`MessageFormat`), or a `MessageCodec` of your own. A dict of these lets the subprotocol choose, and its keys are
            what is spoken, unless ``subprotocols`` says otherwise: ``{"chat.json": "json", "chat.msgpack": "msgpack"}``. A
            session without one of them has the first.
        on_undecodable: Gets each `Undecodable` message, unless the handler's annotation names that type, and gives the reply to
            it, or ``None`` for none. Without, such a message ends the session.

    Raises:
        ValueError: a duration or a size is not positive, there is no such policy or format, or ``origins`` names what is no
            origin.
        TypeError: ``subprotocols`` is one string, or ``deflate``, ``codec`` or ``on_undecodable`` is no setting.

    >>> App(websockets=WebSocketConfig(ping_interval=60)).websockets.ping_interval
    60
    """

    ping_interval: float | None = field(default=20.0, validator=positive)
    ping_timeout: float = field(default=20.0, validator=positive)
    max_message_size: int | None = field(default=2**20, validator=positive)
    max_fragments: int = field(default=131_072, validator=positive)
    incoming_queue: int = field(default=16, validator=positive)
    outgoing_high_water: int = field(default=2**16, validator=positive)
    slow_reader: SlowReader = field(default=SlowReader.SUSPEND, converter=SlowReader)
    outgoing_queue: int = field(default=256, validator=positive)
    outgoing_queue_size: int = field(default=2**20, validator=positive)
    send_timeout: float = field(default=10.0, validator=positive)
    close_timeout: float = field(default=10.0, validator=positive)
    origins: AllowedOrigins = field(default="same", validator=known_origins)
    subprotocols: tuple[str, ...] = field(default=(), converter=subprotocol_names)
    deflate: Deflate | None = field(default=None, converter=as_deflate, validator=optional(instance_of(Deflate)))
    codec: CodecChoice = field(default=MessageFormat.JSON, converter=as_codec_choice)
    on_undecodable: Callable[[Undecodable], Any] | None = field(default=None, validator=optional(is_callable()))

    @property
    def spoken(self) -> tuple[str, ...]:
        """Give the subprotocols that may be agreed on, the preferred one first."""
        return self.subprotocols or codec_names(self.codec)

    def with_overrides(self, overrides: Mapping[str, Any]) -> WebSocketConfig:
        """Give a copy with some settings replaced.

        Raises:
            TypeError: there is no such setting.
        """
        return replaced(self, "WebSocket", overrides)

    def changed(self, settings: Mapping[str, Any]) -> WebSocketConfig:
        """Give a copy for a session that is open.

        Raises:
            TypeError: there is no such setting.
            ValueError: a value is not allowed, or the setting holds from the opening to the end.
        """
        config = self.with_overrides(settings)
        fixed = [name for name in settings if name in _FIXED]
        if fixed:
            raise ValueError(f"{', '.join(fixed)} cannot be changed while a session is open")
        return config


_FIXED: Final = frozenset(("slow_reader", "origins", "subprotocols", "deflate", "codec", "on_undecodable"))


def raw_config(config: WebSocketConfig, settings: Mapping[str, Any]) -> WebSocketConfig:
    """Give the settings of raw sessions, which do nothing by themselves unless these settings say so.

    Raises:
        TypeError: there is no such setting.
        ValueError: a value is not allowed; a lost frame would break the message that it was of, and frames pass as they are.
    """
    raw = config.with_overrides({"ping_interval": None, "slow_reader": SlowReader.SUSPEND, "deflate": None, **settings})
    if raw.slow_reader is not SlowReader.SUSPEND:
        raise ValueError(f"a raw session loses no frames: slow_reader cannot be {raw.slow_reader.value!r} here")
    if raw.deflate is not None:
        raise ValueError("a raw session passes frames as they are: deflate cannot be on here")
    return raw
