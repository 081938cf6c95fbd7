"""An app as an OpenRPC 1.4 document: its methods, params, results, errors, streams, in its author's words.

What OpenRPC has no word for stands under keys that begin with `x-`. For tools alone: it imports griffe.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final, cast, get_args, get_origin

from animus_routes.describe.manifest import manifest, methods
from animus_routes.describe.tools import PARSERS, input_schema, read_docstring, schema_of
from animus_routes.errors import (
    CANCELLED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    NOT_INITIALIZED,
    NamedError,
)
from animus_routes.handlers.signature import NOTHING, name_of
from animus_routes.values.hints import bare, described_by, is_open

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.handlers.signature import Signature
    from animus_routes.roles import MethodRow, Role, StreamRow
    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.router import Registration

OPENRPC: Final = "1.4.0"
DEFS: Final = "#/$defs/"
SCHEMAS: Final = "#/components/schemas/"
ERRORS: Final = "#/components/errors/"
NULL: Final[dict[str, Any]] = {"type": "null"}
# What any method may be answered with, whatever its author raises.
ALWAYS: Final[dict[str, tuple[int, str, str]]] = {
    "invalid_params": (
        INVALID_PARAMS,
        "invalid params: <field>: <what is wrong>",
        "invalid_request",
    ),
    "internal_error": (INTERNAL_ERROR, "internal error", "other"),
    "not_initialized": (NOT_INITIALIZED, "the handshake is not complete", ""),
    "cancelled": (CANCELLED, "cancelled", "cancelled"),
}


def document(app: Declaration) -> dict[str, Any]:
    """The OpenRPC document of an app without problems."""
    told = manifest(app)
    schemas = Schemas()
    errors = _Errors(app.registry.roles)
    described = [_method(app, name, schemas, errors) for name in _names(app)]
    notifications = [*_notifications(app, schemas)]
    info: dict[str, Any] = {
        "title": app.name,
        "version": app.version,
        "description": app.description,
    }
    info["x-plugin"] = {
        key: value
        for key, value in told.items()
        if key not in {"name", "version", "description", "capabilities"}
    }
    found: dict[str, Any] = {"openrpc": OPENRPC, "info": info, "methods": described}
    if notifications:
        found["x-notifications"] = notifications
    found["components"] = {"schemas": schemas.found, "errors": errors.used()}
    return found


def _names(app: Declaration) -> Iterator[str]:
    """What the manifest advertises as methods, and the notifications that handlers take."""
    registry = app.registry
    tokens = {*app.capabilities, *(t for role in registry.roles for t in role.tokens.values())}
    together = {t for role in registry.roles for row in role.together for t in row.tokens}
    for name in methods(app):
        if name not in tokens | together or name in registry.served:
            yield name
    yield from (name for name, r in registry.handlers.items() if r.one_way)


class Schemas:
    """JSON Schemas by their names, each once, for references from everywhere in the document."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def of(self, hint: Any) -> dict[str, Any]:
        """The schema of a type hint."""
        return {} if hint is NOTHING or is_open(hint) else self.taken(schema_of(hint))

    def taken(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema without definitions of its own: they are moved here."""
        defs: dict[str, Any] = schema.pop("$defs", {})
        names = {name: self._name(name, defs) for name in defs}
        for name, definition in defs.items():
            self.found[names[name]] = _renamed(definition, names)
        moved: dict[str, Any] = _renamed(schema, names)
        return moved

    def _name(self, name: str, defs: dict[str, Any]) -> str:
        """Two types of one name are kept apart."""
        names = {other: other for other in defs}
        number = 1
        while True:
            found = name if number == 1 else f"{name}_{number}"
            if self.found.get(found) in (None, _renamed(defs[name], {**names, name: found})):
                return found
            number += 1


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value).items()
    found: dict[str, Any] = {key: _renamed(item, names) for key, item in items}
    reference = found.get("$ref")
    if isinstance(reference, str) and reference.startswith(DEFS):
        name = reference.removeprefix(DEFS)
        found["$ref"] = SCHEMAS + names.get(name, name)
    return found


def _method(app: Declaration, name: str, schemas: Schemas, errors: _Errors) -> dict[str, Any]:
    registry = app.registry
    role, row = registry.row(name)
    own = registry.served.get(name) or registry.handlers.get(name)
    signature = registry.signature(own) if own is not None else None
    text, about = read_docstring(getattr(own.function, "__doc__", None)) if own else ("", {})
    found: dict[str, Any] = {"name": name}
    if text:
        first, _, rest = text.partition("\n\n")
        found["summary"] = " ".join(first.split())
        if rest.strip():
            found["description"] = rest.strip()
    found["tags"] = [{"name": role.kind}]
    found["paramStructure"] = "by-name"
    found["params"] = _params(row, signature, about, schemas)
    if own is None or not own.one_way:
        found["result"] = {"name": "result", "schema": _result(row, own, signature, schemas)}
        found["errors"] = [*errors.of(own, has_params=bool(found["params"]))]
    if row is not None and row.params is not None and _is_open(row.params):
        found["x-open-params"] = True
    found.update(_extensions(name, row, own, signature, schemas))
    return found


def _params(
    row: MethodRow | None, signature: Signature | None, about: dict[str, str], schemas: Schemas
) -> list[dict[str, Any]]:
    """One descriptor for each field: the protocol's, or those that a handler of the author's own takes."""
    if row is not None and row.params is not None:
        schema = _object(schema_of(described_by(row.params)))
    elif row is None and signature is not None:
        schema = input_schema(signature, about)
    else:
        return []
    required = schema.get("required", [])
    defs = schema.get("$defs", {})
    found: list[dict[str, Any]] = []
    for name, field in schema.get("properties", {}).items():
        item: dict[str, Any] = {"name": name}
        inner = dict(field)
        said = inner.pop("description", None) or about.get(name)
        if said:
            item["description"] = said
        item["required"] = name in required
        item["schema"] = schemas.taken({**inner, "$defs": dict(defs)})
        found.append(item)
    return sorted(found, key=lambda item: not item["required"])


def _is_open(wire: str) -> bool:
    """May the params have more fields than the type has, which are data, too?"""
    return _object(schema_of(described_by(wire))).get("additionalProperties") is True


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that is one reference, as what it refers to."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    defs: dict[str, Any] = schema["$defs"]
    return {**defs[reference.removeprefix(DEFS)], "$defs": defs}


def _result(
    row: MethodRow | None,
    own: Registration | None,
    signature: Signature | None,
    schemas: Schemas,
) -> dict[str, Any]:
    if row is not None and row.result is not None:
        return schemas.of(described_by(row.result))
    if row is not None or signature is None or signature.returns is NOTHING:
        return {}
    if signature.is_generator or (own is not None and own.items_as):
        return {}
    return dict(NULL) if signature.returns is type(None) else schemas.of(signature.returns)


def _extensions(
    name: str,
    row: MethodRow | None,
    own: Registration | None,
    signature: Signature | None,
    schemas: Schemas,
) -> dict[str, Any]:
    """What OpenRPC has no word for."""
    found: dict[str, Any] = {}
    if own is not None:
        found["x-handler"] = name_of(own.function)
        found["x-source"] = own.where.rpartition(os.sep)[2]
        if own.one_way:
            found["x-notification"] = True
        if own.tool:
            found["x-mcp-tool"] = True
    if row is not None:
        found["x-required"] = row.required
        found["x-reads"] = row.reads
        if row.name != name:
            found["x-alias-of"] = row.name
        if row.one_way:
            found["x-notification"] = True
        if row.stream is not None:
            found["x-stream"] = _stream(row.stream, schemas)
    elif own is not None and own.items_as is not None:
        items = schemas.of(_item(signature)) if signature is not None else {}
        found["x-stream"] = {"notifications": [{"name": own.items_as, "item": items}]}
    return found


def _stream(row: StreamRow, schemas: Schemas) -> dict[str, Any]:
    names = row.items or {row.notification: ""}
    items = [
        {"name": name, "item": schemas.of(described_by(wire)) if wire else {}}
        for name, wire in names.items()
    ]
    found: dict[str, Any] = {"notifications": items}
    if row.key:
        found["key"] = row.key
    if row.ack is not None:
        found["acknowledgement"] = row.ack
    return found


def _item(signature: Signature | None) -> Any:
    """What a generator gives: the first argument of `Iterator[X]`."""
    returns = bare(signature.returns) if signature is not None else NOTHING
    arguments = get_args(returns)
    return arguments[0] if get_origin(returns) is not None and arguments else NOTHING


def _notifications(app: Declaration, schemas: Schemas) -> Iterator[dict[str, Any]]:
    """What the plugin sends by itself."""
    seen: set[str] = set()
    for role in app.registry.roles:
        served = [r.stream for r in role.methods if r.stream and app.registry.has(r.name)]
        for stream in served:
            for item in _stream(stream, schemas)["notifications"]:
                if item["name"] not in seen:
                    seen.add(item["name"])
                    yield item
        for name in role.notifications:
            if name not in seen:
                seen.add(name)
                yield {"name": name}


class _Errors:
    """The errors that the methods name, as the app's first role writes them."""

    def __init__(self, roles: list[Role]) -> None:
        self._rows = roles[0].errors
        self._classes = {cls.__name__: cls for cls in _named(NamedError)}
        self._used: dict[str, dict[str, Any]] = {}

    def of(self, own: Registration | None, *, has_params: bool) -> Iterator[dict[str, str]]:
        """References to those that a method may be answered with."""
        names = ["invalid_params"] * has_params + ["internal_error", "not_initialized", "cancelled"]
        for name in names:
            code, message, category = ALWAYS[name]
            data = {"data": {"category": category}} if category else {}
            self._used[name] = {"code": code, "message": message, **data}
        for raised in _raised(getattr(own.function, "__doc__", None)) if own else ():
            cls = self._classes.get(raised.rpartition(".")[2])
            if cls is not None:
                names.append(self._take(cls))
        yield from ({"$ref": ERRORS + name} for name in dict.fromkeys(names))

    def _take(self, cls: type[NamedError]) -> str:
        row = self._rows.get(cls.name)
        prefix = cls.prefix if row is None or row.prefix is None else row.prefix
        code = cls.default_code if row is None or row.code is None else row.code
        category = cls.name if row is None or row.category is None else row.category
        about = (cls.__doc__ or cls.name).partition("\n")[0]
        self._used[cls.name] = {
            "code": code,
            "message": f"{prefix}{about}",
            "data": {"category": category},
        }
        return cls.name

    def used(self) -> dict[str, dict[str, Any]]:
        """Those that were named, for `components`."""
        return dict(sorted(self._used.items()))


def _named(cls: type[NamedError]) -> Iterator[type[NamedError]]:
    for below in cls.__subclasses__():
        yield below
        yield from _named(below)


def _raised(text: str | None) -> Iterator[str]:
    """The names under `Raises:` of a docstring."""
    if not text:
        return
    from inspect import cleandoc

    from griffe import Docstring, DocstringSectionKind

    for parser in PARSERS:
        sections = Docstring(cleandoc(text), lineno=1).parse(parser, warnings=False)
        names = [
            str(item.annotation)
            for section in sections
            if section.kind is DocstringSectionKind.raises
            for item in section.value
        ]
        if names:
            yield from names
            return


def written(found: dict[str, Any]) -> bytes:
    """The document as text."""
    return json.dumps(found, indent=2, ensure_ascii=False).encode() + b"\n"
