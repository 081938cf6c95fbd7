"""What can be typed at a plugin: its methods, their params, the words that a param may be."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.conformance.shapes import list_of, object_of, texts_of
from animus_routes.roles import KINDS, role
from animus_routes.routing.registry import Registry
from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from animus_routes.loading import Target
    from animus_routes.roles import MethodRow

ALWAYS: Final = ("$/ping", "health/check")
SUBJECT_KIND: Final = "subject_kind:"
BOOLEANS: Final = ["true", "false"]
DESCRIBE_S: Final = 30.0


class Knowledge:
    """What a plugin says of itself, and what the protocol says of its kinds.

    Args:
        manifest: Its manifest.
        greeting: Its result of `initialize`.
        app: Where it is, if it is an app of this framework: then its own types are known as well,
            a little later.
    """

    def __init__(
        self, manifest: dict[str, Any], greeting: dict[str, Any], app: Target | None = None
    ) -> None:
        capabilities = object_of(greeting.get("capabilities"))
        tokens = texts_of(manifest.get("capabilities"))
        kinds = [str(manifest.get("plugin_kind")), *texts_of(manifest.get("plugin_kinds"))]
        roles = [role(kind) for kind in kinds if kind in KINDS]
        subject_kinds = [t.removeprefix(SUBJECT_KIND) for t in tokens if t.startswith(SUBJECT_KIND)]
        self._registry = Registry(roles, [], subject_kinds, 1, [], {}) if roles else None
        self._tools = {
            str(tool.get("name")): object_of(tool.get("input_schema") or tool.get("inputSchema"))
            for tool in map(object_of, list_of(capabilities.get("mcp_tools")))
        }
        self._described: dict[str, dict[str, Any]] = {}
        names = [*texts_of(capabilities.get("methods")), *self._tools, *ALWAYS]
        self.methods = [name for name in dict.fromkeys(names) if "/" in name or name in self._tools]
        if app is not None:
            Thread(target=self._describe, args=[app], name="describe", daemon=True).start()

    def _describe(self, app: Target) -> None:
        """Ask for the app's OpenRPC document: its module may be slow, and print."""
        place = f"{app.place}:{app.attribute}" if app.attribute else app.place
        try:
            done = subprocess.run(
                [sys.executable, "-m", "animus_routes", "schema", place],
                cwd=app.folder or None,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=DESCRIBE_S,
                check=True,
            )
            document = object_of(msgspec.json.decode(done.stdout))
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
            return
        parts = object_of(object_of(document.get("components")).get("schemas"))
        self._described = {
            str(method.get("name")): {
                "properties": {
                    str(param.get("name")): param.get("schema")
                    for param in map(object_of, list_of(method.get("params")))
                },
                "$defs": parts,
            }
            for method in map(object_of, list_of(document.get("methods")))
        }

    def row(self, method: str) -> MethodRow | None:
        """What the role tables say of a method."""
        return self._registry.row(method)[1] if self._registry is not None else None

    def params(self, method: str) -> dict[str, list[str]]:
        """The names of a method's params, each with the words that it may be, if they are few."""
        schema = self._described.get(method) or self._tools.get(method) or self._of_row(method)
        found = object_of(schema.get("properties"))
        return {
            name: _words(object_of(one), object_of(schema.get("$defs")))
            for name, one in found.items()
            if name and name == name.lower()  # the others are of older forms
        }

    def _of_row(self, method: str) -> dict[str, Any]:
        row = self.row(method)
        if row is None or row.params is None:
            return {}
        (found,), parts = msgspec.json.schema_components([wire_type(row.params)])
        own = str(found.get("$ref", "")).rpartition("/")[2]
        return {**object_of(parts.get(own, found)), "$defs": parts}


def _words(schema: dict[str, Any], parts: dict[str, Any]) -> list[str]:
    """The values that a schema lists."""
    if "$ref" in schema:
        return _words(object_of(parts.get(str(schema["$ref"]).rpartition("/")[2])), {})
    arms = [
        object_of(arm) for arm in (*list_of(schema.get("anyOf")), *list_of(schema.get("oneOf")))
    ]
    if arms:
        return [word for arm in arms for word in _words(arm, parts)]
    if "const" in schema:
        return [str(schema["const"])]
    if schema.get("type") == "boolean":
        return [*BOOLEANS]
    return [str(word) for word in list_of(schema.get("enum")) if word is not None]
