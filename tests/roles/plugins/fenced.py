"""A queue in memory that serves hosts of both ages; its clock stands still."""

from __future__ import annotations

from collections import Counter
from typing import Any

from animus_routes import App, RpcError
from animus_routes.batteries import enqueues, lease_changes, leases
from animus_routes.batteries.lease_changes import Decision, Past
from animus_routes.batteries.leases import Lease, fence_of
from animus_routes.structs import queue as wire
from animus_routes.timestamps import parse

app = App(kind="queue", name="animus-queue-fenced", version="1.0.0", description="In memory")
now = parse("2026-11-25T12:00:05Z")
ADDED = "2026-11-25T12:00:01Z"
entries: dict[str, tuple[Lease, wire.SubjectDispatch]] = {}
receipts: dict[str, enqueues.Receipt] = {}
past: dict[str, Past] = {}
generations: Counter[str] = Counter()


def count_up(subject_id: str) -> int:
    generations[subject_id] += 1
    return generations[subject_id]


def entry_of(lease: Lease) -> wire.QueueEntry:
    return wire.QueueEntry(
        entry_id=lease.entry_id,
        subject_id=lease.subject_id or "",
        subject_dispatch=entries[lease.entry_id][1],
        status=lease.status,
        workflow_id=lease.workflow_id,
        enqueued_at=ADDED,
        assigned_at="2026-11-25T12:00:05Z" if lease.status == "assigned" else None,
    )


@app.method("queue/v2/enqueue")
def enqueue(request: wire.QueueEnqueueV2Request) -> wire.QueueEnqueueV2Response:
    subject_id = enqueues.qualified_id(request.subject_dispatch.subject)
    live = next((e for e, _ in entries.values() if e.subject_id == subject_id), None)
    known = receipts.get(enqueues.key_of(request) or "")
    decision = enqueues.enqueue(request, f"e-{len(entries) + 1}", known, live, count_up)
    if decision.added is not None:
        entries[decision.added.entry_id] = decision.added, request.subject_dispatch
    if decision.receipt is not None:
        receipts[decision.receipt.key] = decision.receipt
    return decision.answer


@app.method("queue/v2/lease")
def lease(request: wire.QueueLeaseV2Request) -> wire.QueueLeaseV2Response:
    waiting = [entry for entry, _ in entries.values() if entry.status == "pending"]
    assigned = [entry for entry, _ in entries.values() if entry.status == "assigned"]
    found = leases.lease(request, waiting, assigned, count_up, now, 1800)
    for entry in found.changed:
        entries[entry.entry_id] = entry, entries[entry.entry_id][1]
    leased: list[wire.FencedQueueEntry] = []
    for entry in found.leased:
        fence = fence_of(entry)
        assert fence is not None
        leased.append(wire.FencedQueueEntry(entry=entry_of(entry), execution=fence))
    return wire.QueueLeaseV2Response(leased=leased, blocked=found.blocked)


def known_of(request: Any) -> tuple[Lease | None, Past | None]:
    entry_id = request.execution.queue_lease.entry_id
    return entries[entry_id][0] if entry_id in entries else None, past.get(entry_id)


def kept(decision: Decision) -> wire.QueueLeaseMutationResponse:
    changed = decision.changed
    if changed is not None:
        entries[changed.entry_id] = changed, entries[changed.entry_id][1]
        if decision.ended:
            del entries[changed.entry_id]
            past[changed.entry_id] = Past(lease=changed)
    return decision.answer


@app.method("queue/v2/lease/renew")
def renew(request: wire.QueueLeaseRenewRequest) -> wire.QueueLeaseMutationResponse:
    return kept(lease_changes.renew(request, *known_of(request), now, 1800))


@app.method("queue/v2/lease/recover")
def recover(request: wire.QueueLeaseRecoverRequest) -> wire.QueueLeaseMutationResponse:
    return kept(lease_changes.recover(request, *known_of(request), now, 1800))


@app.method("queue/v2/completion")
def complete(request: wire.QueueCompletionV2Request) -> wire.QueueLeaseMutationResponse:
    return kept(lease_changes.complete(request, *known_of(request)))


@app.method("queue/v2/release_pending")
def put_back(request: wire.QueueReleasePendingV2Request) -> wire.QueueLeaseMutationResponse:
    return kept(lease_changes.release_pending(request, *known_of(request)))


@app.method("queue/list")
def list_entries() -> wire.QueueListResponse:
    found = [entry_of(entry) for entry, _ in entries.values()]
    return wire.QueueListResponse(entries=found, total=len(found), stats=stats())


@app.method("queue/stats")
def stats() -> wire.QueueStats:
    states = Counter(entry.status for entry, _ in entries.values())
    return wire.QueueStats(
        total=len(entries),
        pending=states["pending"],
        assigned=states["assigned"],
        held=states["held"],
    )


def not_here(params: dict[str, Any]) -> Any:
    raise RpcError(-32201, "the rest of v1 is not told here")


for verb in (
    *("enqueue", "lease", "hold", "release", "drop"),
    *("mark_assigned", "completion", "reorder"),
):
    app.method(f"queue/{verb}")(not_here)

if __name__ == "__main__":
    app.run()
