"""Loads the schemas: pinned bundles, whole definitions added to them, and corrections by pointer."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from _codegen.model import GenerationError

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def load(schemas: Path) -> tuple[dict[str, Json], dict[str, list[tuple[str, str]]]]:
    """Read every crate's schema, with all corrections applied.

    Args:
        schemas: The directory that holds ``SHA256SUMS``, the bundles, ``additions`` and
            ``patches.json``.

    Returns:
        The schema of each crate, and the path and sha256 of each file that it came from.

    Raises:
        GenerationError: If a bundle differs from its pin, or a correction no longer fits.
    """
    crates, origins = _pinned(schemas)
    for path in sorted((schemas / "additions").glob("*.json")):
        _add(crates.setdefault(path.stem, {"$defs": {}}), json.loads(path.read_bytes()), path)
        origins.setdefault(path.stem, []).append(_origin(schemas, path))
    patches = schemas / "patches.json"
    pristine = copy.deepcopy(crates)
    for crate, entries in json.loads(patches.read_bytes()).items():
        for entry in entries:
            _patch(crate, crates[crate], entry, pristine)
        origins[crate].append(_origin(schemas, patches))
    return crates, origins


def _pinned(schemas: Path) -> tuple[dict[str, Json], dict[str, list[tuple[str, str]]]]:
    crates: dict[str, Json] = {}
    origins: dict[str, list[tuple[str, str]]] = {}
    for line in (schemas / "SHA256SUMS").read_text("utf-8").splitlines():
        pin, name = line.split()
        path = schemas / name
        origin = _origin(schemas, path)
        if origin[1] != pin:
            raise GenerationError(f"{origin[0]}: sha256 is {origin[1]}, the pin says {pin}")
        crates[path.parent.name] = json.loads(path.read_bytes())
        origins[path.parent.name] = [origin]
    unpinned = {path.parent.name for path in schemas.glob("*/_all.json")} - set(crates)
    if unpinned:
        raise GenerationError(f"no pin in SHA256SUMS for {', '.join(sorted(unpinned))}")
    return crates, origins


def _origin(schemas: Path, path: Path) -> tuple[str, str]:
    relative = path.relative_to(schemas.parent).as_posix()
    return relative, hashlib.sha256(path.read_bytes()).hexdigest()


def _add(schema: Json, addition: Json, path: Path) -> None:
    for name, definition in addition["$defs"].items():
        if name in schema["$defs"]:
            raise GenerationError(f"{path.name}: the bundle has a definition {name} by now")
        if not definition.get("$comment"):
            raise GenerationError(f"{path.name}: {name} has no $comment that gives the reason")
        schema["$defs"][name] = definition


def _patch(crate: str, schema: Json, entry: Json, pristine: dict[str, Json]) -> None:
    where = f"patches.json: {crate} {entry['at']}"
    if not entry.get("reason"):
        raise GenerationError(f"{where}: no reason given")
    *path, last = entry["at"].strip("/").split("/")
    node: Any = schema
    for step in path:
        node = node[_key(step)]
    key = _key(last)
    present = key < len(node) if isinstance(key, int) else key in node
    if entry["op"] == "replace":
        if not present or node[key] != entry["was"]:
            found = json.dumps(node[key]) if present else "nothing"
            raise GenerationError(f"{where}: expected {json.dumps(entry['was'])}, found {found}")
        node[key] = entry["value"]
        return
    if present:
        raise GenerationError(f"{where}: expected nothing, found {json.dumps(node[key])}")
    value = _value(entry, pristine)
    if isinstance(key, int):
        node.append(value)
    else:
        node[key] = value


def _value(entry: Json, pristine: dict[str, Json]) -> Any:
    """The new value: given, or the definition of the same name in another crate."""
    if entry["op"] == "copy":
        return copy.deepcopy(pristine[entry["from"]]["$defs"][entry["at"].rsplit("/", 1)[1]])
    if entry["op"] == "add":
        return entry["value"]
    raise GenerationError(f"patches.json: unknown op {entry['op']!r} at {entry['at']}")


def _key(step: str) -> int | str:
    return int(step) if step.isdigit() else step
