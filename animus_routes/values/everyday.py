"""Types of the standard library and of pydantic that msgspec leaves to others, as JSON has them.

What has one obvious form is read from it and written in it: paths, addresses, fractions, patterns
and time zones as text, mappings as objects, other collections as arrays. Imported only when such
a type is met.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict, deque
from collections.abc import Mapping, MappingView, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast, get_args, get_origin

import msgspec

from animus_routes.values.hints import field_hints, is_generated, is_model, is_pydantic, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATHS: Final = cast("type", os.PathLike)
# Made from text and written as it, by their full name: nothing is imported for its own sake.
TEXTS: Final = frozenset(
    {
        *(
            f"ipaddress.IPv{n}{what}"
            for n in (4, 6)
            for what in ("Address", "Network", "Interface")
        ),
        "fractions.Fraction",
        "zoneinfo.ZoneInfo",
        "collections.UserString",
    }
)
# A subclass is read as what it is below, and then made of it.
BASES: Final[tuple[tuple[type, Any], ...]] = (
    (dict, dict),
    (list, list),
    (deque, list),
    (set, set),
    (frozenset, frozenset),
    (str, str),
    (int, int),
    (float, float),
)
ARRAYS: Final = (Sequence, AbstractSet, MappingView, deque)


def _is_text(cls: Any) -> bool:
    return any(f"{base.__module__}.{base.__qualname__}" in TEXTS for base in cls.__mro__)


def _maker(hint: Any) -> tuple[Any, Callable[[Any], Any]] | None:
    """What a custom type is read as, and how it is made of that; None if nothing is known of it."""
    cls: Any = get_origin(hint) or hint
    if not _is_class(cls):
        return None
    if cls is object:
        return Any, _as_it_is
    if cls is os.PathLike:
        from pathlib import Path

        return str, Path
    if issubclass(cls, (re.Pattern, PATHS)) or _is_text(cls):
        return str, re.compile if issubclass(cls, re.Pattern) else cls
    for base, plain in BASES:
        if issubclass(cls, base):
            return _read_as(cls, plain, get_args(hint)), _made_by(cls, get_args(hint))
    return None


def _as_it_is(given: Any) -> Any:
    return given


def _read_as(cls: Any, plain: Any, args: tuple[Any, ...]) -> Any:
    if plain is dict and len(args) == 1:  # a Counter
        args = (*args, int)
    generic: Any = plain
    return generic[args] if args and cls.__module__ == "collections" else plain


def _made_by(cls: Any, args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if not issubclass(cls, defaultdict):
        return cast("Callable[[Any], Any]", cls)
    made: Any = get_origin(args[1]) or args[1] if args else None

    def make(found: Any) -> Any:
        return cast("Any", cls)(made if isinstance(made, type) else None, found)

    return make


def read(hint: Any, given: Any, others: Callable[[Any, Any], Any]) -> Any:
    """A value of a custom type, from JSON as Python has it.

    Args:
        hint: The type.
        given: What was sent.
        others: The same for the custom types inside it.

    Raises:
        ValueError: The JSON does not fit.
        NotImplementedError: Nothing is known of the type.
    """
    found = _maker(hint)
    if found is None:
        raise NotImplementedError(f"a {_name(hint)} cannot be read from JSON")
    plain, make = found
    value = msgspec.convert(given, plain, str_keys=True, dec_hook=others)
    try:
        return make(value)
    except Exception as error:
        raise ValueError(f"Expected a `{_name(hint)}`") from error


# What msgspec writes of these classes alone, and a subclass of theirs as one of them.
SCALARS: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)


def _is_class(value: Any) -> bool:
    return isinstance(value, type)


def _as_dict(given: Any) -> dict[Any, Any]:
    return dict(given)


def written(value: Any) -> Any:
    """A value as something that msgspec writes.

    Raises:
        TypeError: It has no obvious form in JSON.
    """
    cls = cast("Any", type(value))
    as_scalar: Any = next((write for scalar, write in SCALARS if isinstance(value, scalar)), None)
    if as_scalar is not None:
        return as_scalar(value)
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if isinstance(value, re.Pattern):
        return cast("re.Pattern[str]", value).pattern
    if _is_text(cls) or cls.__module__.partition(".")[0] == "pydantic":  # a secret is its mask
        return str(value)
    if isinstance(value, Mapping):
        return _as_dict(value)
    if isinstance(value, ARRAYS):
        return list(cast("Sequence[Any]", value))
    raise TypeError(f"a {cls.__qualname__} cannot be written as JSON")


def hopeless(hint: Any) -> Iterator[str]:
    """The names of classes in a hint, its models' fields included, that no JSON becomes."""
    yield from _hopeless(hint, set())


def _hopeless(hint: Any, seen: set[Any]) -> Iterator[str]:
    for part in members(hint):
        if not _is_class(part) or part in seen or is_pydantic(part):
            continue
        seen.add(part)
        if is_model(part):
            fields: list[Any] = [] if is_generated(part) else field_hints(part)
            for inner in fields:
                yield from _hopeless(inner, seen)
        elif not issubclass(part, Enum) and _maker(part) is None and _is_custom(part):
            yield _name(part)
    for arg in get_args(hint):
        if not isinstance(arg, list):
            yield from _hopeless(arg, seen)


def _is_custom(cls: type) -> bool:
    """Does msgspec leave it to others?"""
    from msgspec import inspect

    try:
        return isinstance(inspect.type_info(cls), inspect.CustomType)
    except TypeError:
        return False  # the decoder that is made next says what is wrong


def _name(hint: Any) -> str:
    return str(getattr(get_origin(hint) or hint, "__qualname__", hint))
