"""JSON bytes <-> typed values, for three families: msgspec, pydantic and plain.

pydantic is used only for types that are made with it. Those are recognised by attributes of their
classes, so that nothing here imports pydantic for other types.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import msgspec
from msgspec import NODEFAULT, Raw, Struct, defstruct, field

from animus_routes.engine.frames import UNREADABLE, one_value
from animus_routes.errors import Invalid
from animus_routes.values.hints import needs_pydantic

Decode = Callable[[Raw], Any]
NO_PARAMS: Final = frozenset({b"{}", b"null"})
EMPTY: Final = Raw(b"{}")


def decoder(hint: Any) -> Decode:
    """The function from JSON bytes to a value of `hint`.

    The function raises what `explain` understands.
    """
    if getattr(hint, "__open_fields__", False):
        from animus_routes.structs._struct import decode_open

        return lambda raw: decode_open(hint, bytes(raw))
    validator = getattr(hint, "__pydantic_validator__", None)
    if validator is not None:
        validate_model = validator.validate_json
        return lambda raw: validate_model(bytes(raw))
    if needs_pydantic(hint):
        from pydantic import TypeAdapter

        validate = TypeAdapter(hint).validator.validate_json
        return lambda raw: validate(bytes(raw))
    decode = msgspec.json.Decoder(hint).decode
    if hasattr(hint, "__dataclass_fields__"):
        return lambda raw: with_defaults(decode(raw))
    return decode


def with_defaults(given: Any) -> Any:
    """A decoded dataclass, with its defaults where the encoder looks for them.

    msgspec leaves a default that was not sent on the class and writes only what is on the
    instance, so a handler that returns what it was given would lose it.
    """
    if isinstance(given, list | tuple):
        for item in cast("list[Any]", given):
            with_defaults(item)
    elif hasattr(given, "__dataclass_fields__"):
        own: dict[str, Any] | None = getattr(given, "__dict__", None)
        for name in given.__dataclass_fields__:
            found = with_defaults(getattr(given, name))
            if own is not None:
                own.setdefault(name, found)
    return cast("Any", given)


def fields_decoder(fields: list[tuple[str, Any, Any]]) -> Decode:
    """Decode each of an object's fields by its own hint.

    Args:
        fields: `(name, hint, default)`; the default is `NODEFAULT` for a required field.

    Returns:
        A function that returns an object with the fields as attributes.
    """
    later = {name: decoder(hint) for name, hint, _ in fields if needs_pydantic(hint)}
    shape = defstruct(
        "params",
        [_field(name, Raw if name in later else hint, default) for name, hint, default in fields],
        kw_only=True,
        gc=False,
    )
    decode = msgspec.json.Decoder(shape).decode
    written = [name for name, hint, _ in fields if hasattr(hint, "__dataclass_fields__")]
    if not later and not written:
        return decode

    def decode_rest(raw: Raw) -> Any:
        found = decode(raw)
        for name in written:
            with_defaults(getattr(found, name))
        for name, decode_later in later.items():
            given = getattr(found, name)
            if isinstance(given, Raw):
                try:
                    setattr(found, name, decode_later(given))
                except Exception as error:
                    raise _under(name, error) from error
        return found

    return decode_rest


class Absent(Struct):
    """A default that is made anew for each call, from an empty object."""

    decode: Decode


def _field(name: str, hint: Any, default: Any) -> tuple[Any, ...]:
    if default is NODEFAULT:
        return (name, hint)
    if isinstance(default, Absent):
        make = default.decode
        return (name, hint, field(default_factory=lambda: make(EMPTY)))
    return (name, hint, field(default_factory=lambda: default))


def optional(decode: Decode, default: Any) -> Decode:
    """A decoder of whole params that may be missing: an empty object if it fits, else `default`."""

    def decode_optional(raw: Raw) -> Any:
        if bytes(raw) not in NO_PARAMS:
            return decode(raw)
        try:
            return decode(EMPTY)
        except Exception as error:
            if explain(error) is None:
                raise
            return default

    return decode_optional


def _under(name: str, error: Exception) -> Exception:
    invalid = explain(error)
    if invalid is None:
        return error
    for issue in invalid.issues:
        issue["path"] = f"{name}.{issue['path']}" if issue["path"] else name
    return Invalid(invalid.issues, malformed=invalid.malformed)


def explain(error: BaseException) -> Invalid | None:
    """Why params do not decode; None if the error is not about the params but a bug."""
    if isinstance(error, Invalid):
        return error
    if isinstance(error, msgspec.ValidationError):
        return Invalid([_msgspec_issue(str(error))])
    if type(error).__name__ == "ValidationError" and hasattr(error, "error_count"):
        return _pydantic_issues(error)
    if isinstance(error, UNREADABLE) and not _in_other_code(error):
        deep = isinstance(error, RecursionError)
        issue = _issue("", *(TOO_DEEP if deep else NOT_JSON))
        return Invalid([issue], malformed=not deep)
    return None


NOT_JSON: Final = ("The params are not valid JSON", "json_invalid")
TOO_DEEP: Final = ("The params are nested too deeply", "recursion")


def _in_other_code(error: BaseException) -> bool:
    """Was it raised by a validator, rather than by the decoder that called it?"""
    traceback = error.__traceback__
    name = ""
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return bool(name) and not name.startswith("animus_routes.")


def _pydantic_issues(error: Any) -> Invalid:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return Invalid(
        [_issue(".".join(map(str, e["loc"])), e["msg"], e["type"]) for e in found],
        malformed=any(e["type"] == "json_invalid" for e in found),
    )


def _issue(path: str, message: str, code: str) -> dict[str, str]:
    return {"path": path, "message": message, "code": code}


MISSING: Final = "Object missing required field `"
# Messages in which msgspec repeats the value it was given, which must not be sent back.
CLOSED: Final = ("Invalid enum value", "Invalid value")
SAYINGS: Final = {
    "matching regex '^(?:[0-9]{4}-": "Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z",
    "matching regex '^[0-9]{4}-": "Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z",
}


def _msgspec_issue(text: str) -> dict[str, str]:
    """``Expected `str`, got `int` - at `$.patch.labels[0]` `` -> path, message, code."""
    message, _, place = text.rpartition(" - at `")
    if not message:
        message, place = text, ""
    key, _, place = place.rpartition("` in `") if "` in `" in place else ("", "", place)
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    path = path.replace("[...]", ".*").replace("[", ".").replace("]", "").removeprefix(".")
    if key:
        path = f"{path}.*" if path else "*"
    if message.startswith(MISSING):
        name = message[len(MISSING) :].rstrip("`")
        return _issue(f"{path}.{name}" if path else name, "Field required", "missing")
    for closed in CLOSED:
        if message.startswith(closed):
            return _issue(path, closed, "enum")
    for part, saying in SAYINGS.items():
        if part in message:
            return _issue(path, saying, "date-time")
    return _issue(path, message, "type" if message.startswith("Expected `") else "value")


Writer = Callable[[Any], bytes]
_writers: dict[type, Writer | None] = {}


def json_writer(value: Any) -> Writer | None:
    """The writer that pydantic has for objects of this one's class; None for every other value.

    What it writes is one line of JSON, whatever the author's model is told to write.
    """
    try:
        return _writers[value.__class__]
    except KeyError:
        return _learn(value.__class__)


def _learn(cls: type) -> Writer | None:
    serializer = getattr(cls, "__pydantic_serializer__", None)
    _writers[cls] = None if serializer is None else partial(_write_pydantic, *_ways(cls))
    return _writers[cls]


def _ways(cls: Any) -> tuple[Writer, Callable[[Any], Any]]:
    """How pydantic writes objects of a class: to JSON, and to dicts and lists."""
    serializer = cls.__pydantic_serializer__
    config = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", {})
    # What is read by its alias is written by it, unless the author's model says otherwise.
    options = {"by_alias": True} if config.get("serialize_by_alias") is None else {}
    as_json = partial(serializer.to_json, **options) if options else serializer.to_json
    return as_json, partial(serializer.to_python, mode="json", **options)


def _write_pydantic(as_json: Writer, as_plain: Callable[[Any], Any], value: Any) -> bytes:
    try:
        return one_value(as_json(value))
    except msgspec.DecodeError:  # a constant such as NaN, which msgspec writes as null
        pass
    except ValueError as error:
        if "surrogate" not in str(error):
            raise
    from animus_routes.engine.text import mended

    return encoder.encode(mended(as_plain(value), _plain_hook))


# What msgspec writes of these classes alone, and a subclass of theirs as one of them.
SCALARS: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)


def _hook(value: Any) -> Any:
    """What msgspec cannot write by itself, anywhere inside a result: pydantic's, own scalars."""
    write = json_writer(value)
    if write is not None:
        return Raw(write(value))
    for scalar, as_scalar in SCALARS:
        if isinstance(value, scalar):
            return as_scalar(cast("Any", value))
    raise TypeError(f"a {type(value).__qualname__} cannot be written as JSON")


def _plain_hook(value: Any) -> Any:
    """As `_hook`, for dicts and lists instead of JSON."""
    found = _hook(value)
    return msgspec.json.decode(found) if isinstance(found, Raw) else found


encoder: Final = msgspec.json.Encoder(enc_hook=_hook)
_encode: Final = encoder.encode


# Nothing of an author's own writing can be in these.
SCALAR_CLASSES: Final = frozenset({str, int, float, bool, type(None)})


def encode(value: Any) -> bytes:
    """One line of JSON.

    Raises:
        Exception: The value, or raw JSON inside it, is none.
    """
    try:
        body = _encode(value)
    except UnicodeEncodeError:
        from animus_routes.engine.text import mended

        body = _encode(mended(value, _plain_hook))
    return body if value.__class__ in SCALAR_CLASSES else one_value(body)


def to_builtins(value: Any) -> Any:
    """A typed value as dicts and lists, by the wire's rules of omission."""
    return msgspec.json.decode(encode(value))


def plain(raw: Raw) -> dict[str, Any]:
    """Params as a dict; absent and null are empty.

    Raises:
        Invalid: They are not an object, or not JSON.
    """
    try:
        value = msgspec.json.decode(raw)
    except Exception as error:
        invalid = explain(error)
        raise invalid if invalid is not None else error from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid([_issue("", f"Expected `object`, got `{_name(value)}`", "type")])
    return cast("dict[str, Any]", value)


def lenient(raw: Raw) -> dict[str, Any]:
    """Params as a dict; the decoder reports whatever is wrong with them."""
    try:
        return plain(raw)
    except Invalid:
        return {}


def _name(value: Any) -> str:
    return "array" if isinstance(value, list) else type(value).__name__
