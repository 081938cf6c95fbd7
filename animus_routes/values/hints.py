"""What a type hint says: models, optional ones, JSON types; and a wire type by its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

PYDANTIC_MODULES: Final = frozenset({"pydantic", "annotated_types"})
GENERATED: Final = ("animus_routes.types.", "animus_routes.structs.")
JSON_TYPES: Final = (str, int, float, bool, list, dict)
MODEL_MARKS: Final = (
    "__pydantic_fields__",
    "__struct_fields__",
    "__dataclass_fields__",
    "__required_keys__",
    "__attrs_attrs__",
)


def wire_type(name: str) -> Any:
    """A wire type by `crate.Name`, of the msgspec family."""
    crate, _, cls = name.partition(".")
    module = __import__(f"animus_routes.structs.{crate}", fromlist=[cls])
    return getattr(module, cls)


def described_by(name: str) -> Any:
    """A wire type by `crate.Name`, of the family that the author has already loaded."""
    crate, _, cls = name.partition(".")
    models = sys.modules.get(f"animus_routes.types.{crate}")
    if models is None or f"animus_routes.structs.{crate}" in sys.modules:
        return wire_type(name)
    return getattr(models, cls)


def is_pydantic(hint: Any) -> bool:
    """Is this class a pydantic model or pydantic dataclass?"""
    return hasattr(hint, "__pydantic_core_schema__") or hasattr(hint, "__pydantic_fields__")


def is_model(hint: Any) -> bool:
    """Is this a class that describes a JSON object: model, Struct, dataclass, TypedDict?"""
    base = get_origin(hint) or hint
    return isinstance(base, type) and any(hasattr(base, mark) for mark in MODEL_MARKS)


def is_generated(hint: Any) -> bool:
    """Is this one of the wire types of either family, or a subclass of one?"""
    return any(base.__module__.startswith(GENERATED) for base in getattr(hint, "__mro__", ()))


def bare(hint: Any) -> Any:
    """`T` out of `T | None` and `Annotated[T, ...]`."""
    if get_origin(hint) is Annotated:
        return bare(get_args(hint)[0])
    if get_origin(hint) in {Union, UnionType}:
        parts = [part for part in get_args(hint) if part is not type(None)]
        if len(parts) == 1:
            return bare(parts[0])
    return hint


def accepts_none(hint: Any) -> bool:
    """May a value of this hint be null?"""
    if get_origin(hint) is Annotated:
        return accepts_none(get_args(hint)[0])
    if get_origin(hint) in {Union, UnionType}:
        return any(accepts_none(part) for part in get_args(hint))
    return hint is None or hint is type(None) or hint is Any or hint is object


def members(hint: Any) -> list[Any]:
    """The classes that a hint allows: every member of a union except None."""
    hint = bare(hint)
    if get_origin(hint) in {Union, UnionType}:
        return [inner for part in get_args(hint) for inner in members(part)]
    return [] if hint is type(None) else [get_origin(hint) or hint]


def is_object(hint: Any) -> bool:
    """Is its JSON an object, that is a model, a union of models or a dict?"""
    found = members(hint)
    return bool(found) and all(part in (dict, Mapping) or is_model(part) for part in found)


def is_open(hint: Any) -> bool:
    """Does it accept any JSON object unchanged?"""
    hint = bare(hint)
    if get_args(hint) not in {(), (str, Any)}:
        return False
    return (get_origin(hint) or hint) in {dict, Mapping}


def json_type(wire: Any, field: str) -> type | None:
    """The Python type of a wire field's JSON; None if its hint says too little.

    Args:
        wire: A generated Struct.
        field: One of its fields.
    """
    found = members(wire.__annotations__[field])
    base = get_args(found[0]) if found and get_origin(found[0]) is Literal else found
    kinds = {_json_of(part) for part in base}
    return kinds.pop() if len(kinds) == 1 else None


def _json_of(part: Any) -> type | None:
    if isinstance(part, str) or part is Literal:
        return str
    if not isinstance(part, type):
        return None
    return part if part in JSON_TYPES else dict if is_model(part) else None


def shown(hint: Any) -> str:
    """A hint as an author would write it."""
    hint = bare(hint)
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    for prefix in (*GENERATED, "typing."):
        text = re.sub(rf"\b{re.escape(prefix)}(\w+\.)?", "", text)
    return text


def _families_loaded() -> bool:
    return not PYDANTIC_MODULES.isdisjoint(sys.modules)


def needs_pydantic(hint: Any) -> bool:
    """Does anything in this hint need pydantic: a model, a `Field`, an annotated constraint?

    The fields of dataclasses and TypedDicts count; those of Structs cannot be pydantic's.
    """
    return _families_loaded() and _needs_pydantic(hint, set())


def _needs_pydantic(hint: Any, seen: set[int]) -> bool:
    if is_pydantic(hint):
        return True
    if any(
        type(extra).__module__.partition(".")[0] in PYDANTIC_MODULES
        for extra in getattr(hint, "__metadata__", ())
    ):
        return True
    if id(hint) in seen:
        return False
    seen.add(id(hint))
    inside = [*get_args(hint), *_field_hints(get_origin(hint) or hint)]
    return any(_needs_pydantic(part, seen) for part in inside)


def _field_hints(hint: Any) -> list[Any]:
    """The hints of a dataclass's or TypedDict's fields."""
    if not is_model(hint) or hasattr(hint, "__struct_fields__"):
        return []
    return _annotations(hint)


def _annotations(hint: Any) -> list[Any]:
    from typing import get_type_hints

    try:
        return list(get_type_hints(hint, include_extras=True).values())
    except Exception:  # noqa: BLE001 - the decoder, made next, reports what is wrong
        return []


def mixed_struct(hint: Any) -> str | None:
    """The name of an author's Struct in this hint that msgspec cannot read without pydantic."""
    if not _families_loaded():
        return None
    for part in [*members(hint), *(p for arg in get_args(bare(hint)) for p in members(arg))]:
        if not hasattr(part, "__struct_fields__") or is_generated(part):
            continue
        if any(_needs_pydantic(inner, set()) for inner in _annotations(part)):
            return str(part.__name__)
    return None
