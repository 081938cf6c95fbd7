"""Writes a Protocol per plugin kind, from the tables of `animus_routes/roles/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _codegen.prose import docstring
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from animus_routes.roles import MethodRow, Role

_JSON = {"list": "list[Any]", "dict": "dict[str, Any]", "bool": "bool", "str": "str", "int": "int"}


def module(family: str, title: str) -> str:
    """The source of `animus_routes/backends/<family>.py`.

    Args:
        family: The package that has the wire types.
        title: What they are called.
    """
    roles = [found for found in map(role, KINDS) if found.methods]
    aliases = [line for one in roles for row in one.methods for line in _alias(one, row)]
    classes = [block for one in roles for block in _classes(one)]
    crates = sorted({crate for one in roles for crate in _crates(one)})
    head = [
        *docstring(_header(title), ""),
        "",
        "from __future__ import annotations",
        "",
        "from typing import TYPE_CHECKING, Any, Protocol, TypeAlias",
        "",
        "if TYPE_CHECKING:",
        "    from collections.abc import AsyncIterator, Iterator",
        "",
        "    from animus_routes.backends import Bare, Served",
        f"    from animus_routes.{family} import (",
        *(f"        {crate}," for crate in crates),
        "    )",
        "",
        *(f"    {line}" for line in aliases),
    ]
    return "\n".join([*head, *("\n\n" + "\n".join(block) for block in classes), ""])


def _header(title: str) -> str:
    return (
        f"What `app.include(backend)` takes, a Protocol per plugin kind, with {title}.\n\n"
        "Written by `python tools/codegen.py` from the tables in `animus_routes/roles/`: do not "
        "edit. A method takes the whole params, typed or as a plain dict, and may take the "
        "`Context` after them; it may be plain or async. `Full...` has the optional methods too."
    )


def _name(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))


def _alias_name(one: Role, row: MethodRow) -> str:
    return f"_{_name(one.kind)}{_name(row.attribute)}"


def _alias(one: Role, row: MethodRow) -> list[str]:
    """One method's type, beside the class: inside, a method named `list` would hide the type."""
    if row.params is None:
        return [f"{_alias_name(one, row)}: TypeAlias = Bare[", f"    {_result(row)}", "]"]
    return [
        f"{_alias_name(one, row)}: TypeAlias = Served[",
        f"    {_result(row)},",
        f"    {row.params},",
        "]",
    ]


def _result(row: MethodRow) -> str:
    """What a method may return: the wire type, a dict, and what the role makes of less."""
    streamed = ["Iterator[Any]", "AsyncIterator[Any]"] if row.stream is not None else []
    if row.stream is not None and row.stream.ack is not None:
        return " | ".join(streamed)
    if row.result is None:
        return "object"
    crate = row.result.partition(".")[0]
    known = [_JSON.get(name, f"{crate}.{name}") for name in row.returns]
    less = ["None"] if row.adapt_result is not None else []
    return " | ".join(dict.fromkeys([*streamed, row.result, *known, _JSON["dict"], *less]))


def _crates(one: Role) -> set[str]:
    wired = [wire for row in one.methods for wire in (row.params, row.result) if wire]
    return {wire.partition(".")[0] for wire in wired}


def _classes(one: Role) -> list[list[str]]:
    """The required methods, and all of them where some are optional."""
    name = _name(one.kind)
    needed = [row for row in one.methods if row.required and row.default is None]
    rest = [row for row in one.methods if row not in needed]
    blocks = [
        [
            f"class {name}(Protocol):",
            f'    """The methods that a `{one.kind}` must have."""',
            *(line for row in needed for line in _method(one, row)),
        ]
    ]
    if rest:
        blocks.append(
            [
                f"class Full{name}({name}, Protocol):",
                f'    """Every method that a `{one.kind}` may have."""',
                *(line for row in rest for line in _method(one, row)),
            ]
        )
    return blocks


def _method(one: Role, row: MethodRow) -> list[str]:
    return [
        "",
        "    @property",
        f"    def {row.attribute}(self) -> {_alias_name(one, row)}:",
        f'        """`{row.name}`."""',
        "        ...",
    ]
