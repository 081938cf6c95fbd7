"""What both emitters need to write a module."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from _codegen.model import Alias, ClosedEnum, GenerationError, Object, Shape, Text, Type
from _codegen.prose import docstring
from animus_routes.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _codegen.model import Bundle, Definition, Field, Union

INT_NAMES = {
    "uint8": "UInt8",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint": "UInt64",
    "uint64": "UInt64",
    "uint53": "UInt53",
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

    def annotation(self, kind: Type) -> str:
        """The Python type of a value."""
        ...

    def text(self, demands: Text) -> str:
        """The type of strings of which more is demanded."""
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
    own = [one for one in bundle.definitions if one.name not in bundle.borrowed | bundle.later]
    blocks = [_alias(demands.name, family.text(demands)) for demands in _texts(own)]
    for definition in own:
        blocks.append(_definition(definition, family))
        if isinstance(definition, ClosedEnum):
            blocks += family.enum_helpers(definition)
    if bundle.later:
        blocks += _hand_on(bundle, family)
    names = {one.name for one in bundle.definitions}
    exported = names & {*bundle.borrowed, *bundle.later}
    body = "\n\n\n".join("\n".join(block) for block in blocks)
    head = [
        *docstring(_header(bundle, family), ""),
        "",
        *imports(body, {**family.origins, **_homes(bundle.borrowed, family)}, exported),
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(exported | {one.name for one in own})),
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


def _texts(definitions: Iterable[Definition]) -> list[Text]:
    """What is demanded of the strings in some objects, each once."""
    types = [field.type for one in definitions if isinstance(one, Object) for field in one.fields]
    found = {kind.text.name: kind.text for kind in types if kind.text is not None}
    return [found[name] for name in sorted(found)]


def _definition(definition: Definition, family: Family) -> list[str]:
    if isinstance(definition, Alias):
        demands = definition.type.text
        kind = family.annotation(definition.type) if demands is None else family.text(demands)
        return [*_alias(definition.name, kind), *doc_lines(definition.doc)]
    if isinstance(definition, ClosedEnum):
        return _enum(definition)
    if isinstance(definition, Object):
        return family.object(definition)
    return family.union(definition)


def _alias(name: str, kind: str) -> list[str]:
    line = f"{name}: TypeAlias = {kind}"
    if len(line) <= MAX_COLUMNS:
        return [line]
    outer, _, inner = kind.partition("[")
    first, _, rest = inner.removesuffix("]").partition(", ")
    return [f"{name}: TypeAlias = {outer}[", f"    {first},", f"    {rest},", "]"]


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


def class_head(name: str, base: str, options: str) -> list[str]:
    """The line that begins a class, broken if it is too long."""
    line = f"class {name}({base}, {options}):"
    if len(line) <= MAX_COLUMNS:
        return [line]
    inner = f"    {base}, {options}"
    if len(inner) <= MAX_COLUMNS:
        return [f"class {name}(", inner, "):"]
    return [f"class {name}(", f"    {base},", *(f"    {one}," for one in options.split(", ")), "):"]


def check_lines(definition: Object) -> list[str]:
    """The method that holds what a schema cannot say, for types that have such rules."""
    if definition.name not in RULES:
        return []
    return [
        "    def check(self) -> None:",
        '        """Hold the rules that the schema cannot say.',
        "",
        "        Raises:",
        "            Invalid: Some do not hold; each issue names the field.",
        '        """',
        "        from animus_routes.rules import check",
        "",
        f'        check(self, "{definition.name}")',
    ]


def identifier(word: str) -> str:
    """A word of the protocol as a part of a Python name."""
    return re.sub(r"\W", "_", word)


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
    inner = f"        {arguments[:-1]}"
    each = [inner] if len(inner) <= MAX_COLUMNS else _each(arguments[:-1], "        ")
    return [f"{head}{call_open}", *each, "    )"]


def _each(arguments: str, indent: str) -> list[str]:
    return [f"{indent}{one}," for one in arguments.split(", ")]


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
    elif kind.text is not None:
        text = kind.text.name
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


def _homes(elsewhere: dict[str, str], family: Family) -> dict[str, tuple[str, ...]]:
    """The modules that hold what a bundle does not, and the names in each."""
    return {
        f"{family.package}.{home}": tuple(
            sorted(name for name, other in elsewhere.items() if other == home)
        )
        for home in sorted(set(elsewhere.values()))
    }


def _hand_on(bundle: Bundle, family: Family) -> list[list[str]]:
    """What loads the types that are asked for later."""
    homes = _homes(bundle.later, family)
    reads = [line for origin, names in homes.items() for line in _from(origin, names, "    ")]
    table = [f'        "{name}": "{origin}",' for origin, names in homes.items() for name in names]
    return [
        [
            "if TYPE_CHECKING:",
            *reads,
            "else:",
            "    _LATER = {",
            *table,
            "    }",
            "",
            "    def __getattr__(name: str) -> Any:",
            "        if name in _LATER:",
            "            return getattr(__import__(_LATER[name], fromlist=[name]), name)",
            '        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")',
        ],
    ]


def _from(origin: str, names: Iterable[str], indent: str = "") -> list[str]:
    line = f"{indent}from {origin} import {', '.join(names)}"
    if len(line) <= MAX_COLUMNS:
        return [line]
    rest = [f"{indent}    {name}," for name in names]
    return [f"{indent}from {origin} import (", *rest, f"{indent})"]


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
        lines += _from(origin, used)
    return lines


def _import_group(origin: str) -> int:
    top = origin.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    return 2 if top == "animus_routes" else 1
