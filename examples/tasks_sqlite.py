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
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from datetime import UTC, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from animus_routes import UNSET, App, Context, Depends, InvalidRequest, NotFound, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction, marks
from animus_routes.batteries.sqlite import turn
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
WITH_OWNERS: Final = 3  # a layout
PROBED: Final = 1000  # matches that are counted to find the rarest condition

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


# Triggers keep what a task can be found by, so that a condition which few tasks fulfil is found
# without a look at the others.
DERIVED: Final = ", ".join(
    f"{name} AS (json_extract(document, '$.{name}')) STORED"
    for name in (
        *("id", "title", "parent", "status", "native_status"),
        *("priority", "assignee", "created_at", "updated_at"),
    )
)
# What a task can be found by, a text each; triggers keep it, whoever writes the task.
KEYS: Final = """INSERT OR IGNORE INTO task_keys (key, seq)
    SELECT 'status:' || {0}.status, {0}.seq WHERE {0}.status IS NOT NULL
    UNION ALL SELECT 'native_status:' || {0}.native_status, {0}.seq
        WHERE {0}.native_status IS NOT NULL
    UNION ALL SELECT 'assignee:' || {0}.assignee, {0}.seq WHERE {0}.assignee IS NOT NULL
    UNION ALL SELECT 'label:' || value, {0}.seq FROM json_each({0}.document, '$.labels')
    UNION ALL SELECT 'attachment:' || json_extract(value, '$.kind'), {0}.seq
        FROM json_each({0}.document, '$.attachments')
        WHERE json_extract(value, '$.kind') IS NOT NULL
    UNION ALL SELECT 'owner:' || {0}.owner, {0}.seq WHERE {0}.owner IS NOT NULL"""
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
        task TEXT NOT NULL, at TEXT NOT NULL, text TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS comments_by_task ON comments (task)",
    "CREATE INDEX IF NOT EXISTS tasks_by_update ON tasks (updated_at)",
    """CREATE TABLE IF NOT EXISTS task_keys (
        key TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS task_keys_by_task ON task_keys (seq)",
    f"CREATE TRIGGER task_made AFTER INSERT ON tasks BEGIN {KEYS.format('new')}; END",
    f"""CREATE TRIGGER task_changed AFTER UPDATE ON tasks BEGIN
        DELETE FROM task_keys WHERE seq = old.seq; {KEYS.format("new")}; END""",
    """CREATE TRIGGER task_gone AFTER DELETE ON tasks BEGIN
        DELETE FROM task_keys WHERE seq = old.seq; END""",
    "DELETE FROM task_keys",
    "UPDATE tasks SET document = document",  # the trigger keeps every key
    "CREATE TABLE IF NOT EXISTS imports (id TEXT PRIMARY KEY, source TEXT NOT NULL)",
)
# Processes of 0.1.0 may still run: each of their calls reads a column that has another name now.
RENAMED: Final = (
    *(f"DROP TRIGGER IF EXISTS task_{event}" for event in ("made", "changed", "gone")),
    *(f"ALTER TABLE {name} RENAME COLUMN subject TO document" for name in ("tasks", "changes")),
)
# The first layouts had no owners, which are JSON: [user, tenant or null].
OWNERS: Final = "ALTER TABLE tasks ADD COLUMN owner TEXT"


def build(db: Transaction, found: int) -> None:
    owners = [OWNERS] if 0 < found < WITH_OWNERS else []
    for statement in (*(RENAMED if found else ()), *owners, *TABLES):
        db.run(statement)
    db.run(f"PRAGMA user_version = {LAYOUT.version}")  # programs of 0.1.0 that start now refuse it


LAYOUT: Final = Layout("tasks", 4, "tasks", build)

# It stands beside the conditions of a filter, so that none of these widens it.
OWNED: Final = "(:owner IS NULL OR owner = :owner)"
# One condition per field of SubjectFilter; lists are bound as JSON, and NULL is no condition.
MATCHES: Final = """
    (:status IS NULL OR status IN (SELECT value FROM json_each(:status)))
AND (:native_status IS NULL OR native_status = :native_status)
AND (:dispatch_label IS NULL OR native_status IN (SELECT value FROM json_each(:dispatch_label)))
AND (:assignee IS NULL OR assignee IN (SELECT value FROM json_each(:assignee)))
AND (:kind IS NULL OR json_extract(document, '$.kind') IN (SELECT value FROM json_each(:kind)))
AND (:labels_any IS NULL OR EXISTS (SELECT 1 FROM json_each(document, '$.labels')
    WHERE value IN (SELECT value FROM json_each(:labels_any))))
AND (:labels_all IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(:labels_all)
    WHERE value NOT IN (SELECT value FROM json_each(document, '$.labels'))))
AND (:has_attachment_kind IS NULL OR EXISTS (SELECT 1 FROM json_each(document, '$.attachments')
    WHERE json_extract(value, '$.kind') = :has_attachment_kind))
AND (:updated_since IS NULL OR updated_at >= :updated_since)
"""
CHILDREN: Final = """(SELECT json_group_array(id)
    FROM (SELECT c.id FROM tasks c WHERE c.parent = tasks.id ORDER BY c.seq))"""
PICK: Final = f"SELECT document, {CHILDREN}, tasks.seq FROM"
# The parts put together here are constants of this file; values are always bound.
END: Final = f"tasks.seq > :after AND {OWNED} AND {MATCHES} ORDER BY tasks.seq LIMIT :limit"
# A page in order, found by one key, by the time of the last change, or by looking at all of them.
BY_KEY: Final = f"""{PICK} task_keys CROSS JOIN tasks ON tasks.seq = task_keys.seq
    WHERE task_keys.key = :key AND task_keys.seq > :after AND {END.replace("tasks.seq", "task_keys.seq")}"""
BY_UPDATE: Final = f"""{PICK} tasks INDEXED BY tasks_by_update
    WHERE updated_at >= :updated_since AND {END}"""
BY_SEQ: Final = f"{PICK} tasks NOT INDEXED WHERE {END}"
ONE: Final = f"SELECT document, {CHILDREN}, seq FROM tasks WHERE id = :id AND {OWNED}"
ABOVE: Final = """SELECT parent FROM tasks
    WHERE id = ? AND owner IS (SELECT owner FROM tasks WHERE id = ?)"""
NEXT: Final = f"""SELECT document, {CHILDREN}, seq FROM tasks WHERE status = 'ready'
    ORDER BY coalesce(priority, 0) DESC, created_at, seq LIMIT 1"""
NEWS: Final = f"""SELECT seq, change_kind, previous_native_status, previous_dispatch_label, document
    FROM changes WHERE seq > :after AND {MATCHES} ORDER BY seq"""

ADD: Final = "INSERT INTO tasks (document, owner) VALUES (?, ?)"
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


def conditions(query: wire.SubjectFilter) -> dict[str, Any]:
    fields = {name: value or None for name, value in asdict(query).items()}
    if label := query.dispatch_label:
        fields["dispatch_label"] = [h.native_status for h in STATUSES if h.dispatch_label == label]
    if query.updated_since:
        fields["updated_since"] = since(query.updated_since)
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, list) else value
        for name, value in fields.items()
    }


def keys_of(query: wire.SubjectFilter) -> Iterator[list[str]]:
    """For each condition that tasks have keys for: the keys of which a match has one."""
    native = [query.native_status] if query.native_status else []
    if query.dispatch_label:
        yield [
            f"native_status:{h.native_status}"
            for h in STATUSES
            if h.dispatch_label == query.dispatch_label
        ]
    attached = [query.has_attachment_kind] if query.has_attachment_kind else []
    given: dict[str, list[str]] = {
        "status": [*query.status],
        "native_status": native,
        "assignee": [*query.assignee],
        "label": [*query.labels_any],
        "attachment": attached,
    }
    for name, values in given.items():
        if values:
            yield list(dict.fromkeys(f"{name}:{value}" for value in values))
    for label in query.labels_all:
        yield [f"label:{label}"]


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

    @property
    def db(self) -> sqlite3.Connection:
        """Opened, and made if need be, when it is first used: a ping leaves nothing behind."""
        return self.database.own

    def of(self, owner: str) -> "Store":
        """The same tasks, as far as they are this owner's."""
        theirs = copy(self)
        theirs.owner = owner
        return theirs

    def find(self, task_id: str) -> wire.Subject | None:
        """A task by its id, with or without the prefix: people type `7` for `task:7`."""
        for known in (task_id, f"{KIND}:{task_id}"):
            row = self.db.execute(ONE, {"id": known, "owner": self.owner}).fetchone()
            if row is not None:
                return task_of(*row)
        return None

    def parent(self, given: str | UnsetType | None) -> str | UnsetType | None:
        found = self.find(given) if given else None
        return found.id if found is not None else given

    def get(self, task_id: str) -> wire.Subject:
        task = self.find(task_id)
        if task is None:
            raise NotFound(f"subject '{task_id}'")
        return task

    def page(self, query: wire.SubjectFilter) -> wire.SubjectList:
        limit = MAX_PAGE if query.limit is None else min(max(query.limit, 1), MAX_PAGE)
        given = re.fullmatch(r"after-(\d{1,18})", query.cursor or "after-0")
        if given is None:
            raise invalid("cursor", "not a cursor from list")
        binds = {**conditions(query), "after": int(given[1]), "limit": limit + 1}
        binds["owner"] = self.owner
        page = wire.SubjectList(subjects=[], fetched_at=now())
        last = size = 0
        for document, children, seq in self.matches(query, binds):
            size += len(document.encode())
            if page.subjects and (len(page.subjects) == limit or size > PAGE_BYTES):
                page.next_cursor = f"after-{last}"
                break
            page.subjects.append(task_of(document, children))
            last = seq
        return page

    def matches(
        self, query: wire.SubjectFilter, binds: dict[str, Any]
    ) -> Iterator[tuple[str, str, int]]:
        """Tasks in order, found by the rarest of the conditions that are given."""
        found: list[tuple[int, str, list[str]]] = []
        own = [[f"owner:{self.owner}"]] if self.owner is not None else []
        for keys in [*own, *keys_of(query)]:
            some = f"key IN ({marks(len(keys))}) AND seq > ? LIMIT {PROBED}"
            found.append((self.count("task_keys", some, [*keys, binds["after"]]), BY_KEY, keys))
        if since := binds["updated_since"]:
            recent = self.count("tasks", f"updated_at >= ? LIMIT {PROBED}", [since])
            if recent < PROBED:
                found.append((recent, BY_UPDATE, [""]))
        _, sql, keys = min(found, default=(0, BY_SEQ, [""]))
        pages = [self.db.execute(sql, {**binds, "key": key}) for key in keys]
        rows = merge(*pages, key=itemgetter(2))
        yield from (next(same) for _, same in groupby(rows, key=itemgetter(2)))

    def count(self, table: str, some: str, values: list[Any]) -> int:
        found = self.db.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {some})", values
        )
        return int(found.fetchone()[0])

    def next(self) -> wire.Subject | None:
        row = self.db.execute(NEXT).fetchone()
        return row and task_of(*row)

    def create(self, new: NewTask) -> wire.Subject:
        if new.kind != KIND:
            raise invalid("kind", f"expected {KIND}")
        hint = native_for(new.status, new.native_status, None)
        fields = {**asdict(new), "status": hint.maps_to, "native_status": hint.native_status}
        fields["labels"] = list(dict.fromkeys(new.labels))
        with turn(self.db, BUSY_S):
            task_id = f"{KIND}:{self._next_seq()}"
            fields["parent"] = self.parent(new.parent)
            task = self.put(
                None, wire.Subject(**fields, id=task_id, created_at=now(), updated_at="")
            )
            self.check_parent(task_id, task.parent)
            return task

    def update(self, task_id: str, patch: TaskPatch) -> wire.Subject:
        with turn(self.db, BUSY_S):
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
            self.check_parent(old.id, new.parent)
            return self.put(old, new)

    def delete(self, task_id: str) -> None:
        with turn(self.db, BUSY_S):
            task = self.get(task_id)
            for child in task.children:
                orphan = self.get(child)
                self.put(orphan, replace(orphan, parent=None))
            self.db.execute("DELETE FROM tasks WHERE id = ?", [task.id])
            self.db.execute("DELETE FROM comments WHERE task = ?", [task.id])
            self._log("deleted", task, task)

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
            above = found[0]

    def _comment(self, task: wire.Subject, text: str) -> None:
        """Keep a comment, and show the thread as an attachment that hosts can gate on."""
        values = [task.id, now(), text]
        self.db.execute("INSERT INTO comments (task, at, text) VALUES (?, ?, ?)", values)
        thread = wire.SubjectAttachment(
            id="comments",
            kind="comment-thread",
            uri=thread_uri(task.id),
            title="Comments",
            metadata={"count": len(self.comments(task.id))},
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


def task_of(document: str, children: str, _seq: int = 0) -> wire.Subject:
    task = msgspec.json.decode(document, type=wire.Subject)
    task.children = msgspec.json.decode(children)
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


@app.method("subject/delete")
@app.method("subject/v2/delete")
def delete_task(id: str, store: Tasks) -> None:
    store.delete(id)


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
    binds = conditions(filter or wire.SubjectFilter())
    after, seen = feed.end, None
    while not ctx.cancelled:
        (version,) = feed.db.execute("PRAGMA data_version").fetchone()
        news = version != seen and feed.db.execute(NEWS, {**binds, "after": after}).fetchall()
        for seq, kind, native, label, document in news or ():
            after = seq
            task = msgspec.json.decode(document, type=wire.Subject)
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
