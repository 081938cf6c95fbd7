"""Methods, types and kinds of the protocol in words: what `explain` and the reference say.

Read from the roles' tables and the docstrings of the generated types. For people alone: it imports
every role, and griffe.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import NODEFAULT, Struct

from animus_routes.roles import KINDS, role
from animus_routes.timestamps import now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from animus_routes.roles import MethodRow, Role

STRUCTS: Final = Path(__file__).resolve().parent.parent / "structs"
WORDS: Final = {
    "str": "text",
    "bool": "true or false",
    "float": "number",
    "int": "whole number",
    "Any": "any JSON",
    "UInt8": "whole number from 0 to 255",
    "UInt16": "whole number from 0 to 65535",
    "UInt32": "whole number from 0",
    "UInt53": "whole number from 0",
    "UInt64": "whole number from 0",
    "Int32": "whole number",
    "Int64": "whole number",
}
TIMES: Final = "Timestamp"
CLEARABLE: Final = "UnsetType"


class FieldText(Struct, frozen=True, kw_only=True):
    """One field of a type.

    Attributes:
        name: On the wire.
        attribute: In Python; the same but for names that Python's models have themselves.
        kind: What it holds, in words.
        need: "required" or "optional".
        default: What it is if it is left out, where that is more than nothing.
        text: What it means.
        types: The types that it names.
    """

    name: str
    attribute: str
    kind: str
    need: str
    default: str = ""
    text: str = ""
    types: tuple[str, ...] = ()


class TypeText(Struct, frozen=True, kw_only=True):
    """One wire type.

    Attributes:
        name: As in both families.
        crate: The module that has it, `animus_routes.types.<crate>` and `animus_routes.structs.<crate>`.
        words: What a type that is no object stands for: its values, or its alternatives.
    """

    name: str
    crate: str
    text: str = ""
    fields: tuple[FieldText, ...] = ()
    words: tuple[str, ...] = ()


class MethodText(Struct, frozen=True, kw_only=True):
    """One wire method.

    Attributes:
        notes: What else is to be known, a sentence each.
        params: The type of its params, `crate.Name`; "" = it has none.
        result: The same of its result; "" = any JSON, or what `notes` say.
        items: The notifications that its stream sends, with the types of their items.
    """

    name: str
    kind: str
    need: str
    notes: tuple[str, ...] = ()
    params: str = ""
    result: str = ""
    items: dict[str, str] = {}


def methods() -> Iterator[tuple[Role, MethodRow]]:
    """Every method of every kind."""
    for kind in KINDS:
        found = role(kind)
        for row in found.methods:
            yield found, row


def find_methods(name: str) -> list[MethodText]:
    """The methods of that name; `task/list` is what `subject/list` is."""
    group, _, verb = name.partition("/")
    groups = {row.name.partition("/")[0] for _, row in methods()}
    return [
        explained(found, row)
        for found, row in methods()
        if row.name == name or (row.aliases and row.verb == verb and group not in groups)
    ]


def explained(found: Role, row: MethodRow) -> MethodText:
    """One method of a role."""
    return MethodText(
        name=row.name,
        kind=found.kind,
        need="required" if row.required and row.default is None else "optional",
        notes=tuple(_notes(row)),
        params=row.params or "",
        result=row.result or "",
        items=dict(row.stream.items) if row.stream is not None else {},
    )


def _notes(row: MethodRow) -> Iterator[str]:
    if row.aliases:
        yield f"Hosts call it as `<kind>/{row.verb}`, such as `task/{row.verb}`."
    if row.one_way:
        yield "Hosts send it as a notification, which is never answered; as a request it is answered."
    if row.stream is not None and row.stream.ack is not None:
        yield "It is a stream: the answer is its acknowledgement, and each item is a notification."
    elif row.stream is not None:
        yield "Each item is a notification; the answer comes last."
    if row.long_running:
        yield "It never holds up other requests."
    if row.default is not None:
        yield "Without a handler, the framework answers it."
    if row.stops is not None:
        yield f"It ends the stream or run that `{row.stops}` names, with or without a handler."
    if row.returns:
        forms = ", ".join(f"`{one}`" for one in row.returns)
        yield f"A handler may also return {forms}."


# Types --------------------------------------------------------------------------------------------


def crates() -> list[str]:
    """The modules of wire types, by name."""
    return sorted(path.stem for path in STRUCTS.glob("[a-z]*.py"))


def find_types(name: str) -> list[TypeText]:
    """The types of that name, written `Name` or `crate.Name`; some names are in two crates."""
    crate, _, plain = name.rpartition(".")
    wanted = [crate] if crate in crates() else [] if crate else crates()
    found = [one for where in wanted for one in types_of(where) if one.name == plain]
    if not found and crate in crates():  # a type that the module takes from another one
        module = __import__(f"animus_routes.structs.{crate}", fromlist=["*"])
        home = getattr(getattr(module, plain, None), "__module__", "").rpartition(".")[2]
        found = [one for one in types_of(home) if one.name == plain]
    return found


def type_names() -> list[str]:
    """The names of all types."""
    return sorted({found.name for crate in crates() for found in types_of(crate)})


@cache
def types_of(crate: str) -> tuple[TypeText, ...]:
    """Every type that is written in a crate's module, in order."""
    if crate not in crates():
        return ()
    from griffe import visit

    path = STRUCTS / f"{crate}.py"
    source = path.read_text("utf-8")
    module = __import__(f"animus_routes.structs.{crate}", fromlist=["*"])
    read: Any = visit(crate, filepath=path, code=source)
    written = {found.name for found in read.members.values() if found.kind.value != "alias"}
    return tuple(
        _type(crate, module, read.members[name]) for name in module.__all__ if name in written
    )


def _type(crate: str, module: ModuleType, found: Any) -> TypeText:
    text = found.docstring.value if found.docstring else ""
    value: Any = getattr(module, found.name)
    if found.kind.value != "class":
        return TypeText(
            name=found.name, crate=crate, text=text, words=tuple(_words(str(found.value)))
        )
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    return TypeText(
        name=found.name,
        crate=crate,
        text=text,
        fields=tuple(
            _field(value, place, attribute, name, found.members[attribute])
            for place, (attribute, name) in enumerate(names)
            if attribute in found.members
        ),
    )


def _words(value: str) -> list[str]:
    """The values of a Literal, the arms of a union, or what an alias stands for."""
    node = ast.parse(value, mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        return [one.value for one in ast.walk(node.slice) if isinstance(one, ast.Constant)]  # type: ignore[misc]
    return [in_words(part) for part in _parts(node)]


def _field(cls: Any, place: int, attribute: str, name: str, found: Any) -> FieldText:
    annotation = ast.parse(str(found.annotation), mode="eval").body
    default = _default(cls, place)
    kind = in_words(annotation)
    if CLEARABLE in ast.unparse(annotation):
        kind += "; null clears it, and leaving it out leaves it"
    return FieldText(
        name=name,
        attribute=attribute,
        kind=kind,
        need="required" if default is NODEFAULT else "optional",
        default=_shown(default),
        text=found.docstring.value if found.docstring else "",
        types=tuple(_named(annotation)),
    )


def _default(cls: Any, place: int) -> Any:
    defaults = cls.__struct_defaults__
    first = len(cls.__struct_fields__) - len(defaults)
    return NODEFAULT if place < first else defaults[place - first]


def _shown(default: Any) -> str:
    if hasattr(default, "factory"):
        default = "now" if default.factory is now else default.factory()
    return default if isinstance(default, str) and default else ""


def in_words(node: ast.expr) -> str:
    """What an annotation of the generated Structs means."""
    parts = [_word(part) for part in _parts(node)]
    nothing = any(isinstance(part, ast.Constant) and part.value is None for part in _union(node))
    return " or ".join([*parts, *(["null"] if nothing else [])])


def _word(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        outer, inner = ast.unparse(node.value), node.slice
        if outer == "Annotated":
            return _word(inner.elts[0] if isinstance(inner, ast.Tuple) else inner)
        if outer == "list":
            return f"list of {in_words(inner)}"
        if isinstance(inner, ast.Tuple):
            held = in_words(inner.elts[1])
            return "object" if held == WORDS["Any"] else f"object of {held}"
    name = _plain(ast.unparse(node))
    return "date and time" if name.startswith(TIMES) else WORDS.get(name, name)


def _plain(name: str) -> str:
    """The type that a private name of the Structs stands for."""
    if name.startswith(("_Text", "_Token")):
        return "str"
    return name.removeprefix("_").removesuffix("OrBlank") if name.startswith("_") else name


def _union(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return [*_union(node.left), *_union(node.right)]
    return [node]


def _parts(node: ast.expr) -> list[ast.expr]:
    """The members of a union that hold something."""
    return [
        part
        for part in _union(node)
        if not (isinstance(part, ast.Constant) or ast.unparse(part) == CLEARABLE)
    ]


def _named(node: ast.expr) -> Iterator[str]:
    known = {*WORDS, "list", "dict", "Annotated", "Meta", CLEARABLE}
    for one in ast.walk(node):
        name = _plain(one.id) if isinstance(one, ast.Name) else ""
        if name and name not in known and not name.startswith(TIMES):
            yield name
