"""Fenced leases of a queue (`queue/v2/lease`), whatever it stores them in.

A store keeps a `Lease` of each entry, and asks: it hands in what is stored, the request and the
time, and gets what to store and what to answer. Nothing here reads a clock, writes or locks. Hand
in what one transaction has read, and write what comes back in the same one.

How entries get in is in `animus_routes.batteries.enqueues`, what becomes of leases in
`animus_routes.batteries.lease_changes`. All take both families of wire types; answers are Structs.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct, structs

from animus_routes.fences import collision_key
from animus_routes.rules import EXECUTION_FENCE, VERSION
from animus_routes.structs.execution import (
    ExecutionFence,
    QueueLeaseFence,
    RepositoryReservation,
    SubjectGeneration,
)
from animus_routes.structs.queue import (
    QueueLeaseBlock,
)
from animus_routes.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from animus_routes.structs.queue import QueueLeaseBlockReason

__all__ = [
    "DEFAULT_LENGTH_S",
    "Lease",
    "LeaseDecision",
    "candidate_count",
    "fence_of",
    "lease",
    "lease_length_s",
    "matches",
    "until",
]

DEFAULT_LENGTH_S: Final = 1800
LONGEST_S: Final = 604_800
FIRST_CANDIDATES: Final = 50

Status = Literal["pending", "held", "assigned"]


class Lease(Struct, frozen=True, kw_only=True):
    """What a store keeps of an entry for v2.

    Attributes:
        entry_id: The entry.
        status: Its state.
        subject_id: `<kind>:<id>`, of `enqueues.qualified_id`; None if the entry has no usable subject.
        subject_generation: 0 = none yet, because v1 added the entry.
        workflow_id: Set at the first lease, and kept from then on.
        workflow_generation: 0 = none yet.
        owner_id: Who leased it last; None = nobody, or v1.
        generation: How often it was leased; 0 = never by v2.
        expires_at: RFC 3339; None = it was never leased by v2.
        repository: What it reserves, of `enqueues.reservation_of`.
    """

    entry_id: str
    status: Status
    subject_id: str | None = None
    subject_generation: int = 0
    workflow_id: str | None = None
    workflow_generation: int = 0
    owner_id: str | None = None
    generation: int = 0
    expires_at: str | None = None
    repository: RepositoryReservation | None = None


class LeaseDecision(Struct, frozen=True, kw_only=True):
    """What to store after `queue/v2/lease`, and what to answer.

    Attributes:
        leased: The entries as they are now assigned, in order.
        blocked: What the answer says of candidates that stay.
        changed: Every entry to store, those in `leased` included.
    """

    leased: list[Lease]
    blocked: list[QueueLeaseBlock]
    changed: list[Lease]


def lease_length_s(setting: str | None) -> int:
    """How long a lease lasts, in seconds, by the variable `ANIMUS_QUEUE_LEASE_TTL_SECS`.

    Args:
        setting: Its value; None if it is unset. Anything but 1 to 604800 means 1800.
    """
    text = (setting or "").strip()
    length = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    return length if 1 <= length <= LONGEST_S else DEFAULT_LENGTH_S


def candidate_count(most: int) -> int:
    """How many pending, due entries `lease` looks at, for a request of at most this many."""
    return max(FIRST_CANDIDATES, most * 10)


def fence_of(entry: Lease) -> ExecutionFence | None:
    """The fence of an entry; None unless v2 has leased it."""
    if not entry.workflow_id or not entry.owner_id or entry.expires_at is None:
        return None
    subject: SubjectGeneration | None = None
    if entry.subject_id is not None:
        generation = entry.subject_generation
        subject = SubjectGeneration(qualified_id=entry.subject_id, generation=generation)
    return ExecutionFence(
        schema_=EXECUTION_FENCE,
        version=VERSION,
        workflow_id=entry.workflow_id,
        workflow_generation=entry.workflow_generation,
        subject=subject,
        queue_lease=QueueLeaseFence(
            entry_id=entry.entry_id,
            owner_id=entry.owner_id,
            generation=entry.generation,
            expires_at=entry.expires_at,
        ),
        repository=entry.repository,
    )


def matches(stored: Any, given: Any) -> bool:
    """Does a fence that came in stand for what is stored? Its `expires_at` may be an older one.

    Args:
        stored: An `ExecutionFence`, or None.
        given: An `ExecutionFence` of either family.
    """
    if stored is None or given.queue_lease is None:
        return False
    return _identity(stored) == _identity(given)


def _identity(fence: Any) -> tuple[Any, ...]:
    lease, subject, reserved = fence.queue_lease, fence.subject, fence.repository
    return (
        fence.schema_,
        fence.version,
        fence.workflow_id,
        fence.workflow_generation,
        subject and (subject.qualified_id, subject.generation),
        (lease.entry_id, lease.owner_id.strip(), lease.generation),
        reserved
        and (
            reserved.repository.strip().lower(),
            reserved.base_ref.strip(),
            reserved.head_ref.strip(),
        ),
    )


def lease(
    request: Any,
    candidates: Iterable[Lease],
    assigned: Iterable[Lease],
    allocate: Callable[[str], int],
    now: datetime,
    length_s: int,
) -> LeaseDecision:
    """Decide `queue/v2/lease`.

    Args:
        request: A `QueueLeaseV2Request` of either family.
        candidates: The first `candidate_count(request.max)` entries that are pending and due, in
            the queue's order.
        assigned: Every entry that is assigned, expired ones included.
        allocate: Gives a subject's next generation, for an entry that v1 added.
        now: The store's clock, with a time zone.
        length_s: How long a lease lasts, in seconds.
    """
    candidates = list(candidates)
    kept = {one.workflow_id for one in candidates}
    unused = [one for one in request.workflow_ids if one not in kept]
    taken = _reserved(request.exclude, assigned)
    found = LeaseDecision(leased=[], blocked=[], changed=[])
    for candidate in candidates:
        if len(found.leased) == request.max or not (candidate.workflow_id or unused):
            break
        entry = _identified(candidate, allocate)
        block = _block(entry, request.exclude, taken)
        if block is not None:
            found.blocked.append(block)
        else:
            workflow_id = entry.workflow_id or unused.pop(0)
            entry = _assigned(entry, workflow_id, request.owner_id.strip(), until(now, length_s))
            found.leased.append(entry)
            if entry.repository is not None:
                taken[collision_key(entry.repository)] = fence_of(entry)
        if entry is not candidate:
            found.changed.append(entry)
    return found


def _reserved(
    exclude: Iterable[Any], assigned: Iterable[Lease]
) -> dict[str, ExecutionFence | None]:
    """By collision key, the fence that holds it: an excluded one, else an assigned entry's."""
    taken: dict[str, ExecutionFence | None] = {}
    for fence in exclude:
        if fence.repository is not None:
            taken.setdefault(collision_key(fence.repository), fence)
    for entry in assigned:
        if entry.repository is not None:
            taken.setdefault(collision_key(entry.repository), fence_of(entry))
    return taken


def _assigned(entry: Lease, workflow_id: str, owner_id: str, until: str) -> Lease:
    return structs.replace(
        entry,
        status="assigned",
        workflow_id=workflow_id,
        workflow_generation=entry.workflow_generation or 1,
        owner_id=owner_id,
        generation=entry.generation + 1,
        expires_at=until,
    )


def _identified(entry: Lease, allocate: Callable[[str], int]) -> Lease:
    """With its subject's generation, which an entry of v1 gets now."""
    if entry.subject_id is None or entry.subject_generation:
        return entry
    return structs.replace(entry, subject_generation=allocate(entry.subject_id))


def _block(
    entry: Lease, exclude: Iterable[Any], taken: Mapping[str, ExecutionFence | None]
) -> QueueLeaseBlock | None:
    """Why an entry is not leased now."""
    if entry.subject_id is None:
        return _blocked(entry, "missing_execution_identity", None)
    own = (entry.subject_id, entry.subject_generation)
    for fence in exclude:
        if fence.subject and (fence.subject.qualified_id, fence.subject.generation) == own:
            return _blocked(entry, "subject_generation_active", fence)
    if entry.repository is None:
        return None
    key = collision_key(entry.repository)
    return _blocked(entry, "repository_ref_collision", taken[key]) if key in taken else None


def _blocked(entry: Lease, reason: QueueLeaseBlockReason, by: Any) -> QueueLeaseBlock:
    return QueueLeaseBlock(entry_id=entry.entry_id, reason=reason, conflicts_with=by)


def until(now: datetime, seconds: int) -> str:
    """The RFC 3339 time so many seconds from now."""
    return rfc3339(now + timedelta(seconds=seconds))
