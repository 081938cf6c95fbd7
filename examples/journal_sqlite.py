"""Workflow runs, checkpoints and events in one SQLite file: a complete workflow journal.

    python journal_sqlite.py                       a host starts it, or you with `--manifest`

A host does not say which project a journal is for, but starts it in its own working directory. So
the database is `journal.sqlite3` in the nearest `.animus` folder from there upwards, or where
ANIMUS_JOURNAL_DB says. Runs, checkpoints and events are returned exactly as they were given,
including keys that this version does not know.
"""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from animus_routes import (
    App,
    Cancelled,
    Context,
    Depends,
    InvalidRequest,
    QuotaExceeded,
    Unavailable,
)
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.batteries.sqlite import turn
from animus_routes.structs import workflow_journal as wire
from animus_routes.timestamps import now

import msgspec

MAX_PAGE: Final = 1000
MAX_BYTES: Final = 6 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
BUSY_S: Final = 5.0
SLICE: Final = 200  # rows that go in one transaction
SLICE_BYTES: Final = 512 * 1024  # and how long they are together; one may be longer
PAUSE_S: Final = 0.005  # so that whoever waits is next
MAX_VALUES: Final = 1000  # of one condition, each of which is looked up
TIME_EXPECTED: Final = "expected an RFC 3339 time with a zone"
TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS runs (
        workflow TEXT PRIMARY KEY, status TEXT NOT NULL, workflow_ref TEXT,
        created_at TEXT NOT NULL, moment TEXT NOT NULL, run TEXT NOT NULL)""",
    "DROP INDEX IF EXISTS runs_by_moment",
    "CREATE INDEX IF NOT EXISTS runs_newest ON runs (moment DESC, workflow)",
    "CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, moment DESC, workflow)",
    "CREATE INDEX IF NOT EXISTS runs_by_ref ON runs (workflow_ref, moment DESC, workflow)",
    """CREATE INDEX IF NOT EXISTS runs_by_both
        ON runs (status, workflow_ref, moment DESC, workflow)""",
    """CREATE TABLE IF NOT EXISTS checkpoints (
        workflow TEXT NOT NULL, num INTEGER NOT NULL, blob TEXT NOT NULL,
        PRIMARY KEY (workflow, num))""",
    """CREATE TABLE IF NOT EXISTS events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, workflow TEXT NOT NULL, moment TEXT NOT NULL,
        event TEXT NOT NULL, UNIQUE (workflow, event))""",
    "CREATE INDEX IF NOT EXISTS events_by_moment ON events (moment, seq)",
    "CREATE INDEX IF NOT EXISTS events_of_run ON events (workflow, moment, seq)",
    # The events and checkpoints of a run are kept under a name: its id or, since a run with this id
    # was deleted, a number, which is a BLOB and so never equals an id.
    """CREATE TABLE IF NOT EXISTS renamed (
        number INTEGER PRIMARY KEY AUTOINCREMENT, workflow TEXT NOT NULL UNIQUE)""",
    # What is kept under these names is still to be removed.
    "CREATE TABLE IF NOT EXISTS dropped (name PRIMARY KEY, workflow TEXT NOT NULL)",
)
# Processes of 0.1.0 may still run: each of their calls reads a column that has another name now.
RENAMED: Final = (
    "ALTER TABLE runs RENAME COLUMN workflow_id TO workflow",
    "ALTER TABLE checkpoints RENAME COLUMN workflow_id TO workflow",
    "ALTER TABLE events RENAME COLUMN run_id TO workflow",
)
# What was still to be removed had numbers up to the one in `dropped`.
SWEPT: Final = (
    """DELETE FROM events WHERE seq <=
        (SELECT d.events FROM dropped d WHERE d.workflow_id = events.workflow)""",
    """DELETE FROM checkpoints WHERE rowid <=
        (SELECT d.checkpoints FROM dropped d WHERE d.workflow_id = checkpoints.workflow)""",
    "DROP TABLE dropped",
)
STEPS: Final = {1: RENAMED, 2: (*RENAMED, *SWEPT), 3: SWEPT}


def build(db: Transaction, found: int) -> None:
    for statement in (*STEPS.get(found, ()), *TABLES):
        db.run(statement)
    db.run(f"PRAGMA user_version = {LAYOUT.version}")  # programs of 0.1.0 that start now refuse it


LAYOUT: Final = Layout("journal", 4, "runs", build)

SAVE: Final = """INSERT INTO runs (workflow, status, workflow_ref, created_at, moment, run)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (workflow) DO UPDATE
    SET status = excluded.status, workflow_ref = excluded.workflow_ref,
        created_at = excluded.created_at, moment = excluded.moment, run = excluded.run"""
RUN: Final = "SELECT workflow, run FROM runs WHERE workflow = ?"
# What has the runs in order, whatever is asked for.
INDEXES: Final = {
    (): "runs_newest",
    ("status",): "runs_by_status",
    ("workflow_ref",): "runs_by_ref",
    ("status", "workflow_ref"): "runs_by_both",
}
# The name under which the run ?1 keeps its events and checkpoints.
OWN: Final = "CAST(number AS BLOB)"
NAME: Final = f"coalesce((SELECT {OWN} FROM renamed WHERE workflow = ?1), ?1)"
EVENTS: Final = "SELECT seq, event FROM events WHERE {} AND moment >= ?2 ORDER BY moment, seq"
OF_ONE: Final = f"workflow = {NAME}"
# It steps over what is still to be removed, which takes 0.15 ms for 1,000 rows.
OF_ALL: Final = "workflow NOT IN (SELECT name FROM dropped) AND ?1 IS NULL"
KEPT: Final = f"FROM checkpoints WHERE workflow = {NAME}"
DROP: Final = (
    f"INSERT INTO dropped (name, workflow) SELECT {NAME}, ?1",
    "REPLACE INTO renamed (workflow) VALUES (?1)",  # a number that was never used
)
# Rows and how long they are.
SIZED: Final = "SELECT rowid, length(CAST({} AS BLOB))"
KEPT_UNDER: Final = {
    "events": f"{SIZED.format('event')} FROM events WHERE workflow = ?",
    "checkpoints": f"{SIZED.format('blob')} FROM checkpoints WHERE workflow = ?",
}
PRUNED: Final = f"""{SIZED.format("blob")} {KEPT} AND num <=
    (SELECT num {KEPT} ORDER BY num DESC LIMIT 1 OFFSET ?2) ORDER BY num"""
# A run whose id has nothing left under any name has its id for a name again.
FORGET: Final = f"""DELETE FROM renamed WHERE workflow = ?1
    AND NOT EXISTS (SELECT 1 FROM dropped WHERE name = ?1)
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.workflow = {OWN})
    AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE checkpoints.workflow = {OWN})"""
CHECKPOINT: Final = f"""INSERT INTO checkpoints (workflow, num, blob) VALUES ({NAME}, ?2, ?3)
    ON CONFLICT (workflow, num) DO UPDATE SET blob = excluded.blob"""
# A host sends a call again when the plugin died before the answer: the same event counts once.
RECORD: Final = f"""INSERT INTO events (workflow, moment, event) VALUES ({NAME}, ?2, ?3)
    ON CONFLICT (workflow, event) DO NOTHING"""


class Page(NamedTuple):
    """Rows of a key and a document, and whether more of them match."""

    rows: list[tuple[Any, str]]
    truncated: bool


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def moment(text: str, path: str) -> str:
    """An RFC 3339 time in UTC with nine fraction digits, so that texts sort as times do."""
    found = TIME.fullmatch(text.upper())
    if found is None:
        raise invalid(path, TIME_EXPECTED)
    try:
        # Zones shift minutes only, so that seconds may be 60 and fractions keep their digits.
        minute = datetime.fromisoformat(f"{found[1]}{found[4]}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(path, TIME_EXPECTED) from None
    return f"{minute.isoformat()[:16]}:{found[2]}.{(found[3] or '')[:9]:0<9}"


def document(value: Any, path: str) -> str:
    text = msgspec.json.encode(value)
    if len(text) > MAX_BYTES:
        raise invalid(path, f"longer than {MAX_BYTES} bytes")
    return text.decode()


def prepare(db: sqlite3.Connection) -> None:
    # FULL: what was answered is on disk, whatever happens to this process or the machine.
    db.execute("PRAGMA synchronous = FULL")


def remove(db: sqlite3.Connection, table: str, sized: str, binds: list[Any]) -> bool:
    """Remove a slice of some rows; whether there are more of them."""
    gone: list[list[int]] = []
    size, more = 0, False
    with closing(db.execute(sized, binds)) as rows:
        for number, length in rows:
            size += length
            more = len(gone) == SLICE or (bool(gone) and size > SLICE_BYTES)
            if more:
                break
            gone.append([number])
    db.executemany(f"DELETE FROM {table} WHERE rowid = ?", gone)
    return more


def clear(db: sqlite3.Connection, name: str | bytes, workflow_id: str) -> bool:
    """Remove a slice of what a deleted run kept under a name; whether there is more of it."""
    more = [remove(db, table, sized, [name]) for table, sized in KEPT_UNDER.items()]
    if not any(more):
        db.execute("DELETE FROM dropped WHERE name = ?", [name])
        db.execute(FORGET, [workflow_id])
    return any(more)


class Store:
    """The journal of one database file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, LAYOUT, wait_s=BUSY_S, wal=True, prepare=prepare)

    @property
    def db(self) -> sqlite3.Connection:
        """Opened, and made if need be, when it is first used: a ping leaves nothing behind."""
        return self.database.own

    @contextmanager
    def change(self, db: sqlite3.Connection) -> Iterator[None]:
        """A transaction that writes, and goes on with what was deleted."""
        with turn(db, BUSY_S):
            for one in db.execute("SELECT name, workflow FROM dropped LIMIT 1").fetchall():
                clear(db, *one)
            yield

    def value(self, sql: str, binds: list[Any]) -> Any:
        """The first column of the first row, or None."""
        row = self.db.execute(sql, binds).fetchone()
        return row and row[0]

    def page(self, found: Iterable[tuple[Any, str]], limit: int | None) -> Page:
        """Rows up to a limit, and no more than fit into a frame."""
        bound = MAX_PAGE if limit is None else min(limit, MAX_PAGE)
        rows: list[tuple[Any, str]] = []
        size = 0
        for row in found:
            size += len(row[1].encode())
            if len(rows) == bound or (rows and size > MAX_BYTES):
                return Page(rows, truncated=True)
            rows.append(row)
        return Page(rows, truncated=False)

    def save(self, run: wire.JournalRun, given: dict[str, Any]) -> None:
        """Insert or replace a run, which is kept exactly as it was given."""
        find = "SELECT created_at FROM runs WHERE workflow = ?"
        with self.change(self.db):
            created_at = run.created_at or self.value(find, [run.workflow_id]) or now()
            updated_at = run.updated_at or now()
            kept = document({**given, "created_at": created_at, "updated_at": updated_at}, "run")
            changed = moment(updated_at, "run.updated_at")
            values = [run.workflow_id, run.status, run.workflow_ref, created_at, changed, kept]
            self.db.execute(SAVE, values)

    def ids(self, db: Transaction, query: wire.JournalQuery) -> list[str]:
        """The runs that match, the most recently saved first, and one more than the limit."""
        since = moment(query.updated_since, "updated_since") if query.updated_since else ""
        limit = 1 + (MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE))
        if len(query.status) > MAX_VALUES:
            raise invalid("status", f"more than {MAX_VALUES} of them")
        refs = [query.workflow_ref] if query.workflow_ref else []
        given = {"status": [*dict.fromkeys(query.status)], "workflow_ref": refs}
        wanted = {name: values for name, values in given.items() if values}
        conditions = " AND ".join([*(f"{name} = ?" for name in wanted), "moment >= ?"])
        sql = f"""SELECT moment, workflow FROM runs INDEXED BY {INDEXES[tuple(wanted)]}
            WHERE {conditions} ORDER BY moment DESC, workflow LIMIT ?"""
        found: list[tuple[str, str]] = []
        for values in product(*wanted.values()):
            found += db.rows(sql, *values, since, limit)
            found.sort(key=itemgetter(1))
            found.sort(key=itemgetter(0), reverse=True)
            del found[limit:]
            since = found[-1][0] if len(found) == limit else since
        return [workflow_id for _, workflow_id in found]

    def runs(self, query: wire.JournalQuery) -> Page:
        with self.database.read() as db:
            rows = (db.row(RUN, workflow_id) for workflow_id in self.ids(db, query))
            return self.page(filter(None, rows), query.limit)

    def events(self, run_id: str | None, since: str, limit: int | None) -> Page:
        sql = EVENTS.format(OF_ALL if run_id is None else OF_ONE)
        with closing(self.db.execute(sql, [run_id, since])) as rows:
            return self.page(rows, limit)

    def delete(self, workflow_id: str, ctx: Context) -> None:
        """Nobody sees the run any more; its rows are removed by and by, beside what else is called."""
        with closing(self.database.connection()) as db:
            with self.change(db):
                db.execute("DELETE FROM runs WHERE workflow = ?", [workflow_id])
                (name,) = db.execute(f"SELECT {NAME}", [workflow_id]).fetchone()
                more = clear(db, name, workflow_id)
                for statement in DROP if more else ():
                    db.execute(statement, [workflow_id])
            try:
                while more and not ctx.wait(PAUSE_S):
                    with turn(db, BUSY_S):
                        more = clear(db, name, workflow_id)
            except sqlite3.Error as problem:  # the run is forgotten all the same
                ctx.log("warn", f"rows of a deleted run are left to later writes: {problem}")

    def prune(self, workflow_id: str, keep: int, ctx: Context) -> None:
        """The oldest go first, so that whoever looks meanwhile sees the newest, some more than asked."""
        with closing(self.database.connection()) as db:
            more = True
            while more:
                with self.change(db):
                    more = remove(db, "checkpoints", PRUNED, [workflow_id, keep])
                if more and ctx.wait(PAUSE_S):
                    raise Cancelled


# ---- the plugin ---------------------------------------------------------------------------------


def database_path(start: Path) -> Path:
    if given := os.environ.get("ANIMUS_JOURNAL_DB"):
        return Path(given)
    above = (folder / ".animus" for folder in (start, *start.parents))
    folder = next((found for found in above if found.is_dir()), start / ".animus")
    return folder / "journal.sqlite3"


def lifespan(ctx: Context) -> Iterator[Store]:
    store = Store(database_path(Path(ctx.project_root).resolve()))
    yield store
    store.database.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Journal = Annotated[Store, Depends(the_store)]

app = App(
    kind="workflow_journal",
    name="animus-journal-sqlite",
    version="0.1.0",
    description="Workflow runs, checkpoints and events in a SQLite file",
    lifespan=lifespan,
    env_required=[
        {
            "name": "ANIMUS_JOURNAL_DB",
            "description": "The database file; journal.sqlite3 in the nearest .animus if unset",
        }
    ],
)


@app.method("journal/save")
def save(request: wire.SaveParams, ctx: Context, journal: Journal) -> None:
    journal.save(request.run, ctx.params["run"])


@app.method("journal/load")
def load(workflow_id: str, journal: Journal) -> dict[str, Any]:
    found = journal.value("SELECT run FROM runs WHERE workflow = ?", [workflow_id])
    return {"run": found and msgspec.json.decode(found)}


@app.method("journal/list")
def list_runs(query: wire.JournalQuery, journal: Journal) -> dict[str, Any]:
    """The most recently saved runs come first."""
    page = journal.runs(query)
    runs = [msgspec.json.decode(run) for _, run in page.rows]
    return {"runs": runs, "truncated": page.truncated}


@app.method("journal/query_ids")
def query_ids(query: wire.JournalQuery, journal: Journal) -> wire.QueryIdsResult:
    with journal.database.read() as db:
        ids = journal.ids(db, query)
    limit = MAX_PAGE if query.limit is None else query.limit
    return wire.QueryIdsResult(ids=ids[:limit], truncated=len(ids) > min(limit, MAX_PAGE))


@app.method("journal/delete", concurrent=True)
def delete(workflow_id: str, ctx: Context, journal: Journal) -> None:
    """Forget a run with its checkpoints and events; an unknown one counts as forgotten."""
    journal.delete(workflow_id, ctx)


@app.method("journal/checkpoint_save")
def checkpoint_save(request: wire.CheckpointSaveParams, journal: Journal) -> None:
    blob = document(request.blob, "blob")
    with journal.change(journal.db):
        journal.db.execute(CHECKPOINT, [request.workflow_id, request.checkpoint_num, blob])


@app.method("journal/checkpoint_load")
def checkpoint_load(request: wire.CheckpointLoadParams, journal: Journal) -> dict[str, Any]:
    find = f"SELECT blob {KEPT} AND num = ?2"
    found = journal.value(find, [request.workflow_id, request.checkpoint_num])
    return {"blob": found and msgspec.json.decode(found)}


@app.method("journal/checkpoint_list")
def checkpoint_list(workflow_id: str, journal: Journal) -> wire.CheckpointListResult:
    find = f"SELECT num {KEPT} ORDER BY num"
    rows = journal.db.execute(find, [workflow_id])
    return wire.CheckpointListResult(checkpoint_nums=[num for (num,) in rows])


@app.method("journal/checkpoint_prune", concurrent=True)
def checkpoint_prune(request: wire.CheckpointPruneParams, ctx: Context, journal: Journal) -> None:
    journal.prune(request.workflow_id, request.keep, ctx)


@app.method("journal/record")
def record(request: wire.RecordParams, ctx: Context, journal: Journal) -> None:
    event = request.event
    values = [event.run_id, moment(event.ts, "event.ts"), document(ctx.params["event"], "event")]
    with journal.change(journal.db):
        journal.db.execute(RECORD, values)


@app.method("journal/events")
def events(query: wire.EventQuery, journal: Journal) -> dict[str, Any]:
    """The oldest first."""
    since = moment(query.since, "since") if query.since else ""
    page = journal.events(query.run_id, since, query.limit)
    found = [msgspec.json.decode(event) for _, event in page.rows]
    return {"events": found, "truncated": page.truncated}


@app.method("journal/schema")
def schema() -> wire.JournalSchema:
    return wire.JournalSchema(
        supports_checkpoints=True, supports_events=True, supports_filtering=True
    )


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
def refuse(ctx: Context[Store], problem: sqlite3.Error | OSError) -> Unavailable | QuotaExceeded:
    full = getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return (QuotaExceeded if full else Unavailable)(f"{ctx.state.path}: {problem}")


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
