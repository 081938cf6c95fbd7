"""`plugin.toml`: what a release says of a plugin (schema `animus.plugin.v1`)."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "plugin.toml"
SCHEMA: Final = "animus.plugin.v1"
SAME: Final = ("name", "version", "plugin_kind", "description")


def write_release(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Write it beside a built file; return what there is to say about that.

    One that belongs to another plugin is left alone.
    """
    path = folder / FILE
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("name")
    except FileNotFoundError:
        found = manifest["name"]
    except (OSError, ValueError):
        found = None
    if found != manifest["name"]:
        whose = f"is {found}'s" if isinstance(found, str) else "is none that can be read"
        return [f"{path} {whose}, and is left as it is: build into another folder with --out"]
    path.write_text(release(manifest), "utf-8")
    return []


def release(manifest: dict[str, Any]) -> str:
    """Its text."""
    lines = [f"schema = {_text(SCHEMA)}"]
    lines += [f"{key} = {_text(manifest[key])}" for key in SAME]
    lines += [f"protocol_version = {_text(manifest['protocol_version'])}"]
    if manifest.get("plugin_kinds"):
        lines.append(f"plugin_kinds = {_list(manifest['plugin_kinds'])}")
    lines += ["", "[capabilities]", f"methods = {_list(manifest['capabilities'])}"]
    lines += ["", "[binary]", f"default = {_text(manifest['name'])}"]
    for item in manifest.get("env_required", []):
        lines += ["", "[[env]]", f"name = {_text(item['name'])}"]
        if item.get("description"):
            lines.append(f"description = {_text(item['description'])}")
        lines += [f"{key} = {str(item[key]).lower()}" for key in ("sensitive", "required")]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML string: JSON's form, whose escapes TOML has, too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: list[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
