"""The values an enum accepts. Read from the type only once it has refused something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import inspect as types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.handlers.signature import Signature


def choices(signature: Signature, path: str) -> list[Any]:
    """The values accepted at a place in a handler's params; empty if that is not a closed set.

    Args:
        signature: The handler's.
        path: As in an issue: names and positions separated by dots, `*` for any of them.
    """
    name, *rest = keys = path.split(".")
    for parameter in signature.fields:
        if signature.whole or parameter.wire_name == name:
            info = types.type_info(parameter.hint)
            return list(dict.fromkeys(_words(info, keys if signature.whole else rest)))
    return []


def _words(info: types.Type, keys: list[str]) -> Iterator[Any]:
    if isinstance(info, types.Metadata):
        yield from _words(info.type, keys)
    elif isinstance(info, types.UnionType):
        for member in info.types:
            yield from _words(member, keys)
    elif not keys:
        yield from _closed(info)
    elif isinstance(info, types.DictType):
        yield from _words(info.value_type, keys[1:])
    else:
        yield from _inside(info, keys[0], keys[1:])


def _closed(info: types.Type) -> Iterator[Any]:
    if isinstance(info, types.LiteralType):
        yield from info.values
    elif isinstance(info, types.EnumType):
        yield from (member.value for member in info.cls)


def _inside(info: Any, key: str, rest: list[str]) -> Iterator[Any]:
    """In a list, or in whatever has fields; each member of a tagged union has its tag."""
    if hasattr(info, "item_type"):
        yield from _words(info.item_type, rest)
    if getattr(info, "tag_field", None) == key:
        yield info.tag
    for field in getattr(info, "fields", ()):
        if field.encode_name == key:
            yield from _words(field.type, rest)
