"""JSON bytes <-> typed values, for three families: msgspec, pydantic, plain.

pydantic is used only for types that are made with it, and it is recognised by what its classes
carry, so that nothing here imports it for others.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec
from msgspec import NODEFAULT, Raw, defstruct, field

from animus_routes.errors import Invalid

Decode = Callable[[Raw], Any]
NULL: Final = b"null"
EMPTY: Final = Raw(b"{}")


def is_pydantic(hint: Any) -> bool:
    """Is this class a pydantic model or pydantic dataclass?"""
    return hasattr(hint, "__pydantic_core_schema__") or hasattr(hint, "__pydantic_fields__")


def is_model(hint: Any) -> bool:
    """Is this a class that describes a JSON object: model, Struct, dataclass, TypedDict?"""
    return isinstance(hint, type) and (
        is_pydantic(hint)
        or hasattr(hint, "__struct_fields__")
        or hasattr(hint, "__dataclass_fields__")
        or hasattr(hint, "__required_keys__")
    )


def needs_pydantic(hint: Any) -> bool:
    """Is anything in this hint of pydantic's making: a model, a `Field`, an annotated constraint?"""
    if is_pydantic(hint):
        return True
    if any(
        type(extra).__module__.partition(".")[0] in PYDANTIC_MODULES
        for extra in getattr(hint, "__metadata__", ())
    ):
        return True
    return any(needs_pydantic(part) for part in get_args(hint))


PYDANTIC_MODULES: Final = frozenset({"pydantic", "annotated_types"})


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
    return msgspec.json.Decoder(hint).decode


def fields_decoder(fields: list[tuple[str, Any, Any]]) -> Decode:
    """Decode an object's fields each as its own hint.

    Args:
        fields: `(name, hint, default)`; the default is `NODEFAULT` for a required field.

    Returns:
        A function to a tuple of values in the order of `fields`; to the bare value for one field.
    """
    later = {i: decoder(hint) for i, (_, hint, _) in enumerate(fields) if needs_pydantic(hint)}
    shape = defstruct(
        "params",
        [
            _field(name, Raw if i in later else hint, default)
            for i, (name, hint, default) in enumerate(fields)
        ],
        kw_only=True,
    )
    decode = msgspec.json.Decoder(shape).decode
    take = attrgetter(*(name for name, _, _ in fields))
    if not later:
        return lambda raw: take(decode(raw))

    def decode_both(raw: Raw) -> Any:
        values = take(decode(raw))
        values = [values] if len(fields) == 1 else list(values)
        for i, decode_later in later.items():
            if isinstance(values[i], Raw):
                try:
                    values[i] = decode_later(values[i])
                except Exception as error:
                    raise _under(fields[i][0], error) from error
        return values[0] if len(fields) == 1 else values

    return decode_both


def _field(name: str, hint: Any, default: Any) -> tuple[Any, ...]:
    if default is NODEFAULT:
        return (name, hint)
    return (name, hint, field(default_factory=lambda: default))


def _under(name: str, error: Exception) -> Exception:
    invalid = explain(error)
    if invalid is None:
        return error
    for issue in invalid.issues:
        issue["path"] = f"{name}.{issue['path']}" if issue["path"] else name
    return invalid


def explain(error: BaseException) -> Invalid | None:
    """Why params do not decode; None if the error is not about the params but a bug."""
    if isinstance(error, Invalid):
        return error
    if isinstance(error, msgspec.ValidationError):
        return Invalid([_msgspec_issue(str(error))])
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return Invalid(
            [_issue("", "The params are not valid JSON", "json_invalid")], malformed=True
        )
    if isinstance(error, RecursionError):
        return Invalid([_issue("", "The params are nested too deeply", "recursion")])
    if type(error).__name__ == "ValidationError" and hasattr(error, "error_count"):
        return _pydantic_issues(error)
    return None


def _pydantic_issues(error: Any) -> Invalid:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return Invalid(
        [_issue(".".join(map(str, e["loc"])), e["msg"], e["type"]) for e in found],
        malformed=any(e["type"] == "json_invalid" for e in found),
    )


def _issue(path: str, message: str, code: str) -> dict[str, str]:
    return {"path": path, "message": message, "code": code}


MISSING: Final = "Object missing required field `"


def _msgspec_issue(text: str) -> dict[str, str]:
    """``Expected `str`, got `int` - at `$.patch.title` `` -> path, message, code."""
    message, _, place = text.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    if message.startswith(MISSING):
        name = message[len(MISSING) :].rstrip("`")
        return _issue(f"{path}.{name}" if path else name, "Field required", "missing")
    return _issue(path, message, "type" if message.startswith("Expected `") else "value")


def _hook(value: Any) -> Any:
    """What msgspec cannot write by itself: pydantic objects, anywhere inside a result."""
    serializer = getattr(value, "__pydantic_serializer__", None)
    if serializer is None:
        raise TypeError(f"a {type(value).__qualname__} cannot be written as JSON")
    return Raw(serializer.to_json(value))


encoder: Final = msgspec.json.Encoder(enc_hook=_hook)
encode: Final = encoder.encode
encode_into: Final = encoder.encode_into


def json_writer(value: Any) -> Callable[[Any], bytes] | None:
    """pydantic's own writer for objects of this one's class; None for every other value."""
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        return None
    write: Callable[[Any], bytes] = serializer.to_json
    return write


def to_builtins(value: Any) -> Any:
    """A typed value as dicts and lists, by the wire's rules of omission."""
    return msgspec.json.decode(encode(value))


def plain(raw: Raw) -> dict[str, Any]:
    """Params as a dict; absent and null are empty.

    Raises:
        Invalid: They are no object, or not JSON.
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
    return value


def lenient(raw: Raw) -> dict[str, Any]:
    """Params as a dict; whatever is wrong with them is the decoder's to say."""
    try:
        return plain(raw)
    except Invalid:
        return {}


def _name(value: Any) -> str:
    return "array" if isinstance(value, list) else type(value).__name__
