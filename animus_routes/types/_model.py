"""What the generated models share: their base, strict scalars, date-times, and the omit rule."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from inspect import Signature
from operator import is_
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, Union, cast, get_args

from msgspec import UNSET, UnsetType
from pydantic import BaseModel, ConfigDict, Field, Strict
from pydantic_core import core_schema

from animus_routes.timestamps import RFC3339, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

Made = TypeVar("Made")
PLUGIN_LOADER = "pydantic.plugin._loader"

__all__ = [
    "Bool",
    "Clearable",
    "Float",
    "Int32",
    "Int64",
    "OrWord",
    "Timestamp",
    "TimestampOrNow",
    "TimestampOrNull",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt53",
    "UInt64",
    "WireModel",
    "flatten_legacy",
    "is_empty_object",
    "is_null",
    "is_unset",
    "new_dict",
    "new_list",
    "no_plugins",
    "unset",
]


@contextmanager
def no_plugins() -> Generator[None]:
    """While a model is built, pydantic does not look for plugins of its own."""
    if PLUGIN_LOADER in sys.modules:
        yield
        return
    loader = ModuleType(PLUGIN_LOADER)
    loader.__dict__["get_plugins"] = tuple
    sys.modules[PLUGIN_LOADER] = loader
    try:
        yield
    finally:
        del sys.modules[PLUGIN_LOADER]


class WireModel(BaseModel):
    """Base of the generated models: unknown keys are kept, and written again."""

    model_config = ConfigDict(
        extra="allow",
        protected_namespaces=(),
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        defer_build=True,
    )

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the model, which happens at its first use.

        pydantic looks for plugins of its own in every installed distribution when it builds its
        first model. That would be a sixth of a plugin's start, so these models go without; the
        author's own still get them.
        """
        with no_plugins():
            return super().model_rebuild(**options)


# A field leaves itself out (exclude_if), so that a model is written the same way wherever it
# stands: by itself or inside an author's own model, with whatever arguments. partial objects are
# called without a Python frame.

is_null = partial(is_, None)
is_unset = partial(is_, UNSET)


def is_empty_object(value: Any) -> bool:
    return value is None or value == {}


# A literal default would be copied into every instance. partial objects are called without a
# Python frame, and with a signature of their own pydantic need not parse the one of list.


def _factory(made: type[Made]) -> Callable[[], Made]:
    factory = partial(made)
    factory.__signature__ = Signature()  # type: ignore[attr-defined]
    return factory


new_list: Callable[[], list[Any]] = _factory(list)
new_dict: Callable[[], dict[str, Any]] = _factory(dict)


def unset() -> UnsetType:
    return UNSET


Bool: TypeAlias = Annotated[bool, Strict()]
Float: TypeAlias = Annotated[float, Strict()]
UInt8: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**8 - 1)]
UInt16: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**16 - 1)]
UInt32: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**32 - 1)]
UInt53: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
UInt64: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=2**64 - 1)]
Int32: TypeAlias = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]


class _Rfc3339:
    """A date-time as a string. Well-formed strings are checked without a call into Python."""

    def __init__(self, blank: Callable[[], str | None] | None = None) -> None:
        self._blank = blank

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.union_schema(
            [
                core_schema.str_schema(pattern=f"^{RFC3339}$"),
                core_schema.no_info_plain_validator_function(self._convert),
            ],
            mode="left_to_right",
            custom_error_type="rfc3339",
            custom_error_message=(
                "Input should be an RFC 3339 date-time with an offset, such as "
                "2026-01-31T09:30:00Z; a datetime needs a time zone: datetime.now(timezone.utc)"
            ),
            serialization=core_schema.simple_ser_schema("str"),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}

    def _convert(self, value: Any) -> str | None:
        if value == "" and self._blank is not None:
            return self._blank()
        from datetime import datetime

        if isinstance(value, datetime):
            return rfc3339(value)
        raise ValueError("not a date-time")


def _nothing() -> None:
    return None


Timestamp: TypeAlias = Annotated[str, _Rfc3339()]
TimestampOrNow: TypeAlias = Annotated[str, _Rfc3339(now)]
TimestampOrNull: TypeAlias = Annotated[str, _Rfc3339(_nothing)]


class OrWord:
    """Takes ``""`` for a word that the author left out.

    Args:
        word: What ``""`` becomes.
    """

    def __init__(self, word: str) -> None:
        self._word = word

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        inner = handler(source)
        words = ", ".join(repr(word) for word in get_args(source))
        return core_schema.union_schema(
            [inner, core_schema.no_info_plain_validator_function(self._convert)],
            mode="left_to_right",
            custom_error_type="closed_enum",
            custom_error_message=f"Input should be one of {words}",
            serialization=core_schema.simple_ser_schema("str"),
        )

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema["choices"][0])

    def _convert(self, value: Any) -> str:
        if value != "":
            raise ValueError("not a known word")
        return self._word


class Clearable:
    """Lets a field be ``UNSET``: absent from the wire, where null means something else."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        parts = tuple(part for part in get_args(source) if part is not UnsetType)
        wire = handler(Union[parts])  # noqa: UP007
        return core_schema.json_or_python_schema(
            json_schema=wire,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(UnsetType), wire], mode="left_to_right"
            ),
        )


def flatten_legacy(**forms: tuple[str, str]) -> Callable[[Any], Any]:
    """Make a validator that reads older, tagged forms of a reference.

    Args:
        forms: For each tag, the kind it stands for and the key of its id.

    Returns:
        A function from what came in to today's flat object; it leaves everything else alone.
    """

    def flatten(data: Any) -> Any:
        outer = _object(data)
        tag = next(iter(outer), "")
        body = _object(outer.get(tag))
        if len(outer) != 1 or tag not in forms or not body:
            return data
        kind, id_key = forms[tag]
        flat = {"kind": kind, "id": body.get(id_key)}
        return flat | {key: body[key] for key in ("title", "description") if key in body}

    return flatten


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
