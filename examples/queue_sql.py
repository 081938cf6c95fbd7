"""A dispatch queue in a SQL database, which any number of hosts may share.

    python queue_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/queue.sqlite3` under the project's root, or what ANIMUS_QUEUE_URL says, such
as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_QUEUE_NAME (the
name of the project's folder if unset) work on one queue.

Hosts of both ages are served. Those of 0.7 lease by `queue/v2/*`, with fences: an entry that v2 has
added or looked at is leased by v2 alone. A lease that has expired is taken over by
`queue/v2/lease/recover`, never by another lease. Its length is ANIMUS_QUEUE_LEASE_TTL_SECS.

No entry is leased twice, whatever runs at the same time. A lease never passes over an entry that was
committed and that nobody had locked when it looked, and one process sees strict order: by rank,
then by position. Leases of v1 that run at the same time on PostgreSQL have no order between them;
`queue/v2/lease` and `queue/v2/enqueue` have one turn after another.

A host starts this process afresh for every call, so a call costs the same however long the queue is,
but for the pages of a list, which are counted off on an index. Entries whose time has come or is
over are moved or removed by whatever changes the queue next, at most 1,000 at a time; what only
reads leaves them out by itself. A lease or a list answers at most 7 MiB of entries, and leaves the
others to the next call.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from animus_routes import App, Context, Depends, InvalidRequest, RpcError, Unavailable
from animus_routes.batteries.sql import Busy, Database, Layout, Transaction, marks
from animus_routes.structs import queue as wire
from animus_routes.timestamps import now, parse

import msgspec
from uuid import uuid4

if TYPE_CHECKING:  # the rules of v2 are imported by the calls that need them
    from animus_routes.batteries.enqueues import Receipt
    from animus_routes.batteries.lease_changes import Decision, Past
    from animus_routes.batteries.leases import Lease

MAX_LEASE, MAX_FENCED = 100, 5
MAX_PAGE, MAX_SWEPT = 1000, 1000
ANSWER_BYTES: Final = 7 * 1024 * 1024  # of entries; a host ends the link above 8 MiB
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

FOLD_EVERY: Final = 32  # about so many changes of PostgreSQL's counters, for the clock decides
NAMES_A_STATEMENT: Final = 500
LATEST_US: Final = 2**63 - 1
PENDING, ASSIGNED, HELD = "pending", "assigned", "held"
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
# What v2 keeps of an entry: its subject's generation, who leased it how often and until when, and what
# it reserves, which no two assigned entries may share. `named` says whether a lease's caller chose the
# workflow's id. Subjects, keys and the past are kept for ever, since v2 promises to know them.
FENCED: Final = """
ALTER TABLE queue_entries ADD COLUMN subject_id TEXT;
ALTER TABLE queue_entries ADD COLUMN repository TEXT;
ALTER TABLE queue_entries ADD COLUMN repository_key TEXT;
ALTER TABLE queue_entries ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_entries ADD COLUMN subject_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queue_entries ADD COLUMN workflow_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queue_entries ADD COLUMN owner_id TEXT;
ALTER TABLE queue_entries ADD COLUMN leases BIGINT NOT NULL DEFAULT 0;
ALTER TABLE queue_entries ADD COLUMN leased_until TEXT;
CREATE UNIQUE INDEX queue_entries_by_reservation ON queue_entries (queue_name, repository_key)
    WHERE state = 'assigned' AND repository_key IS NOT NULL;
CREATE INDEX queue_entries_of_v1 ON queue_entries (queue_name, state, rank DESC, position)
    WHERE state = 'pending' AND subject_generation = 0;
CREATE TABLE queue_subjects (queue_name TEXT NOT NULL, subject_id TEXT NOT NULL,
    generation BIGINT NOT NULL, PRIMARY KEY (queue_name, subject_id));
CREATE TABLE queue_keys (queue_name TEXT NOT NULL, idempotency_key TEXT NOT NULL,
    receipt TEXT NOT NULL, PRIMARY KEY (queue_name, idempotency_key));
CREATE TABLE queue_past (queue_name TEXT NOT NULL, entry_id TEXT NOT NULL, ended TEXT NOT NULL,
    ended_at TEXT NOT NULL, lease TEXT NOT NULL, PRIMARY KEY (queue_name, entry_id))
"""
# An entry that v1 has assigned does not stand for its subject: whoever runs it knows no fences.
LIVE: Final = "(state <> 'assigned' OR leased_until IS NOT NULL)"
BY_LIVE_SUBJECT: Final = f"""
DROP INDEX IF EXISTS queue_entries_by_qualified_subject;
CREATE INDEX queue_entries_by_live_subject
    ON queue_entries (queue_name, subject_id, subject_generation DESC, rank DESC, position)
    WHERE {LIVE}
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
NEXT_DISPATCHES: Final = (
    "SELECT entry_id, dispatch FROM queue_entries WHERE entry_id > ? ORDER BY entry_id LIMIT ?"
)
LOCK_0_1_0: Final = """
LOCK TABLE queues, queue_entries IN ACCESS EXCLUSIVE MODE;
ALTER TABLE queue_entries DROP CONSTRAINT IF EXISTS queue_entries_queue_fkey
"""


def build(db: Transaction, found: int) -> None:
    if found < 2:
        build_without_fences(db, found)
    if found < 3:
        build_fences(db)
    run_script(db, BY_LIVE_SUBJECT)


def build_fences(db: Transaction) -> None:
    run_script(db, FENCED)
    last = ""
    while rows := db.rows(NEXT_DISPATCHES, last, MAX_SWEPT):
        known = [
            (qualified(msgspec.json.decode(text, type=wire.SubjectDispatch)), entry_id)
            for entry_id, text in rows
        ]
        db.run_each("UPDATE queue_entries SET subject_id = ? WHERE entry_id = ?", known)
        last = rows[-1][0]


def build_without_fences(db: Transaction, found: int) -> None:
    if found and db.postgresql:
        run_script(db, LOCK_0_1_0)
    run_script(db, FROM_0_1_0.format(now=now_us()) if found else ENTRIES)
    run_script(db, INDEXES)
    run_script(db, ON_POSTGRESQL if db.postgresql else ON_SQLITE)
    counted = ", ".join(f"sum(CASE state WHEN '{state}' THEN 1 ELSE 0 END)" for state in STATES)
    db.run(
        f"INSERT INTO queue_counts (queue_name, position, {', '.join(STATES)})"
        f" SELECT queue_name, max(position), {counted} FROM queue_entries GROUP BY queue_name"
    )
    if db.postgresql:
        last = "SELECT coalesce(max(position), 0) + 1 FROM queue_entries"
        db.row(f"SELECT setval('queue_positions', ({last}))")


def run_script(db: Transaction, script: str) -> None:
    for statement in script.split(";"):
        db.run(statement)


def qualified(dispatch: wire.SubjectDispatch) -> str | None:
    """A subject's id as fences have it; None if it has none that they could have."""
    from animus_routes.batteries.enqueues import qualified_id

    try:
        return None if dispatch.subject is None else qualified_id(dispatch.subject)
    except InvalidRequest:
        return None


LAYOUT: Final = Layout("queue", 4, "queue_entries", build, lock=0x616E_696D)


class Entry(NamedTuple):
    """A row of the table, what changes of it last."""

    entry_id: str
    dispatch: str
    enqueued_at: str
    run_at: str | None
    due_us: int
    expire_after_secs: str | None  # wider than SQL's integers
    deadline_us: int | None
    subject_id: str | None
    repository: str | None = None
    repository_key: str | None = None
    rank: int = RANKS["medium"]
    position: int = 0
    state: str = PENDING
    expires_us: int | None = None
    assigned_at: str | None = None
    held_at: str | None = None
    workflow_id: str | None = None
    reason: str | None = None
    named: int = 0
    subject_generation: int = 0  # 0: v1 alone knows of it
    workflow_generation: int = 0
    owner_id: str | None = None
    leases: int = 0
    leased_until: str | None = None

    @property
    def status(self) -> str:
        return PENDING if self.state == DEFERRED else self.state

    @property
    def lease(self) -> "Lease":
        return lease_of(getattr(self, column) for column in LEASE)

    def assigned(self, workflow_id: str, *, named: bool) -> "Entry":
        after = self._replace(state=ASSIGNED, workflow_id=workflow_id, named=int(named))
        return after._replace(assigned_at=now(), held_at=None, expires_us=None)

    def held(self, reason: str | None) -> "Entry":
        return self._replace(state=HELD, held_at=now(), reason=reason, expires_us=None)

    def waiting(self, now_us: int, reason: str | None = None) -> "Entry":
        state = DEFERRED if self.due_us > now_us else PENDING
        after = self._replace(state=state, reason=reason, expires_us=self.deadline_us)
        return after._replace(assigned_at=None, held_at=None)

    def decided(self, lease: "Lease", now_us: int, reason: str | None = None) -> "Entry":
        """As v2's rules want it."""
        after = self._replace(
            subject_generation=lease.subject_generation,
            workflow_generation=lease.workflow_generation,
            owner_id=lease.owner_id,
            leases=lease.generation,
            leased_until=lease.expires_at,
        )
        if lease.status == self.status:
            return after
        if lease.status == ASSIGNED:
            return after.assigned(lease.workflow_id or "", named=True)
        return after.waiting(now_us, reason)


# The columns of a lease, and what v2's rules call some of them.
CALLED: Final = {"state": "status", "leases": "generation", "leased_until": "expires_at"}
LEASE: Final = (
    *("entry_id", "subject_id", "subject_generation", "workflow_id", "workflow_generation"),
    *("owner_id", "repository", *CALLED),
)


def lease_of(columns: Iterable[Any]) -> "Lease":
    from animus_routes.batteries.leases import Lease

    kept = {CALLED.get(name, name): value for name, value in zip(LEASE, columns, strict=True)}
    if kept["status"] == DEFERRED:
        kept["status"] = PENDING
    if kept["repository"] is not None:
        kept["repository"] = msgspec.json.decode(kept["repository"])
    return msgspec.convert(kept, Lease)


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
        ((due, expired),) = self.db.rows(
            "SELECT (SELECT count(*) FROM queue_entries"
            " WHERE queue_name = ? AND state = 'deferred' AND due_us <= ?),"
            " (SELECT count(*) FROM queue_entries WHERE queue_name = ? AND expires_us < ?)",
            *(self.name, self.now_us) * 2,
        )
        return due, expired

    def counts(self) -> dict[str, int]:
        """How many entries have each status, and how many of the pending ones are deferred."""
        counted = ", ".join(f"CAST(coalesce(sum({state}), 0) AS BIGINT)" for state in STATES)
        own = f"SELECT {counted} FROM queue_counts WHERE queue_name = ?"
        ((pending, deferred, assigned, held),) = self.db.rows(own, self.name)
        due, expired = self.late
        now_pending = pending + deferred - expired
        return {PENDING: now_pending, ASSIGNED: assigned, HELD: held, DEFERRED: deferred - due}

    def page(self, statuses: set[str], limit: int, offset: int) -> list[Entry]:
        """Entries in the order in which they are leased; those before them are only counted off."""
        states = sorted(statuses | ({DEFERRED} if PENDING in statuses else set()))
        alive = f" AND {ALIVE}" if self.late[1] else ""
        parts = " UNION ALL ".join(
            f"SELECT * FROM (SELECT rank, position, entry_id FROM queue_entries"
            f" WHERE queue_name = ? AND state = '{state}'{alive} {IN_ORDER} LIMIT ?) AS {state}"
            for state in states
        )
        if not states:
            return []
        each = [self.name, *([self.now_us] if alive else []), min(limit + offset, LATEST_US)]
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

    def alone(self) -> None:
        """Nobody else has a turn of v2 meanwhile, and nobody adds an entry."""
        if self.db.postgresql:
            self.db.row("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", self.name)

    def sweep(self) -> None:
        """Remove some entries that have expired, and move some that are due; once in a turn."""
        if self.swept or not any(self.late):
            return
        self.swept = True
        some = f"LIMIT {MAX_SWEPT} {self.skip_locked}"
        gone = self.db.rows(
            "DELETE FROM queue_entries WHERE entry_id IN (SELECT entry_id FROM queue_entries"
            f" WHERE queue_name = ? AND expires_us < ? ORDER BY expires_us {some})"
            f" RETURNING state, subject_generation, {', '.join(LEASE)}",
            self.name,
            self.now_us,
        )
        self.changes.subtract(row[0] for row in gone)
        self.remember([lease_of(lease) for _, fenced, *lease in gone if fenced], "expired")
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
        columns, conflict = ", ".join(STATES), ""
        if not self.db.postgresql:
            add = ", ".join(f"{state} = {state} + excluded.{state}" for state in STATES)
            conflict = f"ON CONFLICT (queue_name) DO UPDATE SET {add}"
        insert = f"INSERT INTO queue_counts (queue_name, {columns})"
        self.db.run(f"{insert} VALUES ({marks(5)}) {conflict}", self.name, *changes)
        if self.db.postgresql and self.now_us % FOLD_EVERY == 0:
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
            turn = "pg_advisory_xact_lock_shared(hashtextextended(?, 0))"
            subject = "pg_advisory_xact_lock(hashtext(?), hashtext(?))"
            self.db.row(f"SELECT {turn}, {subject}", self.name, self.name, key)
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
        if size_of(on_the_wire(entry)) > ANSWER_BYTES:
            raise InvalidRequest(f"an entry of more than {ANSWER_BYTES} bytes could not be leased")
        self.db.run(INSERT, *entry, self.name, key)
        self.changes[entry.state] += 1

    def free(self, limit: int, excluded: list[str], *, fenced: bool = False) -> list[Entry]:
        """The next entries for a lease, which nobody else is leasing; fenced ones for v2 alone."""
        others = "" if fenced else "AND subject_generation = 0"
        given: list[Any] = []
        # All in one value: a statement takes no more than so many.
        if excluded and self.db.postgresql:
            others, given = f"{others} AND subject_key <> ALL (?)", [excluded]
        elif excluded:  # as digits: in SQLite's JSON a text ends at a NUL
            others += " AND hex(subject_key) NOT IN (SELECT value FROM json_each(?))"
            given = [as_json([key.encode().hex().upper() for key in excluded])]
        rows = self.db.rows(
            f"{SELECT} WHERE queue_name = ? AND state = 'pending' AND {ALIVE} {others}"
            f" {IN_ORDER} LIMIT ? {self.skip_locked}",
            self.name,
            self.now_us,
            *given,
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

    def remove(self, entry: Entry, ended: str) -> None:
        """Remove an entry, which ended in this way: as its workflow's status says, or 'dropped'."""
        self.db.run("DELETE FROM queue_entries WHERE entry_id = ?", entry.entry_id)
        self.changes[entry.state] -= 1
        if entry.subject_generation:
            self.remember([entry.lease], ended)

    # For v2: what its rules ask for, and what it keeps beside the entries.

    def clock(self) -> tuple[datetime, int]:
        """The time, and how many seconds a lease lasts."""
        from animus_routes.batteries.leases import lease_length_s

        if self.db.postgresql:  # hosts may have clocks of their own
            epoch = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
            self.now_us = self.db.value(epoch)
        length_s = lease_length_s(os.environ.get("ANIMUS_QUEUE_LEASE_TTL_SECS"))
        return EPOCH + timedelta(microseconds=self.now_us), length_s

    def remember(self, leases: list["Lease"], ended: str) -> None:
        rows = [(self.name, one.entry_id, ended, now(), as_json(one)) for one in leases]
        self.db.run_each("INSERT INTO queue_past VALUES (?, ?, ?, ?, ?)", rows)

    def past(self, entry_id: str) -> "Past | None":
        """An entry that is gone, after those that have expired by now were removed."""
        from animus_routes.batteries.lease_changes import Past
        from animus_routes.batteries.leases import Lease

        self.sweep()
        own = "WHERE queue_name = ? AND entry_id = ?"
        row = self.db.row(f"SELECT ended, lease FROM queue_past {own}", self.name, entry_id)
        if row is None:
            return None
        lease = msgspec.json.decode(row[1], type=Lease)
        return Past(lease=lease, dropped=row[0] in {"dropped", "expired"})

    def receipt(self, key: str | None) -> "Receipt | None":
        from animus_routes.batteries.enqueues import Receipt

        own = "WHERE queue_name = ? AND idempotency_key = ?"
        kept = key and self.db.value(f"SELECT receipt FROM queue_keys {own}", self.name, key)
        return msgspec.json.decode(kept, type=Receipt) if kept else None

    def keep(self, receipt: "Receipt") -> None:
        values = self.name, receipt.key, as_json(receipt)
        self.db.run("INSERT INTO queue_keys VALUES (?, ?, ?)", *values)

    def live(self, subject_id: str) -> Entry | None:
        """The entry that stands for a subject: the newest of v2, else the first that waits."""
        lock = "FOR UPDATE" if self.db.postgresql else ""
        row = self.db.row(
            f"{SELECT} WHERE queue_name = ? AND subject_id = ? AND {ALIVE} AND {LIVE}"
            f" ORDER BY subject_generation DESC, rank DESC, position LIMIT 1 {lock}",
            self.name,
            subject_id,
            self.now_us,
        )
        return None if row is None else Entry(*row)

    def count_up(self, subject_id: str) -> int:
        """A subject's next generation."""
        first = "INSERT INTO queue_subjects VALUES (?, ?, 1) ON CONFLICT (queue_name, subject_id)"
        next_one = "DO UPDATE SET generation = queue_subjects.generation + 1 RETURNING generation"
        return int(self.db.value(f"{first} {next_one}", self.name, subject_id))

    def reserved(self, entries: list[Entry]) -> list["Lease"]:
        """The assigned entries that reserve what some of these entries do."""
        keys = {entry.repository_key for entry in entries if entry.repository_key} or {""}
        select = f"SELECT {', '.join(LEASE)} FROM queue_entries WHERE queue_name = ?"
        same = f"state = 'assigned' AND repository_key IN ({marks(len(keys))})"
        return [lease_of(row) for row in self.db.rows(f"{select} AND {same}", self.name, *keys)]


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


def as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def instant_us(text: str) -> int:
    try:
        return (parse(text) - EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        message = "expected an RFC 3339 time with a zone"
        issue = {"path": "run_at", "message": message, "code": "value"}
        raise InvalidRequest(f"run_at: {message}", {"issues": [issue]}) from None


def entry_of(request: wire.QueueEnqueueRequest | wire.QueueEnqueueV2Request) -> Entry:
    """A new entry; a deferred one is given up at its deadline unless somebody has leased it."""
    dispatch = request.subject_dispatch
    run_at, grace = request.run_at, request.expire_after_secs
    due_us = 0 if run_at is None else instant_us(run_at)
    lasts = run_at is None or grace is None
    return Entry(
        entry_id=uuid4().hex,
        dispatch=as_json(dispatch),
        enqueued_at=now(),
        run_at=run_at,
        due_us=due_us,
        expire_after_secs=None if grace is None else str(grace),
        deadline_us=None if lasts else min(due_us + (grace or 0) * 1_000_000, LATEST_US),
        subject_id=qualified(dispatch),
        rank=RANKS.get((dispatch.priority or "medium").lower(), RANKS["medium"]),
    )


def on_the_wire(entry: Entry) -> wire.QueueEntry:
    dispatch = msgspec.json.decode(entry.dispatch, type=wire.SubjectDispatch)
    subject, grace = dispatch.subject, entry.expire_after_secs
    subject_id = entry.subject_id if entry.subject_generation else subject and subject.id
    plain = ("entry_id", "status", "enqueued_at", "assigned_at", "held_at", "run_at", "workflow_id")
    return wire.QueueEntry(
        **{name: getattr(entry, name) for name in plain},
        subject_id=subject_id or "",
        subject_dispatch=dispatch,
        expire_after_secs=None if grace is None else int(grace),
        task_id=subject.id if subject and subject.kind.lower() == "animus.task" else None,
    )


def size_of(answered: wire.QueueEntry) -> int:
    return len(msgspec.json.encode(answered))


def fitting(entries: Iterable[Entry]) -> list[wire.QueueEntry]:
    """The first of some entries, as many as one answer holds."""
    answered = [on_the_wire(entry) for entry in entries]
    sizes = accumulate(map(size_of, answered))
    fit = [one for one, size in zip(answered, sizes, strict=True) if size <= ANSWER_BYTES]
    return fit or answered[:1]


def stats_of(counts: dict[str, int]) -> wire.QueueStats:
    return wire.QueueStats(**counts, total=counts[PENDING] + counts[ASSIGNED] + counts[HELD])


def refused(code: int, entry: Entry) -> RpcError:
    data = {"entry_id": entry.entry_id, "status": entry.status, "workflow_id": entry.workflow_id}
    fenced = ", and only queue/v2 leases it" if entry.subject_generation else ""
    return RpcError(code, f"entry '{entry.entry_id}' is {entry.status}{fenced}", data)


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
        if workflow_id in {None, entry.workflow_id}:
            return wire.QueueMutationResponse(changed=False)
        if entry.named:
            raise refused(ALREADY_ASSIGNED, entry)
        source = target  # leased without a name, which it gets now
    if entry.status != source or (entry.subject_generation and ASSIGNED in MOVES[verb]):
        raise refused(NOT_ASSIGNED if source == ASSIGNED else NOT_PENDING, entry)
    if target == ASSIGNED:
        after = entry.assigned(workflow_id or str(uuid4()), named=workflow_id is not None)
    else:
        kept = entry if entry.subject_generation else entry._replace(workflow_id=None)
        after = kept.held(reason) if target == HELD else kept.waiting(turn.now_us, reason)
    turn.change([(entry, after)])
    return wire.QueueMutationResponse(changed=True)


def remove(turn: Turn, entry: Entry | None, ended: str) -> wire.QueueMutationResponse:
    if entry is not None:
        turn.remove(entry, ended)
    return wire.QueueMutationResponse(changed=entry is not None, not_found=entry is None)


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Queue]:
    root, url = ctx.project_root, os.environ.get("ANIMUS_QUEUE_URL")
    # The file is the project's own: its queue keeps its name when the folder is renamed.
    name = os.environ.get("ANIMUS_QUEUE_NAME") or (
        os.path.basename(os.path.abspath(root)) if url else ""
    )
    if not os.path.isdir(root):
        raise RpcError(BINDING_MISMATCH, f"the project root '{root}' is not a directory here")
    file = os.path.join(root, ".animus", "queue.sqlite3")
    database = Database(url, LAYOUT, file=file, variable="ANIMUS_QUEUE_URL", wait_s=LOCK_S)
    yield Queue(database, name)
    database.close()


def the_queue(ctx: Context[Queue]) -> Queue:
    return ctx.state


Shared = Annotated[Queue, Depends(the_queue)]
Outcome = wire.QueueLeaseMutationResponse

app = App(
    kind="queue",
    name="animus-queue-sql",
    version="0.1.0",
    description="A dispatch queue in SQLite or PostgreSQL",
    lifespan=lifespan,
    kind_capabilities={
        "queue": wire.QueueCapabilities(max_lease_batch=MAX_FENCED, priority_weighted=True)
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
        {
            "name": "ANIMUS_QUEUE_LEASE_TTL_SECS",
            "description": "How many seconds a fenced lease lasts, up to 604800; 1800 if unset",
        },
    ],
)


@app.exception_handler(Busy)
def not_free(_ctx: Context, problem: Busy) -> RpcError:
    return RpcError(LOCK_FAILED, f"the queue's lock: {problem.message}")


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


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
        entries=fitting(entries),
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
        workflows = ids or [str(uuid4()) for _ in free]
        pairs = [
            (entry, entry.assigned(workflow_id, named=ids is not None))
            for entry, workflow_id in zip(free, workflows, strict=False)
        ]
        leased = fitting(after for _, after in pairs)
        turn.change(pairs[: len(leased)])
    return wire.QueueLeaseResponse(leased=leased)


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
        return remove(turn, turn.find(entry_id), "dropped")


@app.method("queue/mark_assigned")
def mark_assigned(
    entry_id: str, workflow_id: str | None, queue: Shared
) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return move(turn, "mark_assigned", entry_id, workflow_id=workflow_id)


@app.method("queue/completion")
def completion(request: wire.QueueCompletionRequest, queue: Shared) -> wire.QueueMutationResponse:
    """The end of a workflow removes its entry, unless a lease has named another workflow for it.

    A host that names none at its lease comes with the id that its runner has chosen.
    """
    with queue.turn() as turn:
        entry = turn.find(request.entry_id)
        if entry is not None:
            another = entry.named and request.workflow_id not in {None, entry.workflow_id}
            if entry.status != ASSIGNED or another:
                return wire.QueueMutationResponse(changed=False)
        return remove(turn, entry, request.status)


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


# ---- with fences: what the rules of v2 decide is read and written in one turn --------------------


@app.method("queue/v2/enqueue")
def enqueue_fenced(
    request: wire.QueueEnqueueV2Request, queue: Shared
) -> wire.QueueEnqueueV2Response:
    """Once per subject, and once per key."""
    from animus_routes.batteries import enqueues
    from animus_routes.fences import collision_key

    subject, entry = request.subject_dispatch.subject, entry_of(request)
    with queue.turn() as turn:
        turn.alone()
        known = turn.receipt(enqueues.key_of(request))
        live = turn.live(enqueues.qualified_id(subject))
        decision = enqueues.enqueue(
            request, entry.entry_id, known, live and live.lease, turn.count_up
        )
        if decision.receipt is not None:
            turn.keep(decision.receipt)
        if live is not None and decision.changed is not None:
            turn.change([(live, live.decided(decision.changed, turn.now_us))])
        if decision.added is not None:
            entry = entry._replace(subject_generation=decision.added.subject_generation)
            if (reserved := decision.added.repository) is not None:
                key = collision_key(reserved)
                entry = entry._replace(repository=as_json(reserved), repository_key=key)
            turn.add(entry, subject_key(subject))
    return decision.answer


@app.method("queue/v2/lease")
def lease_fenced(request: wire.QueueLeaseV2Request, queue: Shared) -> dict[str, Any]:
    from animus_routes.batteries import leases

    with queue.turn() as turn:
        turn.alone()
        turn.sweep()
        free = turn.free(leases.candidate_count(request.max), [], fenced=True)
        while True:
            waiting, taken = [entry.lease for entry in free], turn.reserved(free)
            decision = leases.lease(request, waiting, taken, turn.count_up, *turn.clock())
            entries = {entry.entry_id: entry for entry in free}
            after = {
                one.entry_id: entries[one.entry_id].decided(one, turn.now_us)
                for one in decision.changed
            }
            answered = fitting(after[one.entry_id] for one in decision.leased)
            if len(answered) == len(decision.leased):
                break
            # As if there were none from the first on that the answer has no room for.
            first = decision.leased[len(answered)].entry_id
            free = free[: [*entries].index(first)]
        turn.change((entries[entry_id], changed) for entry_id, changed in after.items())
    leased = [
        {"entry": entry, "execution": leases.fence_of(one)}
        for entry, one in zip(answered, decision.leased, strict=True)
    ]
    return {"leased": leased, "blocked": decision.blocked}


def mutate(
    queue: Queue,
    rule: str,
    request: Any,
    *,
    timed: bool = False,
    ended: str = "",
    reason: str | None = None,
) -> Outcome:
    """Do to a fence's entry what a rule decides from what is known of it, and from the time."""
    from animus_routes.batteries import lease_changes

    entry_id = request.execution.queue_lease.entry_id
    with queue.turn() as turn:
        entry, at = turn.find(entry_id), turn.clock()
        known = (None, turn.past(entry_id)) if entry is None else (entry.lease, None)
        decide: Callable[..., Decision] = getattr(lease_changes, rule)
        decision = decide(request, *known, *(at if timed else ()))
        if entry is not None and decision.ended:
            turn.remove(entry, ended)
        elif entry is not None and decision.changed is not None:
            turn.change([(entry, entry.decided(decision.changed, turn.now_us, reason))])
    return decision.answer


@app.method("queue/v2/lease/renew")
def renew(request: wire.QueueLeaseRenewRequest, queue: Shared) -> Outcome:
    return mutate(queue, "renew", request, timed=True)


@app.method("queue/v2/lease/recover")
def recover(request: wire.QueueLeaseRecoverRequest, queue: Shared) -> Outcome:
    return mutate(queue, "recover", request, timed=True)


@app.method("queue/v2/completion")
def complete(request: wire.QueueCompletionV2Request, queue: Shared) -> Outcome:
    return mutate(queue, "complete", request, ended=request.status)


@app.method("queue/v2/release_pending")
def put_back(request: wire.QueueReleasePendingV2Request, queue: Shared) -> Outcome:
    return mutate(queue, "release_pending", request, reason=request.reason.strip())


@app.health
def health(ctx: Context[Queue | None]) -> str | None:
    return None if ctx.state is None else ctx.state.database.check()


if __name__ == "__main__":
    app.run()
