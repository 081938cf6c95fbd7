"""The source of a new plugin: a function for each method, with the types and words of the table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from animus_routes.describe import explaining
from animus_routes.dev.new.imports import COLUMNS, free_names, imports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from animus_routes.dev.new.families import Family
    from animus_routes.dev.new.kinds import Kind, Written
    from animus_routes.dev.new.project import Project
    from animus_routes.roles import MethodRow

INDENT: Final = "    "
TYPES_CRATE: Final = "animus_routes.{family}.{crate}"

KEPT: Final = '''\
def make_tables(transaction: Transaction, found: int) -> None:
    """Make the table, when something is kept for the first time."""
    if found == 0:
        transaction.run("CREATE TABLE documents (name TEXT PRIMARY KEY, content TEXT NOT NULL)")


def database(ctx: Context) -> Database:
    """The database of the project; a file that the first call makes."""
    return Database(
        Path(ctx.data_dir) / "kept.sqlite3", Layout("kept", 1, "documents", make_tables)
    )


@contextmanager
def kept(ctx: Context, name: str) -> Generator[Documents, None, None]:
    """Documents by their keys, in order: yours alone meanwhile, and written back at the end.

    A host may start a process for every call, so nothing is kept in this one. All documents of a
    name are read at once: take tables of your own, or your system's own calls, for many of them.
    Only SQLite has one writer at a time: on a server, take a lock before you read.
    """
    with closing(database(ctx)) as opened, opened.write() as transaction:
        read = "SELECT content FROM documents WHERE name = ?"
        before: str = transaction.value(read, name) or "{}"
        documents: Documents = json.loads(before)
        yield documents
        after = json.dumps(documents)
        if after != before:
            replace = "INSERT OR REPLACE INTO documents VALUES (?, ?)"
            transaction.run(replace, name, after)'''

HEALTH: Final = '''\
@app.health
def health(ctx: Context) -> str | None:
    """Say what cannot be kept now, and why."""
    with closing(database(ctx)) as opened:
        return opened.check()'''

DUMPED: Final = '''\
def dumped(value: {base}) -> Document:
    """A wire type as a document."""
    document: Document = {dump}
    return document'''

LOADED: Final = '''\
def loaded(wanted: type[Wire], document: Document) -> Wire:
    """A wire type from its document."""
    return {load}'''


def source(project: Project) -> str:
    """The plugin's one module."""
    code = [one.code for one in project.kinds if one.code]
    functions = [
        _function(project, kind, *found) for kind in project.kinds for found in kind.rows()
    ]
    own = "\n\n\n".join([*code, *functions, *(one.more for one in project.kinds if one.more)])
    parts = [*_helpers(project.family, own), *code, _app(project), *functions]
    parts += [one.more for one in project.kinds if one.more]
    if _uses(own, "kept"):
        parts.append(HEALTH)
    parts.append('if __name__ == "__main__":\n    app.run()')
    body = "\n\n\n".join(parts)
    return put_together(_docstring(project), imports(body, types(project), {}), body)


def put_together(docstring: str, import_lines: str, body: str) -> str:
    """A module of its parts, with as many empty lines between them as a formatter wants."""
    gap = "\n" * (3 if body.startswith(("@", "def ", "class ")) else 2)
    return f"{docstring}\n\n{import_lines}{gap}{body}\n"


def types(project: Project) -> dict[str, str]:
    """The modules of the wire types that the kinds have, by the types' names."""
    found: dict[str, str] = {}
    for crate in (crate for kind in project.kinds for crate in kind.crates()):
        name = TYPES_CRATE.format(family=project.family.name, crate=crate)
        module = __import__(name, fromlist=["__all__"])
        for one in module.__all__:
            found.setdefault(one, name)
    return found


def _uses(text: str, name: str) -> bool:
    return name in free_names(text)


def _helpers(family: Family, own: str) -> Iterator[str]:
    """What the functions of several kinds share."""
    names = {name for name in ("kept", "dumped", "loaded") if _uses(own, name)}
    constants: list[str] = []
    if names or _uses(own, "Document"):
        constants.append("Document = dict[str, Any]")
    if "kept" in names:
        constants.append("Documents = dict[str, Document]")
    if "loaded" in names:
        constants.append(f'Wire = TypeVar("Wire", bound={family.base})')
    if constants:
        yield "\n".join(constants)
    if "kept" in names:
        yield KEPT
    if "dumped" in names:
        yield DUMPED.format(base=family.base, dump=family.dump)
    if "loaded" in names:
        yield LOADED.format(load=family.load)


def _docstring(project: Project) -> str:
    first = "\n".join(textwrap.wrap(f'"""{project.about}.', COLUMNS))
    method = next((row.name for kind in project.kinds for row, _ in kind.rows()), "")
    lines = [first, ""]
    if method:
        lines.append(f"Every field of every type: `animus-routes explain {method}`, and so on.")
    else:
        lines.append("How to go on: README.md.")
    return "\n".join([*lines, '"""'])


def _app(project: Project) -> str:
    names = [kind.role.kind for kind in project.kinds]
    fields = [f'kind="{names[0]}"' if len(names) == 1 else f"kinds={_texts(names)}"]
    fields += [f'name="{project.plugin}"', 'version="0.1.0"', f'description="{project.about}"']
    if project.subject_kinds:
        fields.append(f"subject_kinds={_texts(project.subject_kinds)}")
    return "\n".join(["app = App(", *(f"{INDENT}{field}," for field in fields), ")"])


def _texts(words: Iterable[str]) -> str:
    found = [*map(_quoted, words)]
    line = f"[{', '.join(found)}]"
    if len(line) < COLUMNS - 2 * len(INDENT) - len("subject_kinds="):
        return line
    return "\n".join(["[", *(f"{INDENT * 2}{word}," for word in found), f"{INDENT}]"])


def _quoted(word: str) -> str:
    return f'"{word}"'


def _function(project: Project, kind: Kind, row: MethodRow, written: Written) -> str:
    used = free_names(written.body)
    fields = explaining.find_types(row.params)[0].fields if row.params else ()
    parameters = [f"request: {_name(row.params)}"] if row.params else []
    if "ctx" in used:
        parameters.append("ctx: Context")
    lines = [f'@app.method("{row.name}")']
    name = row.name.replace("/", "_")
    head = f"def {name}({', '.join(parameters)}) -> {_hint(row, written)}:"
    if len(head) > COLUMNS:
        head = f"def {name}(\n{INDENT}{', '.join(parameters)}\n) -> {_hint(row, written)}:"
    lines.append(head)
    words = _words(project, kind, row, written, [(one.name, one.need) for one in fields])
    lines += [textwrap.indent(part, INDENT) for part in (words, written.body)]
    return "\n".join(lines)


def _name(crate_and_name: str | None) -> str:
    return (crate_and_name or "None").rpartition(".")[2]


def _hint(row: MethodRow, written: Written) -> str:
    if row.stream is not None:
        items = written.yields or " | ".join(map(_name, row.stream.items.values())) or "Any"
        answer = written.returns or _name(row.result)
        return f"Iterator[{items}]" if row.stream.ack else f"Generator[{items}, None, {answer}]"
    return written.returns or _name(row.result)


def _words(
    project: Project, kind: Kind, row: MethodRow, written: Written, fields: list[tuple[str, str]]
) -> str:
    """The docstring of a function: what it does, what the table says of it, and its params."""
    about = explaining.explained(kind.role, row)
    notes = [note for note in about.notes if not note.startswith("Hosts call it as")]
    if row.aliases:
        names = " and ".join(f"`{one}/{row.verb}`" for one in project.subject_kinds)
        notes.insert(0, f"Hosts call it as {names}.")
    blocks = [textwrap.wrap(written.does, COLUMNS - len(INDENT) - 3)]
    if notes:
        blocks.append(textwrap.wrap(" ".join(notes), COLUMNS - len(INDENT)))
    if fields:
        text = f"{INDENT}request: {_fields(fields)}"
        found = textwrap.wrap(text, COLUMNS - len(INDENT), subsequent_indent=INDENT * 2)
        blocks.append(["Args:", *found])
    text = "\n\n".join("\n".join(block) for block in blocks)
    return f'"""{text}"""' if len(blocks) == 1 and len(blocks[0]) == 1 else f'"""{text}\n"""'


def _fields(fields: list[tuple[str, str]]) -> str:
    """Which fields there are, in a sentence."""
    must = [f"`{name}`" for name, need in fields if need == "required"]
    may = [f"`{name}`" for name, need in fields if need != "required"]
    said = [f"has {_listed(must)}"] if must else []
    said += [f"may have {_listed(may)}"] if may else []
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
