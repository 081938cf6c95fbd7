"""What a new plugin of a kind is made of: the role's table, and `bodies/<kind>.toml` for the rest."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.roles import role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from animus_routes.roles import MethodRow, Role

BODIES: Final = Path(__file__).parent / "bodies"


class Written(NamedTuple):
    """What is written for one method.

    Attributes:
        does: The first line of its docstring.
        body: Of its function, which has `request` for the params, if there are any, and `ctx`.
        returns: Its hint, where it is not the result's type.
        yields: The type of its items, where it is not what the table says.
    """

    does: str
    body: str
    returns: str = ""
    yields: str = ""


class Kind(NamedTuple):
    """A plugin kind, for a new plugin.

    Attributes:
        role: What the protocol says of it.
        about: One phrase on what the new plugin is.
        note: What else its README says.
        first: Hosts see it only where it is the primary kind.
        served_by: The kind that has to stand before it, where it has no methods of its own.
        code: What its functions use, before them.
        more: What stands behind them.
        methods: By their names.
        tests: Its tests, which have a `client`.
    """

    role: Role
    about: str
    note: str
    first: bool
    served_by: str
    code: str
    more: str
    methods: Mapping[str, Written]
    tests: str

    @property
    def word(self) -> str:
        """What it is called in a plugin's name."""
        return self.role.kind.removesuffix("_backend").replace("_", "-")

    def rows(self) -> Iterator[tuple[MethodRow, Written]]:
        """The methods of a new plugin: what a plugin must serve, and what is written besides."""
        for row in self.role.methods:
            found = self.methods.get(row.name)
            if found is not None:
                yield row, found
            elif row.required and row.default is None:
                yield row, _not_written(row)

    def crates(self) -> list[str]:
        """The modules of its wire types, those of params and items first."""
        names: list[str | None] = []
        for row in self.role.methods:
            names += [*(row.stream.items.values() if row.stream else ()), row.params]
        names += [row.result for row in self.role.methods]
        return list(dict.fromkeys(name.partition(".")[0] for name in names if name))


def _not_written(row: MethodRow) -> Written:
    """For a method that nobody has written a body for: it says so."""
    body = f'raise Unavailable("{row.name} is not written yet")'
    return Written(f"Serve `{row.name}`.", body)


@cache
def kind_of(kind: str) -> Kind:
    """A plugin kind; only its table, if nothing is written for it."""
    path = BODIES / f"{kind}.toml"
    found: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    methods = {name: _written(one) for name, one in found.get("methods", {}).items()}
    return Kind(
        role=role(kind),
        about=found.get("about", f"A plugin of kind {kind}"),
        note=found.get("note", "").strip(),
        first=found.get("first", False),
        served_by=found.get("served_by", ""),
        code=found.get("code", "").strip("\n"),
        more=found.get("more", "").strip("\n"),
        methods=methods,
        tests=found.get("tests", {}).get("code", "").strip("\n"),
    )


def _written(found: dict[str, str]) -> Written:
    return Written(**{**found, "body": found["body"].strip("\n")})
