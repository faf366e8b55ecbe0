"""What an app says and hears, as an AsyncAPI 3.0 document: ``flowsock schema chat:app``.

https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args, get_origin

from attrs import frozen

from flowsock.codecs.message_codec import MessageFormat
from flowsock.codecs.plain import plain_kinds
from flowsock.codecs.schema import json_schemas, message_classes
from flowsock.codecs.translation import settings_of, without_undecodable
from flowsock.sessions.routes.parameters import parameter_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowsock.codecs.choosing import CodecSetting
    from flowsock.sessions.routes.router import Router
    from flowsock.sessions.routes.routing import SessionRoute

__all__ = ("describe",)

Object: TypeAlias = dict[str, Any]

_CONTENT_TYPES: Final = {MessageFormat.JSON: "application/json", MessageFormat.MSGPACK: "application/msgpack"}
_no_name: Final = re.compile(r"\W+")
_tail: Final = re.compile(r"\.\.\.\}$")


@frozen
class _Message:
    """One kind of message, on its way in one direction.

    Attributes:
        name: What it is called in the document.
        kind: Its type, if it has a JSON Schema.
        sent: Whether the app sends it, and does not receive it.
        body: What the document says of it.
    """

    name: str
    kind: Any
    sent: bool
    body: Object


def describe(app: Router, *, title: str = "flowsock", version: str = "0.0.0") -> Object:
    """Describe the routes that open sessions, and their messages, as an AsyncAPI 3.0 document.

    Laws: the app's view is taken: it receives what clients send. Each member of a union is a message of its own. A route that
    lets the subprotocol choose the codec has its messages in each format. Raw sessions have no messages and are left out; a
    codec of your own has messages without a schema.

    Args:
        app: The app.
        title: What the document is called.
        version: The version of what it describes.

    >>> app = App()
    >>> @app.websocket("/double/{times}")
    ... async def double(session: Session[int, str], times: int) -> None: ...
    >>> document = describe(app, title="numbers")
    >>> document["channels"]["double"]["address"], document["operations"]["double.receive"]["messages"]
    ('/double/{times}', [{'$ref': '#/channels/double/messages/int'}])
    """
    routes = dict(_named(route for route in app.session_routes if not route.raw))
    messages = {name: list(_messages(route)) for name, route in routes.items()}
    with_schema = [each for found in messages.values() for each in found if each.kind is not None]
    schemas, named = json_schemas([(each.kind, each.sent) for each in with_schema])
    for each, schema in zip(with_schema, schemas, strict=True):
        each.body["payload"] = schema
    document: Object = {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "channels": {},
        "operations": {},
    }
    for name, route in routes.items():
        entries, references = _entries(messages[name])
        document["channels"][name] = _channel(route, entries)
        for action, found in zip(("receive", "send"), references, strict=True):
            document["operations"][f"{name}.{action}"] = _operation(name, action, found)
    return document | ({"components": {"schemas": named}} if named else {})


def _named(routes: Iterable[SessionRoute]) -> Iterator[tuple[str, SessionRoute]]:
    """Name routes by their handlers; of several with one name, the later ones get a number."""
    seen: Counter[str] = Counter()
    for route in routes:
        name = getattr(route.handler, "__name__", type(route.handler).__name__)
        seen[name] += 1
        yield (name if seen[name] == 1 else f"{name}_{seen[name]}"), route


def _messages(route: SessionRoute) -> Iterator[_Message]:
    incoming, outgoing = (*route.types, str | bytes, str | bytes)[:2] if route.types else (str | bytes, str | bytes)
    settings = settings_of(route.config.codec)
    for sent, annotation in ((False, without_undecodable(incoming)[0]), (True, outgoing)):
        if (kinds := plain_kinds(annotation)) is not None:
            yield from (_plain(kind, sent=sent) for kind in (str, bytes) if kind in kinds)
            continue
        for kind in message_classes(annotation):
            yield from (_encoded(kind, setting, sent=sent, first=setting is settings[0]) for setting in settings)


def _plain(kind: type, *, sent: bool) -> _Message:
    if kind is str:
        return _Message("text", None, sent, {"contentType": "text/plain", "payload": {"type": "string"}})
    body = {"contentType": "application/octet-stream", "payload": {"type": "string", "format": "binary"}}
    return _Message("bytes", None, sent, body)


def _encoded(kind: Any, setting: CodecSetting, *, sent: bool, first: bool) -> _Message:
    name = _no_name.sub("_", _spelling(kind)).strip("_")
    if not isinstance(setting, MessageFormat):
        how = type(setting).__name__
        return _Message(name if first else f"{name}_{how}", None, sent, {"summary": f"encoded by {how}"})
    return _Message(name if first else f"{name}_{setting}", kind, sent, {"contentType": _CONTENT_TYPES[setting]})


def _entries(messages: Iterable[_Message]) -> tuple[Object, tuple[list[str], list[str]]]:
    """Give the messages of a channel by their names there, and the names of those that are received and that are sent."""
    entries: Object = {}
    received: list[str] = []
    sent: list[str] = []
    for each in messages:
        entry = {"name": each.name, **each.body}
        # What is sent may look otherwise than what is received, though it is of one type.
        name = each.name if entries.get(each.name, entry) == entry else f"{each.name}_sent"
        entries[name] = entry
        (sent if each.sent else received).append(name)
    return entries, (received, sent)


def _channel(route: SessionRoute, entries: Object) -> Object:
    pattern = route.entry.pattern
    channel: Object = {"address": _tail.sub("}", pattern.path), "messages": entries, "bindings": {"ws": _binding(route)}}
    if doc := (route.handler.__doc__ or "").strip():
        channel["description"] = doc
    if pattern.parameters:
        types = parameter_types(route.handler)
        channel["parameters"] = {name: _parameter(types.get(name, str)) for name in pattern.parameters}
    return channel


def _parameter(annotation: Any) -> Object:
    """Describe a parameter of a path; all are strings to AsyncAPI."""
    if get_origin(annotation) is Literal:
        return {"enum": [str(value) for value in get_args(annotation)]}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {"enum": [str(member.value) for member in annotation]}
    return {"description": _spelling(annotation)}


def _spelling(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _binding(route: SessionRoute) -> Object:
    binding: Object = {"method": "GET", "bindingVersion": "0.1.0"}
    if spoken := route.config.spoken:
        names = {"sec-websocket-protocol": {"type": "string", "enum": list(spoken)}}
        binding["headers"] = {"type": "object", "properties": names}
    return binding


def _operation(channel: str, action: str, names: Iterable[str]) -> Object:
    references = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": references}
