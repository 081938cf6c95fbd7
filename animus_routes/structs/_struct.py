"""What the generated Structs share: their base, bounded integers, date-times, and late checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Meta, Struct, field

from animus_routes.timestamps import RFC3339, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_UINT64",
    "Int32",
    "Int64",
    "OpenStruct",
    "Timestamp",
    "TimestampOrBlank",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt53",
    "UInt64",
    "WireStruct",
    "always",
    "decode_open",
    "encode_open",
    "given",
    "mend",
    "new_list",
    "null",
    "object_or_empty",
    "timestamp",
    "timestamp_or_now",
    "timestamp_or_null",
    "uint64",
    "uint64_or_null",
    "unfold",
]

MAX_UINT64 = 2**64 - 1

UInt8: TypeAlias = Annotated[int, Meta(ge=0, le=2**8 - 1)]
UInt16: TypeAlias = Annotated[int, Meta(ge=0, le=2**16 - 1)]
UInt32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
UInt53: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
UInt64: TypeAlias = Annotated[int, Meta(ge=0)]  # msgspec bounds end at int64: see uint64()
Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
# One pattern for both, because compiling one is a tenth of the module's start-up: a blank that may
# not stand is refused in __post_init__.
TimestampOrBlank: TypeAlias = Annotated[str, Meta(pattern=rf"^(?:{RFC3339})?\Z")]
Timestamp: TypeAlias = TimestampOrBlank


class WireStruct(Struct, omit_defaults=True, repr_omit_defaults=True, gc=False):
    """Base of the generated Structs: a field at its default is not written.

    The garbage collector skips them, which makes them quicker to build; a Struct that holds itself
    could not be written anyway.
    """


# dict itself, so that msgspec leaves it out when empty, with a type that strict checkers know.
_new_dict = cast("Callable[[], dict[str, Any]]", dict)


class OpenStruct(WireStruct, kw_only=True):
    """Base of the generated Structs whose unknown keys are data.

    msgspec drops unknown keys: use :func:`decode_open` and :func:`encode_open`.
    """

    __open_fields__: ClassVar[str] = "extra"

    extra: dict[str, Any] = field(default_factory=_new_dict, name="")
    """Every key that came in and is not a field, with its value."""


OpenT = TypeVar("OpenT", bound=OpenStruct)
Value = TypeVar("Value", str, int)


# msgspec writes a field at its default when the default comes from a factory it does not know. The
# factories below are for fields that the protocol always writes.


def new_list() -> list[Any]:
    return []


def null() -> None:
    return None


def always(value: Value) -> Callable[[], Value]:
    return lambda: value


# A Struct with date-times, 64-bit unsigned integers or values that stand for others looks at itself
# in __post_init__ and calls mend() only if something is amiss, with one of these for each field.


def mend(struct: Struct, **menders: Callable[[Any], Any]) -> None:
    """Replace or refuse the values of a Struct that were given in a form the wire does not have.

    Args:
        struct: The Struct, just made.
        menders: For each field, the function from the value given to the value kept.

    Raises:
        ValueError: If a value cannot stand; the message names the field.
    """
    for name, mender in menders.items():
        value = getattr(struct, name)
        try:
            mended = mender(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if mended is not value:
            setattr(struct, name, mended)


def timestamp(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    from datetime import datetime

    if isinstance(value, datetime):
        return rfc3339(value)
    raise ValueError(
        "expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z, "
        f"or an aware datetime, got {value!r}"
    )


def timestamp_or_null(value: Any) -> str | None:
    return None if value is None or value == "" else timestamp(value)


def timestamp_or_now(value: Any) -> str:
    return now() if value == "" else timestamp(value)


def uint64(value: int) -> int:
    if value > MAX_UINT64:
        raise ValueError(f"expected an integer <= {MAX_UINT64}")
    return value


def uint64_or_null(value: int | None) -> int | None:
    return None if value is None else uint64(value)


def object_or_empty(value: Any) -> Any:
    return {} if value is None else value


def given(value: str) -> str:
    if not value:
        raise ValueError("required, but missing")
    return value


def unfold(struct: Any, **forms: tuple[str, str]) -> None:
    """Move what an older, tagged form of a reference says to today's flat fields.

    Args:
        struct: A Struct with ``kind``, ``id``, ``title`` and ``description``.
        forms: For each field that holds an older form, the kind it means and the key of its id.
    """
    for name, (kind, id_key) in forms.items():
        body: dict[str, str | None] | None = getattr(struct, name)
        if body is not None:
            struct.kind, struct.id = kind, body.get(id_key) or ""
            struct.title = body.get("title")
            struct.description = body.get("description")
            setattr(struct, name, None)


def decode_open(cls: type[OpenT], raw: bytes) -> OpenT:
    """Decode a Struct whose unknown keys are data.

    Args:
        cls: The class of the Struct.
        raw: A JSON object.

    Returns:
        The Struct, with every key that is not one of its fields in ``extra``.

    Raises:
        msgspec.DecodeError: If ``raw`` is not JSON, or does not fit ``cls``.
    """
    data: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    known = {name: data.pop(name) for name in cls.__struct_encode_fields__ if name and name in data}
    struct = msgspec.convert(known, cls)
    struct.extra = data
    return struct


def encode_open(struct: OpenStruct) -> bytes:
    """Encode a Struct whose unknown keys are data: the inverse of :func:`decode_open`.

    Args:
        struct: The Struct.

    Returns:
        One JSON object; the Struct's own fields win over unknown keys of the same name.
    """
    own: dict[str, Any] = msgspec.to_builtins(struct)
    own.pop("", None)
    return msgspec.json.encode(struct.extra | own)
