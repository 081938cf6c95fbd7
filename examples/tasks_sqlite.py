"""Tasks in one SQLite file: a complete subject backend.

    python tasks_sqlite.py                         a host starts it, or you with `--manifest`
    python tasks_sqlite.py import TODO.md          fill it; a tracker's .csv export works as well
                                                   (needs tasks_import.py next to this file)

The database is `.animus/tasks.sqlite3` under the project's root, or where ANIMUS_TASKS_DB says. A
task is one JSON document. SQLite derives the other columns from it, so they cannot disagree, and
anybody may query them: `SELECT id, native_status FROM tasks WHERE assignee = 'kim'`.

What is created by a call with an identity (`task/v2/create`) is that user's in that tenant: calls with
another identity do not see it, and neither do they see what has no owner. Calls without an identity,
which the daemon and its operator make, see all tasks. A task's parent has the same owner.
"""

import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from copy import copy
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from animus_routes import UNSET, App, Context, Depends, InvalidRequest, NotFound, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.batteries.sqlite import SQLite, turn
from animus_routes.structs import subject as wire
from animus_routes.timestamps import now, parse

import msgspec
from msgspec import Meta, UnsetType, field
from msgspec.structs import asdict, replace

KIND: Final = "task"
MAX_PAGE: Final = 500
PAGE_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
KEPT_CHANGES: Final = 10_000  # how far a watcher may fall behind
POLL_S: Final = 0.05
BUSY_S: Final = 5.0
SLICE: Final = 50  # children and comments of a deleted task that are let go in one transaction
BESIDE: Final = 10  # as many in one that is for something else
SLICE_BYTES: Final = 64 * 1024  # how long they are together; one may be longer

# Native status, bucket, dispatch label. The first of a bucket is what the bare bucket means.
NATIVE: Final[tuple[tuple[str, wire.SubjectStatus, str | None], ...]] = (
    ("Todo", "ready", "implement"),
    ("Backlog", "ready", "triage"),
    ("In Progress", "in-progress", None),
    ("In Review", "in-progress", "code-review"),
    ("Blocked", "blocked", None),
    ("Done", "done", None),
    ("Cancelled", "cancelled", None),
    ("Duplicate", "cancelled", None),
)
STATUSES: Final = [
    wire.StatusDispatchHint(native_status=native, maps_to=bucket, dispatch_label=label)
    for native, bucket, label in NATIVE
]
HINTS: Final = {hint.native_status: hint for hint in STATUSES}

CUSTOM_FIELDS: Final = [
    wire.CustomFieldSpec(key="spec", type="string"),
    wire.CustomFieldSpec(key="story_points", type="number"),
    wire.CustomFieldSpec(key="due", type="date"),
    wire.CustomFieldSpec(key="flagged", type="bool"),
    wire.CustomFieldSpec(key="risk", type="enum", values=["low", "medium", "high"]),
]


class Custom(msgspec.Struct, omit_defaults=True):
    """CUSTOM_FIELDS as types: what a declared field holds; other keys may hold anything."""

    spec: str | UnsetType = UNSET
    story_points: float | UnsetType = UNSET
    due: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d(T.+)?$")] | UnsetType = UNSET
    flagged: bool | UnsetType = UNSET
    risk: Literal["low", "medium", "high"] | UnsetType = UNSET


DERIVED: Final = ", ".join(
    f"{name} AS (json_extract(document, '$.{name}')) STORED"
    for name in (
        *("id", "title", "parent", "status", "native_status"),
        *("priority", "assignee", "created_at", "updated_at"),
    )
)
# What a task can be found by, a text each; triggers keep it, whoever writes the task. Some versions of
# SQLite end a text of JSON at a NUL: another character stands for it, here and in `keyed`. The kind that
# all tasks made here have is no key.
TEXT: Final = r"replace(new.document, '\u0000', '\ufffd')"
KEYS: Final = f"""INSERT OR IGNORE INTO task_keys (key, seq)
    SELECT 'status:' || new.status, new.seq WHERE new.status IS NOT NULL
    UNION ALL SELECT 'native_status:' || new.native_status, new.seq
        WHERE new.native_status IS NOT NULL
    UNION ALL SELECT 'assignee:' || json_extract({TEXT}, '$.assignee'), new.seq
        WHERE new.assignee IS NOT NULL
    UNION ALL SELECT 'kind:' || json_extract(new.document, '$.kind'), new.seq
        WHERE json_extract(new.document, '$.kind') <> '{KIND}'
    UNION ALL SELECT 'label:' || value, new.seq FROM json_each({TEXT}, '$.labels')
    UNION ALL SELECT 'attachment:' || json_extract(value, '$.kind'), new.seq
        FROM json_each({TEXT}, '$.attachments') WHERE json_extract(value, '$.kind') IS NOT NULL
    UNION ALL SELECT 'owner:' || new.owner, new.seq WHERE new.owner IS NOT NULL"""
# The last change of 256 neighbours.
BLOCK: Final = """INSERT INTO blocks SELECT new.seq >> 8, new.updated_at
    WHERE new.updated_at IS NOT NULL ON CONFLICT (block) DO UPDATE
    SET updated_at = excluded.updated_at WHERE excluded.updated_at > updated_at"""
TABLES: Final = (
    f"""CREATE TABLE IF NOT EXISTS tasks (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, owner TEXT, {DERIVED})""",
    "CREATE UNIQUE INDEX IF NOT EXISTS tasks_by_id ON tasks (id)",
    "CREATE INDEX IF NOT EXISTS tasks_by_parent ON tasks (parent)",
    """CREATE INDEX IF NOT EXISTS tasks_to_do
        ON tasks (status, coalesce(priority, 0) DESC, created_at)""",
    f"""CREATE TABLE IF NOT EXISTS changes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, change_kind TEXT NOT NULL,
        previous_native_status TEXT, previous_dispatch_label TEXT, document TEXT NOT NULL,
        {DERIVED})""",
    """CREATE TABLE IF NOT EXISTS comments (seq INTEGER PRIMARY KEY AUTOINCREMENT,
        task TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL, number INTEGER)""",
    "CREATE INDEX IF NOT EXISTS comments_by_task ON comments (task)",
    "CREATE INDEX IF NOT EXISTS tasks_by_block ON tasks (seq >> 8, updated_at)",
    "CREATE TABLE IF NOT EXISTS blocks (block INTEGER PRIMARY KEY, updated_at TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS task_keys (
        key TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS task_keys_by_task ON task_keys (seq)",
    f"CREATE TRIGGER task_made AFTER INSERT ON tasks BEGIN {KEYS}; {BLOCK}; END",
    f"""CREATE TRIGGER task_changed AFTER UPDATE ON tasks BEGIN
        DELETE FROM task_keys WHERE seq = old.seq; {KEYS}; {BLOCK}; END""",
    """CREATE TRIGGER task_gone AFTER DELETE ON tasks BEGIN
        DELETE FROM task_keys WHERE seq = old.seq; END""",
    "DELETE FROM task_keys",
    "UPDATE tasks SET document = document",  # the trigger keeps every key
    "CREATE TABLE IF NOT EXISTS imports (id TEXT PRIMARY KEY, source TEXT NOT NULL)",
    # Deleted tasks whose children and comments are still to be let go.
    "CREATE TABLE IF NOT EXISTS dropped (id TEXT PRIMARY KEY) WITHOUT ROWID",
)
# What is to be done to an earlier layout, and the one that needs it no more. Processes of 0.1.0 may
# still run: each of their calls reads a column that has another name now. The first layouts had no
# owners, which are JSON: [user, tenant or null].
CHANGED: Final = (
    *((5, f"DROP TRIGGER IF EXISTS task_{event}") for event in ("made", "changed", "gone")),
    *((4, f"ALTER TABLE {of} RENAME COLUMN subject TO document") for of in ("tasks", "changes")),
    (3, "ALTER TABLE tasks ADD COLUMN owner TEXT"),
    (5, "ALTER TABLE comments ADD COLUMN number INTEGER"),
    (5, "DROP INDEX IF EXISTS tasks_by_update"),
)


def build(db: Transaction, found: int) -> None:
    for statement in (*(sql for until, sql in CHANGED if 0 < found < until), *TABLES):
        db.run(statement)
    db.run(f"PRAGMA user_version = {LAYOUT.version}")  # programs of 0.1.0 that start now refuse it


LAYOUT: Final = Layout("tasks", 5, "tasks", build)

CHILDREN: Final = """(SELECT json_group_array(id)
    FROM (SELECT c.id FROM tasks c WHERE c.parent = tasks.id ORDER BY c.seq))"""
# Whether its parent has been deleted, which the task itself does not say yet.
ORPHANED: Final = "parent IN (SELECT id FROM dropped)"
PICK: Final = f"SELECT document, {CHILDREN}, {ORPHANED}, seq FROM tasks"
OWN: Final = "WHERE id = :id AND (:owner IS NULL OR owner = :owner)"
ONE: Final = f"{PICK} {OWN}"
CHILDLESS: Final = f"SELECT document, '[]', {ORPHANED}, seq FROM tasks {OWN}"
ABOVE: Final = f"""SELECT iif({ORPHANED}, NULL, parent),
    EXISTS (SELECT 1 FROM tasks WHERE parent = ?2) FROM tasks
    WHERE id = ?1 AND owner IS (SELECT owner FROM tasks WHERE id = ?2)"""
NEXT: Final = f"""{PICK} WHERE status = 'ready'
    ORDER BY coalesce(priority, 0) DESC, created_at, seq LIMIT 1"""
NEWS: Final = """SELECT seq, change_kind, previous_native_status, previous_dispatch_label, document
    FROM changes WHERE seq > ? ORDER BY seq"""


class Way(NamedTuple):
    """How tasks are found that fulfil a condition, which is bound to `{0}`.

    Attributes:
        ahead: How far at least the next `:number` of them reach, or NULL if there are no more.
        found: Those between `:after` and `:end`.
        test: Whether one of others is among them.
    """

    ahead: str
    found: str
    test: str = "TRUE"


ALL: Final = Way("SELECT NULL", "seq > :after AND seq <= :end")
KEYED: Final = Way(
    """SELECT min(reached) FROM (SELECT (SELECT seq FROM task_keys
        WHERE key = value AND seq > :after ORDER BY seq LIMIT 1 OFFSET :number) AS reached
        FROM json_each({0}))""",
    """seq IN (SELECT seq FROM task_keys
        WHERE key IN (SELECT value FROM json_each({0})) AND seq > :after AND seq <= :end)""",
    """EXISTS (SELECT 1 FROM task_keys
        WHERE key IN (SELECT value FROM json_each({0})) AND task_keys.seq = tasks.seq)""",
)
# No index has what was changed since some time in the order of tasks, but of each block of them.
RECENT: Final = Way(
    """WITH RECURSIVE ahead (block, met) AS (VALUES (((:after + 1) >> 8) - 1, 0)
        UNION ALL SELECT next.block, met + (SELECT count(*) FROM tasks INDEXED BY tasks_by_block
            WHERE seq >> 8 = +next.block AND updated_at >= {0})
        FROM ahead JOIN blocks AS next ON next.block = (SELECT block FROM blocks AS b
            WHERE b.block > ahead.block AND updated_at >= {0} ORDER BY block LIMIT 1)
        WHERE met <= :number)
        SELECT CASE WHEN max(met) > :number THEN (max(block) << 8) + 255 END FROM ahead""",
    """seq IN (SELECT seq FROM blocks CROSS JOIN tasks INDEXED BY tasks_by_block
        WHERE block BETWEEN (:after + 1) >> 8 AND :end >> 8 AND blocks.updated_at >= {0}
        AND seq >> 8 = +block AND tasks.updated_at >= {0} AND seq > :after AND seq <= :end)""",
    "updated_at >= {0}",
)

ADD: Final = "INSERT INTO tasks (document, owner) VALUES (?, ?)"
# The last comment knows how many there are, unless it was kept before comments had numbers.
SAY: Final = """INSERT INTO comments (task, at, text, number) VALUES (?1, ?2, ?3, 1 + coalesce(
    (SELECT coalesce(number, (SELECT count(*) FROM comments WHERE task = ?1))
        FROM comments WHERE task = ?1 ORDER BY seq DESC LIMIT 1), 0)) RETURNING number"""
DROP: Final = """INSERT OR IGNORE INTO dropped SELECT ?1
    WHERE EXISTS (SELECT 1 FROM tasks WHERE parent = ?1)
    OR EXISTS (SELECT 1 FROM comments WHERE task = ?1)"""
DROPPED: Final = "SELECT id FROM dropped WHERE id = coalesce(?, id) LIMIT 1"
# As bytes: what is damaged need not be UTF-8. A child that is no JSON cannot be changed: it stays.
HANGING: Final = f"""SELECT seq, CAST(document AS BLOB), CAST({CHILDREN} AS BLOB) FROM tasks
    WHERE parent = ?1 AND json_valid(document)
    UNION ALL SELECT seq, CAST(text AS BLOB), x'' FROM comments WHERE task = ?1 LIMIT ?2"""
FREE: Final = """UPDATE tasks SET document =
    json_set(json_remove(document, '$.parent'), '$.updated_at', :at) WHERE seq = :seq"""
FORGET: Final = "DELETE FROM comments WHERE seq = :seq"
LOG: Final = """INSERT INTO changes
    (change_kind, previous_native_status, previous_dispatch_label, document) VALUES (?, ?, ?, ?)"""


class NewTask(wire.SubjectCreateRequest, kw_only=True):
    """The protocol's create, and what else a task may start with here."""

    kind: str = KIND
    native_status: str | None = None
    attachments: list[wire.SubjectAttachment] = field(default_factory=list)


class TaskPatch(wire.SubjectPatch, kw_only=True):
    """The protocol's patch, and what else may change in a task here."""

    native_status: str | None = None
    parent: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    attachments_add: list[wire.SubjectAttachment] = field(default_factory=list)
    attachments_remove: list[str] = field(default_factory=list)


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def since(text: str) -> str:
    """An RFC 3339 time as tasks have it, with a fixed width, so that texts sort as times do.

    Rounded up, so that nothing from before it matches "at or after" it.
    """
    finer = timedelta(microseconds=1 if re.search(r"\.\d{6}\d*[1-9]", text) else 0)
    try:
        moment = parse(text).astimezone(UTC) + finer
    except (ValueError, OverflowError):
        raise invalid("updated_since", "expected an RFC 3339 time with a zone") from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def keyed(name: str, values: list[str]) -> tuple[Way, str]:
    found = (f"{name}:{value}" for value in values)
    named = [one.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd") for one in found]
    return KEYED, msgspec.json.encode(named).decode()


class Condition(NamedTuple):
    """A field of SubjectFilter: whether a task fulfils it, and ways to find all that may do so."""

    fits: Callable[[Any, wire.Subject], bool]
    ways: Callable[[Any], list[tuple[Way, str]]]


def one_of(name: str) -> Condition:
    return Condition(lambda v, task: getattr(task, name) in v, lambda v: [keyed(name, v)])


CONDITIONS: Final = {
    "status": one_of("status"),
    "native_status": one_of("native_status"),
    "dispatch_label": one_of("native_status"),
    "assignee": one_of("assignee"),
    "kind": one_of("kind")._replace(ways=lambda v: [] if KIND in v else [keyed("kind", v)]),
    "labels_any": Condition(
        lambda v, task: not set(task.labels).isdisjoint(v), lambda v: [keyed("label", v)]
    ),
    "labels_all": Condition(
        lambda v, task: set(task.labels).issuperset(v),
        lambda v: [keyed("label", [one]) for one in v],
    ),
    "has_attachment_kind": Condition(
        lambda v, task: any(a.kind in v for a in task.attachments),
        lambda v: [keyed("attachment", v)],
    ),
    "updated_since": Condition(lambda v, task: task.updated_at >= v, lambda v: [(RECENT, v)]),
}
Asked = list[tuple[Condition, Any]]


def asked_of(query: wire.SubjectFilter) -> Asked:
    """The conditions that are given, each with its value."""
    label, time = query.dispatch_label, query.updated_since
    values = asdict(query) | {
        "native_status": [query.native_status],
        "dispatch_label": [h.native_status for h in STATUSES if h.dispatch_label == label],
        "has_attachment_kind": [query.has_attachment_kind],
        "updated_since": since(time) if time else None,
    }
    return [(one, values[name]) for name, one in CONDITIONS.items() if getattr(query, name)]


def fits(task: wire.Subject, asked: Asked) -> bool:
    return all(one.fits(value, task) for one, value in asked)


def native_for(status: str | None, native: str | None, held: str | None) -> wire.StatusDispatchHint:
    """The native status that a request means for a task that has, or would have, `held`."""
    current = HINTS[held or "Todo"]
    if native is None:
        if status in {None, current.maps_to}:
            return current
        return next(hint for hint in STATUSES if hint.maps_to == status)
    if native not in HINTS:
        raise invalid("native_status", f"expected one of {', '.join(HINTS)}")
    if status not in {None, HINTS[native].maps_to}:
        raise invalid("native_status", f"'{native}' is {HINTS[native].maps_to}, not {status}")
    return HINTS[native]


def patch_to(word: str) -> TaskPatch:
    """What moves a task to a status, given as the protocol's word or as a native one."""
    spoken = " ".join(re.split(r"[\s_-]+", word.strip())).lower()
    for hint in STATUSES:
        if word == hint.maps_to:
            return TaskPatch(status=hint.maps_to)
        if spoken == hint.native_status.lower():
            return TaskPatch(native_status=hint.native_status)
    known = [*dict.fromkeys(hint.maps_to for hint in STATUSES), *HINTS]
    raise invalid("status", f"expected one of {', '.join(known)}")


def coerced(custom: dict[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """Hold declared fields to their declaration; unless `strict`, "3" counts as a number."""
    try:
        declared = asdict(msgspec.convert(custom, Custom, strict=strict))
    except msgspec.ValidationError as problem:
        raise invalid("custom", str(problem)) from None
    return custom | {name: value for name, value in declared.items() if value is not UNSET}


def check(task: wire.Subject) -> None:
    if not task.title.strip():
        raise invalid("title", "expected some text")
    if not 0 <= (task.priority or 0) <= 4:
        raise invalid("priority", "expected 0 to 4")
    coerced(task.custom, strict=True)


def change_kinds(old: wire.Subject | None, new: wire.Subject) -> list[wire.ChangeKind]:
    if old is None:
        return ["created"]
    before, after = ({a.id for a in task.attachments} for task in (old, new))
    was, became = (HINTS[task.native_status or "Todo"] for task in (old, new))
    moved = old.native_status != new.native_status
    relabelled = was.maps_to == became.maps_to and was.dispatch_label != became.dispatch_label
    found: dict[wire.ChangeKind, bool] = {
        "status-changed": moved and not relabelled,
        "dispatch-label-changed": moved and relabelled,
        "attachment-added": bool(after - before),
        "attachment-removed": bool(before - after),
    }
    kinds: list[wire.ChangeKind] = [kind for kind, happened in found.items() if happened]
    named = {f: getattr(new, f) for f in ("status", "native_status", "attachments", "updated_at")}
    if not kinds or replace(old, **named) != new:
        kinds.append("updated")
    return kinds


def prepare(db: sqlite3.Connection) -> None:
    # FULL: what was answered is on disk, whatever happens to this process or the machine.
    db.execute("PRAGMA synchronous = FULL")


class Store:
    """The tasks of one database file; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, LAYOUT, wait_s=BUSY_S, wal=True, prepare=prepare)
        self.owner: str | None = None
        self.lent: sqlite3.Connection | None = None

    @property
    def db(self) -> sqlite3.Connection:
        """Opened, and made if need be, when it is first used: a ping leaves nothing behind."""
        return self.lent or self.database.own

    @contextmanager
    def change(self) -> Iterator[None]:
        """A transaction that writes, and goes on with what was deleted."""
        with turn(self.db, BUSY_S):
            yield
            self.clear(BESIDE)

    def of(self, owner: str) -> "Store":
        """The same tasks, as far as they are this owner's."""
        theirs = copy(self)
        theirs.owner = owner
        return theirs

    def find(self, task_id: str, sql: str = ONE) -> wire.Subject | None:
        """A task by its id, with or without the prefix: people type `7` for `task:7`."""
        for known in (task_id, f"{KIND}:{task_id}"):
            row = self.db.execute(sql, {"id": known, "owner": self.owner}).fetchone()
            if row is not None:
                return task_of(*row)
        return None

    def parent(self, given: str | UnsetType | None) -> str | UnsetType | None:
        found = self.find(given, CHILDLESS) if given else None
        return found.id if found is not None else given

    def get(self, task_id: str, sql: str = ONE) -> wire.Subject:
        task = self.find(task_id, sql)
        if task is None:
            raise NotFound(f"subject '{task_id}'")
        return task

    def page(self, query: wire.SubjectFilter) -> wire.SubjectList:
        limit = MAX_PAGE if query.limit is None else min(max(query.limit, 1), MAX_PAGE)
        given = re.fullmatch(r"after-(\d{1,18})", query.cursor or "after-0")
        if given is None:
            raise invalid("cursor", "not a cursor from list")
        page = wire.SubjectList(subjects=[], fetched_at=now())
        asked = asked_of(query)
        size = last = 0
        for *row, seq in self.matches(asked, int(given[1]), limit):
            task = task_of(*row)
            if not fits(task, asked):
                continue
            size += len(row[0].encode())
            if page.subjects and (len(page.subjects) == limit or size > PAGE_BYTES):
                page.next_cursor = f"after-{last}"
                break
            page.subjects.append(task)
            last = seq
        return page

    def matches(self, asked: Asked, after: int, number: int) -> Iterator[tuple[Any, ...]]:
        """Tasks in order. In turn each condition says how far so many tasks that fulfil it reach, and
        whichever reaches farthest, which is the rarest there, leads up to that place.
        """
        (last,) = self.db.execute("SELECT coalesce(max(seq), 0) FROM tasks").fetchone()
        given = [way for one, value in asked for way in one.ways(value)]
        if self.owner is not None:
            given.append((KEYED, msgspec.json.encode([f"owner:{self.owner}"]).decode()))
        given = given or [(ALL, "")]
        ways = [Way(*(sql.format(f":c{n}") for sql in way)) for n, (way, _) in enumerate(given)]
        binds: dict[str, Any] = {f"c{n}": value for n, (_, value) in enumerate(given)}
        while after < last:
            binds |= {"after": after, "number": number}
            after, lead = max(
                (self.db.execute(way.ahead, binds).fetchone()[0] or last, way) for way in ways
            )
            where = [lead.found, *(way.test for way in ways if way is not lead)]
            sql = f"{PICK} WHERE {' AND '.join(where)} ORDER BY seq"
            yield from self.db.execute(sql, {**binds, "end": after})
            number *= 4

    def next(self) -> wire.Subject | None:
        row = self.db.execute(NEXT).fetchone()
        return row and task_of(*row)

    def create(self, new: NewTask) -> wire.Subject:
        if new.kind != KIND:
            raise invalid("kind", f"expected {KIND}")
        hint = native_for(new.status, new.native_status, None)
        fields = {**asdict(new), "status": hint.maps_to, "native_status": hint.native_status}
        fields["labels"] = list(dict.fromkeys(new.labels))
        with self.change():
            task_id = f"{KIND}:{self._next_seq()}"
            fields["parent"] = self.parent(new.parent)
            task = self.put(
                None, wire.Subject(**fields, id=task_id, created_at=now(), updated_at="")
            )
            self.check_parent(task_id, task.parent)
            return task

    def update(self, task_id: str, patch: TaskPatch) -> wire.Subject:
        with self.change():
            old = self.get(task_id)
            plain = {n: getattr(patch, n) for n in ("title", "description", "priority", "labels")}
            clearable = {n: getattr(patch, n) for n in ("assignee", "parent", "url")}
            wanted = {name: value for name, value in plain.items() if value is not None}
            clearable["parent"] = self.parent(patch.parent)
            wanted |= {name: value for name, value in clearable.items() if value is not UNSET}
            new = replace(old, **wanted)
            new.description = new.description or None
            hint = native_for(patch.status, patch.native_status, old.native_status)
            new.status, new.native_status = hint.maps_to, hint.native_status
            labels = dict.fromkeys([*new.labels, *patch.labels_add])
            new.labels = [label for label in labels if label not in patch.labels_remove]
            merged = {**old.custom, **patch.custom}
            new.custom = {key: value for key, value in merged.items() if value is not None}
            kept = {a.id: a for a in [*old.attachments, *patch.attachments_add]}
            new.attachments = [a for a in kept.values() if a.id not in patch.attachments_remove]
            if patch.comment:
                self._comment(new, patch.comment)
            if new.parent != old.parent:
                self.check_parent(old.id, new.parent)
            return self.put(old, new)

    def delete(self, task_id: str, ctx: Context) -> None:
        """Nobody sees the task any more; what hung on it is let go by and by, beside other calls."""
        with self.database.write() as db:
            more = self.through(db).drop(task_id)
        try:
            if more:
                self.database.write_in_slices(
                    lambda db: self.through(db).clear(SLICE) and not ctx.cancelled
                )
        except (sqlite3.Error, Unavailable) as problem:
            ctx.log("warn", f"what hung on a deleted task is left to later writes: {problem}")

    def through(self, transaction: Transaction) -> "Store":
        """The same tasks, in a transaction of a connection that is not this thread's alone."""
        assert isinstance(transaction.link, SQLite)
        apart = copy(self)
        apart.lent = transaction.link.opened
        return apart

    def drop(self, task_id: str) -> bool:
        task = self.get(task_id, CHILDLESS)
        self.db.execute("DELETE FROM tasks WHERE id = ?", [task.id])
        self.db.execute(DROP, [task.id])
        self._log("deleted", task, task)
        return self.clear(SLICE)

    def clear(self, number: int, task_id: str | None = None) -> bool:
        """Let go of some of what hung on a deleted task, this one or any; whether there may be more."""
        row = self.db.execute(DROPPED, [task_id]).fetchone()
        if row is None:
            return False
        found: list[tuple[int, bytes, bytes]] = []
        size, at = 0, now()
        with closing(self.db.execute(HANGING, [*row, number])) as rows:
            for one in rows:
                size += len(one[1]) + len(one[2])
                if found and size > SLICE_BYTES:
                    break
                found.append(one)
        for seq, document, children in found:
            # A child loses its parent whatever else it holds: this may be beside another's call.
            self.db.execute(FREE if children else FORGET, {"seq": seq, "at": at})
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # then nobody can read of it
                task = task_of(document.decode(), children.decode(), orphaned=True)
                self._log("updated", task, replace(task, updated_at=at))
        if len(found) < number and size <= SLICE_BYTES:
            self.db.execute("DELETE FROM dropped WHERE id = ?", row)
        return True

    def comments(self, task_id: str) -> list[dict[str, str]]:
        rows = self.db.execute(
            "SELECT at, text FROM comments WHERE task = ? ORDER BY seq", [task_id]
        )
        return [{"at": at, "text": text} for at, text in rows]

    def _next_seq(self) -> int:
        # AUTOINCREMENT's own memory: a number never comes back, not even after a delete.
        rows = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'tasks'").fetchall()
        return int(rows[0][0]) + 1 if rows else 1

    def put(self, old: wire.Subject | None, new: wire.Subject) -> wire.Subject:
        if old == new:
            return new
        check(new)
        new = replace(new, updated_at=now())
        document = msgspec.json.encode(replace(new, children=[])).decode()
        if old is None:
            while self.clear(SLICE, new.id):  # what hung on another that had its id
                pass
            self.db.execute(ADD, [document, self.owner])
        else:
            self.db.execute("UPDATE tasks SET document = ? WHERE id = ?", [document, new.id])
        for kind in change_kinds(old, new):
            self._log(kind, old, new)
        return new

    def check_parent(self, task_id: str, parent: str | None) -> None:
        seen, above = {task_id}, parent
        while above:
            found = self.db.execute(ABOVE, [above, task_id]).fetchone()
            if found is None or above in seen:
                reason = "is this task or below it" if found else "does not exist"
                raise invalid("parent", f"'{above}' {reason}")
            seen.add(above)
            above, is_parent = found
            if not is_parent:  # so nothing is below it
                return

    def _comment(self, task: wire.Subject, text: str) -> None:
        """Keep a comment, and show the thread as an attachment that hosts can gate on."""
        (number,) = self.db.execute(SAY, [task.id, now(), text]).fetchone()
        thread = wire.SubjectAttachment(
            id="comments",
            kind="comment-thread",
            uri=thread_uri(task.id),
            title="Comments",
            metadata={"count": number},
        )
        task.attachments = [*(a for a in task.attachments if a.id != thread.id), thread]

    def _log(self, kind: wire.ChangeKind, old: wire.Subject | None, new: wire.Subject) -> None:
        native = old.native_status if old and old.native_status != new.native_status else None
        label = HINTS[native].dispatch_label if native else None
        values = [kind, native, label, msgspec.json.encode(new).decode()]
        row = self.db.execute(LOG, values)
        oldest = (row.lastrowid or 0) - KEPT_CHANGES
        self.db.execute("DELETE FROM changes WHERE seq <= ?", [oldest])


def thread_uri(task_id: str) -> str:
    return f"animus-tasks:{task_id}/comments"


def task_of(document: str, children: str, orphaned: int = 0, _seq: int = 0) -> wire.Subject:
    task = msgspec.json.decode(document, type=wire.Subject)
    task.children = msgspec.json.decode(children)
    if orphaned:
        task.parent = None
    return task


# ---- the plugin ---------------------------------------------------------------------------------


def database_path(root: Path) -> Path:
    return Path(os.environ.get("ANIMUS_TASKS_DB") or root / ".animus" / "tasks.sqlite3")


def lifespan(ctx: Context) -> Iterator[Store]:
    store = Store(database_path(Path(ctx.project_root)))
    yield store
    store.database.close()


def the_store(ctx: Context[Store]) -> Store:
    """The tasks that a call may see: those of its identity, which v2 always has."""
    if "/v2/" not in ctx.method:
        return ctx.state
    if ctx.actor is None:
        raise InvalidRequest("context.actor: there is nobody whose tasks these are")
    owner = [ctx.actor["user_id"], ctx.actor.get("tenant_id")]
    return ctx.state.of(msgspec.json.encode(owner).decode())


Tasks = Annotated[Store, Depends(the_store)]

app = App(
    kind="subject_backend",
    name="animus-subject-tasks-sqlite",
    version="0.1.0",
    description="Tasks in a SQLite file under the project root",
    subject_kinds=[KIND],
    lifespan=lifespan,
    env_required=[
        {
            "name": "ANIMUS_TASKS_DB",
            "description": "The database file; .animus/tasks.sqlite3 under the project if unset",
        }
    ],
)


@app.method("subject/list")
@app.method("subject/v2/list")
def list_tasks(filter: wire.SubjectFilter, store: Tasks) -> wire.SubjectList:
    return store.page(filter)


@app.method("subject/get")
@app.method("subject/v2/get")
def get_task(id: str, store: Tasks) -> wire.Subject:
    task = store.get(id)
    for attachment in task.attachments:
        if attachment.uri == thread_uri(task.id):
            attachment.metadata = {"comments": store.comments(task.id)}
    return task


@app.method("subject/create")
@app.method("subject/v2/create")
def create_task(task: NewTask, store: Tasks) -> wire.Subject:
    return store.create(task)


@app.method("subject/update")
@app.method("subject/v2/update")
def update_task(id: str, patch: TaskPatch, store: Tasks) -> wire.Subject:
    return store.update(id, patch)


@app.method("subject/status")
@app.method("subject/v2/status")
def set_status(id: str, status: str, store: Tasks) -> wire.Subject:
    """Move a task: into a bucket, or to one of the statuses by which people here call it."""
    return store.update(id, patch_to(status))


@app.method("subject/next")
def next_task(store: Tasks) -> wire.Subject | None:
    return store.next()


@app.method("subject/delete", concurrent=True)
@app.method("subject/v2/delete", concurrent=True)
def delete_task(id: str, ctx: Context, store: Tasks) -> None:
    store.delete(id, ctx)


@app.method("subject/schema")
def schema() -> wire.SubjectSchema:
    return wire.SubjectSchema(
        kinds=[KIND],
        status_values=list(dict.fromkeys(hint.maps_to for hint in STATUSES)),
        native_status_values=list(HINTS),
        status_dispatch_hints=STATUSES,
        custom_fields=CUSTOM_FIELDS,
        supports_watch=True,
        supports_create=True,
        supports_delete=True,
        supports_pagination=True,
    )


class Feed(NamedTuple):
    """A watch's own connection, and where the log of changes ended when it was opened."""

    db: sqlite3.Connection
    end: int


def open_feed(ctx: Context[Store]) -> Iterator[Feed]:
    with closing(ctx.state.database.connection()) as db:
        (end,) = db.execute("SELECT coalesce(max(seq), 0) FROM changes").fetchone()
        yield Feed(db, end)


@app.method("subject/watch")
def watch(
    ctx: Context,
    feed: Annotated[Feed, Depends(open_feed)],
    filter: wire.SubjectFilter | None = None,
) -> Iterator[wire.SubjectChangedEvent]:
    """Report every change after the request, whoever makes it: this process or another."""
    asked = asked_of(filter or wire.SubjectFilter())
    after, seen = feed.end, None
    while not ctx.cancelled:
        (version,) = feed.db.execute("PRAGMA data_version").fetchone()
        news = version != seen and feed.db.execute(NEWS, [after]).fetchall()
        for seq, kind, native, label, document in news or ():
            after = seq
            task = msgspec.json.decode(document, type=wire.Subject)
            if not fits(task, asked):
                continue
            yield wire.SubjectChangedEvent(
                id=task.id,
                change_kind=kind,
                subject=task,
                previous_native_status=native,
                previous_dispatch_label=label,
            )
        seen = version
        ctx.wait(POLL_S)


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Ask the database itself: is the file still ours, can it be read, may it be written now?

    Returning a reason means degraded, raising one means unhealthy.
    """
    if ctx.state is None:
        return "the database is opened at its first use"
    return ctx.state.database.check()


@app.exception_handler(sqlite3.Error)
@app.exception_handler(OSError)
def refuse(ctx: Context[Store], problem: sqlite3.Error | OSError) -> Unavailable:
    return Unavailable(f"{ctx.state.path}: {problem}")


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["import"]:
        from tasks_import import main

        raise SystemExit(main(sys.argv[2:]))
    app.run()
