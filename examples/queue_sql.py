"""A dispatch queue in a SQL database, which any number of hosts may share.

    python queue_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/queue.sqlite3` under the project's root, or what ANIMUS_QUEUE_URL says, such
as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_QUEUE_NAME (the
name of the project's folder if unset) work on one queue. Every call is one transaction that holds
the queue's lock, so no entry is leased twice, whatever runs at the same time.

A host starts this process afresh for every call. Importing SQLAlchemy is by far the longest part of
the start, so it waits for the first call that needs the database: the manifest, the handshake and
health checks do without it. Measured on one machine: 0.09 s to the handshake, 0.37 s to the first
answer.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from uuid import uuid4

import msgspec

from animus_routes import App, Context, Depends, InvalidRequest, RpcError, Unavailable
from animus_routes.structs import queue as wire
from animus_routes.timestamps import now, parse

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Row, Table
    from sqlalchemy.exc import DBAPIError

MAX_LEASE: Final = 100
MAX_PAGE: Final = 1000
LOCK_S: Final = 10.0
LAYOUT_LOCK: Final = 0x616E_696D  # one of PostgreSQL's advisory locks, taken to create the tables
LATEST_US: Final = 2**63 - 1
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BUILT_IN: Final = frozenset({"animus.task", "animus.requirement", "custom"})
RANKS: Final = {"low": 0, "medium": 1, "high": 2, "critical": 3}
PENDING, ASSIGNED, HELD = "pending", "assigned", "held"

NOT_FOUND: Final = -32201
ALREADY_ASSIGNED: Final = -32202
NOT_PENDING: Final = -32203
REORDER_FAILED: Final = -32204
LOCK_FAILED: Final = -32205
WORKFLOW_ID_COUNT: Final = -32206
BINDING_MISMATCH: Final = -32207
NOT_ASSIGNED: Final = -32208


class Move(NamedTuple):
    """A change of status that is requested by name."""

    source: str
    target: str


MOVES: Final = {
    "hold": Move(PENDING, HELD),
    "release": Move(HELD, PENDING),
    "mark_assigned": Move(PENDING, ASSIGNED),
    "release_pending": Move(ASSIGNED, PENDING),
}


def subject_key(subject: wire.SubjectRef | None) -> str:
    """What no two entries are to share; entries without a subject share nothing."""
    if subject is None:
        return ""
    return subject.id if subject.kind.lower() in BUILT_IN else f"{subject.kind}::{subject.id}"


def now_us() -> int:
    return time.time_ns() // 1000


def instant_us(text: str) -> int:
    try:
        return (parse(text) - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        message = "expected an RFC 3339 time with a zone"
        issue = {"path": "run_at", "message": message, "code": "value"}
        raise InvalidRequest(f"run_at: {message}", {"issues": [issue]}) from None


def deadline_us(request: wire.QueueEnqueueRequest) -> int | None:
    """When to give up a deferred entry that nobody has leased."""
    if request.run_at is None or request.expire_after_secs is None:
        return None
    return min(instant_us(request.run_at) + request.expire_after_secs * 1_000_000, LATEST_US)


def layout() -> "tuple[Table, Table]":
    """The tables: one row per queue, for its lock, and one per entry."""
    from sqlalchemy import (
        BigInteger,
        Column,
        ForeignKey,
        Index,
        Integer,
        MetaData,
        Table,
        Text,
    )

    queues = Table("queues", MetaData(), Column("name", Text, primary_key=True))
    entries = Table(
        "queue_entries",
        queues.metadata,
        Column("entry_id", Text, primary_key=True),
        Column("queue", ForeignKey(queues.c.name), nullable=False),
        Column("rank", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("status", Text, nullable=False),
        Column("subject_key", Text, nullable=False),
        Column("dispatch", Text, nullable=False),
        Column("enqueued_at", Text, nullable=False),
        Column("assigned_at", Text),
        Column("held_at", Text),
        Column("workflow_id", Text),
        Column("reason", Text),
        Column("run_at", Text),
        Column("run_at_us", BigInteger),
        Column("expire_after_secs", Text),  # wider than SQL's integers
        Column("deadline_us", BigInteger),
    )
    Index(
        "queue_entries_in_order", *(entries.c[n] for n in ("queue", "status", "rank", "position"))
    )
    Index("queue_entries_by_subject", entries.c.queue, entries.c.subject_key)
    return queues, entries


def connect(url: str) -> "Engine":
    """An engine whose transactions are exclusive from the first statement on, or that wait."""
    from sqlalchemy import create_engine, event, make_url

    place = make_url(url)
    if place.get_backend_name() in {"postgres", "postgresql"}:
        options = f"-c lock_timeout={int(LOCK_S * 1000)}"
        place = place.set(drivername="postgresql+psycopg")
        return create_engine(place, connect_args={"options": options})
    if place.get_backend_name() != "sqlite":
        raise Unavailable(f"ANIMUS_QUEUE_URL: {place.get_backend_name()} is not supported")
    engine = create_engine(place, connect_args={"timeout": LOCK_S, "isolation_level": None})

    @event.listens_for(engine, "begin")
    def begin(db: "Connection") -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def refusal(problem: "DBAPIError") -> RpcError:
    code = getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF
    if code in {5, 6} or getattr(problem.orig, "sqlstate", None) == "55P03":
        return RpcError(LOCK_FAILED, f"the queue's lock was not free within {LOCK_S:g} s")
    return Unavailable(str(problem.orig))


class Queue:
    """One queue of a database, which is opened when it is first used."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name

    @cached_property
    def engine(self) -> "Engine":
        return connect(self.url)

    @cached_property
    def tables(self) -> "tuple[Table, Table]":
        from sqlalchemy import func, inspect

        queues, entries = layout()
        if not inspect(self.engine).has_table(entries.name):
            with self.engine.begin() as db:
                if db.dialect.name == "postgresql":
                    db.execute(func.pg_advisory_xact_lock(LAYOUT_LOCK).select())
                queues.metadata.create_all(db)
        return queues, entries

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """A transaction that no other one of this queue overlaps; it first removes what has expired."""
        from sqlalchemy.exc import DBAPIError

        try:
            queues, entries = self.tables
            with self.engine.begin() as db:
                own = queues.select().where(queues.c.name == self.name).with_for_update()
                if db.execute(own).first() is None:
                    self._register(db, queues)
                    db.execute(own)
                turn = Turn(db, entries, self.name)
                turn.sweep()
                yield turn
        except DBAPIError as problem:
            raise refusal(problem) from problem

    def _register(self, db: "Connection", queues: "Table") -> None:
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = postgresql if db.dialect.name == "postgresql" else sqlite
        db.execute(dialect.insert(queues).values(name=self.name).on_conflict_do_nothing())


class Turn:
    """What is done to a queue while we hold its lock."""

    def __init__(self, db: "Connection", entries: "Table", name: str) -> None:
        self.db = db
        self.entries = entries
        self.columns = entries.c
        self.name = name
        self.mine = entries.c.queue == name
        self.now_us = now_us()

    @property
    def waiting(self) -> "ColumnElement[bool]":
        """Deferred: pending, and its time has not come."""
        return (self.columns.status == PENDING) & (self.columns.run_at_us > self.now_us)

    def sweep(self) -> None:
        late = (self.columns.status == PENDING) & (self.columns.deadline_us < self.now_us)
        self.db.execute(self.entries.delete().where(self.mine & late))

    def rows(
        self, condition: "ColumnElement[bool]", limit: int | None = None, offset: int = 0
    ) -> "list[Row[Any]]":
        """Entries in the order in which they are leased."""
        order = self.columns.rank.desc(), self.columns.position
        found = self.entries.select().where(self.mine & condition).order_by(*order)
        return list(self.db.execute(found.limit(limit).offset(offset)))

    def find(self, entry_id: str) -> "Row[Any] | None":
        found = self.rows(self.columns.entry_id == entry_id)
        return found[0] if found else None

    def set(self, entry_id: str, **values: Any) -> None:
        own = self.entries.update().where(self.columns.entry_id == entry_id)
        self.db.execute(own.values(**values))

    def remove(self, entry_id: str) -> wire.QueueMutationResponse:
        own = self.mine & (self.columns.entry_id == entry_id)
        removed = self.db.execute(self.entries.delete().where(own)).rowcount > 0
        return wire.QueueMutationResponse(changed=removed, not_found=not removed)

    def stats(self) -> wire.QueueStats:
        from sqlalchemy import case, func, select

        status = self.columns.status
        waiting = func.sum(case((self.waiting, 1), else_=0))
        rows = self.db.execute(
            select(status, func.count(), waiting).where(self.mine).group_by(status)
        )
        counts = {name: (number, deferred) for name, number, deferred in rows}
        held = {name: counts.get(name, (0, 0))[0] for name in (PENDING, ASSIGNED, HELD)}
        deferred = counts.get(PENDING, (0, 0))[1]
        return wire.QueueStats(**held, total=sum(held.values()), deferred=deferred)

    def add(self, request: wire.QueueEnqueueRequest) -> str:
        from sqlalchemy import func, select

        dispatch, grace = request.subject_dispatch, request.expire_after_secs
        last = select(func.coalesce(func.max(self.columns.position), 0)).where(self.mine)
        entry_id = uuid4().hex
        row = self.entries.insert().values(
            entry_id=entry_id,
            queue=self.name,
            rank=RANKS.get((dispatch.priority or "medium").lower(), RANKS["medium"]),
            position=self.db.execute(last).scalar_one() + 1,
            status=PENDING,
            subject_key=subject_key(dispatch.subject),
            dispatch=msgspec.json.encode(dispatch).decode(),
            enqueued_at=now(),
            run_at=request.run_at,
            run_at_us=None if request.run_at is None else instant_us(request.run_at),
            expire_after_secs=None if grace is None else str(grace),
            deadline_us=deadline_us(request),
        )
        self.db.execute(row)
        return entry_id

    def assign(self, workflows: dict[str, str]) -> None:
        """Give entries to workflows: entry id to workflow id."""
        from sqlalchemy import bindparam

        own = self.entries.update().where(self.columns.entry_id == bindparam("entry"))
        each = own.values(status=ASSIGNED, assigned_at=now(), workflow_id=bindparam("workflow"))
        binds = [{"entry": e, "workflow": w} for e, w in workflows.items()]
        if binds:
            self.db.execute(each, binds)

    def move(
        self, verb: str, entry_id: str, *, workflow_id: str | None = None, reason: str | None = None
    ) -> wire.QueueMutationResponse:
        row, move = self.find(entry_id), MOVES[verb]
        if row is None:
            return wire.QueueMutationResponse(changed=False, not_found=True)
        if row.status == move.target and verb != "release_pending":
            if workflow_id not in {None, row.workflow_id}:
                raise refused(ALREADY_ASSIGNED, row)
            return wire.QueueMutationResponse(changed=False)
        if row.status != move.source:
            raise refused(NOT_ASSIGNED if move.source == ASSIGNED else NOT_PENDING, row)
        if move.target == ASSIGNED:
            self.assign({entry_id: workflow_id or str(uuid4())})
        else:
            held_at = now() if move.target == HELD else None
            fields = {"assigned_at": None, "workflow_id": None, "held_at": held_at}
            self.set(entry_id, status=move.target, reason=reason, **fields)
        return wire.QueueMutationResponse(changed=True)


def refused(code: int, row: "Row[Any]") -> RpcError:
    data = {"entry_id": row.entry_id, "status": row.status, "workflow_id": row.workflow_id}
    return RpcError(code, f"entry '{row.entry_id}' is {row.status}", data)


def entry_of(row: "Row[Any]") -> wire.QueueEntry:
    dispatch = msgspec.json.decode(row.dispatch, type=wire.SubjectDispatch)
    subject, grace = dispatch.subject, row.expire_after_secs
    plain = ("entry_id", "status", "enqueued_at", "assigned_at", "held_at", "run_at", "workflow_id")
    return wire.QueueEntry(
        **{name: getattr(row, name) for name in plain},
        subject_id=subject.id if subject else "",
        subject_dispatch=dispatch,
        expire_after_secs=None if grace is None else int(grace),
        task_id=subject.id if subject and subject.kind.lower() == "animus.task" else None,
    )


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
        url = f"sqlite:///{root / '.animus' / 'queue.sqlite3'}"
    queue = Queue(url, name)
    yield queue
    queue.close()


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


@app.method("queue/enqueue")
def enqueue(request: wire.QueueEnqueueRequest, queue: Shared) -> wire.QueueEnqueueResponse:
    """Once per subject, except that an entry with its own time is always added."""
    subject = request.subject_dispatch.subject
    subject_id = subject.id if subject else ""
    with queue.turn() as turn:
        others = turn.rows(turn.columns.subject_key == subject_key(subject)) if subject else []
        ready = [row for row in others if (row.run_at_us or 0) <= turn.now_us]
        if request.run_at is None and ready:
            found = ready[0].entry_id
            return wire.QueueEnqueueResponse(enqueued=False, entry_id=found, subject_id=subject_id)
        known = ", ".join(f"{row.entry_id} ({row.status})" for row in others)
        return wire.QueueEnqueueResponse(
            enqueued=True,
            entry_id=turn.add(request),
            subject_id=subject_id,
            warning=f"the subject is already in the queue: {known}" if known else None,
        )


@app.method("queue/list")
def list_entries(request: wire.QueueListRequest, queue: Shared) -> wire.QueueListResponse:
    with queue.turn() as turn:
        statuses = request.status or [PENDING, ASSIGNED, HELD]
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        offset = min(request.offset or 0, LATEST_US)
        rows = turn.rows(turn.columns.status.in_(statuses), limit, offset)
        stats = turn.stats()
        total = sum(getattr(stats, status, 0) for status in {*statuses} & {PENDING, ASSIGNED, HELD})
        entries = [entry_of(row) for row in rows]
    return wire.QueueListResponse(entries=entries, total=total, stats=stats)


@app.method("queue/lease")
def lease(request: wire.QueueLeaseRequest, queue: Shared) -> wire.QueueLeaseResponse:
    ids = request.workflow_ids
    if ids is not None and len(ids) != request.max:
        text = f"{len(ids)} workflow_ids for max {request.max}"
        raise RpcError(WORKFLOW_ID_COUNT, text, {"max": request.max, "workflow_ids": len(ids)})
    with queue.turn() as turn:
        columns = turn.columns
        due = columns.run_at_us.is_(None) | (columns.run_at_us <= turn.now_us)
        free = (columns.status == PENDING) & due
        if request.exclude_subjects:
            free &= columns.subject_key.not_in(request.exclude_subjects)
        rows = turn.rows(free, min(request.max, MAX_LEASE))
        chosen = [row.entry_id for row in rows]
        workflows = ids or [str(uuid4()) for _ in chosen]
        turn.assign(dict(zip(chosen, workflows, strict=False)))
        leased = {row.entry_id: entry_of(row) for row in turn.rows(columns.entry_id.in_(chosen))}
        return wire.QueueLeaseResponse(leased=[leased[entry_id] for entry_id in chosen])


@app.method("queue/stats")
def stats(queue: Shared) -> wire.QueueStats:
    with queue.turn() as turn:
        return turn.stats()


@app.method("queue/hold")
def hold(entry_id: str, reason: str | None, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return turn.move("hold", entry_id, reason=reason)


@app.method("queue/release")
def release(entry_id: str, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return turn.move("release", entry_id)


@app.method("queue/drop")
def drop(entry_id: str, queue: Shared) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return turn.remove(entry_id)


@app.method("queue/mark_assigned")
def mark_assigned(
    entry_id: str, workflow_id: str | None, queue: Shared
) -> wire.QueueMutationResponse:
    with queue.turn() as turn:
        return turn.move("mark_assigned", entry_id, workflow_id=workflow_id)


@app.method("queue/completion")
def completion(request: wire.QueueCompletionRequest, queue: Shared) -> wire.QueueMutationResponse:
    """The end of a workflow removes its entry, unless another workflow has it by then."""
    with queue.turn() as turn:
        row = turn.find(request.entry_id)
        if row is not None and (
            row.status != ASSIGNED or request.workflow_id not in {None, row.workflow_id}
        ):
            return wire.QueueMutationResponse(changed=False)
        return turn.remove(request.entry_id)


@app.method("queue/reorder")
def reorder(entry_ids: list[str], queue: Shared) -> wire.QueueReorderResponse:
    """The named entries share out their places in this order; the others stay where they are."""
    with queue.turn() as turn:
        rows = {row.entry_id: row for row in turn.rows(turn.columns.entry_id.in_(entry_ids))}
        missing = [entry_id for entry_id in entry_ids if entry_id not in rows]
        if missing or len(rows) != len(entry_ids):
            text = "entries are unknown or named twice"
            raise RpcError(REORDER_FAILED, text, {"unknown": missing})
        moved = 0
        for entry_id, place in zip(entry_ids, list(rows.values()), strict=True):
            if entry_id != place.entry_id:
                turn.set(entry_id, rank=place.rank, position=place.position)
                moved += 1
        return wire.QueueReorderResponse(reordered_count=moved)


@app.method("queue/release_pending")
def release_pending(entry_id: str, reason: str, queue: Shared) -> wire.QueueReleasePendingResponse:
    with queue.turn() as turn:
        if turn.move("release_pending", entry_id, reason=reason).not_found:
            raise RpcError(NOT_FOUND, f"there is no entry '{entry_id}'", {"entry_id": entry_id})
    return wire.QueueReleasePendingResponse(entry_id=entry_id, status=PENDING)


@app.method("queue/next_deadline")
def next_deadline(queue: Shared) -> wire.QueueNextDeadlineResponse:
    with queue.turn() as turn:
        rows = turn.rows(turn.waiting)
        first = min(rows, key=lambda row: row.run_at_us, default=None)
    return wire.QueueNextDeadlineResponse(next_run_at=None if first is None else first.run_at)


if __name__ == "__main__":
    app.run()
