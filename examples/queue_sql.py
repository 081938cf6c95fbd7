"""A dispatch queue in a SQL database, which any number of hosts may share.

    python queue_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/queue.sqlite3` under the project's root, or what ANIMUS_QUEUE_URL says, such
as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_QUEUE_NAME (the
name of the project's folder if unset) work on one queue.

No entry is leased twice, whatever runs at the same time. A lease never passes over an entry that was
committed and that nobody had locked when it looked, and one process sees strict order: by rank,
then by position. Leases that run at the same time on PostgreSQL have no order between them.

A host starts this process afresh for every call, so a call costs the same however long the queue is,
but for the pages of a list, which are counted off on an index. Entries whose time has come or is
over are moved or removed by whatever changes the queue next, at most 1,000 at a time; what only
reads leaves them out by itself.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, NamedTuple
from uuid import uuid4

import msgspec

from animus_routes import App, Context, Depends, InvalidRequest, RpcError
from animus_routes.batteries.sql import Busy, Database, Layout, Transaction, marks
from animus_routes.structs import queue as wire
from animus_routes.timestamps import now, parse

MAX_LEASE: Final = 100
MAX_PAGE: Final = 1000
MAX_NAMED: Final = 10  # of a subject's entries in a warning
LOCK_S: Final = 10.0
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BUILT_IN: Final = frozenset({"animus.task", "animus.requirement", "custom"})
RANKS: Final = {"low": 0, "medium": 1, "high": 2, "critical": 3}

NOT_FOUND: Final = -32201
ALREADY_ASSIGNED: Final = -32202
NOT_PENDING: Final = -32203
REORDER_FAILED: Final = -32204
LOCK_FAILED: Final = -32205
WORKFLOW_ID_COUNT: Final = -32206
BINDING_MISMATCH: Final = -32207
NOT_ASSIGNED: Final = -32208

MAX_SWEPT: Final = 1000
FOLD_EVERY: Final = 32  # about so many changes of PostgreSQL's counters, for the clock decides
NAMES_A_STATEMENT: Final = 500
LATEST_US: Final = 2**63 - 1
PENDING, ASSIGNED, HELD = "pending", "assigned", "held"
UNNAMED: Final = "lease-"
DEFERRED: Final = "deferred"  # pending for the host, but kept out of a lease's way
STATES: Final = (PENDING, DEFERRED, ASSIGNED, HELD)


# ---- the store ----------------------------------------------------------------------------------


def now_us() -> int:
    return time.time_ns() // 1000


# `due_us` is 0 for an entry without a time of its own; `expires_us` is its deadline while it waits.
ENTRIES: Final = """
CREATE TABLE queue_entries (entry_id TEXT PRIMARY KEY, queue_name TEXT NOT NULL,
    rank INTEGER NOT NULL, position BIGINT NOT NULL, state TEXT NOT NULL,
    subject_key TEXT NOT NULL, dispatch TEXT NOT NULL, enqueued_at TEXT NOT NULL,
    assigned_at TEXT, held_at TEXT, workflow_id TEXT, reason TEXT, run_at TEXT,
    due_us BIGINT NOT NULL, expire_after_secs TEXT, deadline_us BIGINT, expires_us BIGINT)
"""
INDEXES: Final = """
CREATE INDEX queue_entries_in_order
    ON queue_entries (queue_name, state, rank DESC, position, entry_id);
CREATE INDEX queue_entries_by_subject
    ON queue_entries (queue_name, subject_key, due_us, position);
CREATE INDEX queue_entries_by_due_time
    ON queue_entries (queue_name, state, due_us) WHERE state = 'deferred';
CREATE INDEX queue_entries_by_deadline
    ON queue_entries (queue_name, expires_us) WHERE expires_us IS NOT NULL
"""
# One row a queue; on PostgreSQL any number of them, which count together: a row that every call
# changes would be a lock of its own.
COUNTS: Final = """
CREATE TABLE queue_counts (queue_name TEXT NOT NULL, position BIGINT NOT NULL DEFAULT 0,
    pending BIGINT NOT NULL DEFAULT 0, deferred BIGINT NOT NULL DEFAULT 0,
    assigned BIGINT NOT NULL DEFAULT 0, held BIGINT NOT NULL DEFAULT 0, {key})
"""
ON_SQLITE: Final = COUNTS.format(key="UNIQUE (queue_name)")
ON_POSTGRESQL: Final = f"""
{COUNTS.format(key="id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")};
CREATE INDEX queue_counts_of_queue ON queue_counts (queue_name);
CREATE SEQUENCE queue_positions
"""
# Processes of 0.1.0 may still run: each of their statements reads a column that has another name now.
FROM_0_1_0: Final = """
ALTER TABLE queues RENAME COLUMN name TO queue_name;
ALTER TABLE queue_entries RENAME COLUMN queue TO queue_name;
ALTER TABLE queue_entries RENAME COLUMN status TO state;
ALTER TABLE queue_entries RENAME COLUMN run_at_us TO due_us;
ALTER TABLE queue_entries ADD COLUMN expires_us BIGINT;
DROP INDEX queue_entries_in_order;
DROP INDEX queue_entries_by_subject;
UPDATE queue_entries SET due_us = coalesce(due_us, 0),
    expires_us = CASE state WHEN 'pending' THEN deadline_us END,
    state = CASE WHEN state = 'pending' AND due_us > {now} THEN 'deferred' ELSE state END
"""
LOCK_0_1_0: Final = """
LOCK TABLE queues, queue_entries IN ACCESS EXCLUSIVE MODE;
ALTER TABLE queue_entries DROP CONSTRAINT IF EXISTS queue_entries_queue_fkey
"""


def build(db: Transaction, found: int) -> None:
    scripts = [FROM_0_1_0.format(now=now_us()) if found else ENTRIES, INDEXES]
    if found and db.postgresql:
        scripts.insert(0, LOCK_0_1_0)
    for statement in ";".join([*scripts, ON_POSTGRESQL if db.postgresql else ON_SQLITE]).split(";"):
        db.run(statement)
    counted = ", ".join(f"sum(CASE state WHEN '{state}' THEN 1 ELSE 0 END)" for state in STATES)
    db.run(
        f"INSERT INTO queue_counts (queue_name, position, {', '.join(STATES)})"
        f" SELECT queue_name, max(position), {counted} FROM queue_entries GROUP BY queue_name"
    )
    if db.postgresql:
        last = "SELECT coalesce(max(position), 0) + 1 FROM queue_entries"
        db.row(f"SELECT setval('queue_positions', ({last}))")


LAYOUT: Final = Layout("queue", 2, "queue_entries", build, lock=0x616E_696D)


class Entry(NamedTuple):
    """A row of the table, what changes of it last."""

    entry_id: str
    dispatch: str
    enqueued_at: str
    run_at: str | None
    due_us: int
    expire_after_secs: str | None  # wider than SQL's integers
    deadline_us: int | None
    rank: int
    position: int
    state: str
    expires_us: int | None
    assigned_at: str | None = None
    held_at: str | None = None
    workflow_id: str | None = None
    reason: str | None = None

    @property
    def status(self) -> str:
        return PENDING if self.state == DEFERRED else self.state

    def assigned(self, workflow_id: str) -> "Entry":
        after = self._replace(state=ASSIGNED, workflow_id=workflow_id, assigned_at=now())
        return after._replace(expires_us=None)

    def held(self, reason: str | None) -> "Entry":
        return self._replace(state=HELD, held_at=now(), reason=reason, expires_us=None)

    def waiting(self, now_us: int, reason: str | None = None) -> "Entry":
        state = DEFERRED if self.due_us > now_us else PENDING
        after = self._replace(state=state, reason=reason, expires_us=self.deadline_us)
        return after._replace(assigned_at=None, held_at=None, workflow_id=None)


CHANGING: Final = Entry._fields[Entry._fields.index("rank") :]
SELECT: Final = f"SELECT {', '.join(Entry._fields)} FROM queue_entries"
INSERT: Final = (
    f"INSERT INTO queue_entries ({', '.join(Entry._fields)}, queue_name, subject_key)"
    f" VALUES ({marks(len(Entry._fields) + 2)})"
)
UPDATE: Final = (
    f"UPDATE queue_entries SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE entry_id = ?"
)
ALIVE: Final = "(expires_us IS NULL OR expires_us >= ?)"
IN_ORDER: Final = "ORDER BY rank DESC, position"


class View:
    """A queue as it is at one moment."""

    def __init__(self, db: Transaction, name: str) -> None:
        self.db = db
        self.name = name
        self.now_us = now_us()

    @cached_property
    def late(self) -> tuple[int, int]:
        """How many deferred entries are due, and how many waiting ones have expired."""
        row = self.db.row(
            "SELECT (SELECT count(*) FROM queue_entries"
            " WHERE queue_name = ? AND state = 'deferred' AND due_us <= ?),"
            " (SELECT count(*) FROM queue_entries WHERE queue_name = ? AND expires_us < ?)",
            *(self.name, self.now_us) * 2,
        )
        assert row is not None
        return row[0], row[1]

    def counts(self) -> dict[str, int]:
        """How many entries have each status, and how many of the pending ones are deferred."""
        counted = ", ".join(f"coalesce(sum({state}), 0)" for state in STATES)
        row = self.db.row(f"SELECT {counted} FROM queue_counts WHERE queue_name = ?", self.name)
        assert row is not None
        pending, deferred, assigned, held = map(int, row)
        due, expired = self.late
        now_pending = pending + deferred - expired
        return {PENDING: now_pending, ASSIGNED: assigned, HELD: held, DEFERRED: deferred - due}

    def page(self, statuses: Iterable[str], limit: int, offset: int) -> list[Entry]:
        """Entries in the order in which they are leased; those before them are only counted off."""
        wanted = {*statuses} & {PENDING, ASSIGNED, HELD}
        states = sorted(wanted | ({DEFERRED} if PENDING in wanted else set()))
        alive = f" AND {ALIVE}" if self.late[1] else ""
        parts = " UNION ALL ".join(
            f"SELECT * FROM (SELECT rank, position, entry_id FROM queue_entries"
            f" WHERE queue_name = ? AND state = '{state}'{alive} {IN_ORDER} LIMIT ?) AS {state}"
            for state in states
        )
        if not states:
            return []
        now = [self.now_us] if alive else []
        each = [self.name, *now, min(limit + offset, LATEST_US)]
        ids = self.db.rows(
            f"SELECT entry_id FROM ({parts}) AS entries {IN_ORDER} LIMIT ? OFFSET ?",
            *each * len(states),
            limit,
            offset,
        )
        return self.named([entry_id for (entry_id,) in ids])

    def named(self, entry_ids: list[str], *, lock: bool = False) -> list[Entry]:
        """The entries with these ids, in the order in which they are leased."""
        found: list[Entry] = []
        ids = sorted(entry_ids)  # whoever locks several has to do it in one order
        for first in range(0, len(ids), NAMES_A_STATEMENT):
            part = ids[first : first + NAMES_A_STATEMENT]
            # An expression, so that the ids are looked up and not the queue.
            own = f"WHERE entry_id IN ({marks(len(part))}) AND queue_name || '' = ? AND {ALIVE}"
            end = "ORDER BY entry_id FOR UPDATE" if lock and self.db.postgresql else ""
            rows = self.db.rows(f"{SELECT} {own} {end}", *part, self.name, self.now_us)
            found += map(Entry._make, rows)
        return sorted(found, key=lambda entry: (-entry.rank, entry.position))

    def next_deferred(self) -> str | None:
        at: str | None = self.db.value(
            "SELECT run_at FROM queue_entries WHERE queue_name = ? AND state = 'deferred'"
            " AND due_us > ? ORDER BY due_us LIMIT 1",
            self.name,
            self.now_us,
        )
        return at


class Turn(View):
    """What is done to a queue in one transaction."""

    def __init__(self, db: Transaction, name: str) -> None:
        super().__init__(db, name)
        self.skip_locked = "FOR UPDATE SKIP LOCKED" if db.postgresql else ""
        self.changes: Counter[str] = Counter()
        self.swept = False

    def sweep(self) -> None:
        """Remove some entries that have expired, and move some that are due; once in a turn."""
        if self.swept or not any(self.late):
            return
        self.swept = True
        some = f"LIMIT {MAX_SWEPT} {self.skip_locked}"
        gone = self.db.rows(
            "DELETE FROM queue_entries WHERE entry_id IN (SELECT entry_id FROM queue_entries"
            f" WHERE queue_name = ? AND expires_us < ? ORDER BY expires_us {some}) RETURNING state",
            self.name,
            self.now_us,
        )
        self.changes.subtract(state for (state,) in gone)
        due = self.db.run(
            "UPDATE queue_entries SET state = 'pending' WHERE entry_id IN (SELECT entry_id FROM"
            " queue_entries WHERE queue_name = ? AND state = 'deferred' AND due_us <= ?"
            f" ORDER BY due_us {some})",
            self.name,
            self.now_us,
        )
        self.changes.update({DEFERRED: -due, PENDING: due})

    def count(self) -> None:
        """Add what has changed to the counters."""
        changes = [self.changes[state] for state in STATES]
        if not any(changes):
            return
        columns = ", ".join(STATES)
        insert = f"INSERT INTO queue_counts (queue_name, {columns})"
        if not self.db.postgresql:
            add = ", ".join(f"{state} = {state} + excluded.{state}" for state in STATES)
            conflict = f"ON CONFLICT (queue_name) DO UPDATE SET {add}"
            self.db.run(f"{insert} VALUES ({marks(5)}) {conflict}", self.name, *changes)
            return
        self.db.run(f"{insert} VALUES ({marks(5)})", self.name, *changes)
        if self.now_us % FOLD_EVERY == 0:
            self.db.run(
                "WITH open AS (SELECT id FROM queue_counts WHERE queue_name = ? ORDER BY id"
                f" LIMIT {MAX_SWEPT} {self.skip_locked}), gone AS (DELETE FROM queue_counts"
                f" WHERE id IN (SELECT id FROM open) RETURNING {columns}) {insert}"
                f" SELECT ?, {', '.join(f'sum({state})' for state in STATES)} FROM gone",
                self.name,
                self.name,
            )

    def of_subject(self, key: str, limit: int) -> list[Entry]:
        """Some entries of a subject, those that are due first; nobody else adds one meanwhile."""
        if self.db.postgresql:
            both = "SELECT pg_advisory_xact_lock(hashtext(?), hashtext(?))"
            self.db.row(both, self.name, key)
        own = f"WHERE queue_name = ? AND subject_key = ? AND {ALIVE} ORDER BY due_us, position"
        rows = self.db.rows(f"{SELECT} {own} LIMIT ?", self.name, key, self.now_us, limit)
        return [Entry(*row) for row in rows]

    def position(self) -> int:
        """The next place in the queue; places may stay empty."""
        if self.db.postgresql:
            return int(self.db.value("SELECT nextval('queue_positions')"))
        following = "ON CONFLICT (queue_name) DO UPDATE SET position = position + 1"
        first = f"INSERT INTO queue_counts (queue_name, position) VALUES (?, 1) {following}"
        return int(self.db.value(f"{first} RETURNING position", self.name))

    def add(self, entry: Entry, key: str) -> None:
        """Add an entry of a subject, last of its rank."""
        entry = entry._replace(position=self.position()).waiting(self.now_us)
        self.db.run(INSERT, *entry, self.name, key)
        self.changes[entry.state] += 1

    def free(self, limit: int, excluded: list[str]) -> list[Entry]:
        """The next entries for a lease, which nobody else is leasing."""
        others = f"AND subject_key NOT IN ({marks(len(excluded))})" if excluded else ""
        rows = self.db.rows(
            f"{SELECT} WHERE queue_name = ? AND state = 'pending' AND {ALIVE} {others}"
            f" {IN_ORDER} LIMIT ? {self.skip_locked}",
            self.name,
            self.now_us,
            *excluded,
            limit,
        )
        return [Entry(*row) for row in rows]

    def find(self, entry_id: str) -> Entry | None:
        return next(iter(self.named([entry_id], lock=True)), None)

    def change(self, entries: Iterable[tuple[Entry, Entry]]) -> None:
        """Write entries anew: each as it was, and as it is to be."""
        rows = []
        for before, after in entries:
            self.changes[before.state] -= 1
            self.changes[after.state] += 1
            rows.append((*(getattr(after, name) for name in CHANGING), after.entry_id))
        self.db.run_each(UPDATE, rows)

    def remove(self, entry: Entry) -> None:
        self.db.run("DELETE FROM queue_entries WHERE entry_id = ?", entry.entry_id)
        self.changes[entry.state] -= 1


class Queue(NamedTuple):
    """One queue of a database."""

    database: Database
    name: str

    @contextmanager
    def view(self) -> Iterator[View]:
        with self.database.read() as db:
            yield View(db, self.name)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        with self.database.write() as db:
            turn = Turn(db, self.name)
            yield turn
            # Last, so that whoever waits for an entry's lock holds none that a sweep has taken.
            turn.sweep()
            turn.count()


# ---- what is done with it -----------------------------------------------------------------------

# Verb: the status that it takes an entry from, and the one that it gives it.
MOVES: Final = {
    "hold": (PENDING, HELD),
    "release": (HELD, PENDING),
    "mark_assigned": (PENDING, ASSIGNED),
    "release_pending": (ASSIGNED, PENDING),
}


def subject_key(subject: wire.SubjectRef | None) -> str:
    """What no two entries are to share; entries without a subject share nothing."""
    if subject is None:
        return ""
    return subject.id if subject.kind.lower() in BUILT_IN else f"{subject.kind}::{subject.id}"


def instant_us(text: str) -> int:
    try:
        return (parse(text) - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        message = "expected an RFC 3339 time with a zone"
        issue = {"path": "run_at", "message": message, "code": "value"}
        raise InvalidRequest(f"run_at: {message}", {"issues": [issue]}) from None


def entry_of(request: wire.QueueEnqueueRequest) -> Entry:
    """A new entry; a deferred one is given up at its deadline unless somebody has leased it."""
    dispatch, run_at, grace = (
        request.subject_dispatch,
        request.run_at,
        request.expire_after_secs,
    )
    due_us = 0 if run_at is None else instant_us(run_at)
    lasts = run_at is None or grace is None
    return Entry(
        entry_id=uuid4().hex,
        dispatch=msgspec.json.encode(dispatch).decode(),
        enqueued_at=now(),
        run_at=run_at,
        due_us=due_us,
        expire_after_secs=None if grace is None else str(grace),
        deadline_us=None if lasts else min(due_us + (grace or 0) * 1_000_000, LATEST_US),
        rank=RANKS.get((dispatch.priority or "medium").lower(), RANKS["medium"]),
        position=0,
        state=PENDING,
        expires_us=None,
    )


def on_the_wire(entry: Entry) -> wire.QueueEntry:
    dispatch = msgspec.json.decode(entry.dispatch, type=wire.SubjectDispatch)
    subject, grace = dispatch.subject, entry.expire_after_secs
    plain = ("entry_id", "status", "enqueued_at", "assigned_at", "held_at", "run_at", "workflow_id")
    return wire.QueueEntry(
        **{name: getattr(entry, name) for name in plain},
        subject_id=subject.id if subject else "",
        subject_dispatch=dispatch,
        expire_after_secs=None if grace is None else int(grace),
        task_id=subject.id if subject and subject.kind.lower() == "animus.task" else None,
    )


def stats_of(counts: dict[str, int]) -> wire.QueueStats:
    total = sum(counts[status] for status in (PENDING, ASSIGNED, HELD))
    return wire.QueueStats(**counts, total=total)


def refused(code: int, entry: Entry) -> RpcError:
    data = {"entry_id": entry.entry_id, "status": entry.status, "workflow_id": entry.workflow_id}
    return RpcError(code, f"entry '{entry.entry_id}' is {entry.status}", data)


def unnamed() -> str:
    """The workflow's id of a lease for which nobody has given one."""
    return f"{UNNAMED}{uuid4()}"


def is_anothers(entry: Entry, workflow_id: str | None) -> bool:
    """Has another workflow the entry? Hosts lease without ids, and then speak of the runner's own."""
    known = entry.workflow_id or ""
    return workflow_id not in {None, known} and not known.startswith(UNNAMED)


def move(
    turn: Turn,
    verb: str,
    entry_id: str,
    *,
    workflow_id: str | None = None,
    reason: str | None = None,
) -> wire.QueueMutationResponse:
    """Change an entry's status by one of the moves."""
    entry, (source, target) = turn.find(entry_id), MOVES[verb]
    if entry is None:
        return wire.QueueMutationResponse(changed=False, not_found=True)
    if entry.status == target and verb != "release_pending":
        if is_anothers(entry, workflow_id):
            raise refused(ALREADY_ASSIGNED, entry)
        if workflow_id in {None, entry.workflow_id}:
            return wire.QueueMutationResponse(changed=False)
        source = target  # leased without a name, which it gets now
    if entry.status != source:
        raise refused(NOT_ASSIGNED if source == ASSIGNED else NOT_PENDING, entry)
    if target == ASSIGNED:
        after = entry.assigned(workflow_id or unnamed())
    else:
        after = entry.held(reason) if target == HELD else entry.waiting(turn.now_us, reason)
    turn.change([(entry, after)])
    return wire.QueueMutationResponse(changed=True)


def remove(turn: Turn, entry: Entry | None) -> wire.QueueMutationResponse:
    if entry is not None:
        turn.remove(entry)
    return wire.QueueMutationResponse(changed=entry is not None, not_found=entry is None)


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Queue]:
    root = Path(ctx.project_root)
    url = os.environ.get("ANIMUS_QUEUE_URL")
    # The file is the project's own: its queue keeps its name when the folder is renamed.
    name = os.environ.get("ANIMUS_QUEUE_NAME") or (root.name if url else "")
    if not root.is_dir():
        raise RpcError(BINDING_MISMATCH, f"the project root '{root}' is not a directory here")
    if not url:
        (root / ".animus").mkdir(exist_ok=True)
    place = url or root / ".animus" / "queue.sqlite3"
    database = Database(place, LAYOUT, wait_s=LOCK_S)
    yield Queue(database, name)
    database.close()


def the_queue(ctx: Context[Queue]) -> Queue:
    return ctx.state


Shared = Annotated[Queue, Depends(the_queue)]

app = App(
    kind="queue",
    name="animus-queue-sql",
    version="0.1.0",
    description="A dispatch queue in SQLite or PostgreSQL",
    lifespan=lifespan,
    kind_capabilities={
        "queue": wire.QueueCapabilities(max_lease_batch=MAX_LEASE, priority_weighted=True)
    },
    env_required=[
        {
            "name": "ANIMUS_QUEUE_URL",
            "description": "The database; .animus/queue.sqlite3 under the project if unset",
            "sensitive": True,
        },
        {
            "name": "ANIMUS_QUEUE_NAME",
            "description": "The queue in a shared database; the project folder's name if unset",
        },
    ],
)


@app.exception_handler(Busy)
def not_free(_ctx: Context, problem: Busy) -> RpcError:
    return RpcError(LOCK_FAILED, f"the queue's lock: {problem.message}")


@app.method("queue/enqueue")
def enqueue(request: wire.QueueEnqueueRequest, queue: Shared) -> wire.QueueEnqueueResponse:
    """Once per subject, except that an entry with its own time is always added."""
    subject = request.subject_dispatch.subject
    subject_id = subject.id if subject else ""
    with queue.turn() as turn:
        key = subject_key(subject)
        others = turn.of_subject(key, MAX_NAMED + 1) if subject else []
        if request.run_at is None and others and others[0].due_us <= turn.now_us:
            found = others[0].entry_id
            return wire.QueueEnqueueResponse(enqueued=False, entry_id=found, subject_id=subject_id)
        known = [f"{other.entry_id} ({other.status})" for other in others[:MAX_NAMED]]
        known += ["and more"] if len(others) > MAX_NAMED else []
        text = f"the subject is already in the queue: {', '.join(known)}"
        entry = entry_of(request)
        turn.add(entry, key)
        return wire.QueueEnqueueResponse(
            enqueued=True,
            entry_id=entry.entry_id,
            subject_id=subject_id,
            warning=text if known else None,
        )


@app.method("queue/list")
def list_entries(request: wire.QueueListRequest, queue: Shared) -> wire.QueueListResponse:
    statuses = {*(request.status or (PENDING, ASSIGNED, HELD))} & {PENDING, ASSIGNED, HELD}
    limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
    with queue.view() as view:
        entries = view.page(statuses, limit, min(request.offset or 0, LATEST_US - MAX_PAGE))
        counts = view.counts()
    return wire.QueueListResponse(
        entries=[on_the_wire(entry) for entry in entries],
        total=sum(counts[status] for status in statuses),
        stats=stats_of(counts),
    )


@app.method("queue/lease")
def lease(request: wire.QueueLeaseRequest, queue: Shared) -> wire.QueueLeaseResponse:
    ids = request.workflow_ids
    if ids is not None and len(ids) != request.max:
        text = f"{len(ids)} workflow_ids for max {request.max}"
        raise RpcError(WORKFLOW_ID_COUNT, text, {"max": request.max, "workflow_ids": len(ids)})
    with queue.turn() as turn:
        turn.sweep()
        free = turn.free(min(request.max, MAX_LEASE), request.exclude_subjects or [])
        workflows = ids or [unnamed() for _ in free]
        pairs = [(e, e.assigned(workflow)) for e, workflow in zip(free, workflows, strict=False)]
        turn.change(pairs)
    return wire.QueueLeaseResponse(leased=[on_the_wire(after) for _, after in pairs])


@app.method("queue/stats")
def stats(queue: Shared) -> wire.QueueStats:
    with queue.view() as view:
        return stats_of(view.counts())


@app.method("queue/hold")
def hold(entry_id: str, reason: str | None, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return move(turn, "hold", entry_id, reason=reason)


@app.method("queue/release")
def release(entry_id: str, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return move(turn, "release", entry_id)


@app.method("queue/drop")
def drop(entry_id: str, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return remove(turn, turn.find(entry_id))


@app.method("queue/mark_assigned")
def mark_assigned(
    entry_id: str, workflow_id: str | None, queue: Shared
) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return move(turn, "mark_assigned", entry_id, workflow_id=workflow_id)


@app.method("queue/completion")
def completion(request: wire.QueueCompletionRequest, queue: Shared) -> wire.QueueMutationResponse:
    """The end of a workflow removes its entry, unless another workflow has it by then."""
    with queue.turn() as turn:
        entry = turn.find(request.entry_id)
        if entry is not None and (
            entry.status != ASSIGNED or is_anothers(entry, request.workflow_id)
        ):
            return wire.QueueMutationResponse(changed=False)
        return remove(turn, entry)


@app.method("queue/reorder")
def reorder(entry_ids: list[str], queue: Shared) -> wire.QueueReorderResponse:
    """The named entries share out their places in this order; the others stay where they are."""
    with queue.turn() as turn:
        places = turn.named(entry_ids, lock=True)
        entries = {entry.entry_id: entry for entry in places}
        missing = [entry_id for entry_id in entry_ids if entry_id not in entries]
        if missing or len(entries) != len(entry_ids):
            text = "entries are unknown or named twice"
            raise RpcError(REORDER_FAILED, text, {"unknown": missing})
        moved = [
            (entries[entry_id], entries[entry_id]._replace(rank=p.rank, position=p.position))
            for entry_id, p in zip(entry_ids, places, strict=True)
            if entry_id != p.entry_id
        ]
        turn.change(moved)
    return wire.QueueReorderResponse(reordered_count=len(moved))


@app.method("queue/release_pending")
def release_pending(entry_id: str, reason: str, queue: Shared) -> wire.QueueReleasePendingResponse:
    with queue.turn() as turn:
        if move(turn, "release_pending", entry_id, reason=reason).not_found:
            raise RpcError(NOT_FOUND, f"there is no entry '{entry_id}'", {"entry_id": entry_id})
    return wire.QueueReleasePendingResponse(entry_id=entry_id, status=PENDING)


@app.method("queue/next_deadline")
def next_deadline(queue: Shared) -> wire.QueueNextDeadlineResponse:
    with queue.view() as view:
        return wire.QueueNextDeadlineResponse(next_run_at=view.next_deferred())


if __name__ == "__main__":
    app.run()
