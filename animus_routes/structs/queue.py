"""The wire types of animus-queue-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt32,
    UInt64,
    WireStruct,
    mend,
    uint64,
    uint64_or_null,
)
from animus_routes.structs.dispatch import SubjectDispatch, SubjectRef

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


class QueueEntry(WireStruct, kw_only=True):
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

    assigned_at: str | None = None
    """RFC 3339 assignment timestamp."""

    expire_after_secs: UInt64 | None = None
    """Grace window in seconds after `run_at` before the entry is expired and dropped on sweep.
    `None` means never expire. Ignored when `run_at` is `None`.
    """

    held_at: str | None = None
    """RFC 3339 hold timestamp."""

    run_at: str | None = None
    """RFC 3339 earliest-dispatch time for a deferred entry. While `now` is before this instant the
    entry is pending-but-not-leasable. `None` for ordinary (dispatch-ASAP) entries.
    """

    task_id: str | None = None
    """Task id, if this entry's subject is a built-in task."""

    workflow_id: str | None = None
    """Workflow id attached to an Assigned entry."""

    def __post_init__(self) -> None:
        try:
            if self.expire_after_secs is None or self.expire_after_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, expire_after_secs=uint64_or_null)


class QueueCapabilities(WireStruct, kw_only=True):
    """Capability flags for queue plugins."""

    generation_fenced_leases_v1: bool = field(default_factory=bool)
    """Supports `queue/v2/*`: monotonic subject/workflow/lease generations, CAS
    renew/recovery/mutations, durable idempotency, and repository-ref collision fencing.
    """

    max_lease_batch: UInt32 = field(default_factory=int)
    """Maximum batch size accepted on `queue/lease`. Hosts clamp requested `max` to this value."""

    priority_weighted: bool = field(default_factory=bool)
    """Whether the queue heeds `priority` of a dispatch. Without it, entries leave in the order in
    which they came.
    """


class QueueCompletionRequest(WireStruct, kw_only=True):
    """Request for `queue/completion`."""

    entry_id: str
    """Entry id whose workflow terminated."""

    status: str
    """Terminal status (from `completion_status`)."""

    workflow_id: str | None = None
    """Workflow id that ran."""

    workflow_ref: str | None = None
    """Workflow ref that ran."""


class QueueDropRequest(WireStruct, kw_only=True):
    """Request for `queue/drop`."""

    entry_id: str
    """Entry id to drop."""


class QueueEnqueueRequest(WireStruct, kw_only=True):
    """Request for `queue/enqueue`."""

    subject_dispatch: SubjectDispatch
    """Full dispatch envelope to enqueue."""

    expire_after_secs: UInt64 | None = None
    """Optional grace window, in seconds, applied after `run_at`. If a deferred entry is still
    pending past `run_at + expire_after_secs` (e.g. the daemon was down through its window), the
    plugin drops it on its next sweep instead of dispatching late. `None` means never expire —
    always fire late whenever the daemon next leases. Ignored when `run_at` is `None`.
    """

    run_at: str | None = None
    """Optional RFC 3339 earliest-dispatch time. When set and in the future, the entry is enqueued
    as deferred: it stays in `status.PENDING` but is excluded from `queue/lease` until this
    instant passes. `None` means dispatch as soon as capacity allows (today's behavior).
    """

    def __post_init__(self) -> None:
        try:
            if self.expire_after_secs is None or self.expire_after_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, expire_after_secs=uint64_or_null)


class QueueEnqueueResponse(WireStruct, kw_only=True):
    """Response for `queue/enqueue`."""

    enqueued: bool
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

    warning: str | None = None
    """Non-fatal advisory. Set when the enqueue succeeded but the caller may want to reconsider —
    most commonly that another pending, deferred, or assigned entry already exists for this
    subject. The duplicate is still enqueued; the caller (agent or operator) decides whether to
    drop it. `None` when there is nothing to flag.
    """


class QueueHoldRequest(WireStruct, kw_only=True):
    """Request for `queue/hold`."""

    entry_id: str
    """Entry id to hold."""

    reason: str | None = None
    """Optional audit reason."""


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class QueueLeaseRequest(WireStruct, kw_only=True):
    """Request for `queue/lease`."""

    max: UInt64
    """Maximum number of entries to lease in this call."""

    exclude_subjects: list[SubjectId] | None = None
    """Subjects to skip during lease selection.

    Entries whose `subject_dispatch.subject_key()` matches any id in this list stay in Pending
    status and are not returned in the lease response. No state transition occurs for them.
    Hosts use this to tell the queue "this subject already has an in-flight workflow" so it
    advances past the head-of-line entry instead of returning it for the daemon to immediately
    release back. Backward-compat: `None` / omitted is identical to today's behavior.
    """

    workflow_ids: list[str] | None = None
    """Optional daemon-provided workflow ids to attach to leased entries. If set, length must be
    exactly `max` (plugin returns an error otherwise). If `None`, the plugin generates synthetic
    UUIDs.
    """

    def __post_init__(self) -> None:
        try:
            if self.max <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, max=uint64)


class QueueLeaseResponse(WireStruct, kw_only=True):
    """Response for `queue/lease`."""

    leased: list[QueueEntry]
    """Leased entries (already transitioned to Assigned)."""


class QueueListRequest(WireStruct, kw_only=True):
    """Request for `queue/list`."""

    limit: UInt64 | None = None
    """Pagination limit."""

    offset: UInt64 | None = None
    """Pagination offset."""

    status: list[str] = []
    """Filter by status (values from `status`). Empty means all."""

    def __post_init__(self) -> None:
        try:
            if (
                (self.limit is None or self.limit <= MAX_UINT64)
                and (self.offset is None or self.offset <= MAX_UINT64)
            ):
                return
        except TypeError:
            pass
        mend(self, limit=uint64_or_null, offset=uint64_or_null)


class QueueStats(WireStruct, kw_only=True):
    """Queue aggregate counts."""

    total: UInt64
    """Total entries."""

    pending: UInt64
    """Pending entries (includes deferred entries not yet leasable)."""

    assigned: UInt64
    """Assigned entries."""

    held: UInt64
    """Held entries."""

    deferred: UInt64 = field(default_factory=int)
    """Subset of `pending` that is deferred — `run_at` is still in the future, so these are not yet
    leasable. Lets callers distinguish "scheduled for later" from "ready to dispatch" without
    inspecting every entry. `0` on backends that predate deferred dispatch.
    """

    def __post_init__(self) -> None:
        try:
            if (
                self.total <= MAX_UINT64
                and self.pending <= MAX_UINT64
                and self.assigned <= MAX_UINT64
                and self.held <= MAX_UINT64
                and self.deferred <= MAX_UINT64
            ):
                return
        except TypeError:
            pass
        mend(self, total=uint64, pending=uint64, assigned=uint64, held=uint64, deferred=uint64)


class QueueListResponse(WireStruct, kw_only=True):
    """Response for `queue/list`."""

    entries: list[QueueEntry]
    """Returned entries."""

    total: UInt64
    """Total entries matching the filter."""

    stats: QueueStats
    """Aggregate stats."""

    def __post_init__(self) -> None:
        try:
            if self.total <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, total=uint64)


class QueueMarkAssignedRequest(WireStruct, kw_only=True):
    """Request for `queue/mark_assigned`."""

    entry_id: str
    """Entry id to transition."""

    workflow_id: str | None = None
    """Workflow id to attach."""


class QueueMutationResponse(WireStruct, kw_only=True):
    """Generic mutation result used by hold / release / drop / mark_assigned / completion."""

    changed: bool
    """`true` if the entry state changed. `false` if the entry was already in the requested state
    (idempotent no-op) or was not found.
    """

    not_found: bool = field(default_factory=bool)
    """`true` if the entry was not found (idempotent on missing)."""


class QueueNextDeadlineResponse(WireStruct, kw_only=True):
    """Response for `queue/next_deadline`."""

    next_run_at: str | None = None
    """Earliest future `run_at` (RFC 3339) across pending deferred entries, or `None` when the
    queue holds no future-dated entries. The daemon uses this to wake precisely at the next
    deferred entry's dispatch time. Expired entries are swept before this is computed, so a
    value here is always in the future relative to the plugin's clock.
    """


class QueueReleasePendingParams(WireStruct, kw_only=True):
    """Request for `queue/release_pending`."""

    entry_id: str
    """Entry id to return to Pending."""

    reason: str
    """Audit reason describing why the entry is being released back."""


class QueueReleasePendingResponse(WireStruct, kw_only=True):
    """Response for `queue/release_pending`."""

    entry_id: str
    """Entry id whose status was changed."""

    status: str
    """New status — always `status.PENDING` on success."""


class QueueReleaseRequest(WireStruct, kw_only=True):
    """Request for `queue/release`."""

    entry_id: str
    """Entry id to release."""


class QueueReorderRequest(WireStruct, kw_only=True):
    """Request for `queue/reorder`."""

    entry_ids: list[str]
    """New order (partial — entries not in this list keep their existing position)."""


class QueueReorderResponse(WireStruct, kw_only=True):
    """Response for `queue/reorder`."""

    reordered_count: UInt64
    """Count of entries whose position changed."""

    def __post_init__(self) -> None:
        try:
            if self.reordered_count <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, reordered_count=uint64)


if TYPE_CHECKING:
    from animus_routes.structs.actor import Actor
    from animus_routes.structs.execution import (
        ExecutionFence,
        QueueLeaseFence,
        RepositoryReservation,
        SubjectGeneration,
    )
    from animus_routes.structs.queue_v2 import (
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
        "Actor": "animus_routes.structs.actor",
        "ExecutionFence": "animus_routes.structs.execution",
        "QueueLeaseFence": "animus_routes.structs.execution",
        "RepositoryReservation": "animus_routes.structs.execution",
        "SubjectGeneration": "animus_routes.structs.execution",
        "FencedQueueEntry": "animus_routes.structs.queue_v2",
        "QueueCompletionV2Request": "animus_routes.structs.queue_v2",
        "QueueEnqueueV2Request": "animus_routes.structs.queue_v2",
        "QueueEnqueueV2Response": "animus_routes.structs.queue_v2",
        "QueueLeaseBlock": "animus_routes.structs.queue_v2",
        "QueueLeaseBlockReason": "animus_routes.structs.queue_v2",
        "QueueLeaseMutationOutcome": "animus_routes.structs.queue_v2",
        "QueueLeaseMutationResponse": "animus_routes.structs.queue_v2",
        "QueueLeaseRecoverRequest": "animus_routes.structs.queue_v2",
        "QueueLeaseRenewRequest": "animus_routes.structs.queue_v2",
        "QueueLeaseV2Request": "animus_routes.structs.queue_v2",
        "QueueLeaseV2Response": "animus_routes.structs.queue_v2",
        "QueueReleasePendingV2Request": "animus_routes.structs.queue_v2",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
