"""Valid and invalid JSON for every type of the protocol, made from the schemas."""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pydantic
from _codegen import reader
from _codegen.model import (
    INT_BOUNDS,
    Alias,
    Bundle,
    ClosedEnum,
    Definition,
    Field,
    Object,
    Presence,
    Shape,
    Type,
    Union,
)

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("types", "structs")
BUNDLES: dict[str, Bundle] = {bundle.module: bundle for bundle in reader.read(ROOT / "schemas")}
TIME = "2026-11-21T21:21:00.123456789+01:00"

Json = dict[str, Any]

jsonschema: Any = importlib.import_module("jsonschema")  # it has no types


def definition(module: str, name: str) -> Definition:
    return next(one for one in BUNDLES[module].definitions if one.name == name)


def names(*kinds: type) -> list[tuple[str, str]]:
    return [
        (bundle.module, one.name)
        for bundle in BUNDLES.values()
        for one in bundle.definitions
        if isinstance(one, kinds)
    ]


def python_type(family: str, module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"animus_routes.{family}.{module}"), name)


@functools.cache
def _adapter(family: str, module: str, name: str) -> Any:
    wanted = python_type(family, module, name)
    if family == "types":
        return pydantic.TypeAdapter(wanted).validate_json
    return msgspec.json.Decoder(wanted).decode


def decode(family: str, module: str, name: str, payload: Any) -> Any:
    return _adapter(family, module, name)(json.dumps(payload).encode())


def encode(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return json.loads(value.model_dump_json())
    return json.loads(msgspec.json.encode(value))


def through(family: str, module: str, name: str, payload: Any) -> Any:
    return encode(decode(family, module, name, payload))


def is_refused(family: str, module: str, name: str, payload: Any) -> bool:
    try:
        decode(family, module, name, payload)
    except (pydantic.ValidationError, msgspec.ValidationError):
        return True
    return False


def schema_accepts(module: str, name: str, payload: Any) -> bool:
    schema = {"$ref": f"#/$defs/{name}", "$defs": BUNDLES[module].schema["$defs"]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(payload))


def example(module: str, kind: Type, *, full: bool) -> Any:
    """A value of a type that differs from every default."""
    if kind.item is not None:
        item = example(module, kind.item, full=full)
        return [item] if kind.shape is Shape.ARRAY else {"key": item}
    if kind.shape is Shape.REF:
        return payload(module, kind.name, full=full)
    if kind.text is not None:
        return "text"
    if kind.shape is Shape.INT:
        return min(INT_BOUNDS[kind.name][1], 2**63)
    return {
        Shape.ANY: {"any": [1, None, "x"]},
        Shape.STRING: "text",
        Shape.TIMESTAMP: TIME,
        Shape.BOOL: True,
        Shape.FLOAT: 0.5,
    }[kind.shape]


def payload(module: str, name: str, *, full: bool) -> Any:
    """JSON for a definition: every field, or only those that the schema requires."""
    one = definition(module, name)
    if isinstance(one, Alias):
        return example(module, one.type, full=full)
    if isinstance(one, ClosedEnum):
        return one.values[-1][0]
    if isinstance(one, Union):
        return payload(module, one.arms[0], full=full)
    wanted = [field for field in one.fields if full or field.presence is Presence.REQUIRED]
    tag = dict([one.tag]) if one.tag else {}
    return tag | {field.name: example(module, field.type, full=full) for field in wanted}


def valid(module: str, name: str) -> Iterator[Any]:
    one = definition(module, name)
    if isinstance(one, Union):
        for arm in one.arms:
            yield from valid(module, arm)
        return
    if isinstance(one, ClosedEnum):
        yield from (word for word, _ in one.values)
        return
    minimal = payload(module, name, full=False)
    yield minimal
    yield payload(module, name, full=True)
    if isinstance(one, Object):
        for field in one.fields:
            if field.presence is not Presence.REQUIRED:
                yield minimal | {field.name: example(module, field.type, full=False)}


def written(module: str, name: str, given: Any) -> Any:
    """What is written for JSON that was given with no value at its default: that, and defaults."""
    one = definition(module, name)
    if isinstance(one, Union):
        arms = [arm for arm in one.arms if definition(module, arm).tag[1] == given[one.tag]]  # type: ignore[union-attr, index]
        return written(module, arms[0], given)
    if not isinstance(one, Object):
        return given
    result = dict(given)
    for field in one.fields:
        if field.name in given:
            result[field.name] = _written_value(module, field.type, given[field.name])
        elif field.presence is Presence.ALWAYS:
            result[field.name] = field.default
    return result


def _written_value(module: str, kind: Type, value: Any) -> Any:
    if kind.shape is Shape.REF:
        return written(module, kind.name, value)
    if kind.shape is Shape.ARRAY and kind.item:
        return [_written_value(module, kind.item, item) for item in value]
    if kind.shape is Shape.MAP and kind.item:
        return {key: _written_value(module, kind.item, item) for key, item in value.items()}
    return value


def invalid(module: str, name: str) -> Iterator[tuple[str, Any]]:
    """JSON with one mistake, and what the mistake is."""
    one = definition(module, name)
    if isinstance(one, Alias):
        yield "a list for a scalar", [1]
        yield from wrong_scalars(one.type)
    elif isinstance(one, ClosedEnum):
        yield "an unknown word", "no-such-word"
        yield "a number for a word", 1
    elif isinstance(one, Union):
        yield "an unknown tag", payload(module, one.arms[0], full=True) | {one.tag: "no-such-tag"}
        yield "no tag", without(payload(module, one.arms[0], full=True), one.tag)
    else:
        base = payload(module, name, full=True)
        yield "a list for an object", [base]
        if one.closed:
            yield "an unknown key", base | {"x-unknown": 1}
        if one.tag:
            yield "another tag", base | {one.tag[0]: "no-such-tag"}
        for field in one.fields:
            if field.presence is Presence.REQUIRED and not field.filled:
                yield f"{field.name} missing", without(base, field.name)
            for mistake, value in wrong_values(field):
                yield f"{field.name}: {mistake}", base | {field.name: value}


def without(value: Json, key: str) -> Json:
    return {name: item for name, item in value.items() if name != key}


def wrong_values(field: Field) -> Iterator[tuple[str, Any]]:
    kind = field.type
    if kind.shape is Shape.ANY:
        return
    if not kind.nullable:
        yield "null", None
    yield from wrong_scalars(kind)
    if kind.shape is Shape.ARRAY:
        yield from (("a string", "x"), ("an object", {}))
    elif kind.shape is Shape.MAP:
        yield from (("a string", "x"), ("a list", []))
    elif kind.shape is Shape.REF:
        yield "a fraction", 0.5


def wrong_scalars(kind: Type) -> Iterator[tuple[str, Any]]:
    if kind.shape is Shape.INT:
        low, high = INT_BOUNDS[kind.name]
        yield from (("too low", low - 1), ("too high", high + 1), ("far too high", 10**30))
        yield from (("a string", "1"), ("a bool", True), ("a fraction", 0.5))
    elif kind.shape is Shape.BOOL:
        yield from (("a string", "true"), ("an integer", 1))
    elif kind.shape is Shape.FLOAT:
        yield from (("a string", "0.5"), ("a bool", True))
    elif kind.shape is Shape.TIMESTAMP:
        yield from ((f"the date-time {text}", text) for text in BAD_TIMES)
        yield "an integer", 1_700_000_000
    elif kind.shape is Shape.STRING:
        yield from (("an integer", 1), ("a list", ["x"]))
        if kind.text is not None:
            yield from (("nothing", ""), ("too many letters", "x" * (kind.text.max_length + 1)))
            if kind.text.pattern is not None:
                yield from (("a line end", "text\n"), ("a control character", "a\x00b"))


BAD_TIMES = (
    "yesterday",
    "2026-01-31",
    "2026-01-31T09:30:00",
    "2026-13-31T09:30:00Z",
    "2026-01-32T09:30:00Z",
    "2026-01-31T24:30:00Z",
    "2026-01-31T09:30:00Zulu",
    "2026-01-31T09:30:00Z\n",
    "2026-01-31T09:30:00.Z",
    "2026-01-31T09:30:00+1",
    " 2026-01-31T09:30:00Z",
)
