"""The tables of `queue_sql.py`, and what is done to them: every statement that it runs.

Each statement costs the same however long the queue is, but for the pages of a list, which are
counted off on an index. Entries whose time has come or is over are moved or removed by whatever
changes the queue next, at most 1,000 at a time; what only reads leaves them out by itself.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Final, NamedTuple

from animus_routes.batteries.sql import Database, Layout, Transaction, marks
from animus_routes.timestamps import now

MAX_SWEPT: Final = 1000
FOLD_EVERY: Final = 32  # about so many changes of PostgreSQL's counters, for the clock decides
NAMES_A_STATEMENT: Final = 500
LATEST_US: Final = 2**63 - 1
PENDING, ASSIGNED, HELD = "pending", "assigned", "held"
DEFERRED: Final = "deferred"  # pending for the host, but kept out of a lease's way
STATES: Final = (PENDING, DEFERRED, ASSIGNED, HELD)


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
