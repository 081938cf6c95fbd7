"""The wire types of animus-queue-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, TypeAlias

from pydantic import Field, model_validator

from animus_routes.compat.types._model import GeneratedModel, UInt32, UInt64, new_dict, new_list
from animus_routes.types._model import flatten_legacy

__all__ = [
    "Actor",
    "ExecutionFence",
    "QueueCapabilities",
    "QueueCompletionRequest",
    "QueueDropRequest",
    "QueueEnqueueRequest",
    "QueueEnqueueResponse",
    "QueueEntry",
    "QueueHoldRequest",
    "QueueLeaseFence",
    "QueueLeaseRequest",
    "QueueLeaseResponse",
    "QueueListRequest",
    "QueueListResponse",
    "QueueMarkAssignedRequest",
    "QueueMutationResponse",
    "QueueNextDeadlineResponse",
    "QueueReleasePendingParams",
    "QueueReleasePendingResponse",
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


class Actor(GeneratedModel):
    """Who is behind a call, as the transport asserts it after it has authenticated the caller. The
    host hands it on as it is; plugins use it to decide what the caller may see.
    """

    claims: list[str] = Field(default_factory=new_list)
    tenant_id: str | None = None
    user_id: str


class QueueLeaseFence(GeneratedModel):
    """Compare-and-swap identity for the queue lease currently owning a workflow."""

    entry_id: str
    expires_at: str
    generation: UInt64
    owner_id: str


class RepositoryReservation(GeneratedModel):
    """Repository/ref ownership reserved for one execution generation."""

    base_ref: str
    head_ref: str
    repository: str


class SubjectGeneration(GeneratedModel):
    """A canonical subject identity and the immutable generation being executed."""

    generation: UInt64
    qualified_id: str


class ExecutionFence(GeneratedModel):
    """Complete ownership envelope for one workflow execution generation."""

    queue_lease: QueueLeaseFence | None = None
    repository: RepositoryReservation | None = None
    schema_: str = Field(alias="schema")
    subject: SubjectGeneration | None = None
    version: UInt32
    workflow_generation: UInt64
    workflow_id: str


class SubjectRef(GeneratedModel):
    """Backend-qualified subject reference with optional display metadata."""

    description: str | None = None
    id: str
    kind: str
    labels: list[str] = Field(default_factory=new_list)
    metadata: Any = None
    title: str | None = None

    _legacy = model_validator(mode="before")(
        flatten_legacy(
            Custom=("custom", "title"),
            Requirement=("animus.requirement", "id"),
            Task=("animus.task", "id"),
        )
    )


class SubjectDispatch(GeneratedModel):
    """What a workflow is started with: the subject, the workflow to run, and optionally input,
    variables, priority and where the start came from. A queue keeps it and hands it to the
    workflow runner.
    """

    actor: Actor | None = None
    input: Any = None
    priority: str | None = None
    requested_at: str
    subject: SubjectRef | None = None
    trigger_source: str
    vars: dict[str, str] = Field(default_factory=new_dict)
    workflow_ref: str


class QueueEntry(GeneratedModel):
    """A queue entry shape returned by list / lease."""

    assigned_at: str | None = None
    enqueued_at: str
    entry_id: str
    expire_after_secs: UInt64 | None = None
    held_at: str | None = None
    run_at: str | None = None
    status: str
    subject_dispatch: SubjectDispatch
    subject_id: str
    task_id: str | None = None
    workflow_id: str | None = None


class QueueCapabilities(GeneratedModel):
    """Capability flags for queue plugins."""

    generation_fenced_leases_v1: bool | None = None
    max_lease_batch: UInt32 | None = None
    priority_weighted: bool | None = None


class QueueCompletionRequest(GeneratedModel):
    """Request for `queue/completion`."""

    entry_id: str
    status: str
    workflow_id: str | None = None
    workflow_ref: str | None = None


class QueueDropRequest(GeneratedModel):
    """Request for `queue/drop`."""

    entry_id: str


class QueueEnqueueRequest(GeneratedModel):
    """Request for `queue/enqueue`."""

    expire_after_secs: UInt64 | None = None
    run_at: str | None = None
    subject_dispatch: SubjectDispatch


class QueueEnqueueResponse(GeneratedModel):
    """Response for `queue/enqueue`."""

    enqueued: bool
    entry_id: str
    subject_id: str
    warning: str | None = None


class QueueHoldRequest(GeneratedModel):
    """Request for `queue/hold`."""

    entry_id: str
    reason: str | None = None


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class QueueLeaseRequest(GeneratedModel):
    """Request for `queue/lease`."""

    exclude_subjects: list[SubjectId] | None = None
    max: UInt64
    workflow_ids: list[str] | None = None


class QueueLeaseResponse(GeneratedModel):
    """Response for `queue/lease`."""

    leased: list[QueueEntry]


class QueueListRequest(GeneratedModel):
    """Request for `queue/list`."""

    limit: UInt64 | None = None
    offset: UInt64 | None = None
    status: list[str] = Field(default_factory=new_list)


class QueueStats(GeneratedModel):
    """Queue aggregate counts."""

    assigned: UInt64
    deferred: UInt64 | None = None
    held: UInt64
    pending: UInt64
    total: UInt64


class QueueListResponse(GeneratedModel):
    """Response for `queue/list`."""

    entries: list[QueueEntry]
    stats: QueueStats
    total: UInt64


class QueueMarkAssignedRequest(GeneratedModel):
    """Request for `queue/mark_assigned`."""

    entry_id: str
    workflow_id: str | None = None


class QueueMutationResponse(GeneratedModel):
    """Generic mutation result used by hold / release / drop / mark_assigned / completion."""

    changed: bool
    not_found: bool | None = None


class QueueNextDeadlineResponse(GeneratedModel):
    """Response for `queue/next_deadline`."""

    next_run_at: str | None = None


class QueueReleasePendingParams(GeneratedModel):
    """Request for `queue/release_pending`."""

    entry_id: str
    reason: str


class QueueReleasePendingResponse(GeneratedModel):
    """Response for `queue/release_pending`."""

    entry_id: str
    status: str


class QueueReleaseRequest(GeneratedModel):
    """Request for `queue/release`."""

    entry_id: str


class QueueReorderRequest(GeneratedModel):
    """Request for `queue/reorder`."""

    entry_ids: list[str]


class QueueReorderResponse(GeneratedModel):
    """Response for `queue/reorder`."""

    reordered_count: UInt64
