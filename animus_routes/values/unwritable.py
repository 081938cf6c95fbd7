"""Why a value cannot be written as JSON, and where in it that is. Imported when that happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OWN: Final = "animus_routes."
LIBRARIES: Final = ("PydanticSerializationError", "OverflowError", "RecursionError")
FUNCTIONS: Final = (FunctionType, MethodType, BuiltinFunctionType)
DEEPEST: Final = 200


def say_which(value: Any, error: Exception, write: Callable[[Any], object]) -> None:
    """Say which part of a value cannot be written; nothing where the author's own code failed.

    Args:
        value: What was to be written.
        error: What writing it raised.
        write: Writes it, to find out which part of it is the one.

    Raises:
        Mistake: The value has no form in JSON.
    """
    if _of_the_value(error):
        path, part = _culprit(value, "$", write, []) or ("$", value)
        raise Mistake(_said(path, part, error, write)) from None


def _of_the_value(error: Exception) -> bool:
    """Did an encoder refuse it, and no code of an author's?"""
    if isinstance(error, Mistake) or type(error) not in (TypeError, ValueError):
        return type(error).__name__ in LIBRARIES and "Error calling function" not in str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__", "").startswith(OWN)


def _culprit(
    value: Any, path: str, write: Callable[[Any], object], way: list[Any]
) -> tuple[str, Any] | None:
    """The innermost part that cannot be written, and its JSON path."""
    if len(way) > DEEPEST:
        return "$", way[0]
    if any(value is outer for outer in way):
        return path, value
    for step, part in _parts(value):
        if not _can(write, part):
            return _culprit(part, path + step, write, [*way, value])
    return None if _can(write, value) else (path, value)


def _can(write: Callable[[Any], object], value: Any) -> bool:
    try:
        write(value)
    except Exception:  # noqa: BLE001 - whatever it is, this is the part
        return False
    return True


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a container holds, with the step of the JSON path that leads there."""
    if isinstance(value, Mapping):
        for key, part in cast("Mapping[object, Any]", value).items():
            yield f".{key}" if str(key).isidentifier() else f"[{key!r}]", part
    elif isinstance(value, Sequence | AbstractSet):
        if not isinstance(value, str | bytes | bytearray | memoryview):
            for place, part in enumerate(cast("Sequence[Any]", value)):
                yield f"[{place}]", part
    elif not isinstance(value, type):
        for name in _fields(value):
            if hasattr(value, name):
                yield f".{name}", getattr(value, name)


def _fields(value: Any) -> Iterator[str]:
    cls = cast("Any", type(value))
    for mark in ("__struct_fields__", "__dataclass_fields__", "__pydantic_fields__"):
        yield from getattr(cls, mark, ())
    yield from getattr(value, "__pydantic_extra__", None) or ()
    yield from (attribute.name for attribute in getattr(cls, "__attrs_attrs__", ()))


def _said(path: str, value: Any, error: Exception, write: Callable[[Any], object]) -> str:
    what = "the result" if path == "$" else f"`{path}`"
    for key in _keys(value):
        if not _can(write, {key: None}):
            return f"{what} has the key {key!r}, a {type(key).__qualname__}: a key in JSON is text"
    if isinstance(error, RecursionError):
        return f"{what} is nested too deeply, or holds itself"
    saying = next(words for fits, words in SAYINGS if fits(value))
    name = str(getattr(value, "__qualname__", ""))
    if hasattr(value, "__await__") and hasattr(value, "close"):
        value.close()  # or Python complains about it in words of its own
    call = name.rpartition(".")[2]
    kind = type(value).__qualname__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    return f"{what} {saying.format(kind=kind, article=article, name=name, call=call)}"


def _keys(value: object) -> Iterable[object]:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else ()


# The first that fits; {kind}: its type, {article}: before that, {name}: its own name, {call}: the last part of that.
SAYINGS: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (
        lambda value: hasattr(value, "__await__"),
        "is a call of the async function '{name}' without `await`: write `await {call}(...)`",
    ),
    (
        lambda value: hasattr(value, "__next__") or hasattr(value, "__anext__"),
        "is a {kind}, not what it gives: collect it in a list",
    ),
    (
        lambda value: isinstance(value, FUNCTIONS),
        "is the function '{name}', not what it gives: call it",
    ),
    (
        lambda value: isinstance(value, BaseException),
        "is a {kind}, which is not given but raised: write `raise {kind}(...)`",
    ),
    (lambda value: isinstance(value, type), "is the class {name}, not an object of it"),
    (lambda _value: True, "is {article} {kind}, which cannot be written as JSON"),
)
