"""What a plugin's methods take and give, for forms: from the role tables, and in its author's words."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from animus_routes.conformance.shapes import list_of, object_of, texts_of
from animus_routes.describe.explaining import find_types
from animus_routes.describe.tools import schema_of
from animus_routes.host.process import BAD_JSON
from animus_routes.roles import KINDS, role
from animus_routes.routing.registry import Registry
from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.roles import MethodRow, Role

SUBJECT_KIND: Final = "subject_kind:"
HEALTH: Final = "health/check"
LIFECYCLE: Final = frozenset({"initialize", "initialized", "shutdown", "exit"})
SCHEMA_S: Final = 20.0
ANY_OBJECT: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}


class Card(Struct, kw_only=True):
    """One method.

    Attributes:
        name: As it is called.
        kind: The plugin kind that it is of; "" if of none.
        summary: What it does, in one line.
        notes: What else is to be known, a sentence each.
        params: The JSON Schema of its params; None if it takes none.
        result: The JSON Schema of its result; None if nothing is known of it.
        defs: What the `$ref`s of both name.
        reads: Its calls change nothing; None if that is not known.
        stream: The notifications that its items are sent as.
        streams: The answer comes before the items.
        one_way: Hosts send it as a notification.
    """

    name: str
    kind: str = ""
    summary: str = ""
    notes: list[str] = []
    params: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    defs: dict[str, Any] = {}
    reads: bool | None = None
    stream: list[str] = []
    streams: bool = False
    one_way: bool = False


def cards(
    manifest: dict[str, Any], greeting: dict[str, Any], document: dict[str, Any] | None
) -> list[Card]:
    """The methods that a plugin says it serves, in its order.

    Args:
        manifest: What it printed for `--manifest`.
        greeting: Its result of `initialize`.
        document: Its OpenRPC document, if it is an app of this framework.
    """
    told = {m["name"]: m for m in (document or {}).get("methods", ())}
    tools = _tools(greeting)
    roles = _roles(manifest)
    registry = Registry(roles, [], _subject_kinds(manifest), 1, [], {}) if roles else None
    found: dict[str, Card] = {}
    for name in [*_advertised(manifest, greeting), *told, HEALTH]:
        if name in found or name in LIFECYCLE or name.startswith((SUBJECT_KIND, "$")):
            continue
        of, row = registry.row(name) if registry is not None else (None, None)
        if row is not None and of is not None:
            card = _of_row(name, of, row)
        elif name in told or name in tools or "/" in name:
            card = Card(name=name, kind=roles[0].kind if roles and name != HEALTH else "")
        else:
            continue  # a flag, and no method
        if name in tools:
            _of_tool(card, tools[name])
        if name in told:
            _of_document(card, told[name], document or {})
        elif row is None and name not in tools and name != HEALTH:
            card.params = dict(ANY_OBJECT)
        found[name] = card
    return list(found.values())


def _roles(manifest: dict[str, Any]) -> list[Role]:
    kinds = [manifest.get("plugin_kind"), *manifest.get("plugin_kinds", ())]
    return [role(str(kind)) for kind in dict.fromkeys(kinds) if kind in KINDS]


def _subject_kinds(manifest: dict[str, Any]) -> list[str]:
    tokens = [str(token) for token in manifest.get("capabilities", ())]
    return [t.removeprefix(SUBJECT_KIND) for t in tokens if t.startswith(SUBJECT_KIND)]


def _advertised(manifest: dict[str, Any], greeting: dict[str, Any]) -> Iterator[str]:
    yield from texts_of(object_of(greeting.get("capabilities")).get("methods"))
    yield from texts_of(manifest.get("capabilities"))


def _tools(greeting: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tools = list_of(object_of(greeting.get("capabilities")).get("mcp_tools"))
    return {str(tool.get("name")): tool for tool in map(object_of, tools)}


def _of_row(name: str, of: Role, row: MethodRow) -> Card:
    card = Card(name=name, kind=of.kind, reads=row.reads)
    if row.aliases and name == row.name:
        card.notes.append(f"Hosts call it as `<kind>/{row.verb}`.")
    if row.params is not None:
        card.params = _schema(row.params, card.defs)
    if row.result is not None:
        card.result = _schema(row.result, card.defs)
    if row.stream is not None:
        card.stream = list(row.stream.items) or [row.stream.notification]
        card.streams = row.stream.ack is not None
    card.one_way = row.one_way
    return card


def _schema(wire: str, defs: dict[str, Any]) -> dict[str, Any]:
    """A wire type's schema, with what its fields mean."""
    crate, _, own = wire.partition(".")
    schema = schema_of(wire_type(wire))
    for name, found in schema.pop("$defs", {}).items():
        defs[name] = found
        types = find_types(f"{crate}.{name}") or find_types(name)
        for field in types[0].fields if types else ():
            described = found.get("properties", {}).get(field.name)
            if described is not None and field.text:
                described.setdefault("description", field.text)
    return defs.get(own, schema) if "$ref" in schema else schema


def _of_tool(card: Card, tool: dict[str, Any]) -> None:
    card.summary = str(tool.get("description") or "")
    schema = object_of(tool.get("input_schema") or tool.get("inputSchema"))
    if schema:
        card.params = {key: value for key, value in schema.items() if key != "$defs"}
        card.defs.update(object_of(schema.get("$defs")))


def _of_document(card: Card, method: dict[str, Any], document: dict[str, Any]) -> None:
    """What the app's author says; of the protocol's own methods the params are as above."""
    summary = str(method.get("summary", ""))
    card.summary = "\n\n".join(filter(None, [summary, method.get("description", "")]))
    card.one_way = card.one_way or bool(method.get("x-notification"))
    stream = method.get("x-stream", {})
    card.stream = card.stream or [item["name"] for item in stream.get("notifications", ())]
    if card.params is None and method["params"]:
        card.defs.update(document["components"]["schemas"])
        card.params = {
            "type": "object",
            "properties": {
                field["name"]: _with_text(field["schema"], field.get("description"))
                for field in method["params"]
            },
            "required": [field["name"] for field in method["params"] if field["required"]],
        }
        if method.get("x-open-params"):
            card.params["additionalProperties"] = True
    if card.result is None and (result := method.get("result", {}).get("schema")):
        card.defs.update(document["components"]["schemas"])
        card.result = result


def _with_text(schema: dict[str, Any], text: str | None) -> dict[str, Any]:
    return {**schema, "description": text} if text else schema


def document_of(named: str | None) -> dict[str, Any] | None:
    """The OpenRPC document of an app; None if it is no app, or cannot be described.

    It is asked of a process of its own, because that imports the author's module.

    Args:
        named: The app as it was named; None for the one that pyproject.toml names.
    """
    target = [] if named is None else [named]
    command = [sys.executable, "-P", "-m", "animus_routes", "schema", *target]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SCHEMA_S,
            check=False,
        )
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=dict[str, Any])
    except (OSError, subprocess.TimeoutExpired, *BAD_JSON):
        pass
    return None
