"""JSON and MessagePack by pydantic: models, and unions of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from flowsock.codecs.msgspec_codec import MsgpackCodec
from flowsock.codecs.schema import message_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowsock.codecs.message_codec import MessageCodec

Schema: TypeAlias = dict[str, Any]

_TEXT: Final[frozenset[type]] = frozenset({str})


def pydantic_codec(annotation: Any, *, binary: bool) -> MessageCodec[Any]:
    """Make the codec of a type, in MessagePack or in JSON.

    Raises:
        TypeError: pydantic knows no such type.
    """
    return PydanticMsgpackCodec(annotation) if binary else PydanticCodec(annotation)


class PydanticCodec:
    """JSON, as text; fields have their aliases."""

    __slots__ = ("_adapter", "_classes")

    accepts = _TEXT

    def __init__(self, annotation: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        self._classes = _classes_of(annotation)

    def encode(self, message: Any, /) -> str:
        _check(message, self._classes)
        try:
            return self._adapter.dump_json(message, by_alias=True, warnings="error").decode()
        except PydanticSerializationError as error:
            raise TypeError(str(error)) from None

    def decode(self, data: str | bytes, /) -> Any:
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            raise ValueError(faults_of(error)) from error


class PydanticMsgpackCodec:
    """MessagePack, as bytes, of what JSON would say."""

    __slots__ = ("_adapter", "_classes", "_plain")

    accepts = MsgpackCodec.accepts

    def __init__(self, annotation: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        self._classes = _classes_of(annotation)
        self._plain = MsgpackCodec(Any)

    def encode(self, message: Any, /) -> bytes:
        _check(message, self._classes)
        try:
            return self._plain.encode(self._adapter.dump_python(message, mode="json", by_alias=True, warnings="error"))
        except PydanticSerializationError as error:
            raise TypeError(str(error)) from None

    def decode(self, data: str | bytes, /) -> Any:
        try:
            return self._adapter.validate_python(self._plain.decode(data))
        except ValidationError as error:
            raise ValueError(faults_of(error)) from error


def _classes_of(annotation: Any) -> tuple[type, ...]:
    """Give the classes that messages have, if that is all there is to say of them."""
    members = message_classes(annotation)
    return members if all(isinstance(member, type) for member in members) else ()


def _check(message: Any, classes: tuple[type, ...]) -> None:
    """Refuse an object of another class: pydantic would write down what it has in common with the right one.

    Raises:
        TypeError: it is one.
    """
    if classes and not isinstance(message, classes):
        names = " or ".join(each.__name__ for each in classes)
        raise TypeError(f"a message here is of type {names}, not {type(message).__name__}")


def faults_of(error: ValidationError) -> str:
    """Tell what is wrong with the data, and where, but not what is in it."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the message'}: {fault['msg']}" for fault in faults)


def is_value(model: type) -> bool:
    """Tell whether what a model writes follows from its fields alone, and these cannot be assigned to."""
    if not issubclass(model, BaseModel):
        return False
    config, decorators = model.model_config, model.__pydantic_decorators__
    return (
        config.get("frozen", False)
        and config.get("extra") != "allow"
        and not (decorators.computed_fields or decorators.field_serializers or decorators.model_serializers)
    )


def pydantic_schemas(
    types: Sequence[tuple[Any, bool]], reference: str
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Give the JSON Schema of each type, and those that they refer to, by name.

    Args:
        types: Each with whether it is one that is sent, not received.
        reference: How one schema refers to another, with ``{name}`` in it.
    """
    inputs: list[tuple[int, Literal["validation", "serialization"], TypeAdapter[Any]]] = [
        (index, "serialization" if sent else "validation", TypeAdapter(kind)) for index, (kind, sent) in enumerate(types)
    ]
    schemas, shared = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=reference.format(name="{model}"))
    return [schemas[index, mode] for index, mode, _ in inputs], shared.get("$defs", {})
