"""A dispatch queue in a SQL database, which any number of hosts may share.

    python queue_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/queue.sqlite3` under the project's root, or what ANIMUS_QUEUE_URL says, such
as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_QUEUE_NAME (the
name of the project's folder if unset) work on one queue.

No entry is leased twice, whatever runs at the same time. A lease never passes over an entry that was
committed and that nobody had locked when it looked, and one process sees strict order: by rank,
then by position. Leases that run at the same time on PostgreSQL have no order between them.

A host starts this process afresh for every call, so a call costs the same however long the queue is:
see queue_store.py.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import msgspec
from queue_store import ASSIGNED, HELD, LATEST_US, LAYOUT, PENDING, Entry, Queue, Turn

from animus_routes import App, Context, Depends, InvalidRequest, RpcError
from animus_routes.batteries.sql import Busy, Database
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
        if workflow_id not in {None, entry.workflow_id}:
            raise refused(ALREADY_ASSIGNED, entry)
        return wire.QueueMutationResponse(changed=False)
    if entry.status != source:
        raise refused(NOT_ASSIGNED if source == ASSIGNED else NOT_PENDING, entry)
    if target == ASSIGNED:
        after = entry.assigned(workflow_id or str(uuid4()))
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
        workflows = ids or [str(uuid4()) for _ in free]
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
            entry.status != ASSIGNED or request.workflow_id not in {None, entry.workflow_id}
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
