"""The wire types of animus-queue-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import Field

from animus_routes.types._model import Bool, UInt32, UInt64, WireModel, is_null, new_list
from animus_routes.types.dispatch import SubjectDispatch, SubjectRef

__all__ = [
    "Actor",
    "ExecutionFence",
    "FencedQueueEntry",
    "QueueCapabilities",
    "QueueCompletionRequest",
    "QueueCompletionV2Request",
    "QueueDropRequest",
    "QueueEnqueueRequest",
    "QueueEnqueueResponse",
    "QueueEnqueueV2Request",
    "QueueEnqueueV2Response",
    "QueueEntry",
    "QueueHoldRequest",
    "QueueLeaseBlock",
    "QueueLeaseBlockReason",
    "QueueLeaseFence",
    "QueueLeaseMutationOutcome",
    "QueueLeaseMutationResponse",
    "QueueLeaseRecoverRequest",
    "QueueLeaseRenewRequest",
    "QueueLeaseRequest",
    "QueueLeaseResponse",
    "QueueLeaseV2Request",
    "QueueLeaseV2Response",
    "QueueListRequest",
    "QueueListResponse",
    "QueueMarkAssignedRequest",
    "QueueMutationResponse",
    "QueueNextDeadlineResponse",
    "QueueReleasePendingParams",
    "QueueReleasePendingResponse",
    "QueueReleasePendingV2Request",
    "QueueReleaseRequest",
    "QueueReorderRequest",
    "QueueReorderResponse",
    "QueueStats",
    "RepositoryReservation",
    "SubjectDispatch",
    "SubjectGeneration",
    "SubjectId",
    "SubjectRef",
]


class QueueEntry(WireModel):
    """A queue entry shape returned by list / lease."""

    entry_id: str
    """Stable entry id (unique within the project queue). Mutation calls target this id."""

    subject_id: str
    """Subject id from the dispatch envelope."""

    subject_dispatch: SubjectDispatch
    """What the workflow is started with, so that whoever leases the entry can begin at once."""

    status: str
    """Status value from `status`."""

    enqueued_at: str
    """RFC 3339 enqueue timestamp."""

    assigned_at: str | None = Field(default=None, exclude_if=is_null)
    """RFC 3339 assignment timestamp."""

    expire_after_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Grace window in seconds after `run_at` before the entry is expired and dropped on sweep.
    `None` means never expire. Ignored when `run_at` is `None`.
    """

    held_at: str | None = Field(default=None, exclude_if=is_null)
    """RFC 3339 hold timestamp."""

    run_at: str | None = Field(default=None, exclude_if=is_null)
    """RFC 3339 earliest-dispatch time for a deferred entry. While `now` is before this instant the
    entry is pending-but-not-leasable. `None` for ordinary (dispatch-ASAP) entries.
    """

    task_id: str | None = Field(default=None, exclude_if=is_null)
    """Task id, if this entry's subject is a built-in task."""

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """Workflow id attached to an Assigned entry."""


class QueueCapabilities(WireModel):
    """Capability flags for queue plugins."""

    generation_fenced_leases_v1: Bool = False
    """Supports `queue/v2/*`: monotonic subject/workflow/lease generations, CAS
    renew/recovery/mutations, durable idempotency, and repository-ref collision fencing.
    """

    max_lease_batch: UInt32 = 0
    """Maximum batch size accepted on `queue/lease`. Hosts clamp requested `max` to this value."""

    priority_weighted: Bool = False
    """Whether the queue heeds `priority` of a dispatch. Without it, entries leave in the order in
    which they came.
    """


class QueueCompletionRequest(WireModel):
    """Request for `queue/completion`."""

    entry_id: str
    """Entry id whose workflow terminated."""

    status: str
    """Terminal status (from `completion_status`)."""

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """Workflow id that ran."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow ref that ran."""


class QueueDropRequest(WireModel):
    """Request for `queue/drop`."""

    entry_id: str
    """Entry id to drop."""


class QueueEnqueueRequest(WireModel):
    """Request for `queue/enqueue`."""

    subject_dispatch: SubjectDispatch
    """Full dispatch envelope to enqueue."""

    expire_after_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional grace window, in seconds, applied after `run_at`. If a deferred entry is still
    pending past `run_at + expire_after_secs` (e.g. the daemon was down through its window), the
    plugin drops it on its next sweep instead of dispatching late. `None` means never expire —
    always fire late whenever the daemon next leases. Ignored when `run_at` is `None`.
    """

    run_at: str | None = Field(default=None, exclude_if=is_null)
    """Optional RFC 3339 earliest-dispatch time. When set and in the future, the entry is enqueued
    as deferred: it stays in `status.PENDING` but is excluded from `queue/lease` until this
    instant passes. `None` means dispatch as soon as capacity allows (today's behavior).
    """


class QueueEnqueueResponse(WireModel):
    """Response for `queue/enqueue`."""

    enqueued: Bool
    """`true` if a new entry was created. For immediate (non-deferred) enqueues this stays
    idempotent: `false` if the dispatch was rejected as a duplicate of an existing
    pending/assigned entry. Deferred enqueues (`run_at` set) are always created — scheduling the
    same subject for distinct times is legitimate — so `enqueued` is `true` and any collision is
    surfaced via `warning` instead.
    """

    entry_id: str
    """Stable entry id assigned by the plugin. Used by all subsequent mutation calls."""

    subject_id: str
    """Convenience: the subject id from the dispatch envelope."""

    warning: str | None = Field(default=None, exclude_if=is_null)
    """Non-fatal advisory. Set when the enqueue succeeded but the caller may want to reconsider —
    most commonly that another pending, deferred, or assigned entry already exists for this
    subject. The duplicate is still enqueued; the caller (agent or operator) decides whether to
    drop it. `None` when there is nothing to flag.
    """


class QueueHoldRequest(WireModel):
    """Request for `queue/hold`."""

    entry_id: str
    """Entry id to hold."""

    reason: str | None = Field(default=None, exclude_if=is_null)
    """Optional audit reason."""


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class QueueLeaseRequest(WireModel):
    """Request for `queue/lease`."""

    max: UInt64
    """Maximum number of entries to lease in this call."""

    exclude_subjects: list[SubjectId] | None = Field(default=None, exclude_if=is_null)
    """Subjects to skip during lease selection.

    Entries whose `subject_dispatch.subject_key()` matches any id in this list stay in Pending
    status and are not returned in the lease response. No state transition occurs for them.
    Hosts use this to tell the queue "this subject already has an in-flight workflow" so it
    advances past the head-of-line entry instead of returning it for the daemon to immediately
    release back. Backward-compat: `None` / omitted is identical to today's behavior.
    """

    workflow_ids: list[str] | None = Field(default=None, exclude_if=is_null)
    """Optional daemon-provided workflow ids to attach to leased entries. If set, length must be
    exactly `max` (plugin returns an error otherwise). If `None`, the plugin generates synthetic
    UUIDs.
    """


class QueueLeaseResponse(WireModel):
    """Response for `queue/lease`."""

    leased: list[QueueEntry]
    """Leased entries (already transitioned to Assigned)."""


class QueueListRequest(WireModel):
    """Request for `queue/list`."""

    limit: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Pagination limit."""

    offset: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Pagination offset."""

    status: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Filter by status (values from `status`). Empty means all."""


class QueueStats(WireModel):
    """Queue aggregate counts."""

    total: UInt64
    """Total entries."""

    pending: UInt64
    """Pending entries (includes deferred entries not yet leasable)."""

    assigned: UInt64
    """Assigned entries."""

    held: UInt64
    """Held entries."""

    deferred: UInt64 = 0
    """Subset of `pending` that is deferred — `run_at` is still in the future, so these are not yet
    leasable. Lets callers distinguish "scheduled for later" from "ready to dispatch" without
    inspecting every entry. `0` on backends that predate deferred dispatch.
    """


class QueueListResponse(WireModel):
    """Response for `queue/list`."""

    entries: list[QueueEntry]
    """Returned entries."""

    total: UInt64
    """Total entries matching the filter."""

    stats: QueueStats
    """Aggregate stats."""


class QueueMarkAssignedRequest(WireModel):
    """Request for `queue/mark_assigned`."""

    entry_id: str
    """Entry id to transition."""

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """Workflow id to attach."""


class QueueMutationResponse(WireModel):
    """Generic mutation result used by hold / release / drop / mark_assigned / completion."""

    changed: Bool
    """`true` if the entry state changed. `false` if the entry was already in the requested state
    (idempotent no-op) or was not found.
    """

    not_found: Bool = False
    """`true` if the entry was not found (idempotent on missing)."""


class QueueNextDeadlineResponse(WireModel):
    """Response for `queue/next_deadline`."""

    next_run_at: str | None = Field(default=None, exclude_if=is_null)
    """Earliest future `run_at` (RFC 3339) across pending deferred entries, or `None` when the
    queue holds no future-dated entries. The daemon uses this to wake precisely at the next
    deferred entry's dispatch time. Expired entries are swept before this is computed, so a
    value here is always in the future relative to the plugin's clock.
    """


class QueueReleasePendingParams(WireModel):
    """Request for `queue/release_pending`."""

    entry_id: str
    """Entry id to return to Pending."""

    reason: str
    """Audit reason describing why the entry is being released back."""


class QueueReleasePendingResponse(WireModel):
    """Response for `queue/release_pending`."""

    entry_id: str
    """Entry id whose status was changed."""

    status: str
    """New status — always `status.PENDING` on success."""


class QueueReleaseRequest(WireModel):
    """Request for `queue/release`."""

    entry_id: str
    """Entry id to release."""


class QueueReorderRequest(WireModel):
    """Request for `queue/reorder`."""

    entry_ids: list[str]
    """New order (partial — entries not in this list keep their existing position)."""


class QueueReorderResponse(WireModel):
    """Response for `queue/reorder`."""

    reordered_count: UInt64
    """Count of entries whose position changed."""


if TYPE_CHECKING:
    from animus_routes.types.actor import Actor
    from animus_routes.types.execution import (
        ExecutionFence,
        QueueLeaseFence,
        RepositoryReservation,
        SubjectGeneration,
    )
    from animus_routes.types.queue_v2 import (
        FencedQueueEntry,
        QueueCompletionV2Request,
        QueueEnqueueV2Request,
        QueueEnqueueV2Response,
        QueueLeaseBlock,
        QueueLeaseBlockReason,
        QueueLeaseMutationOutcome,
        QueueLeaseMutationResponse,
        QueueLeaseRecoverRequest,
        QueueLeaseRenewRequest,
        QueueLeaseV2Request,
        QueueLeaseV2Response,
        QueueReleasePendingV2Request,
    )
else:
    _LATER = {
        "Actor": "animus_routes.types.actor",
        "ExecutionFence": "animus_routes.types.execution",
        "QueueLeaseFence": "animus_routes.types.execution",
        "RepositoryReservation": "animus_routes.types.execution",
        "SubjectGeneration": "animus_routes.types.execution",
        "FencedQueueEntry": "animus_routes.types.queue_v2",
        "QueueCompletionV2Request": "animus_routes.types.queue_v2",
        "QueueEnqueueV2Request": "animus_routes.types.queue_v2",
        "QueueEnqueueV2Response": "animus_routes.types.queue_v2",
        "QueueLeaseBlock": "animus_routes.types.queue_v2",
        "QueueLeaseBlockReason": "animus_routes.types.queue_v2",
        "QueueLeaseMutationOutcome": "animus_routes.types.queue_v2",
        "QueueLeaseMutationResponse": "animus_routes.types.queue_v2",
        "QueueLeaseRecoverRequest": "animus_routes.types.queue_v2",
        "QueueLeaseRenewRequest": "animus_routes.types.queue_v2",
        "QueueLeaseV2Request": "animus_routes.types.queue_v2",
        "QueueLeaseV2Response": "animus_routes.types.queue_v2",
        "QueueReleasePendingV2Request": "animus_routes.types.queue_v2",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
