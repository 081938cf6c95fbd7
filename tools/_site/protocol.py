"""Each kind's methods and each crate's types, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _site import cell, shown
from animus_routes.describe import explaining
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from animus_routes.describe.explaining import FieldText, MethodText, TypeText


def pages() -> dict[str, str]:
    """Every page, by its name below `reference/`."""
    found = {f"kinds/{kind}": _text(_kind(kind)) for kind in KINDS}
    found |= {f"types/{crate}": _text(_crate(crate)) for crate in explaining.crates()}
    found["types/index"] = _text(_index())
    return found


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _kind(kind: str) -> Iterator[str]:
    yield f"# {kind}"
    yield ""
    rows = [explaining.explained(role(kind), row) for row in role(kind).methods]
    if not rows:
        yield "This kind has no methods of its own."
        return
    yield "| method | | params | result |"
    yield "|---|---|---|---|"
    for one in rows:
        sides = (_link(one.params), _link(one.result))
        yield f"| [`{one.name}`](#{_anchor(one.name)}) | {one.need} | {sides[0]} | {sides[1]} |"
    for one in rows:
        yield from _method(one)


def _method(one: MethodText) -> Iterator[str]:
    yield ""
    yield f"({_anchor(one.name)})="
    yield f"## `{one.name}`"
    yield ""
    yield f"{one.need.capitalize()}. {' '.join(one.notes)}".rstrip()
    yield from _side("Params", one.params, "This method has no params.")
    for notification, item in one.items.items():
        yield from _side(f"Items, as `{notification}`", item, "Any JSON.")
    nothing = "The acknowledgement of the stream." if one.items else "Any JSON."
    yield from _side("Result", one.result, nothing)


def _side(title: str, name: str, nothing: str) -> Iterator[str]:
    types = explaining.find_types(name) if name else []
    yield ""
    if not types:
        yield f"**{title}.** {nothing}"
        return
    yield f"**{title}:** {_link(name)}"
    yield ""
    yield from _fields(types[0].fields)


def _crate(crate: str) -> Iterator[str]:
    yield f"# {crate}"
    yield ""
    yield f"In both families: `animus_routes.types.{crate}` and `animus_routes.structs.{crate}`."
    for one in explaining.types_of(crate):
        yield ""
        yield f"({_anchor(f'{crate}.{one.name}')})="
        yield f"## {one.name}"
        yield ""
        yield shown(one.text)
        yield ""
        if one.words:
            yield " · ".join(f"`{word}`" for word in one.words)
            yield ""
        yield from _fields(one.fields)


def _index() -> Iterator[str]:
    yield "# Types"
    yield ""
    yield "```{toctree}"
    yield from explaining.crates()
    yield "```"


def _fields(fields: Iterable[FieldText]) -> Iterator[str]:
    rows = list(fields)
    if not rows:
        return
    yield "| field | holds | | meaning |"
    yield "|---|---|---|---|"
    for one in rows:
        need = one.need if not one.default else f"{one.need}; `{one.default}` if left out"
        yield f"| `{one.name}` | {_kind_of(one)} | {need} | {cell(one.text)} |"


def _kind_of(field: FieldText) -> str:
    text = field.kind
    for name in dict.fromkeys(field.types):
        found = explaining.find_types(name)
        if found:
            text = text.replace(name, _link(f"{found[0].crate}.{name}"))
    return text


def _link(name: str) -> str:
    """A link to a type, `crate.Name`; nothing for none."""
    found: list[TypeText] = explaining.find_types(name) if name else []
    if not found:
        return ""
    return f"[{found[0].name}](#{_anchor(f'{found[0].crate}.{found[0].name}')})"


def _anchor(name: str) -> str:
    return name.replace("/", "-").replace(".", "-").lower()
