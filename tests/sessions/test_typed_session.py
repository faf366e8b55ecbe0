"""Sessions whose messages have types: what is on the wire, what is no message, and what is encoded once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest

import flowsock.codecs.msgspec_codec
import flowsock.wire.codec
from flowsock import (
    App,
    MutableSharedFlow,
    Request,
    Session,
    SessionAborted,
    Undecodable,
    WebSocketConfig,
    connect,
    coroutine_scope,
    reconnecting,
    serve,
)
from flowsock.codecs.translation import translations
from flowsock.sessions.terms import Terms
from flowsock.testing import Line
from flowsock.testing import connect as connect_in_memory
from flowsock.wire.frames import encode_frame
from tests.codecs.messages import Cancel, Command, Entry, Fixed, Move, Order, Point, Reading, Said, Say
from tests.sessions.support import BOUND, ManualClock, RecordingTransport, failures, text_frame, until, ws

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

Spoken = Say | Move


def echoing(kind: Any, **settings: Any) -> App:
    """Make an app that echoes messages of a type."""
    app = App()

    async def echo(session: Session[Any, Any]) -> None:
        await session.incoming.collect(session.send)

    echo.__annotations__["session"] = Session[kind, kind]
    app.websocket("/", **settings)(echo)
    return app


MESSAGES: list[tuple[Any, Any, str]] = [
    (Spoken, Say("hi"), '{"type":"say","text":"hi"}'),
    (Spoken, Move(3), '{"type":"move","x":3,"y":0}'),
    (dict, {"a": [1, None]}, '{"a":[1,null]}'),
    (list[int], [1, 2], "[1,2]"),
    (int, 7, "7"),
    (int | str, "seven", '"seven"'),
    (Entry, {"name": "ann"}, '{"name":"ann"}'),
    (Point, Point(1, 2), '{"x":1,"y":2}'),
    (Reading, Reading("roof", 1.5), '{"name":"roof","value":1.5}'),
    (Order, Order(howMany=2), '{"kind":"order","howMany":2}'),
    (Command, Cancel(why="rain"), '{"kind":"cancel","why":"rain"}'),
]


@pytest.mark.parametrize(("kind", "message", "text"), MESSAGES)
async def test_both_ends_choose_the_codec_by_the_type(kind: Any, message: Any, text: str) -> None:
    app = echoing(kind)
    async with connect_in_memory[kind, kind](app) as session:
        await session.send(message)
        assert await session.incoming.first() == message
    async with connect_in_memory[str, str](app) as plain:
        await plain.send(text)
        assert await plain.incoming.first() == text


@pytest.mark.parametrize(("kind", "message", "text"), MESSAGES)
async def test_msgpack_travels_in_binary_frames(kind: Any, message: Any, text: str) -> None:
    app = echoing(kind, codec="msgpack")
    async with connect_in_memory[kind, kind](app, codec="msgpack") as session:
        await session.send(message)
        assert await session.incoming.first() == message
    async with connect_in_memory[bytes, bytes](app) as plain:
        await plain.send(msgspec.msgpack.encode(msgspec.json.decode(text)))
        assert msgspec.msgpack.decode(await plain.incoming.first()) == msgspec.json.decode(text)


async def test_each_direction_has_a_type_of_its_own() -> None:
    app = App()

    @app.websocket("/")
    async def count(session: Session[str, int]) -> None:
        await session.incoming.map(len).collect(session.send)

    async with connect_in_memory[int, str](app) as session:
        await session.send("four")
        assert await session.incoming.first() == 4


async def test_text_and_bytes_pass_as_they_are_in_any_format() -> None:
    app = echoing(str | bytes, codec="msgpack")
    async with connect_in_memory(app) as session:
        await session.send("text")
        await session.send(b"bytes")
        assert await session.incoming.take(2).to_list() == ["text", b"bytes"]


# The subprotocol's choice

BOTH = {"chat.json": "json", "chat.msgpack": "msgpack"}


@pytest.mark.parametrize(
    ("offered", "chosen", "kind"),
    [
        (["chat.msgpack"], "chat.msgpack", bytes),
        (["chat.json"], "chat.json", str),
        (["chat.msgpack", "chat.json"], "chat.json", str),
        (["other", "chat.msgpack"], "chat.msgpack", bytes),
        (["other"], None, str),
        ([], None, str),
    ],
)
async def test_the_subprotocol_chooses_the_codec(offered: list[str], chosen: str | None, kind: type) -> None:
    app = App()
    greeting = Said("server", "hi")

    @app.websocket("/", codec=BOTH)
    async def greet(session: Session[Said, Said]) -> None:
        await session.send(greeting)

    async with connect_in_memory(app, subprotocols=offered) as plain:
        assert plain.subprotocol == chosen
        data = await plain.incoming.first()
    assert type(data) is kind
    decoded = msgspec.json.decode(data) if isinstance(data, str) else msgspec.msgpack.decode(data)
    assert decoded == {"who": "server", "text": "hi"}


async def test_a_client_offers_what_it_has_codecs_for() -> None:
    app = echoing(Said, codec=BOTH)
    async with connect_in_memory[Said, Said](app, codec={"chat.msgpack": "msgpack"}) as session:
        assert session.subprotocol == "chat.msgpack"
        await session.send(Said("ann", "hi"))
        assert await session.incoming.first() == Said("ann", "hi")
    async with connect_in_memory[Said, Said](app, codec=BOTH) as session:
        assert session.subprotocol == "chat.json"


async def test_an_app_has_a_codec_for_all_its_routes_and_a_route_its_own() -> None:
    app = App(websockets=WebSocketConfig(codec="msgpack"))

    @app.websocket("/binary")
    async def binary(session: Session[int, int]) -> None:
        await session.send(1)

    @app.websocket("/text", codec="json")
    async def text(session: Session[int, int]) -> None:
        await session.send(1)

    async with connect_in_memory(app, "/binary") as session:
        assert await session.incoming.first() == b"\x01"
    async with connect_in_memory(app, "/text") as session:
        assert await session.incoming.first() == "1"


@pytest.mark.parametrize(
    ("codec", "error"), [("yaml", ValueError), ({}, ValueError), (7, TypeError), ({"a": 7}, TypeError), (object(), TypeError)]
)
def test_what_is_no_codec_is_refused_at_once(codec: Any, error: type[Exception]) -> None:
    for refused in (lambda: App().websocket("/", codec=codec), lambda: connect("ws://test/", codec=codec)):
        with pytest.raises(error):
            refused()


# Types without a codec


class Bare:
    pass


async def takes_bare(session: Session[Bare, str]) -> None: ...


async def sends_bare(session: Session[str, Bare]) -> None: ...


async def takes_nothing_but_errors(session: Session[Undecodable, str]) -> None: ...


async def sends_errors(session: Session[str, Said | Undecodable]) -> None: ...


@pytest.mark.parametrize("handler", [takes_bare, sends_bare, takes_nothing_but_errors, sends_errors])
def test_a_type_without_a_codec_is_refused_when_the_route_is_registered(handler: Any) -> None:
    with pytest.raises(TypeError, match="no codec for messages of type"):
        App().websocket("/")(handler)
    with pytest.raises(TypeError, match="no codec for messages of type"):
        App().websocket("/", codec={"a": "msgpack"})(handler)


async def test_a_client_refuses_it_before_it_connects() -> None:
    with pytest.raises(TypeError, match="no codec"):
        async with connect[Bare, str]("ws://127.0.0.1:1/"):
            pytest.fail("opened")
    with pytest.raises(TypeError, match="no codec"):
        async with reconnecting[str, Bare]("ws://127.0.0.1:1/"):
            pytest.fail("opened")


# What is no message

JUNK = [
    ('{"type":"say"}', 1007, "missing required field `text`"),
    ('{"type":"shout","text":"hi"}', 1007, "Invalid value 'shout'"),
    ('{"type":"say","text":1}', 1007, "Expected `str`"),
    ("{", 1007, "truncated"),
    ("", 1007, "truncated"),
    ("[" * 100_000, 1007, "Expected|nested"),
    (b'{"type":"say","text":"hi"}', 1003, "binary messages are not accepted here"),
]


@pytest.mark.parametrize(("junk", "code", "why"), JUNK)
async def test_53_what_is_no_message_ends_the_session_and_the_peer_is_told_no_details(
    junk: str | bytes, code: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()
    heard: list[object] = []
    ends: list[BaseException] = []
    caplog.set_level(logging.INFO, "flowsock")

    @app.websocket("/")
    async def listen(session: Session[Spoken, str]) -> None:
        try:
            await session.incoming.collect(heard.append)
        except SessionAborted as error:
            ends.append(error)
            raise

    async with connect_in_memory[str, str | bytes](app) as plain:
        await plain.send('{"type":"move","x":1}')
        await plain.send(junk)
        await plain.send('{"type":"move","x":2}')
        with pytest.raises(SessionAborted):
            await plain.incoming.collect()
        assert plain.close_reason is not None
        assert (plain.close_reason.code, plain.close_reason.message) == (code, "a message could not be decoded")
    await until(lambda: ends)
    assert heard == [Move(1)]
    [end] = ends
    assert isinstance(end, SessionAborted)
    assert end.reason.code == code
    assert (end.__cause__ is not None) is (code == 1007)
    assert any(record.levelno == logging.INFO and "'/'" in record.getMessage() for record in caplog.records)
    assert failures(caplog) == []


@pytest.mark.parametrize(("junk", "code", "why"), JUNK)
async def test_53_a_handler_that_says_so_gets_it_as_a_value(junk: str | bytes, code: int, why: str) -> None:
    app = App()
    heard: list[Any] = []

    @app.websocket("/")
    async def listen(session: Session[Spoken | Undecodable, str]) -> None:
        async for message in session.incoming:
            heard.append(message)
            await session.send("wrong" if isinstance(message, Undecodable) else "right")

    async with connect_in_memory[str, str | bytes](app) as plain:
        for message in ('{"type":"move","x":1}', junk, '{"type":"move","x":2}'):
            await plain.send(message)
        assert await plain.incoming.take(3).to_list() == ["right", "wrong", "right"]
    assert [heard[0], heard[2]] == [Move(1), Move(2)]
    assert (heard[1].data, heard[1].code) == (junk, code)
    assert any(part in heard[1].why for part in why.split("|"))


async def test_53_a_route_may_answer_it_with_a_reply_or_skip_it() -> None:
    app = App()
    faults: list[Undecodable] = []

    def reply(fault: Undecodable) -> Say | None:
        faults.append(fault)
        return Say("what?") if fault.code == 1007 else None

    @app.websocket("/", on_undecodable=reply)
    async def echo(session: Session[Spoken, Spoken]) -> None:
        await session.incoming.collect(session.send)

    async with connect_in_memory[Spoken, str | bytes](app) as session:
        for message in ("{", b"{", '{"type":"move","x":2}'):
            await session.send(message)
        assert await session.incoming.take(2).to_list() == [Say("what?"), Move(2)]
    assert [fault.data for fault in faults] == ["{", b"{"]


async def test_a_handler_that_takes_undecodable_messages_is_not_answered_for() -> None:
    app = App(websockets=WebSocketConfig(on_undecodable=lambda fault: "answered"))

    @app.websocket("/")
    async def listen(session: Session[int | Undecodable, str]) -> None:
        await session.incoming.map(lambda message: type(message).__name__).collect(session.send)

    @app.websocket("/text")
    async def text(session: Session[str, str]) -> None:
        await session.incoming.collect(session.send)

    async with connect_in_memory[str, str](app) as session:
        await session.send("junk")
        assert await session.incoming.first() == "Undecodable"
    async with connect_in_memory[str, bytes](app, "/text") as other:
        await other.send(b"not text")
        assert await other.incoming.first() == "answered"


async def test_text_may_be_taken_with_what_is_none() -> None:
    app = App()

    @app.websocket("/")
    async def listen(session: Session[str | Undecodable, str]) -> None:
        await session.incoming.map(lambda text: "binary" if isinstance(text, Undecodable) else text).collect(session.send)

    async with connect_in_memory[str, str | bytes](app) as session:
        await session.send(b"bytes")
        await session.send("text")
        assert await session.incoming.take(2).to_list() == ["binary", "text"]


async def test_whoever_answers_junk_waits_for_a_peer_that_does_not_read() -> None:
    """Replies to junk are bounded as all replies are: the junk is not read while they wait."""
    app = App()
    answered = 0

    def reply(fault: Undecodable) -> str:
        nonlocal answered
        answered += 1
        return "x" * 10_000

    @app.websocket("/", on_undecodable=reply, outgoing_high_water=20_000, send_timeout=1)
    async def listen(session: Session[int, str]) -> None:
        await session.incoming.collect()

    line = Line()
    async with connect_in_memory[str, str](app, line=line) as session:
        line.to_client.pause()
        with anyio.move_on_after(0.5):
            for _ in range(10_000):
                await session.send("junk")
        assert answered < 60
        line.to_client.resume()


class Broken:
    accepts = frozenset({str})

    def encode(self, message: int) -> str:
        return str(message)

    def decode(self, data: str | bytes) -> int:
        raise KeyError(data)


async def test_a_codec_that_fails_ends_the_session_with_1011_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    @app.websocket("/", codec=Broken())
    async def listen(session: Session[int, int]) -> None:
        await session.incoming.collect()

    async with connect_in_memory[str, str](app) as session:
        await session.send("1")
        with pytest.raises(SessionAborted, match="1011"):
            await session.incoming.collect()
    assert failures(caplog) == ["the codec of '/' failed"]


async def test_what_cannot_be_encoded_is_the_senders_error_and_the_session_goes_on() -> None:
    app = echoing(dict)
    async with connect_in_memory[dict[str, Any], dict[str, Any]](app) as session:
        with pytest.raises(TypeError, match="Bare is unsupported"):
            await session.send({"bare": Bare()})
        await session.send({"fine": 1})
        assert await session.incoming.first() == {"fine": 1}


async def test_a_typed_message_is_limited_in_size_like_any_other() -> None:
    app = echoing(list, max_message_size=100)
    async with connect_in_memory[list[int], list[int]](app) as session:
        await session.send(list(range(100)))
        with pytest.raises(SessionAborted, match="1009"):
            await session.incoming.collect()


@pytest.mark.parametrize("setting", [{"codec": "json"}, {"on_undecodable": None}])
async def test_an_open_session_keeps_its_codec(setting: dict[str, Any]) -> None:
    async with connect_in_memory[int, int](echoing(int)) as session:
        with pytest.raises(ValueError, match="cannot be changed"):
            session.configure(**setting)


# Encoding once


class CountingEncoder:
    """What encodes JSON, and counts."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        self._encode = encode
        self.messages: list[Any] = []

    def encode(self, message: Any) -> bytes:
        self.messages.append(message)
        return self._encode(message)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    counting = CountingEncoder(msgspec.json.Encoder().encode)
    monkeypatch.setattr(flowsock.codecs.msgspec_codec, "_json", counting)
    return counting


def room(kind: Any) -> tuple[App, MutableSharedFlow[Any]]:
    """Make an app that sends a room's messages to everybody in it."""
    app, messages = App(), MutableSharedFlow[Any](extra_buffer_capacity=64)

    async def enter(session: Session[Any, Any]) -> None:
        await messages.collect(session.send)

    enter.__annotations__["session"] = Session[str, kind]
    app.websocket("/")(enter)
    return app, messages


async def test_a_frozen_message_to_many_sessions_is_encoded_once(encoder: CountingEncoder) -> None:
    app, messages = room(Said)
    async with serve(app, port=0) as server, anyio.create_task_group() as members:
        heard: list[Said] = []

        async def join() -> None:
            async with connect[Said, str](ws(server)) as session:
                heard.extend(await session.incoming.take(3).to_list())

        for _ in range(50):
            members.start_soon(join)
        await until(lambda: messages.subscription_count.value == 50)
        said = [Said("ann", str(number)) for number in range(3)]
        for each in said:
            await messages.emit(each)
    assert encoder.messages == said
    assert len(heard) == 150


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_frozen_message_to_ten_thousand_sessions_is_encoded_once(
    encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = 0

    def counting(opcode: int, payload: bytes, *, masked: bool) -> bytes:
        nonlocal frames
        frames += 1
        return encode_frame(opcode, payload, masked=masked)

    monkeypatch.setattr(flowsock.wire.codec, "encode_frame", counting)
    terms = Terms(request=Request("GET", "/"), config=WebSocketConfig(), translation=translations((str, Said)).default)
    transports = [RecordingTransport() for _ in range(10_000)]
    clock = ManualClock()
    said: MutableSharedFlow[Said] = MutableSharedFlow()
    async with coroutine_scope() as scope:
        for transport in transports:
            said.on_each(terms.session(transport, clock).send).launch_in(scope)
        await said.subscription_count.filter(lambda count: count == len(transports)).first()
        await said.emit(Said("ann", "hi"))
        scope.cancel()
    assert encoder.messages == [Said("ann", "hi")]
    assert frames == 1
    assert all(transport.frames == [text_frame('{"who":"ann","text":"hi"}')] for transport in transports)


async def test_what_changed_between_two_emissions_is_sent_as_it_is_now(encoder: CountingEncoder) -> None:
    app, messages = room(Say)
    async with connect_in_memory[Say, str](app) as session:
        await until(lambda: messages.subscription_count.value == 1)
        say = Say("one")
        # In one turn of the event loop.
        messages.emit_nowait(say)
        say.text = "two"
        messages.emit_nowait(say)
        with anyio.fail_after(BOUND):
            texts = await session.incoming.map(lambda each: each.text).take(2).to_list()
    assert texts == ["one", "two"]


async def test_what_a_collector_changes_is_sent_as_it_is_then() -> None:
    """A message that each session changes before it is sent is another one for each, within one emission."""
    app, messages = App(), MutableSharedFlow[Say]()

    @app.websocket("/{name}")
    async def enter(session: Session[str, Say], name: str) -> None:
        def sign(say: Say) -> None:
            say.text = f"for {name}"

        await messages.on_each(sign).collect(session.send)

    async with connect_in_memory[Say, str](app, "/ann") as ann, connect_in_memory[Say, str](app, "/bob") as bob:
        await until(lambda: messages.subscription_count.value == 2)
        await messages.emit(Say("for nobody"))
        with anyio.fail_after(BOUND):
            assert await ann.incoming.first() == Say("for ann")
            assert await bob.incoming.first() == Say("for bob")


async def test_fixed_values_of_attrs_are_encoded_once_too(encoder: CountingEncoder) -> None:
    app, messages = room(Fixed)
    async with connect_in_memory[Fixed, str](app) as one, connect_in_memory[Fixed, str](app) as other:
        await until(lambda: messages.subscription_count.value == 2)
        await messages.emit(Fixed("roof", 1.5))
        with anyio.fail_after(BOUND):
            assert await one.incoming.first() == await other.incoming.first() == Fixed("roof", 1.5)
    assert encoder.messages == [Fixed("roof", 1.5)]


# Links


async def test_a_link_has_types_over_all_its_sessions() -> None:
    async with serve(echoing(Spoken), port=0) as server, reconnecting[Spoken, Spoken](ws(server)) as link:
        await link.send(Say("hi"))
        with anyio.fail_after(BOUND):
            assert await link.incoming.first() == Say("hi")
