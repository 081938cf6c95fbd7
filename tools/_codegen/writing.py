"""What both emitters need to write a module."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from _codegen.model import Alias, ClosedEnum, GenerationError, Object, Shape, Type
from _codegen.prose import docstring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _codegen.model import Bundle, Definition, Field, Union

INT_NAMES = {
    "uint8": "UInt8",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint": "UInt64",
    "uint64": "UInt64",
    "int32": "Int32",
    "int64": "Int64",
}
MAX_COLUMNS = 100
PACKAGE = Path(__file__).resolve().parents[2] / "animus_routes"


class Family(Protocol):
    """How one family of types is written."""

    @property
    def title(self) -> str:
        """What its types are called."""
        ...

    def object(self, definition: Object) -> list[str]:
        """The lines of a class."""
        ...

    def union(self, definition: Union) -> list[str]:
        """The lines of the alias of a tagged union."""
        ...

    def enum_helpers(self, definition: ClosedEnum) -> list[list[str]]:
        """What follows a closed enum: each block stands by itself."""
        ...

    @property
    def package(self) -> str:
        """The package that its modules are in."""
        ...

    @property
    def origins(self) -> dict[str, tuple[str, ...]]:
        """The modules that its own ones import from, and the names that they have."""
        ...


def module(bundle: Bundle, family: Family) -> str:
    """Write one module.

    Args:
        bundle: The types of one crate.
        family: How to write them.

    Returns:
        The module's source.
    """
    blocks: list[list[str]] = []
    for definition in bundle.definitions:
        if definition.name in bundle.borrowed:
            continue
        blocks.append(_definition(definition, family))
        if isinstance(definition, ClosedEnum):
            blocks += family.enum_helpers(definition)
    body = "\n\n\n".join("\n".join(block) for block in blocks)
    head = [
        *docstring(_header(bundle, family), ""),
        "",
        *imports(body, {**family.origins, **_homes(bundle, family)}, bundle.borrowed),
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(one.name for one in bundle.definitions)),
        "]",
        "",
    ]
    return "\n".join([*head, "", body, ""])


def _header(bundle: Bundle, family: Family) -> str:
    sources = "\n".join(f"- {path}\n  sha256 {digest}" for path, digest in bundle.sources)
    return (
        f"The wire types of {bundle.crate}, as {family.title}.\n\n"
        f"Written by `python tools/codegen.py`: do not edit. Read from\n{sources}"
    )


def _definition(definition: Definition, family: Family) -> list[str]:
    if isinstance(definition, Alias):
        return [f"{definition.name}: TypeAlias = str", *doc_lines(definition.doc)]
    if isinstance(definition, ClosedEnum):
        return _enum(definition)
    if isinstance(definition, Object):
        return family.object(definition)
    return family.union(definition)


def _enum(definition: ClosedEnum) -> list[str]:
    lines = [f"{definition.name}: TypeAlias = Literal["]
    lines += [f'    "{word}",' for word, _ in definition.values]
    words = "\n".join(
        f"- {word}: {' '.join(doc.split())}" for word, doc in definition.values if doc
    )
    return [*lines, "]", *doc_lines("\n\n".join(part for part in (definition.doc, words) if part))]


def class_body(definition: Object) -> list[str]:
    """The docstring of a class, which is its whole body if it has no fields."""
    return doc_lines(definition.doc or f"A {definition.name} on the wire.", "    ")


def doc_lines(text: str, indent: str = "") -> list[str]:
    """A docstring, or nothing where there is nothing to say."""
    return docstring(text, indent) if text else []


def statement(function: str, arguments: dict[str, str]) -> list[str]:
    """A call of a function with the instance and keyword arguments, inside a method.

    Args:
        function: What to call.
        arguments: The source of each argument.

    Returns:
        The lines.
    """
    pairs = [f"{name}={source}" for name, source in arguments.items()]
    line = f"        {function}(self, {', '.join(pairs)})"
    if len(line) <= MAX_COLUMNS:
        return [line]
    rest = [f"            {pair}," for pair in pairs]
    return [f"        {function}(", "            self,", *rest, "        )"]


def field_lines(field: Field, annotation: str, default: str) -> list[str]:
    """One field: its annotation and default, then its description.

    Args:
        field: The field.
        annotation: Its Python type.
        default: The source of its default, or nothing.

    Returns:
        The lines.
    """
    line = f"    {field.attr}: {annotation}" + (f" = {default}" if default else "")
    return [*_fit(line), *doc_lines(field.doc, "    ")]


def _fit(line: str) -> list[str]:
    """Breaks a line that is too long inside the call at its end."""
    if len(line) <= MAX_COLUMNS:
        return [line]
    head, call_open, arguments = line.rpartition("ield(")
    if not call_open:
        raise GenerationError(f"too long to write: {line}")
    return [f"{head}{call_open}", f"        {arguments[:-1]}", "    )"]


def call(name: str, /, **arguments: str) -> str:
    """The source of a call with keyword arguments; empty ones are left out.

    Args:
        name: What to call.
        arguments: The source of each argument.

    Returns:
        The call.
    """
    return f"{name}({', '.join(f'{key}={value}' for key, value in arguments.items() if value)})"


def annotation(kind: Type, names: dict[Shape, str]) -> str:
    """The Python type of a value.

    Args:
        kind: The type.
        names: What the family calls scalars.

    Returns:
        The source of the annotation.
    """
    if kind.shape is Shape.ANY:
        return "Any"
    if kind.shape is Shape.INT:
        text = INT_NAMES[kind.name]
    elif kind.shape is Shape.REF:
        text = kind.name
    elif kind.item is None:
        text = names[kind.shape]
    else:
        item = annotation(kind.item, names)
        text = f"list[{item}]" if kind.shape is Shape.ARRAY else f"dict[str, {item}]"
    return f"{text} | None" if kind.nullable else text


def literal(value: Any) -> str:
    """The source of a scalar default."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def public_names(module: str) -> tuple[str, ...]:
    """What a hand-written module exports: its `__all__`, read without loading it."""
    path = PACKAGE / Path(*module.split(".")[1:]).with_suffix(".py")
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return tuple(names)
    raise GenerationError(f"{module} has no __all__")


def _homes(bundle: Bundle, family: Family) -> dict[str, tuple[str, ...]]:
    """The modules that hold what a bundle borrows."""
    return {
        f"{family.package}.{home}": tuple(
            sorted(name for name, other in bundle.borrowed.items() if other == home)
        )
        for home in sorted(set(bundle.borrowed.values()))
    }


def imports(
    body: str, sources: dict[str, tuple[str, ...]], exported: Iterable[str] = ()
) -> list[str]:
    """The import lines for those names that occur in a module's body.

    Args:
        body: The module's source so far.
        sources: For each module to import from, the names that it has.
        exported: Names that the module hands on, used or not.

    Returns:
        One import statement per module, in the order given; a blank line before each new group.
    """
    names_read = (node for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name))
    words = {node.id for node in names_read if isinstance(node.ctx, ast.Load)} | {*exported}
    lines: list[str] = []
    last_group = -1
    for origin, names in sources.items():
        used = [name for name in names if name in words]
        if not used:
            continue
        group = _import_group(origin)
        lines += [""] if lines and group != last_group else []
        last_group = group
        line = f"from {origin} import {', '.join(used)}"
        if len(line) <= MAX_COLUMNS:
            lines.append(line)
        else:
            lines += [f"from {origin} import (", *(f"    {name}," for name in used), ")"]
    return lines


def _import_group(origin: str) -> int:
    top = origin.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    return 2 if top == "animus_routes" else 1
