"""`animus-routes routes APP [--json]`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from animus_routes.describe.check import problems
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim, write_all
from animus_routes.errors import ConfigurationError
from animus_routes.handlers.signature import NOTHING, name_of
from animus_routes.loading import fail, load, only_target
from animus_routes.values.codecs import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.app import App
    from animus_routes.handlers.signature import Signature
    from animus_routes.roles import MethodRow, Role
    from animus_routes.routing.router import Registration

USAGE = "routes [APP] [--json]"
COLUMNS = ("method", "need", "handler", "params", "result", "where")


def main(arguments: list[str]) -> int:
    """Print every method of the app and of its roles; 1 if the app has problems."""
    as_json = "--json" in arguments
    target = only_target([a for a in arguments if a != "--json"], USAGE)
    _, out = claim()  # what the author's module prints is not our output
    app = load(target)
    try:
        rows = list(methods_of(app))
        found = problems(app)
    except ConfigurationError as error:
        fail(str(error))
    document = {"name": app.name, "kinds": app.kinds, "routes": rows, "problems": found}
    text = encode(document).decode() if as_json else table(rows)
    write_all(out, f"{text}\n".encode())
    if found and not as_json:
        say("\n".join(["", *found]))
    return 1 if found else 0


def methods_of(app: App) -> Iterator[dict[str, Any]]:
    """One row per method, which says what serves it, if anything does."""
    registry = app.registry
    for name, (role, row) in registry.rows.items():
        aliases = registry.aliases(name)
        own = registry.served.get(name)
        for alias in aliases:
            if alias in registry.handlers and registry.handlers[alias] is not own:
                yield _row(app, alias, role, row, registry.handlers[alias])
        if own is not None or not any(alias in registry.handlers for alias in aliases):
            yield _row(app, name, role, row, own)
    for name, registration in registry.handlers.items():
        role, known = registry.row(name)
        if known is None:
            yield _row(app, name, role, None, registration)


def _row(
    app: App, name: str, role: Role, row: MethodRow | None, registration: Registration | None
) -> dict[str, Any]:
    registry = app.registry
    found: dict[str, Any] = {
        "method": name,
        "kind": role.kind,
        "aliases": [a for a in registry.aliases(name) if registry.served.get(a) is registration],
        "need": "required" if row is not None and row.required else "optional",
        "params": _short(row.params) if row is not None else "",
        "result": _short(row.result) if row is not None else "",
        "handler": "",
        "where": "",
    }
    if registration is None:
        assert row is not None
        found["handler"] = _without_handler(row)
        return found
    signature = registry.signature(registration)
    mode = ("async " if signature.is_async else "") + ("stream " if signature.is_generator else "")
    found["handler"] = mode + name_of(registration.function)
    found["where"] = registration.where.rpartition(os.sep)[2]
    if row is None:
        found["params"] = _fields(signature)
        found["result"] = _hint(signature.returns)
    return found


def _without_handler(row: MethodRow) -> str:
    if row.default is not None:
        return "(derived)"
    if row.stops is not None:
        return "(engine)"
    return "MISSING" if row.required else "-"


def _short(wire_type: str | None) -> str:
    return (wire_type or "").rpartition(".")[2]


def _fields(signature: Signature) -> str:
    if signature.whole:
        return _hint(signature.fields[0].hint)
    return ", ".join(
        f"{field.wire_name}{'?' if field.has_default else ''}" for field in signature.fields
    )


def _hint(hint: Any) -> str:
    if hint is NOTHING:
        return ""
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text."""
    cells = [COLUMNS, *[tuple(_cell(row, column) for column in COLUMNS) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(row: dict[str, Any], column: str) -> str:
    text = str(row[column])
    if column == "method" and row["aliases"]:
        text += f" ({', '.join(row['aliases'])})"
    return text
