"""JSON Schemas of message types."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, Union, cast, get_args, get_origin

from flowsock.codecs.choosing import is_for_pydantic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Schema: TypeAlias = dict[str, Any]

_REFERENCE: Final = "#/components/schemas/{name}"


def message_classes(annotation: Any) -> tuple[Any, ...]:
    """Give the members of a union of classes, or else the type as it is."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    members = get_args(inner) if get_origin(inner) in (Union, UnionType) else ()
    return members if members and all(isinstance(member, type) for member in members) else (annotation,)


def json_schemas(types: Sequence[tuple[Any, bool]]) -> tuple[list[Schema], dict[str, Schema]]:
    """Give the schema of each type, and those that they refer to, by name (JSON Schema, draft 7, as AsyncAPI wants it).

    Args:
        types: Each with whether it is one that is sent, not received.

    Raises:
        ValueError: msgspec and pydantic have one name for two types.
    """
    by_msgspec = [kind for kind, _ in types if not is_for_pydantic(kind)]
    by_pydantic = [(kind, sent) for kind, sent in types if is_for_pydantic(kind)]
    schemas, named = _msgspec_schemas(by_msgspec)
    if by_pydantic:
        from flowsock.codecs.pydantic_codec import pydantic_schemas

        more, more_named = pydantic_schemas(by_pydantic, _REFERENCE)
        if clash := named.keys() & more_named.keys():
            raise ValueError(f"two message types have the name {min(clash)!r}: one of msgspec's and one of pydantic's")
        named |= more_named
    else:
        more = []
    remaining, more_remaining = iter(schemas), iter(more)
    in_order = [next(more_remaining if is_for_pydantic(kind) else remaining) for kind, _ in types]
    return [draft_7(each) for each in in_order], {name: draft_7(each) for name, each in sorted(named.items())}


def _msgspec_schemas(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    from msgspec.json import schema_components

    schemas, named = schema_components(types, ref_template=_REFERENCE)
    return list(schemas), named


def draft_7(schema: Any) -> Any:
    """Say what later drafts, and OpenAPI, say in the words of draft 7."""
    if isinstance(schema, list):
        return [draft_7(each) for each in cast("Sequence[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    older = {name: draft_7(each) for name, each in cast("Mapping[str, Any]", schema).items()}
    if isinstance(older.get("prefixItems"), list):
        rest = older.pop("items", True)
        older |= {"items": older.pop("prefixItems"), "additionalItems": rest}
    discriminator: Any = older.get("discriminator")
    if isinstance(discriminator, dict) and "propertyName" in discriminator:
        # The tags of the members, which are constants, say the same.
        del older["discriminator"]
    return older
