"""Paths, their parameters, and what a handler's annotations say."""

from __future__ import annotations

from typing import Any

import pytest

from flowsock import App, Session, connect
from flowsock.sessions.routing import Pattern, session_route


async def takes_text(session: Session[str, str]) -> None: ...


async def takes_anything(session: Session) -> None: ...


async def takes_bytes(session: Session[bytes]) -> None: ...


async def takes_either(session: Session[str | bytes, str]) -> None: ...


async def takes_number(session: Session[int, str]) -> None: ...


async def sends_number(session: Session[str, int]) -> None: ...


async def without_annotation(session):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    ...


class Handlers:
    async def method(self, session: Session[str, str], room: str) -> None: ...


class Callable:
    async def __call__(self, session: Session[bytes, bytes]) -> None: ...


@pytest.mark.parametrize(
    ("path", "target", "found"),
    [
        ("/", "/", {}),
        ("/", "/x", None),
        ("/chat", "/chat", {}),
        ("/chat", "/chat/", None),
        ("/chat", "/chatter", None),
        ("/chat", "/%63hat", {}),
        ("/chat", "/Chat", None),
        ("/chat/{room}", "/chat/red", {"room": "red"}),
        ("/chat/{room}", "/chat/", None),
        ("/chat/{room}", "/chat", None),
        ("/chat/{room}", "/chat/red/blue", None),
        ("/chat/{room}", "/chat/red%2Fblue", {"room": "red/blue"}),
        ("/chat/{room}", "/chat/%E4%B8%96%20%3F", {"room": "世 ?"}),
        ("/chat/{room}", "/chat/%ff", {"room": "\ufffd"}),
        ("/chat/{room}", "/chat/..", {"room": ".."}),
        ("/chat/{room}", "/chat/{room}", {"room": "{room}"}),
        ("/{a}/{b}", "/1/2", {"a": "1", "b": "2"}),
        ("/{a}/x", "//x", None),
        ("/grüße", "/gr%C3%BC%C3%9Fe", {}),
    ],
)
def test_a_path_matches_segment_by_segment(path: str, target: str, found: dict[str, str] | None) -> None:
    assert Pattern(path).match(target) == found


@pytest.mark.parametrize("path", ["", "chat", "/{}", "/{a b}", "/{a}/{a}", "/{1}"])
def test_a_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Pattern(path)


@pytest.mark.parametrize(
    ("handler", "accepts"),
    [
        (takes_text, {str}),
        (takes_bytes, {bytes}),
        (takes_either, {str, bytes}),
        (takes_anything, {str, bytes}),
        (without_annotation, {str, bytes}),
        (Callable(), {bytes}),
    ],
)
def test_the_annotation_says_what_is_accepted(handler: Any, accepts: set[type]) -> None:
    assert session_route("/", handler, App().websockets).accepts == accepts


def test_a_method_can_handle_sessions() -> None:
    route = session_route("/{room}", Handlers().method, App().websockets)
    assert route.accepts == {str}


@pytest.mark.parametrize("handler", [takes_number, sends_number])
def test_a_message_type_without_codec_is_refused_at_registration(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"no codec for messages of type <class 'int'>.*\.map"):
        App().websocket("/")(handler)


def test_an_annotation_local_to_a_function_is_refused_with_advice() -> None:
    class Local: ...

    async def handler(session: Session[Local, str]) -> None:  # type: ignore[type-var, unused-ignore]
        ...

    with pytest.raises(TypeError, match=r"handler\(\) cannot be resolved.*Local.*importable names of its module"):
        App().websocket("/")(handler)


@pytest.mark.parametrize("path", ["/", "/{room}/{user}", "/{rooms}"])
def test_parameters_of_path_and_handler_must_be_the_same(path: str) -> None:
    async def handler(session: Session, room: str) -> None: ...

    with pytest.raises(ValueError, match=r"handler\(\) takes \['room'\]"):
        App().websocket(path)(handler)

    def page(room: str) -> str:
        return room

    with pytest.raises(ValueError, match=r"page\(\) takes \['room'\]"):
        App().get(path)(page)


def test_the_order_of_parameters_is_free() -> None:
    async def handler(session: Session, b: str, a: str) -> None: ...

    App().websocket("/{a}/{b}")(handler)


def test_a_handler_without_parameters_is_refused() -> None:
    async def handler() -> None: ...

    with pytest.raises(ValueError, match=r"handler\(\) must take the session"):
        App().websocket("/")(handler)


def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"no such WebSocket setting: ping_intervall.*ping_interval"):
        App().websocket("/", ping_intervall=1)
    with pytest.raises(TypeError, match="no such WebSocket setting: timeout"):
        connect("ws://x/", timeout=1)


@pytest.mark.parametrize(
    "setting",
    [
        {"ping_interval": 0},
        {"ping_timeout": -1},
        {"max_message_size": 0},
        {"incoming_queue": 0},
        {"close_timeout": float("nan")},
        {"origins": "https://example.com"},
    ],
)
def test_a_setting_without_sense_is_refused_at_registration(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        App().websocket("/", **setting)


def test_subprotocols_are_a_list() -> None:
    with pytest.raises(TypeError, match="list of names, not one string"):
        App().websocket("/", subprotocols="chat")
    with pytest.raises(TypeError, match="list of names, not one string"):
        connect("ws://x/", subprotocols="chat")


def test_a_decorated_handler_stays_what_it_was() -> None:
    app = App()
    assert app.websocket("/")(takes_text) is takes_text

    def page() -> str:
        return ""

    assert app.get("/")(page) is page
