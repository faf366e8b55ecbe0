"""Paths, their parameters, and what a handler's annotations say."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from flowsock import App, RawSession, Request, Session, connect
from flowsock.sessions.routes.routing import page_route, session_route


async def takes_text(session: Session[str, str]) -> None: ...


async def takes_anything(session: Session) -> None: ...


async def takes_bytes(session: Session[bytes]) -> None: ...


async def takes_either(session: Session[str | bytes, str]) -> None: ...


async def takes_object(session: Session[object, str]) -> None: ...


async def sends_object(session: Session[str, object]) -> None: ...


async def without_annotation(session):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    ...


class Handlers:
    async def method(self, session: Session[str, str], room: str) -> None: ...


class Callable:
    async def __call__(self, session: Session[bytes, bytes]) -> None: ...


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
    assert session_route("/", handler, App().websockets).translations.default.accepts == accepts


def test_a_method_can_handle_sessions() -> None:
    route = session_route("/{room}", Handlers().method, App().websockets)
    assert route.translations.default.accepts == {str}


@pytest.mark.parametrize("handler", [takes_object, sends_object])
def test_a_message_type_without_codec_is_refused_at_registration(handler: Any) -> None:
    with pytest.raises(TypeError, match=r"no codec for messages of type <class 'object'>.*codec="):
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


async def by_type(session: Session, number: int, rest: PurePosixPath) -> None: ...


def test_parameters_are_of_the_types_that_the_handler_says() -> None:
    entry = session_route("/{number}/{rest...}", by_type, App().websockets).entry
    assert entry.match("/7/a/b%20c") == {"number": 7, "rest": PurePosixPath("a/b c")}
    assert entry.match("/seven/a") is None


def a_page(kind: Any) -> Any:
    def page(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        ...

    page.__annotations__ = {"value": kind, "return": "NotImportedHere"}
    return page


def test_a_type_that_no_path_can_hold_is_refused_at_registration() -> None:
    with pytest.raises(TypeError, match="no type for a parameter of a path: take str, int"):
        App().get("/{value}")(a_page(list[int]))
    with pytest.raises(TypeError, match="no type for a parameter of a path"):
        App().get("/{value}")(a_page(Handlers))


def test_what_a_page_returns_need_not_be_importable() -> None:
    assert page_route("/{value}", a_page(int)).entry.match("/1") == {"value": 1}


def test_a_page_may_ask_for_the_request() -> None:
    def page(request: Request, room: str) -> str:
        return room

    page.__annotations__ = {"request": Request, "room": str}
    route = page_route("/{room}", page)
    request = Request("GET", "/red")
    assert route.arguments(request, {"room": "red"}, None) == {"request": request, "room": "red"}


def guard(request: Request, room: str) -> bool:
    return True


def test_a_guard_brings_one_parameter_more_or_none() -> None:
    async def alone(session: Session, room: str) -> None: ...

    async def told(session: Session, who: object, room: str) -> None: ...

    async def greedy(session: Session, who: object, what: object, room: str) -> None: ...

    settings = App().websockets
    assert session_route("/{room}", alone, settings, guard).entry.arguments({"room": "a"}, 1) == {"room": "a"}
    assert session_route("/{room}", told, settings, guard).entry.arguments({"room": "a"}, 1) == {"room": "a", "who": 1}
    with pytest.raises(ValueError, match="or one more, for what the guard lets pass"):
        session_route("/{room}", greedy, settings, guard)
    with pytest.raises(ValueError, match=r"they must be the same$"):
        session_route("/{room}", told, settings)


def test_a_guard_that_asks_for_what_the_path_does_not_have_is_refused() -> None:
    async def handler(session: Session, other: str) -> None: ...

    with pytest.raises(ValueError, match=r"guard\(\) takes \['room'\], which the path does not have"):
        App().websocket("/{other}", guard=guard)(handler)
    with pytest.raises(ValueError, match="must take the request"):
        App().websocket("/{other}", guard=lambda: True)(handler)


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


@pytest.mark.parametrize("annotation", [int, list[str], Session[str, str] | None, Request, RawSession])
def test_a_handler_whose_first_parameter_is_no_session_is_refused(annotation: Any) -> None:
    async def handler(session: Any) -> None:
        pytest.fail("nobody calls it")

    handler.__annotations__["session"] = annotation
    with pytest.raises(TypeError, match=r"handler\(\) is to take a Session from @app\.websocket.*annotation of 'session' is"):
        App().websocket("/")(handler)


@pytest.mark.parametrize("annotation", [Any, Session, Session[str, bytes]])
def test_a_session_may_be_annotated_with_less_than_its_types(annotation: Any) -> None:
    async def handler(session: Any) -> None:
        pytest.fail("nobody calls it")

    handler.__annotations__["session"] = annotation
    App().websocket("/")(handler)
