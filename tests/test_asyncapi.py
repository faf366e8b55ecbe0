"""The document of an app: what it says, and that AsyncAPI's own schema takes it.

The last needs ``npm install @asyncapi/specs`` in a folder and ``NODE_PATH`` set to its ``node_modules``.
"""

from __future__ import annotations

import json
import os
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import msgspec
import pydantic
import pytest

from flowsock import App, RawSession, Session, Undecodable, codec_for
from flowsock.asyncapi import describe
from tests.codecs.messages import Command, Entry, Hex, Move, Pair, Point, Reading, Said, Say


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Envelope(msgspec.Struct):
    content: Say | Move
    pair: Pair
    entry: Entry
    reading: Reading | None


class Padded(pydantic.BaseModel):
    width: int = 1

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width


app = App()


@app.websocket("/chat/{room}/{size}/{kind}/{rest...}")
async def chat(
    session: Session[Say | Move | Undecodable, Said], room: int, size: Size, kind: Literal["a", "b"], rest: str
) -> None:
    """Talk."""


@app.websocket("/orders")
async def orders(session: Session[Command, Envelope]) -> None: ...


@app.websocket("/padded")
async def padded(session: Session[Padded, Padded]) -> None: ...


@app.websocket("/both", codec={"v1.json": "json", "v1.msgpack": "msgpack"})
async def both(session: Session[Point, list[int]]) -> None: ...


@app.websocket("/plain")
async def plain(session: Session) -> None: ...


@app.websocket("/hex", codec=Hex())
async def hexadecimal(session: Session[int, str]) -> None: ...


@app.websocket("/again")
async def again(session: Session[Say, Say]) -> None: ...


again_elsewhere = app.websocket("/elsewhere")(again)


@app.raw_websocket("/raw")
async def raw(session: RawSession) -> None: ...


DOCUMENT = describe(app, title="everything", version="1.2")
CHANNELS = DOCUMENT["channels"]


@cache
def official_schema() -> Any:
    """Read AsyncAPI's own JSON Schema of its documents."""
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        path = Path(folder, "@asyncapi", "specs", "schemas", "3.0.0.json")
        if folder and path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    pytest.skip("no @asyncapi/specs in NODE_PATH")


@pytest.mark.parametrize("described", [app, App()], ids=["everything", "nothing"])
def test_the_official_schema_takes_the_document(described: App) -> None:
    schema = official_schema()
    jsonschema.Draft7Validator(schema).validate(json.loads(json.dumps(describe(described))))


def test_the_official_schema_is_strict_enough_to_notice() -> None:
    broken = json.loads(json.dumps(DOCUMENT))
    broken["operations"]["chat.send"]["action"] = "shout"
    assert not jsonschema.Draft7Validator(official_schema()).is_valid(broken)


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for each in part for found in references(each)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [found for each in part.values() for found in references(each)]


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        part = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_the_head_says_what_is_described() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"] == {"title": "everything", "version": "1.2"}
    assert list(CHANNELS) == ["chat", "orders", "padded", "both", "plain", "hexadecimal", "again", "again_2"]


def test_a_channel_is_a_route_with_its_parameters() -> None:
    channel = CHANNELS["chat"]
    assert channel["address"] == "/chat/{room}/{size}/{kind}/{rest}"
    assert channel["description"] == "Talk."
    assert channel["parameters"] == {
        "room": {"description": "int"},
        "size": {"enum": ["small", "large"]},
        "kind": {"enum": ["a", "b"]},
        "rest": {"description": "str"},
    }
    assert channel["bindings"]["ws"]["method"] == "GET"


def test_the_app_receives_what_clients_send_each_member_of_a_union_by_itself() -> None:
    receive, send = DOCUMENT["operations"]["chat.receive"], DOCUMENT["operations"]["chat.send"]
    assert (receive["action"], send["action"]) == ("receive", "send")
    assert [each["$ref"].split("/")[-1] for each in receive["messages"]] == ["Say", "Move"]
    assert [each["$ref"].split("/")[-1] for each in send["messages"]] == ["Said"]
    assert CHANNELS["chat"]["messages"]["Said"] == {
        "name": "Said",
        "contentType": "application/json",
        "payload": {"$ref": "#/components/schemas/Said"},
    }
    assert set(CHANNELS["orders"]["messages"]) == {"Order", "Cancel", "Envelope"}


def test_a_model_may_look_otherwise_when_it_is_sent() -> None:
    assert list(CHANNELS["padded"]["messages"]) == ["Padded", "Padded_sent"]
    [sent] = DOCUMENT["operations"]["padded.send"]["messages"]
    assert sent == {"$ref": "#/channels/padded/messages/Padded_sent"}


def test_each_format_that_a_subprotocol_chooses_has_its_messages() -> None:
    kinds = {name: message["contentType"] for name, message in CHANNELS["both"]["messages"].items()}
    assert kinds == {
        "Point": "application/json",
        "Point_msgpack": "application/msgpack",
        "list_int": "application/json",
        "list_int_msgpack": "application/msgpack",
    }
    spoken = CHANNELS["both"]["bindings"]["ws"]["headers"]["properties"]["sec-websocket-protocol"]
    assert spoken["enum"] == ["v1.json", "v1.msgpack"]


def test_text_bytes_and_codecs_of_the_users_have_no_types_of_their_own() -> None:
    assert [message["contentType"] for message in CHANNELS["plain"]["messages"].values()] == [
        "text/plain",
        "application/octet-stream",
    ]
    assert CHANNELS["hexadecimal"]["messages"]["int"] == {"name": "int", "summary": "encoded by Hex"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Say", Say("hi")),
        ("Envelope", Envelope(Move(1), Pair(1, "b"), {"name": "ann"}, Reading("roof", 1.5))),
        ("Envelope", Envelope(Say("hi"), Pair(1, "b"), {"name": "ann"}, None)),
    ],
)
def test_what_is_sent_is_what_the_schema_says(name: str, message: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    validator = jsonschema.Draft7Validator(schema)
    sent = json.loads(codec_for(type(message)).encode(message))
    validator.validate(sent)
    sent.popitem()
    assert not validator.is_valid({**sent, next(iter(sent)): 7})


def test_one_name_for_two_types_of_two_libraries_is_refused() -> None:
    clashing = App()
    model = pydantic.create_model("Say", text=(str, ...))

    async def handler(session: Session[Any, Any]) -> None: ...

    kind: Any = Session
    handler.__annotations__["session"] = kind[Say, model]
    clashing.websocket("/")(handler)
    with pytest.raises(ValueError, match="two message types have the name 'Say'"):
        describe(clashing)
