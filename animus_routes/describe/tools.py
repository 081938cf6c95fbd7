"""MCP tools: what `@app.tool()` publishes, read from the hints and the docstring.

The only place where serving reads prose (with griffe), and only for plugins with tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from animus_routes.handlers.signature import NOTHING
from animus_routes.values import codecs
from animus_routes.values.hints import bare, is_open, needs_pydantic

if TYPE_CHECKING:
    from animus_routes.handlers.signature import Parameter, Signature
    from animus_routes.routing.router import Registration

PARSERS: Final[tuple[Literal["google", "numpy", "sphinx"], ...]] = ("google", "numpy", "sphinx")


def describe(tool: Registration, signature: Signature) -> dict[str, Any]:
    """One `McpTool`: name, description, input schema (spec section 5)."""
    text, descriptions = read_docstring(getattr(tool.function, "__doc__", None))
    found: dict[str, Any] = {"name": tool.name}
    if text:
        found["description"] = text
    found["input_schema"] = input_schema(signature, descriptions)
    return found


def input_schema(signature: Signature, descriptions: dict[str, str]) -> dict[str, Any]:
    """The JSON Schema of a handler's params."""
    if signature.whole:
        hint = bare(signature.fields[0].hint)
        if hint is NOTHING or is_open(hint):
            return {"type": "object"}
        return {"type": "object", **_inline(schema_of(hint))}
    properties: dict[str, Any] = {}
    defs: dict[str, Any] = {}
    for field in signature.fields:
        schema = {} if field.hint is NOTHING else schema_of(field.hint)
        defs.update(schema.pop("$defs", {}))
        if field.name in descriptions:
            schema["description"] = descriptions[field.name]
        if field.has_default and _is_json(field):
            schema["default"] = field.default
        properties[field.wire_name] = schema
    found: dict[str, Any] = {"type": "object", "properties": properties}
    required = [field.wire_name for field in signature.fields if not field.has_default]
    if required:
        found["required"] = required
    if defs:
        found["$defs"] = defs
    return found


def _is_json(field: Parameter) -> bool:
    return isinstance(field.default, str | int | float | bool | list | dict | type(None))


def schema_of(hint: Any) -> dict[str, Any]:
    """One hint's schema, with its definitions under `$defs`."""
    if needs_pydantic(hint):
        from pydantic import TypeAdapter

        schema: dict[str, Any] = TypeAdapter(hint).json_schema()
        return schema
    (found,), defs = msgspec.json.schema_components([hint], ref_template="#/$defs/{name}")
    for schema in (found, *defs.values()):
        _open(schema)
    return {**found, "$defs": dict(defs)} if defs else dict(found)


def _open(schema: dict[str, Any]) -> None:
    """What keeps unknown keys under the name "" is an object that may have more of them."""
    if schema.get("properties", {}).pop("", None) is not None:
        schema["additionalProperties"] = True


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a schema that is one reference by its target: MCP wants `type: object` on top."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    defs = dict(schema.get("$defs", {}))
    name = reference.rpartition("/")[2]
    top = dict(defs[name])
    if f'#/$defs/{name}"' not in codecs.encode([top, defs]).decode():
        del defs[name]
    return {**top, "$defs": defs} if defs else top


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """The prose of a docstring and its parameters' descriptions.

    Google, NumPy and Sphinx style are tried in this order. The first that describes a parameter is
    used; if none does, the whole text is the description.
    """
    if not text:
        return "", {}
    from inspect import cleandoc

    from griffe import Docstring, DocstringSectionKind

    clean = cleandoc(text)
    for parser in PARSERS:
        sections = Docstring(clean, lineno=1).parse(parser, warnings=False)
        described = {
            item.name: item.description.strip()
            for section in sections
            if section.kind is DocstringSectionKind.parameters
            for item in section.value
        }
        if described:
            prose = [s.value for s in sections if s.kind is DocstringSectionKind.text]
            return "\n\n".join(prose).strip(), described
    return clean, {}
