"""`animus-routes explain METHOD|TYPE|KIND|ERROR`."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

from animus_routes.describe import explaining, named_errors
from animus_routes.engine.stderr import say
from animus_routes.errors import unknown
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from animus_routes.describe.explaining import FieldText, MethodText, TypeText
    from animus_routes.describe.named_errors import ErrorText

COLUMNS: Final = 96
CODE: Final = re.compile(r"-\d{1,9}")
USAGE: Final = (
    "usage: animus-routes explain METHOD|TYPE|KIND|ERROR [--json], such as\n"
    "    animus-routes explain subject/list\n"
    "    animus-routes explain Subject\n"
    "    animus-routes explain subject_backend\n"
    "    animus-routes explain -32602\n"
    "    animus-routes explain NotFound"
)


def main(arguments: list[str]) -> int:
    """Print what the protocol says of a method, a type, a kind or an error; 2 if it is none."""
    as_json = "--json" in arguments
    names = [one for one in arguments if one != "--json"]
    if len(names) != 1 or (names[0].startswith("-") and not CODE.fullmatch(names[0])):
        say(USAGE)
        return 0 if names[:1] in (["-h"], ["--help"]) else 2
    name = names[0]
    found: list[Any] = [*explaining.find_methods(name)] or [*explaining.find_types(name)]
    if name in KINDS:
        found = [explaining.explained(role(name), row) for row in role(name).methods]
    told = named_errors.find_errors(name)
    if not found and (told or CODE.fullmatch(name)):
        _write(_as_json(told) if as_json else "\n".join(_errors(name, told)))
        return 0
    if not found and name not in KINDS:
        say(_unknown(name))
        return 2
    _write(_as_json(found) if as_json else _as_text(name, found))
    return 0


def _write(text: str) -> None:
    from animus_routes.engine.wire import write_all

    write_all(1, f"{text}\n".encode())


def _unknown(name: str) -> str:
    methods = {row.name for _, row in explaining.methods()}
    what = "method" if "/" in name else "type, kind or error"
    named = {one.name for one in named_errors.named_errors()}
    known = methods if "/" in name else {*explaining.type_names(), *KINDS, *named}
    return unknown(what, name, sorted(known))


def _errors(name: str, found: Iterable[ErrorText]) -> Iterator[str]:
    if CODE.fullmatch(name):
        yield named_errors.meaning(int(name))
    for one in found:
        yield ""
        yield from _wrapped(f"{one.name}: {one.text}", "")
        yield f'  code {one.code}, data.category "{one.category}"'
        if one.prefix:
            yield f'  its message begins with "{one.prefix}"'
        yield from (f"  {kind}: {how}" for kind, how in one.kinds.items())


def _as_json(found: list[Any]) -> str:
    import msgspec

    documents: list[Any] = []
    for one in found:
        document = msgspec.to_builtins(one)
        if hasattr(one, "params"):
            for side in ("params", "result"):
                types = explaining.find_types(document[side]) if document[side] else []
                document[side] = msgspec.to_builtins(types[0]) if types else None
        documents.append(document)
    return msgspec.json.format(msgspec.json.encode(documents), indent=2).decode()


def _as_text(name: str, found: list[Any]) -> str:
    if name in KINDS:
        return "\n".join(_kind(name, found))
    blocks = [_method(one) if hasattr(one, "params") else _type(one) for one in found]
    return "\n\n\n".join("\n".join(block) for block in blocks)


def _kind(name: str, found: Iterable[MethodText]) -> Iterator[str]:
    yield name
    yield ""
    rows = [(one.name, one.need, _sides(one)) for one in found]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    for method, need, sides in rows:
        yield f"  {method:<{widths[0]}}  {need:<{widths[1]}}  {sides}".rstrip()
    yield ""
    yield "Each of them, and each type: animus-routes explain NAME"


def _sides(one: MethodText) -> str:
    names = [side.rpartition(".")[2] for side in (one.params, one.result)]
    return f"{names[0] or '()'} -> {names[1] or ('items' if one.items else 'any JSON')}"


def _method(one: MethodText) -> Iterator[str]:
    yield f"{one.name}: {one.need} for {one.kind}"
    yield from _wrapped("\n".join(one.notes))
    yield ""
    yield from _side("Params", one.params, "none")
    yield ""
    nothing = "any JSON"
    if one.items:
        for notification, item in one.items.items():
            yield from _side(f"Items, as {notification}", item, nothing)
            yield ""
        nothing = "the acknowledgement of the stream"
    yield from _side("Result", one.result, nothing)


def _side(title: str, name: str, nothing: str) -> Iterator[str]:
    types = explaining.find_types(name) if name else []
    if not types:
        yield f"{title}: {nothing}"
        return
    yield f"{title}: {types[0].name}"
    yield from _fields(types[0].fields)


def _type(one: TypeText) -> Iterator[str]:
    yield f"{one.name}: animus_routes.types.{one.crate} and animus_routes.structs.{one.crate}"
    yield from _wrapped(one.text)
    if one.words:
        yield ""
        yield f"  {' | '.join(one.words)}"
    if one.fields:
        yield ""
    yield from _fields(one.fields)


def _fields(fields: Iterable[FieldText]) -> Iterator[str]:
    for one in fields:
        need = one.need if not one.default else f'{one.need}, "{one.default}" if left out'
        yield f"  {one.name}: {one.kind} ({need})"
        yield from _wrapped(one.text, "      ")


def _wrapped(text: str, indent: str = "  ") -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        for block in paragraph.replace("\n- ", "\0- ").split("\0"):
            rest = indent + ("  " if block.startswith("- ") else "")
            yield from textwrap.wrap(
                " ".join(block.split()), COLUMNS, initial_indent=indent, subsequent_indent=rest
            )
