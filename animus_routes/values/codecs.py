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

from animus_routes.engine.frames import NO_PARAMS, UNREADABLE, one_value
from animus_routes.errors import Invalid
from animus_routes.values.hints import (
    SCALAR_CLASSES,
    WRITTEN_WELL,
    is_described,
    is_pydantic,
    needs_pydantic,
)

Decode = Callable[[Raw], Any]


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
    decode = msgspec.json.Decoder(hint, dec_hook=read_custom).decode
    if hasattr(hint, "__dataclass_fields__"):
        return lambda raw: with_defaults(decode(raw))
    return decode


def read_custom(hint: Any, given: Any) -> Any:
    """What msgspec cannot decode by itself, anywhere inside params (its `dec_hook`)."""
    if not is_pydantic(hint):
        from animus_routes.values import everyday

        return everyday.read(hint, given, read_custom)
    try:
        return decoder(hint)(Raw(encoder.encode(given)))
    except Exception as error:
        invalid = explain(error)
        if invalid is None:
            raise
        raise ValueError(str(invalid)) from error


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


class Slot(Struct, eq=False):
    """One field of params.

    Attributes:
        name: The parameter's.
        hint: Its type.
        default: `NODEFAULT` for a required field.
        aliases: What it is called in params; empty = `name`.
    """

    name: str
    hint: Any
    default: Any = NODEFAULT
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What it is called in params, first of all."""
        return self.aliases[0] if self.aliases else self.name


def fields_decoder(slots: list[Slot], **beside: Any) -> Decode:
    """Decode each of an object's fields by its own hint; what is `beside` them may be absent.

    Returns:
        A function that returns an object with the fields as attributes, by `Slot.name`.
    """
    later = {slot: decoder(slot.hint) for slot in slots if needs_pydantic(slot.hint)}
    own = [_field(slot.name, Raw if slot in later else slot.hint, slot.default) for slot in slots]
    shape = defstruct(
        "params",
        own + [(name, hint, None) for name, hint in beside.items()],
        kw_only=True,
        gc=False,
        rename={slot.name: slot.key for slot in slots},
    )
    decode: Decode = msgspec.json.Decoder(shape, dec_hook=read_custom).decode
    written = [slot.name for slot in slots if hasattr(slot.hint, "__dataclass_fields__")]
    if later or written:
        decode = _decode_rest(decode, later, written)
    return _renamed(_forgiving(decode, slots), slots)


def _decode_rest(decode: Decode, later: dict[Slot, Decode], written: list[str]) -> Decode:
    """Decode what is pydantic's after the rest."""

    def decode_rest(raw: Raw) -> Any:
        found = decode(raw)
        for name in written:
            with_defaults(getattr(found, name))
        for slot, decode_later in later.items():
            given = getattr(found, slot.name)
            if isinstance(given, Raw):
                try:
                    setattr(found, slot.name, decode_later(given))
                except Exception as error:
                    from animus_routes.values.issues import under

                    raise under(slot.key, error) from error
        return found

    return decode_rest


_keys: Final = msgspec.json.Decoder(dict[str, Raw]).decode
NULL: Final = b"null"


def _forgiving(decode: Decode, slots: list[Slot]) -> Decode:
    """Null for a field with a default means that it is left out, where its hint takes no null.

    That is asked only when decoding has failed: what fits costs nothing more.
    """
    optional_slots = [slot for slot in slots if slot.default is not NODEFAULT]
    if not optional_slots:
        return decode
    refusing: set[str] | None = None

    def decode_forgiving(raw: Raw) -> Any:
        nonlocal refusing
        try:
            return decode(raw)
        except Exception as error:
            if explain(error) is None or NULL not in bytes(raw):
                raise
        if refusing is None:
            refusing = {slot.key for slot in optional_slots if _refuses_null(slot.hint)}
        given = _keys(raw)
        for key in refusing & given.keys():
            if bytes(given[key]) == NULL:
                del given[key]
        return decode(Raw(msgspec.json.encode(given)))

    return decode_forgiving


def _refuses_null(hint: Any) -> bool:
    try:
        decoder(hint)(Raw(NULL))
    except Exception as error:  # noqa: BLE001 - a validator's own bug shows when it is decoded
        return explain(error) is not None
    return False


def _renamed(decode: Decode, slots: list[Slot]) -> Decode:
    """Fields that have several names in params come under the first one."""
    several = [slot.aliases for slot in slots if len(slot.aliases) > 1]
    if not several:
        return decode

    def decode_renamed(raw: Raw) -> Any:
        try:
            given = _keys(raw)
        except UNREADABLE:
            return decode(raw)
        for first, *others in several:
            sent = [name for name in others if name in given]
            if sent and first not in given:
                given[first] = given[sent[0]]
        return decode(Raw(msgspec.json.encode(given)))

    return decode_renamed


class Absent(Struct):
    """A default that is made anew for each call, from an empty object."""

    decode: Decode


def _field(name: str, hint: Any, default: Any) -> tuple[Any, ...]:
    if default is NODEFAULT:
        return (name, hint)
    if isinstance(default, Absent):
        make = default.decode
        return (name, hint, field(default_factory=lambda: make(NO_PARAMS)))
    return (name, hint, field(default_factory=fresh(default)))


def fresh(default: Any) -> Callable[[], Any]:
    """Gives each call a default of its own: what one handler changes, no other one sees."""
    if default.__class__ in SCALAR_CLASSES:
        return lambda: default
    from copy import deepcopy

    try:
        kept = deepcopy(default)
    except Exception:  # noqa: BLE001 - a connection, a lock: it is meant to be shared
        return lambda: default
    # A mark that is told by its identity has nothing inside that could be changed.
    empty = not hasattr(default, "__len__") and not getattr(default, "__dict__", None)
    if kept is default or (empty and not getattr(default, "__slots__", None)):
        return lambda: default
    return lambda: deepcopy(kept)


def optional(decode: Decode, default: Any) -> Decode:
    """A decoder of whole params that may be missing: an empty object if it fits, else `default`."""
    make = fresh(default)

    def decode_optional(raw: Raw) -> Any:
        if bytes(raw) not in {b"{}", NULL}:
            return decode(raw)
        try:
            return decode(NO_PARAMS)
        except Exception as error:
            if explain(error) is None:
                raise
            return make()

    return decode_optional


def explain(error: BaseException) -> Invalid | None:
    """See `issues.explain`."""
    from animus_routes.values import issues

    return issues.explain(error)


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
    serializer = _serializer(cls)
    writer = None if serializer is None else partial(_write_pydantic, *_ways(cls, serializer))
    _writers[cls] = writer
    return writer


def _serializer(cls: Any) -> Any:
    """What pydantic writes with: its own for its models, and for what it knows how to describe, such as its URLs."""
    own = getattr(cls, "__pydantic_serializer__", None)
    if own is not None or not is_described(cls):
        return own
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(cls).serializer
    except Exception:  # noqa: BLE001 - such as a generic class without its arguments
        return None


def _ways(cls: Any, serializer: Any) -> tuple[Writer, Callable[[Any], Any]]:
    """How pydantic writes objects of a class: to JSON, and to dicts and lists."""
    config = getattr(cls, "model_config", None) or getattr(cls, "__pydantic_config__", {})
    # A field read by its alias is written by it too, unless the author's model says otherwise.
    options = {"by_alias": True} if config.get("serialize_by_alias") is None else {}
    as_json = partial(serializer.to_json, **options) if options else serializer.to_json
    return as_json, partial(serializer.to_python, mode="json", **options)


def _write_pydantic(as_json: Writer, as_plain: Callable[[Any], Any], value: Any) -> bytes:
    try:
        body: bytes = as_json(value)
        return body if WRITTEN_WELL[value.__class__] else one_value(body)
    except msgspec.DecodeError:  # a constant such as NaN, which msgspec writes as null
        pass
    except ValueError as error:
        if "surrogate" not in str(error):
            raise
    from animus_routes.engine.text import mended

    return encoder.encode(mended(as_plain(value), _plain_hook))


def _hook(value: Any) -> Any:
    """What msgspec cannot write by itself, anywhere inside a result: pydantic's, own scalars."""
    write = json_writer(value)
    if write is not None:
        return Raw(write(value))
    from animus_routes.values import everyday

    return everyday.written(value)


def _plain_hook(value: Any) -> Any:
    """As `_hook`, for dicts and lists instead of JSON."""
    found = _hook(value)
    return msgspec.json.decode(found) if isinstance(found, Raw) else found


encoder: Final = msgspec.json.Encoder(enc_hook=_hook)
encode_ready: Final = encoder.encode


def encode(value: Any) -> bytes:
    """One line of JSON.

    Raises:
        Mistake: A part of it has no form in JSON.
        Exception: Raw JSON inside it is none, or the author's own code failed.
    """
    try:
        body = encode_ready(value)
    except UnicodeEncodeError:
        from animus_routes.engine.text import mended

        body = encode_ready(mended(value, _plain_hook))
    except Exception as error:
        from animus_routes.values.unwritable import say_which

        say_which(value, error, encode_ready)
        raise
    return body if WRITTEN_WELL[value.__class__] else one_value(body)


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
        from animus_routes.values.issues import issue

        raise Invalid([issue("", f"Expected `object`, got `{_name(value)}`", "type")])
    return cast("dict[str, Any]", value)


def lenient(raw: Raw) -> dict[str, Any]:
    """Params as a dict; the decoder reports whatever is wrong with them."""
    try:
        return plain(raw)
    except Invalid:
        return {}


def _name(value: Any) -> str:
    return "array" if isinstance(value, list) else type(value).__name__
