"""Params made from a method's schema, seeded: some that fit, some with one mistake."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from animus_routes.conformance.overlay import real
from animus_routes.conformance.rows import row_of
from animus_routes.conformance.shapes import list_of, object_of, texts_of
from animus_routes.errors import Invalid
from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.conformance.bench import Bench
    from animus_routes.roles import MethodRow

TIME: Final = "2026-11-28T12:00:00.123456789Z"
TEXTS: Final = ("check", "ä ☃ 𝄞", 'a "quoted" \\ word', "x:1")
MOST_ITEMS: Final = 2
DEEPEST: Final = 6
# Values that are certainly none of a type.
WRONG: Final[dict[str, list[Any]]] = {
    "string": [7, ["x"]],
    "integer": ["many", 0.5],
    "number": ["many", []],
    "boolean": ["perhaps"],
    "array": ["x", {}],
    "object": ["x", [1]],
}
# A field that the method's own name says as well, or that the handshake has said.
LENIENT: Final = frozenset(
    {
        ("subject/create", "kind"),
        ("subject/v2/create", "kind"),
        ("config/load", "project_root"),
    }
)

# A field that hosts leave out, and write in the schema's form otherwise.
MAY_BE_ABSENT: Final = frozenset({("subject/update", "patch")})


class Expected(StrEnum):
    """What a plugin has to do with params."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    EITHER = "either"


class Made(NamedTuple):
    """Params for one call.

    Attributes:
        params: As they are sent.
        expected: What has to come of them.
        what: In words.
    """

    params: Any
    expected: Expected
    what: str


class Maker:
    """Makes values of a schema. The same seed makes the same values.

    Args:
        schema: Of the params; an object.
        definitions: What its `$ref`s name.
        seed: Of this method.
    """

    def __init__(self, schema: dict[str, Any], definitions: dict[str, Any], seed: str) -> None:
        self.schema = schema
        self._definitions = definitions
        self._random = random.Random(seed)  # noqa: S311 - the same every time is what it is for

    def least(self) -> dict[str, Any]:
        """Only what is required."""
        return self._object(self.schema, 0.0, 0)

    def some(self) -> dict[str, Any]:
        """What is required, and some of the rest."""
        return self._object(self.schema, 0.4, 0)

    def mistakes(self) -> Iterator[tuple[dict[str, Any], str, str]]:
        """Params with one mistake, the field that it is in, and what it is."""
        for name in texts_of(self.schema.get("required")):
            base = self.least()
            del base[name]
            yield base, name, f"no {name}"
            for wrong in self._wrong(object_of(self._properties(self.schema)[name])):
                yield {**self.least(), name: wrong}, name, f"{name} = {wrong!r:.40}"
        if self.schema.get("additionalProperties") is False:
            yield {**self.least(), "x_unknown": 1}, "", "an unknown field"

    def optional(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Params with a null, or a value of another type, in a field that may be absent."""
        required = texts_of(self.schema.get("required"))
        for name, schema in self._properties(self.schema).items():
            if name not in required:
                for wrong in (None, *self._wrong(object_of(schema))[:1]):
                    yield {**self.least(), name: wrong}, f"{name} = {wrong!r:.40}"

    def _properties(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Without those of older forms, which have capitals, and of open bags, which have no name."""
        found = object_of(schema.get("properties"))
        return {name: one for name, one in found.items() if name and name == name.lower()}

    def _object(self, schema: dict[str, Any], share: float, depth: int) -> dict[str, Any]:
        required = texts_of(schema.get("required"))
        made: dict[str, Any] = {}
        for name, one in self._properties(schema).items():
            if name in required or (depth < DEEPEST and self._random.random() < share):
                made[name] = self._value(object_of(one), share, depth + 1)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and share:
            made["key"] = self._value(object_of(extra), share, depth + 1)
        return made

    def _value(self, schema: dict[str, Any], share: float, depth: int) -> Any:
        schema = self._resolved(schema)
        if "enum" in schema:
            return self._random.choice(list_of(schema["enum"]) or [None])
        if "const" in schema:
            return schema["const"]
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self._random.choice(list_of(kind))
        if kind == "object":
            return self._object(schema, share, depth)
        if kind == "array":
            item = object_of(schema.get("items"))
            least = int(schema.get("minItems", 0))
            count = max(least, self._random.randint(0, MOST_ITEMS) if share else least)
            return [self._value(item, share, depth + 1) for _ in range(count)]
        return self._scalar(schema, kind)

    def _scalar(self, schema: dict[str, Any], kind: Any) -> Any:
        if kind == "string":
            return self._text(schema)
        if kind in {"integer", "number"}:
            low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
            return min(low + self._random.randint(1, 3), int(schema.get("maximum", low + 3)))
        if kind == "boolean":
            return self._random.random() < 0.5
        return None if kind == "null" else self._random.choice([{"any": [1, None]}, "any", 7])

    def _text(self, schema: dict[str, Any]) -> str:
        pattern = str(schema.get("pattern", ""))
        if pattern.startswith("^(?:[0-9]{4}"):
            return TIME
        if pattern:
            return "check-1"
        text = self._random.choice(TEXTS)
        return text[: int(schema.get("maxLength", len(text)))]

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Behind references; of several forms, one that is not null."""
        while True:
            if "$ref" in schema:
                schema = object_of(self._definitions.get(str(schema["$ref"]).rpartition("/")[2]))
            elif arms := list_of(schema.get("anyOf")) or list_of(schema.get("oneOf")):
                schema = object_of(self._random.choice([a for a in arms if a != {"type": "null"}]))
            else:
                return schema

    def _wrong(self, schema: dict[str, Any]) -> list[Any]:
        """Values that are certainly none of a schema."""
        schema = self._resolved(schema)
        kind = schema.get("type") or ("string" if "enum" in schema else None)
        return WRONG.get(str(kind), [])


def maker(bench: Bench, method: str) -> Maker | None:
    """The maker of a method's params; None if nothing is known of them."""
    seed = f"{bench.options.seed}:{method}"
    row = row_of(bench, method)
    if row is not None:
        return None if row.params is None else _of_wire_type(row.params, seed)
    for tool in list_of(bench.capabilities.get("mcp_tools")):
        described = object_of(tool)
        if described.get("name") == method:
            schema = object_of(described.get("input_schema") or described.get("inputSchema"))
            return Maker(schema, object_of(schema.get("$defs")), seed)
    return None


def _of_wire_type(name: str, seed: str) -> Maker:
    (found,), definitions = msgspec.json.schema_components([wire_type(name)])
    own = str(found.get("$ref", "")).rpartition("/")[2]
    return Maker(object_of(definitions.get(own, found)), definitions, seed)


def made(bench: Bench, method: str) -> Iterator[Made]:
    """The params that a method is tried with: what it has to accept first."""
    row = row_of(bench, method)
    for params in real(bench, method):
        yield Made(params, Expected.ACCEPT, "params that hosts send")
    found = maker(bench, method)
    if found is None:
        return
    yield Made(found.least(), Expected.EITHER, "only what is required")
    for number in range(bench.options.examples):
        yield Made(found.some(), Expected.EITHER, f"params made from the schema, number {number}")
    for params, what in list(found.optional())[: bench.options.examples]:
        yield Made(params, Expected.EITHER, what)
    for params, field, what in found.mistakes():
        sure = _is_refused(row, params) and not _is_lenient(row, field, absent=field not in params)
        yield Made(params, Expected.REFUSE if sure else Expected.EITHER, what)


def _is_lenient(row: MethodRow | None, field: str, *, absent: bool) -> bool:
    if row is None:
        return False
    named = (row.name, field)
    return row.stops == field or named in LENIENT or (absent and named in MAY_BE_ABSENT)


def _is_refused(row: MethodRow | None, params: Any) -> bool:
    """Does a host's own decoder refuse them, too? Of a tool's schema there is no second opinion."""
    if row is None or row.params is None:
        return row is None
    try:
        found = msgspec.convert(params, wire_type(row.params), strict=True)
        check = getattr(found, "check", None)
        if check is not None:
            check()
    except (msgspec.ValidationError, Invalid):
        return True
    return False
