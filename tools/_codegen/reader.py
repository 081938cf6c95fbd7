"""Reads JSON Schema definitions into the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from _codegen.model import (
    INT_BOUNDS,
    Alias,
    Bundle,
    ClosedEnum,
    Definition,
    Field,
    GenerationError,
    LegacyForm,
    Object,
    Presence,
    Shape,
    Text,
    Type,
    Union,
)
from _codegen.prose import Prose, tidy
from _codegen.sources import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

_MODULES = {"animus-journal-protocol": "workflow_journal"}
_RESERVED = frozenset({"schema"})
_SCALARS = {"string": Shape.STRING, "boolean": Shape.BOOL, "number": Shape.FLOAT}
_EMPTY: dict[Shape, Any] = {
    Shape.ARRAY: [],
    Shape.MAP: {},
    Shape.ANY: None,
    Shape.BOOL: False,
    Shape.STRING: "",
}


def read(schemas: Path) -> tuple[Bundle, ...]:
    """Read every crate.

    Args:
        schemas: The directory of bundles, additions, patches and defaults.

    Returns:
        One bundle per crate, by module name.

    Raises:
        GenerationError: If anything there is not understood.
    """
    crates, origins = load(schemas)
    fills: Json = json.loads((schemas / "defaults.json").read_bytes())
    prose = Prose(json.loads((schemas / "prose.json").read_bytes()))
    bundles = [
        Bundle(
            crate=crate,
            module=_module(crate),
            sources=tuple(origins[crate]),
            schema=schema,
            definitions=_Reader(
                crate, schema["$defs"], fills.get(crate, {}), prose.of(crate)
            ).definitions(),
        )
        for crate, schema in crates.items()
    ]
    if prose.unused:
        raise GenerationError(f"prose.json: there is no {', '.join(sorted(prose.unused))}")
    return tuple(sorted(bundles, key=lambda bundle: bundle.module))


def _module(crate: str) -> str:
    plain = crate.removeprefix("animus-").removesuffix("-protocol").replace("-", "_")
    return _MODULES.get(crate, plain)


class _Reader:
    """Reads the definitions of one crate."""

    def __init__(
        self,
        crate: str,
        defs: Json,
        fills: dict[str, Json],
        said: Callable[[str, str], str],
    ) -> None:
        self._crate = crate
        self._said = said
        self._defs = defs
        self._fills = fills
        self._done: dict[str, Definition] = {}

    def definitions(self) -> tuple[Definition, ...]:
        for name in sorted(self._defs):
            self._define(name)
        return tuple(self._done.values())

    def _define(self, name: str) -> None:
        if name in self._done:
            return
        schema = self._defs[name]
        doc = self._said(name, schema.get("description", ""))
        if "enum" in schema:
            self._done[name] = ClosedEnum(name, doc, tuple((word, "") for word in schema["enum"]))
        elif schema.get("type") == "string" or "format" in schema:
            self._done[name] = Alias(name, doc, self._type(f"{self._crate} {name}", schema))
        elif "oneOf" not in schema:
            self._done[name] = self._object(name, schema)
        elif all(arm.get("type") == "string" for arm in schema["oneOf"]):
            words = tuple(
                (arm["const"], tidy(arm.get("description", ""))) for arm in schema["oneOf"]
            )
            self._done[name] = ClosedEnum(name, doc, words)
        else:
            self._done[name] = self._union(name, doc, schema["oneOf"])

    def _union(self, name: str, doc: str, arms: list[Json]) -> Union:
        read: list[Object] = []
        for arm in arms:
            if "title" not in arm:
                raise GenerationError(
                    f"{self._crate} {name}: an arm has no title to name its class"
                )
            read.append(self._object(arm["title"], arm))
            self._done[arm["title"]] = read[-1]
        tags = {arm.tag[0] if arm.tag else "" for arm in read}
        if len(tags) != 1 or "" in tags:
            raise GenerationError(f"{self._crate} {name}: no constant key tells the arms apart")
        return Union(name, doc, tags.pop(), tuple(arm.name for arm in read))

    def _object(self, name: str, schema: Json) -> Object:
        where = f"{self._crate} {name}"
        if schema.get("type") != "object":
            raise GenerationError(f"{where}: neither a string, an enum, a union nor an object")
        properties: Json = schema.get("properties", {})
        constants = [(key, part["const"]) for key, part in properties.items() if "const" in part]
        required = schema.get("required", [])
        fills = self._fills.get(name, {})
        fields = [
            self._field(f"{where}.{key}", key, part, required=key in required, fill=fills.get(key))
            for key, part in sorted(properties.items())
            if "const" not in part
        ]
        ranks = {key: rank for rank, key in enumerate(required)}
        fields.sort(key=lambda one: ranks.get(one.name, len(ranks)))
        return Object(
            name=name,
            doc=self._said(name, schema.get("description", "")),
            fields=tuple(fields),
            tag=constants[0] if constants else None,
            open_bag=schema.get("additionalProperties") is True,
            closed=schema.get("additionalProperties") is False,
            legacy=tuple(
                LegacyForm(tag, form["kind"], form["id"])
                for tag, form in schema.get("x-legacy-forms", {}).items()
            ),
        )

    def _field(
        self, where: str, name: str, schema: Json, *, required: bool, fill: str | None
    ) -> Field:
        kind = self._type(where, schema)
        tristate = schema.get("x-absent-is-not-null", False)
        presence = Presence.ALWAYS if "default" in schema else Presence.OMITTED
        default = schema.get("default")
        if required:
            presence, default = Presence.REQUIRED, fill
        elif presence is Presence.OMITTED and not kind.nullable and not tristate:
            if kind.shape not in _EMPTY:
                raise GenerationError(f"{where}: optional, but no value stands for absent")
            default = _EMPTY[Shape.MAP if schema.get("x-omit-empty") else kind.shape]
        return Field(
            name=name,
            attr=f"{name}_" if name in _RESERVED else name,
            type=kind,
            doc=self._said(where.rpartition(" ")[2], schema.get("description", "")),
            presence=presence,
            default=default,
            filled=fill is not None,
            tristate=tristate,
            empty_is_null=schema.get("x-omit-empty", False),
        )

    def _type(self, where: str, schema: Any) -> Type:
        if schema is True:  # any JSON value
            return Type(Shape.ANY)
        if "anyOf" in schema:
            inner = self._type(where, schema["anyOf"][0])
            if schema["anyOf"][1:] != [{"type": "null"}]:
                raise GenerationError(f"{where}: anyOf other than 'or null'")
            return Type(inner.shape, nullable=True, item=inner.item, name=inner.name)
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            self._define(name)
            return Type(Shape.REF, name=name)
        if "type" not in schema:
            return Type(Shape.ANY)
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        nullable = "null" in names
        (name,) = set(names) - {"null"}
        return self._plain(where, name, schema, nullable=nullable)

    def _plain(self, where: str, name: str, schema: Json, *, nullable: bool) -> Type:
        if name == "integer":
            form = schema.get("format")
            if form == "uint64" and schema.get("maximum") == INT_BOUNDS["uint53"][1]:
                form = "uint53"
            if form not in INT_BOUNDS:
                raise GenerationError(f"{where}: integer format {form!r}")
            return Type(Shape.INT, nullable, name=form)
        if name == "string" and schema.get("format") == "date-time":
            return Type(Shape.TIMESTAMP, nullable)
        if name == "array":
            return Type(Shape.ARRAY, nullable, self._type(where, schema["items"]))
        if name == "object":
            return Type(Shape.MAP, nullable, self._type(where, schema["additionalProperties"]))
        if name in _SCALARS:
            return Type(_SCALARS[name], nullable, text=self._text(where, schema))
        raise GenerationError(f"{where}: unknown type {name!r}")

    def _text(self, where: str, schema: Json) -> Text | None:
        """What is demanded of a string; both lengths or none, and no other keyword."""
        keys = schema.keys() & {"minLength", "maxLength", "pattern"}
        if not keys:
            return None
        if not {"minLength", "maxLength"} <= keys:
            raise GenerationError(f"{where}: a string with one bound, or a pattern without bounds")
        pattern = schema.get("pattern")
        if pattern is not None and not (pattern.startswith("^") and pattern.endswith("$")):
            raise GenerationError(f"{where}: a pattern that is not anchored at both ends")
        return Text(schema["minLength"], schema["maxLength"], pattern)
