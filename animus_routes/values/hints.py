"""What a type hint says: models, optional ones, JSON types; and a wire type by its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, MutableMapping
from enum import Enum
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

PYDANTIC_MODULES: Final = frozenset({"pydantic", "pydantic_core", "annotated_types"})
GENERATED: Final = ("animus_routes.types.", "animus_routes.structs.")
# Nothing of an author's own writing can be in these, and nothing in them can be changed.
SCALAR_CLASSES: Final = frozenset({str, int, float, bool, type(None)})
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


class _WrittenWell(dict[type, bool]):
    """What is written of a class is one JSON value on one line. Asked once a class.

    True of scalars and of the wire's own types. Anything else may hold raw JSON of an author's.
    """

    def __missing__(self, cls: type) -> bool:
        found = self[cls] = cls in SCALAR_CLASSES or cls.__module__.startswith(GENERATED)
        return found


WRITTEN_WELL: Final = _WrittenWell()


def is_pydantic(hint: Any) -> bool:
    """Is this class a pydantic model or dataclass, or one of the types that pydantic describes?"""
    marked = hasattr(hint, "__pydantic_core_schema__") or hasattr(hint, "__pydantic_fields__")
    return marked or is_described(get_origin(hint) or hint)


def is_described(cls: Any) -> bool:
    """Is this a class without fields that tells pydantic, which is loaded, what its JSON is?"""
    if not isinstance(cls, type) or "pydantic" not in sys.modules:
        return False
    own = cls.__module__.partition(".")[0] in PYDANTIC_MODULES
    return own or hasattr(cls, "__get_pydantic_core_schema__")


def is_model(hint: Any) -> bool:
    """Is this a class that describes a JSON object: model, Struct, dataclass, TypedDict?"""
    base = get_origin(hint) or hint
    return isinstance(base, type) and any(hasattr(base, mark) for mark in MODEL_MARKS)


def is_generated(hint: Any) -> bool:
    """Is this one of the wire types of either family, or a subclass of one?"""
    return any(base.__module__.startswith(GENERATED) for base in getattr(hint, "__mro__", ()))


def is_alias(hint: Any) -> bool:
    """Was it made by a `type` statement, or as `TypeAliasType` of typing or typing_extensions?"""
    return type(hint).__name__ == "TypeAliasType"


def expanded(
    hint: Any, bound: Mapping[Any, Any] = MappingProxyType({}), inside: tuple[Any, ...] = ()
) -> Any:
    """The hint with everything that its aliases and `NewType`s stand for, at any depth.

    Args:
        hint: As an author wrote it.
        bound: What the type parameters of the generic alias around it stand for.
        inside: The aliases around it.

    Raises:
        TypeError: An alias refers to itself.
        NameError: What an alias names does not exist.
    """
    if isinstance(hint, type) and not get_args(hint):
        return hint
    if type(hint).__name__ == "TypeVar":
        return bound.get(hint, hint)
    named = cast("Any", hint)
    if type(hint).__name__ == "NewType":
        return expanded(named.__supertype__, bound, inside)
    origin: Any = get_origin(hint)
    args: tuple[Any, ...] = get_args(hint)
    alias: Any = origin if is_alias(origin) else named
    if not is_alias(alias):
        return _rebuilt(hint, origin, args, bound, inside)
    if alias in inside:
        raise TypeError(f"the type alias '{alias.__name__}' refers to itself: a class can do that")
    given = (expanded(arg, bound, inside) for arg in args)
    inner: dict[Any, Any] = dict(zip(alias.__type_params__, given, strict=False))
    return expanded(_value(alias), inner, (*inside, alias))


def _rebuilt(
    hint: Any,
    origin: Any,
    args: tuple[Any, ...],
    bound: Mapping[Any, Any],
    inside: tuple[Any, ...],
) -> Any:
    """A hint around what its arguments stand for; the same if nothing in it is an alias."""
    if not args or origin is Literal:
        return hint
    extras = args[1:] if origin is Annotated else ()
    parts = args[: len(args) - len(extras)]
    found: list[Any] = [
        cast("Any", part) if isinstance(part, list) else expanded(part, bound, inside)
        for part in parts
    ]
    if all(new is old for new, old in zip(found, parts, strict=True)):
        return hint
    if origin in {Union, UnionType}:
        return Union[tuple(found)]  # noqa: UP007 - of parts that are known at run time alone
    if origin is Annotated:
        return Annotated[(found[0], *extras)]
    return origin[tuple(found)]


def _value(alias: Any) -> Any:
    """What an alias stands for, with the names in its quotes resolved where it was written."""
    from types import SimpleNamespace
    from typing import get_type_hints

    holder = SimpleNamespace(__annotations__={"value": alias.__value__})
    scope = vars(sys.modules[alias.__module__]) if alias.__module__ in sys.modules else {}
    return get_type_hints(holder, scope, include_extras=True)["value"]


def bare(hint: Any) -> Any:
    """`T` out of `T | None` and `Annotated[T, ...]`."""
    if get_origin(hint) is Annotated:
        return bare(get_args(hint)[0])
    if get_origin(hint) in {Union, UnionType}:
        parts = [part for part in get_args(hint) if part is not type(None)]
        if len(parts) == 1:
            return bare(parts[0])
    return hint


def extras(hint: Any) -> tuple[Any, ...]:
    """What stands beside `T` in `Annotated[T, ...]`, of an optional one too."""
    if get_origin(hint) is Annotated:
        return (*hint.__metadata__, *extras(get_args(hint)[0]))
    if get_origin(hint) in {Union, UnionType}:
        parts = [part for part in get_args(hint) if part is not type(None)]
        if len(parts) == 1:
            return extras(parts[0])
    return ()


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
    """Is its JSON an object: a model, a union of models, a mapping?"""
    found = members(hint)
    return bool(found) and all(_has_keys(part) for part in found)


def _has_keys(part: Any) -> bool:
    """Is the JSON of this class an object? Some models are written as something else."""
    if not isinstance(part, type):
        return False
    core = getattr(part, "__pydantic_core_schema__", None)
    if isinstance(core, dict):
        return _core_has_keys(cast("dict[str, Any]", core), {})
    if getattr(part, "__pydantic_root_model__", False):
        return is_object(part.__pydantic_fields__["root"].annotation)  # type: ignore[attr-defined]
    config = getattr(part, "__struct_config__", None)
    if config is not None:
        return not config.array_like
    return issubclass(part, Mapping) or (is_model(part) and not issubclass(part, Enum))


KEYED: Final = frozenset({"model-fields", "dataclass-args", "typed-dict", "dict"})


def _core_has_keys(schema: dict[str, Any], known: dict[str, Any]) -> bool:
    """As `_has_keys`, from what pydantic has made of a class."""
    kind = schema["type"]
    if kind in KEYED:
        return True
    if kind == "definitions":
        known = {**known, **{found["ref"]: found for found in schema["definitions"]}}
    elif kind == "definition-ref":
        found = known.get(schema["schema_ref"])
        rest = {ref: other for ref, other in known.items() if ref != schema["schema_ref"]}
        return found is None or _core_has_keys(found, rest)
    elif "choices" in schema:
        choices: Any = schema["choices"]
        listed: Any = cast("Any", choices).values() if isinstance(choices, dict) else choices
        parts = [cast("Any", one)[0] if isinstance(one, tuple) else one for one in listed]
        return all(_core_has_keys(cast("dict[str, Any]", part), known) for part in parts)
    elif kind in {"list", "set", "frozenset", "tuple", "generator"}:
        return False
    inner = schema.get("schema")
    return inner is not None and _core_has_keys(inner, known)


def is_open(hint: Any) -> bool:
    """Does it accept any JSON object unchanged?"""
    hint = bare(hint)
    if get_args(hint) not in {(), (str, Any)}:
        return False
    return (get_origin(hint) or hint) in {dict, Mapping, MutableMapping}


def wire_fields(wire: Any) -> dict[str, Any]:
    """The fields of a wire type, of either family, by their names on the wire: the hint of each.

    In Python some have another name, such as `schema_`.
    """
    models: dict[str, Any] | None = getattr(wire, "__pydantic_fields__", None)
    if models is None:
        sent = dict(zip(wire.__struct_fields__, wire.__struct_encode_fields__, strict=True))
    else:
        sent = {name: field.serialization_alias or name for name, field in models.items()}
    return {sent[name]: hint for name, hint in wire.__annotations__.items() if name in sent}


def json_type(hint: Any) -> type | None:
    """The Python type of the JSON of a wire field with this hint; None if it says too little."""
    found = members(hint)
    base = get_args(found[0]) if found and get_origin(found[0]) is Literal else found
    kinds = {_json_of(part) for part in base}
    return kinds.pop() if len(kinds) == 1 else None


def _json_of(part: Any) -> type | None:
    if isinstance(part, str) or part is Literal:
        return str
    if not isinstance(part, type):
        return None
    return part if part in JSON_TYPES else dict if _has_keys(part) else None


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
    if is_pydantic(hint) or _is_constrained(hint):
        return True
    if id(hint) in seen:
        return False
    seen.add(id(hint))
    for alias in (hint, get_origin(hint)):
        if is_alias(alias) and _needs_pydantic(_value(alias), seen):
            return True
    inside = [*get_args(hint), *_field_hints(get_origin(hint) or hint)]
    return any(_needs_pydantic(part, seen) for part in inside)


def _is_constrained(hint: Any) -> bool:
    """Does it say more than msgspec reads in an `Annotated`?"""
    return any(
        type(extra).__module__.partition(".")[0] in PYDANTIC_MODULES
        for extra in getattr(hint, "__metadata__", ())
    )


def _holds_constrained(hint: Any) -> bool:
    return _is_constrained(hint) or any(_holds_constrained(part) for part in get_args(hint))


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


def field_hints(model: Any) -> list[Any]:
    """The hints of any model's fields; empty if they cannot be resolved."""
    return _annotations(model)


def mixed_struct(hint: Any) -> str | None:
    """The name of an author's Struct in this hint whose constraints msgspec would not hold."""
    if not _families_loaded():
        return None
    for part in [*members(hint), *(p for arg in get_args(bare(hint)) for p in members(arg))]:
        if not hasattr(part, "__struct_fields__") or is_generated(part):
            continue
        if any(_holds_constrained(inner) for inner in _annotations(part)):
            return str(part.__name__)
    return None
