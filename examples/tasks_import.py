"""Import a Markdown checklist, or a CSV export of an issue tracker, into tasks_sqlite.

    python tasks_sqlite.py import TODO.md|issues.csv [--db F]

Markdown: `- [ ] Write the tests #area @kim !high` is a task, `[x]`, `[/]`, `[-]` and `[!]` are done,
in progress, cancelled and blocked, an indented item is a child, indented text a description, and
`- [ ] ABC-12: ...` names its own id. CSV: the headers that GitHub, Jira and Linear write.
"""

import argparse
import csv
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from textwrap import dedent
from typing import IO, Any, Final, TypedDict

from animus_routes import UNSET, RpcError
from animus_routes.batteries.sqlite import turn
from animus_routes.structs.subject import Subject
from animus_routes.timestamps import now
from tasks_sqlite import BUSY_S, KIND, Store, coerced, database_path, native_for

import msgspec
from msgspec.structs import replace

Raw = dict[str, str]


class Row(TypedDict):
    """A task as it is in the source; `parent` and `id` are ids of this backend."""

    id: str
    title: str
    description: str | None
    native_status: str
    priority: int | None
    labels: list[str]
    assignee: str | None
    url: str | None
    parent: str | None
    created_at: str | None
    custom: dict[str, str]


class SourceError(Exception):
    """What is wrong with a source, with the line of each problem; nothing was imported."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


def spread(names: dict[Any, str]) -> dict[str, Any]:
    return {name: meant for meant, known in names.items() for name in known.split("|")}


# What trackers write -> what it is here. Names are compared in lower case.
COLUMNS: Final = spread(
    {
        "key": "issue key|identifier|id|key|number",
        "alias": "issue id",
        "title": "title|summary|name",
        "description": "description|body",
        "status": "status|state",
        "priority": "priority",
        "labels": "labels|label|tags",
        "assignee": "assignee|assignees|assigned to",
        "url": "url|html url|html_url|link",
        "parent": "parent|parent issue|parent id|parent key|epic link",
        "created": "created|created at|created_at",
        "custom.spec": "spec|spec section",
        "custom.story_points": "story points|estimate|story_points",
        "custom.due": "due|due date|due_date",
        "": "updated|updated at|updated_at",
    }
)
NATIVES: Final = spread(
    {
        "Todo": "todo| |to do|open|opened|new|ready|unstarted|reopened",
        "Backlog": "backlog|triage|icebox|later",
        "In Progress": "in progress|/|doing|started|in development|selected for development",
        "In Review": "in review|review|code review|in qa|testing",
        "Blocked": "blocked|!|on hold|waiting",
        "Done": "done|x|closed|resolved|completed|merged|shipped",
        "Cancelled": "cancelled|-|canceled|won't do|won't fix|wontfix|not planned|rejected",
        "Duplicate": "duplicate",
    }
)
LEVELS: Final = spread(
    {
        4: "critical|urgent|highest|blocker|p0|4",
        3: "high|major|p1|3",
        2: "medium|normal|p2|2",
        1: "low|lowest|minor|trivial|p3|1",
        0: "none|no priority|0",
    }
)
DATES: Final = (
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d",
    "%d/%b/%y %I:%M %p",
    "%d/%b/%Y %H:%M",
    "%a %b %d %Y %H:%M:%S GMT%z",
)
ITEM: Final = re.compile(r" *(?:[-*+]|\d+[.)]) \[(.)\](?: +(.*)|$)")
KEY: Final = re.compile(r"([A-Z][A-Z0-9]*-\d+):?\s+")
MARKS: Final = {
    "labels": re.compile(r"(?<!\S)#([A-Za-z][\w/.:-]*)"),
    "assignee": re.compile(r"(?<!\S)@([\w./:-]+)"),
    "priority": re.compile(r"(?<!\S)!(\w+)"),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tasks_sqlite.py import")
    parser.add_argument("file", type=Path, help="a Markdown checklist, or a CSV export")
    parser.add_argument("--db", type=Path, default=database_path(Path.cwd()))
    options = parser.parse_args(arguments)
    try:
        done = bring_in(Store(options.db), options.file)
    except (SourceError, RpcError, OSError, sqlite3.Error) as problem:
        print(f"{options.file}: nothing was imported\n{problem}", file=sys.stderr)
        return 1
    named = str(options.db).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    print(f"{named}: " + ", ".join(f"{count} {what}" for what, count in done.items()))
    return 0


# What a source has, in a database of its own: of the source itself, one row is in memory.
LISTED: Final = """
CREATE TABLE source (id TEXT PRIMARY KEY, line INTEGER NOT NULL, alias TEXT);
CREATE INDEX source_by_alias ON source (alias) WHERE alias IS NOT NULL;
BEGIN;
"""
LIST: Final = "INSERT INTO source VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
LINE: Final = "SELECT line FROM source WHERE id = ?"
ALIAS: Final = "SELECT id FROM source WHERE alias = ?"
EACH: Final = "SELECT id, line FROM source ORDER BY line"


def bring_in(store: Store, path: Path) -> dict[str, int]:
    """Write what a source has changed since its last import, all of it or nothing.

    What people and agents did to a task in between is kept: only fields that differ from the last
    import are written, and a task that was deleted here comes back only if it has such fields.

    Returns:
        How many tasks were created, updated, and left unchanged.

    Raises:
        SourceError: Something in it cannot be read, or a task cannot be stored as it is there.
        OSError: The file cannot be opened.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as listed:
        look_through(listed, path)
        return written(store, listed, path)


def written(store: Store, listed: sqlite3.Connection, path: Path) -> dict[str, int]:
    done = {"created": 0, "updated": 0, "unchanged": 0}
    problems: list[str] = []
    with turn(store.db, BUSY_S):
        for line, raw in read(path):
            row = row_of(raw)
            if parent := row["parent"]:
                known = listed.execute(ALIAS, [parent]).fetchone()
                row["parent"] = known[0] if known else task_id(parent)
            try:
                done[bring_in_one(store, row)] += 1
            except RpcError as problem:
                problems.append(f"line {line}: {problem.message}")
        # Only now, because a child may stand above its parent.
        for name, line in listed.execute(EACH):
            try:
                task = store.find(name)
                store.check_parent(name, task.parent if task else None)
            except RpcError as problem:
                problems.append(f"line {line}: {problem.message}")
        if problems:
            raise SourceError(problems)
    return done


def look_through(listed: sqlite3.Connection, path: Path) -> None:
    """List the tasks of a file by their ids, before anything is written.

    Raises:
        SourceError: Something in it cannot be read, or two tasks have one id.
    """
    problems: list[str] = []
    listed.executescript(LISTED)
    for line, raw in read(path):
        try:
            row = row_of(raw)
        except ValueError as problem:
            problems.append(f"line {line}: {problem}")
            continue
        if listed.execute(LIST, [row["id"], line, raw.get("alias")]).rowcount == 0:
            (first,) = listed.execute(LINE, [row["id"]]).fetchone()
            problems.append(f"line {line}: '{raw['key']}' is already in line {first}")
    if problems:
        raise SourceError(problems)


def bring_in_one(store: Store, row: Row) -> str:
    known = store.db.execute("SELECT source FROM imports WHERE id = ?", [row["id"]]).fetchone()
    before = msgspec.json.decode(known[0]) if known else {}
    changed: dict[str, Any] = {
        name: value for name, value in row.items() if before.get(name, UNSET) != value
    }
    if not changed:
        return "unchanged"
    old = store.find(row["id"])
    task = old or Subject(
        id=row["id"], kind=KIND, title="", status="ready", created_at=now(), updated_at=""
    )
    if "native_status" in changed:
        changed["status"] = native_for(None, row["native_status"], None).maps_to
    if "custom" in changed:
        gone = before.get("custom", {}).keys() - row["custom"].keys()
        kept = {name: value for name, value in task.custom.items() if name not in gone}
        changed["custom"] = kept | coerced(dict(row["custom"]))
    if not row["created_at"]:
        changed.pop("created_at", None)
    store.put(old, replace(task, **changed))
    values = [row["id"], msgspec.json.encode(row).decode()]
    store.db.execute("INSERT OR REPLACE INTO imports VALUES (?, ?)", values)
    return "updated" if old else "created"


def read(path: Path) -> Iterator[tuple[int, Raw]]:
    """The tasks of a file, each with its line, one after the other.

    Raises:
        SourceError: It cannot be read.
        OSError: It cannot be opened.
    """
    table = path.suffix.lower() in {".csv", ".tsv"}
    csv.field_size_limit(max(csv.field_size_limit(), path.stat().st_size))
    try:
        with path.open(encoding="utf-8-sig", newline="" if table else None) as source:
            yield from (read_csv if table else read_markdown)(source, path.stem)
    except UnicodeDecodeError:
        raise SourceError([f"line {first_that_is_no_text(path)}: not UTF-8 text"]) from None


def first_that_is_no_text(path: Path) -> int:
    with path.open("rb") as source:
        for number, line in enumerate(source, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


def read_markdown(source: IO[str], stem: str) -> Iterator[tuple[int, Raw]]:
    item: tuple[int, Raw] | None = None  # which ends where the next one begins
    above: list[tuple[int, Raw]] = []  # the items that a deeper one would be a child of
    times = Counter[str]()
    fenced, section = False, ""
    for number, text in enumerate(source, 1):
        line = text.expandtabs(4).rstrip("\n")
        depth = len(line) - len(line.lstrip())
        found = None if fenced else ITEM.match(line)
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if found:
            if item:
                yield item
            above = [entry for entry in above if entry[0] < depth]
            parent = above[-1][1] if above else {"key": "", "trail": stem}
            raw = {"status": found[1], "parent": parent["key"], "custom.section": section}
            raw |= item_of(found[2] or "")
            raw["trail"] = f"{parent['trail']}\n{raw['title']}"
            times[raw["trail"]] += 1
            raw.setdefault("key", f"md-{digest(raw['trail'], str(times[raw['trail']]))}")
            above.append((depth, raw))
            item = (number, raw)
        elif above and (not line.strip() or depth > above[-1][0]):
            above[-1][1]["description"] = f"{above[-1][1].get('description', '')}{line}\n"
        elif not fenced:
            above = []
            section = line.strip("# ") if line.startswith("#") else section
    if item:
        yield item


def item_of(text: str) -> Raw:
    raw: Raw = {}
    for field, mark in MARKS.items():
        raw[field] = ",".join(mark.findall(text))
        text = mark.sub("", text)
    text = text.strip()
    if key := KEY.match(text):
        raw["key"] = key[1]
        text = text[key.end() :]
    raw["title"] = " ".join(text.split())
    return raw


def read_csv(source: IO[str], stem: str) -> Iterator[tuple[int, Raw]]:
    first = source.readline()
    lines = chain([first], source)
    rows = csv.reader(lines, delimiter=max(",;\t", key=first.count), strict=True)
    fields: list[str] = []
    line = 1
    try:
        for row in rows:
            if not fields:
                header = [re.sub(r"\s+", " ", name).strip() for name in row]
                fields = [COLUMNS.get(n.lower(), f"custom.{plain(n)}") for n in header]
                if "title" not in fields:
                    break
            elif row:
                yield line, record_of(fields, row, stem)
            line = rows.line_num + 1
    except csv.Error as problem:
        raise SourceError([f"line {line}: {problem}"]) from None
    if "title" not in fields:
        raise SourceError(["line 1: no column is called title, summary or name"])


def plain(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower())


def record_of(fields: list[str], row: list[str], stem: str) -> Raw:
    raw: Raw = {}
    for field, value in zip(fields, map(str.strip, row), strict=False):
        # Jira repeats a column for each value.
        if value:
            raw[field] = f"{raw[field]},{value}" if field in raw else value
    if len(row) != len(fields):
        raw["problem"] = f"{len(row)} values for {len(fields)} columns"
    raw.setdefault("key", raw.get("url") or f"csv-{digest(stem, raw.get('title', ''))}")
    return raw


def row_of(raw: Raw) -> Row:
    if "problem" in raw or not raw.get("title"):
        raise ValueError(raw.get("problem", "no title"))
    custom = {name.removeprefix("custom."): v for name, v in raw.items() if "custom." in name and v}
    names = [name.strip() for name in raw.get("assignee", "").split(",")]
    if len(names) > 1:
        custom["assignees"] = ", ".join(names)
    labels = {part.strip() for part in re.split("[,;]", raw.get("labels", ""))}
    return {
        "id": task_id(raw["key"]),
        "title": raw["title"],
        "description": dedent(raw.get("description", "")).strip() or None,
        "native_status": named("status", NATIVES, raw.get("status") or "todo"),
        "priority": named("priority", LEVELS, raw.get("priority")),
        "labels": sorted(labels - {""}),
        "assignee": names[0] or None,
        "url": raw.get("url"),
        "parent": raw.get("parent") or None,
        "created_at": read_date(raw.get("created")),
        "custom": custom,
    }


def named(field: str, names: dict[str, Any], text: str | None) -> Any:
    if not text:
        return None
    if text.lower() not in names:
        raise ValueError(f"{field} '{text}' is unknown here")
    return names[text.lower()]


def read_date(text: str | None) -> str | None:
    if not text:
        return None
    for form in DATES:
        try:
            moment = datetime.strptime(text.partition(" (")[0], form)  # noqa: DTZ007 - see below
        except ValueError:
            continue
        # An export that names no zone is taken as UTC.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise ValueError(f"date '{text}' cannot be read")


def task_id(key: str) -> str:
    """An id that the backend's own numbering can never give out."""
    return f"{KIND}:{'#' if key.isdecimal() else ''}{key}"


def digest(*parts: str) -> str:
    text = "\n".join(parts).encode("utf-8", "surrogateescape")  # a file's name may be no UTF-8
    return sha256(text).hexdigest()[:10]
