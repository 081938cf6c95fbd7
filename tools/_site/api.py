"""What authors import, from its docstrings: the app, the context, errors, tests, the other side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import griffe

from _site import cell, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE: Final = Path(__file__).resolve().parents[2] / "animus_routes"
PAGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "app": ("App and Router", ("app.App", "routing.router.Router")),
    "context": (
        "Context, dependencies, settings",
        ("handlers.context.Context", "handlers.depends.Depends", "handlers.settings.Env"),
    ),
    "errors": ("Errors", ("errors",)),
    "testing": (
        "Test client",
        ("testing.client.TestClient", "testing.stream.OpenStream", "testing.overrides.Overrides"),
    ),
    "host": (
        "The other side: a host",
        ("host.running.PluginProcess", "host.process.read_manifest"),
    ),
    "matching": ("Filters, queries and patches", ("matching",)),
    "polling": ("Watching what has no events", ("polling",)),
    "batteries": (
        "Batteries",
        tuple(
            f"batteries.{path.stem}" for path in sorted((PACKAGE / "batteries").glob("[a-z]*.py"))
        ),
    ),
}
TABLES: Final = {
    griffe.DocstringSectionKind.parameters: "argument",
    griffe.DocstringSectionKind.attributes: "attribute",
    griffe.DocstringSectionKind.raises: "raises",
}


def pages() -> dict[str, str]:
    """Every page, by its name below `reference/`."""
    package: Any = griffe.load(
        "animus_routes", search_paths=[PACKAGE.parent], allow_inspection=False, submodules=True
    )
    return {
        name: "\n".join([f"# {title}", *_page(package, places)]) + "\n"
        for name, (title, places) in PAGES.items()
    }


def _page(package: Any, places: Iterable[str]) -> Iterator[str]:
    for place in places:
        found = package[place]
        if found.is_module:
            for name in found.exports or ():
                yield from _object(found[str(name)], str(name), 2)
        else:
            yield from _object(found, found.name, 2)


def _object(found: Any, name: str, level: int) -> Iterator[str]:
    if found.is_alias:
        found = found.final_target
    yield ""
    yield f"{'#' * level} {name}"
    yield ""
    if found.is_attribute:
        if level == 2 or not found.docstring:
            yield f"`{name}: {found.annotation}`" if found.annotation else f"`{name}`"
    else:
        yield "```python"
        yield _signature(found, name)
        yield "```"
    if found.docstring:
        yield from _docstring(found)
    if found.is_class:
        for inner, member in sorted(found.all_members.items()):
            if not inner.startswith("_") and _is_told(member):
                yield from _object(member, inner, level + 1)


def _is_told(member: Any) -> bool:
    member = member.final_target if member.is_alias else member
    return bool(member.docstring) and (member.is_function or member.is_attribute)


def _signature(found: Any, name: str) -> str:
    if found.is_class:
        made = found.all_members.get("__init__")
        parameters = "" if made is None else str(_parameters(made))
        return f"class {name}({parameters})"
    kind = "async def" if "async" in found.labels else "def"
    returns = f" -> {found.returns}" if found.returns is not None else ""
    return f"{kind} {name}({_parameters(found)}){returns}"


def _parameters(function: Any) -> str:
    function = function.final_target if function.is_alias else function
    parts = [
        f"{one.name}: {one.annotation}" if one.annotation is not None else one.name
        for one in function.parameters
        if one.name != "self"
    ]
    line = ", ".join(parts)
    if len(line) < 70:
        return line
    return "\n    " + ",\n    ".join(parts) + ",\n"


def _docstring(found: Any) -> Iterator[str]:
    for section in found.docstring.parse("google", warnings=False):
        yield ""
        if section.kind is griffe.DocstringSectionKind.text:
            yield _paragraphs(section.value)
        elif section.kind is griffe.DocstringSectionKind.returns:
            yield f"**Returns:** {cell(' '.join(one.description for one in section.value))}"
        elif section.kind in TABLES:
            word = TABLES[section.kind]
            yield f"| {word} | |"
            yield "|---|---|"
            for one in section.value:
                label = getattr(one, "name", None) or one.annotation
                yield f"| `{label}` | {cell(one.description)} |"


def _paragraphs(text: str) -> str:
    """Text whose indented blocks are code."""
    lines = text.splitlines()
    return "\n".join(line if line.startswith("    ") else shown(line) for line in lines)
