"""What becomes of fenced leases: renewed, recovered, completed, given back (`queue/v2/*`).

    with database.turn() as turn:
        entry_id = request.execution.queue_lease.entry_id
        decision = renew(request, turn.lease(entry_id), turn.past(entry_id), now, length_s)
        if decision.changed is not None:
            turn.save(decision.changed)
        return decision.answer

See `animus_routes.batteries.leases` for what a store hands in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from animus_routes.batteries.leases import Lease, fence_of, matches, until
from animus_routes.structs.queue import QueueLeaseMutationResponse
from animus_routes.timestamps import parse

if TYPE_CHECKING:
    from datetime import datetime

    from animus_routes.structs.execution import ExecutionFence
    from animus_routes.structs.queue import QueueLeaseMutationOutcome

__all__ = ["Decision", "Past", "complete", "recover", "release_pending", "renew"]


class Past(Struct, frozen=True, kw_only=True):
    """What a store keeps of an entry that is gone.

    Attributes:
        lease: As it was when the entry was completed or dropped.
        dropped: An operator has dropped it; otherwise it was completed.
    """

    lease: Lease
    dropped: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """What to store after a call, and what to answer.

    Attributes:
        answer: The call's result.
        changed: The entry as it is to be stored; None = nothing changes.
        ended: The entry goes to the past, as `changed`.
    """

    answer: QueueLeaseMutationResponse
    changed: Lease | None = None
    ended: bool = False


# The four mutations begin alike: `_refused` says why there is nothing to decide.


def renew(
    request: Any, entry: Lease | None, past: Past | None, now: datetime, length_s: int
) -> Decision:
    """Decide `queue/v2/lease/renew`.

    Args:
        request: A `QueueLeaseRenewRequest` of either family.
        entry: The entry that `request.execution` names; None if there is none any more.
        past: The same of the past.
        now: The store's clock, with a time zone.
        length_s: How long a lease lasts, in seconds; less if the request asks for less.
    """
    found = _refused(request.execution, entry, past)
    if isinstance(found, Decision):
        return found
    if _expired(found, now):
        return _said("stale_fence", "the lease has expired and requires recovery")
    assert found.expires_at is not None
    asked = until(now, _ttl(request.ttl_secs, length_s))
    return _applied(structs.replace(found, expires_at=max(found.expires_at, asked, key=parse)))


def recover(
    request: Any, entry: Lease | None, past: Past | None, now: datetime, length_s: int
) -> Decision:
    """Decide `queue/v2/lease/recover`.

    Args:
        request: A `QueueLeaseRecoverRequest` of either family.
        entry: The entry that `request.execution` names; None if there is none any more.
        past: The same of the past.
        now: The store's clock, with a time zone.
        length_s: How long the new lease lasts, in seconds; less if the request asks for less.
    """
    found = _refused(request.execution, entry, past)
    if isinstance(found, Decision):
        return found
    if not _expired(found, now):
        return _said("lease_still_live", "the lease has not expired", fence_of(found))
    return _applied(
        structs.replace(
            found,
            owner_id=request.new_owner_id.strip(),
            generation=found.generation + 1,
            expires_at=until(now, _ttl(request.ttl_secs, length_s)),
        )
    )


def complete(request: Any, entry: Lease | None, past: Past | None) -> Decision:
    """Decide `queue/v2/completion`. An expired lease completes like any other.

    Args:
        request: A `QueueCompletionV2Request` of either family.
        entry: The entry that `request.execution` names; None if there is none any more.
        past: The same of the past. Its first status stays, whatever a repeat says.
    """
    if entry is None and past is not None and not past.dropped:
        last = fence_of(past.lease)
        if matches(last, request.execution):
            return _said("already_applied", None, last)
    found = _refused(request.execution, entry, past)
    if isinstance(found, Decision):
        return found
    return structs.replace(_applied(found), ended=True)


def release_pending(request: Any, entry: Lease | None, past: Past | None) -> Decision:
    """Decide `queue/v2/release_pending`. The entry keeps its workflow, and waits to be leased again.

    Args:
        request: A `QueueReleasePendingV2Request` of either family.
        entry: The entry that `request.execution` names; None if there is none any more.
        past: The same of the past.
    """
    waits = entry is not None and entry.status == "pending"
    if entry is not None and waits and matches(fence_of(entry), request.execution):
        return _said("already_applied")
    found = _refused(request.execution, entry, past)
    if isinstance(found, Decision):
        return found
    answer = QueueLeaseMutationResponse(outcome="applied")
    return Decision(answer=answer, changed=structs.replace(found, status="pending"))


def _refused(fence: Any, entry: Lease | None, past: Past | None) -> Lease | Decision:
    """The entry, if it is assigned to the fence; otherwise what to answer."""
    if entry is None:
        if past is None:
            return _said("not_found", "there is no such entry")
        return _said("not_assigned", f"the entry is {'dropped' if past.dropped else 'completed'}")
    if entry.status != "assigned":
        return _said("not_assigned", f"the entry is {entry.status}")
    if not matches(fence_of(entry), fence):
        return _said("stale_fence", "the fence is not that of the entry's lease")
    return entry


def _said(
    outcome: QueueLeaseMutationOutcome,
    reason: str | None = None,
    execution: ExecutionFence | None = None,
) -> Decision:
    return Decision(
        answer=QueueLeaseMutationResponse(outcome=outcome, reason=reason, execution=execution)
    )


def _applied(entry: Lease) -> Decision:
    answer = QueueLeaseMutationResponse(outcome="applied", execution=fence_of(entry))
    return Decision(answer=answer, changed=entry)


def _expired(entry: Lease, now: datetime) -> bool:
    assert entry.expires_at is not None
    return parse(entry.expires_at) <= now


def _ttl(asked: int | None, length_s: int) -> int:
    return length_s if asked is None else min(asked, length_s)
