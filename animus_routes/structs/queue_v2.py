"""The wire types of animus-queue-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Literal, TypeAlias

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt64,
    WireStruct,
    mend,
    uint64,
    uint64_or_null,
)
from animus_routes.structs.dispatch import SubjectDispatch
from animus_routes.structs.execution import ExecutionFence, RepositoryReservation, SubjectGeneration
from animus_routes.structs.queue import QueueEntry

__all__ = [
    "FencedQueueEntry",
    "QueueCompletionV2Request",
    "QueueEnqueueV2Request",
    "QueueEnqueueV2Response",
    "QueueLeaseBlock",
    "QueueLeaseBlockReason",
    "QueueLeaseMutationOutcome",
    "QueueLeaseMutationResponse",
    "QueueLeaseRecoverRequest",
    "QueueLeaseRenewRequest",
    "QueueLeaseV2Request",
    "QueueLeaseV2Response",
    "QueueReleasePendingV2Request",
]


class FencedQueueEntry(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """One queue entry paired with its complete execution ownership fence."""

    entry: QueueEntry
    """Existing queue entry payload/display shape."""

    execution: ExecutionFence
    """Exact generation and CAS lease ownership."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "FencedQueueEntry")


class QueueCompletionV2Request(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Generation-fenced terminal completion request."""

    execution: ExecutionFence
    """Exact current execution fence."""

    status: str
    """Terminal status from `completion_status`."""

    workflow_ref: str | None = None
    """Workflow ref that ran."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueCompletionV2Request")


class QueueEnqueueV2Request(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Enqueue request for the generation-fenced scheduler."""

    subject_dispatch: SubjectDispatch
    """Full dispatch envelope to enqueue."""

    expire_after_secs: UInt64 | None = None
    """Optional grace window after `run_at`."""

    idempotency_key: str | None = None
    """Stable producer idempotency key (for example a GitHub delivery id plus trigger id).
    Repeating a key returns the original entry and generation.
    """

    repository: RepositoryReservation | None = None
    """Exact repository/head-ref reservation for coding work. Non-code queue entries may omit it."""

    run_at: str | None = None
    """Optional RFC 3339 earliest-dispatch time."""

    def __post_init__(self) -> None:
        try:
            if self.expire_after_secs is None or self.expire_after_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, expire_after_secs=uint64_or_null)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueEnqueueV2Request")


class QueueEnqueueV2Response(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Enqueue response carrying the immutable subject generation allocated to the entry."""

    enqueued: bool
    """`true` when this call created the entry; `false` for an idempotent replay."""

    entry_id: str
    """Stable queue entry id."""

    subject: SubjectGeneration
    """Immutable subject generation allocated to the entry."""

    warning: str | None = None
    """Optional advisory that does not weaken the generation fence."""


QueueLeaseBlockReason: TypeAlias = Literal[
    "subject_generation_active",
    "repository_ref_collision",
    "expired_lease_recovery_required",
    "missing_execution_identity",
]
"""Why a v2 lease candidate was left untouched.

- subject_generation_active: The exact subject generation already has an active execution.
- repository_ref_collision: Another active execution owns the repository/head ref.
- expired_lease_recovery_required: The entry has an expired assignment that must be
  reconciled/recovered, never handed out as fresh work.
- missing_execution_identity: The stored entry lacks the identity needed for fail-closed
  scheduling.
"""


class QueueLeaseBlock(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A candidate intentionally not leased by the v2 scheduler."""

    entry_id: str
    """Queue entry that remained untouched."""

    reason: QueueLeaseBlockReason
    """Why the entry cannot be leased."""

    conflicts_with: ExecutionFence | None = None
    """Existing execution that caused the conflict, when applicable."""


QueueLeaseMutationOutcome: TypeAlias = Literal[
    "applied",
    "already_applied",
    "not_found",
    "stale_fence",
    "lease_still_live",
    "not_assigned",
]
"""Result category for a generation-fenced queue mutation.

- applied: Mutation succeeded and the response contains the current fence.
- already_applied: The entry is already in the requested terminal/pending state.
- not_found: No entry exists.
- stale_fence: Owner, lease generation, workflow generation, or subject generation did not
  match. The caller has no authority to mutate the entry.
- lease_still_live: Recovery was requested before backend-clock expiry.
- not_assigned: Entry exists but is not assigned.
"""


class QueueLeaseMutationResponse(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Response shared by renew, recover, completion, and release-pending v2."""

    outcome: QueueLeaseMutationOutcome
    """What became of the change."""

    execution: ExecutionFence | None = None
    """Current fence after success, including a transferred/incremented lease generation after
    recovery.
    """

    reason: str | None = None
    """Human-readable diagnostic safe for logs/UI."""


class QueueLeaseRecoverRequest(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Request to transfer an expired lease to a new daemon owner."""

    execution: ExecutionFence
    """Last durable execution fence. The backend CAS-checks its owner and lease generation, then
    preserves workflow/subject generations.
    """

    new_owner_id: str
    """New daemon/scheduler instance id."""

    ttl_secs: UInt64 | None = None
    """Optional requested TTL; the backend may clamp it to policy."""

    def __post_init__(self) -> None:
        try:
            if self.ttl_secs is None or self.ttl_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, ttl_secs=uint64_or_null)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseRecoverRequest")


class QueueLeaseRenewRequest(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Request to renew an exact, still-owned lease."""

    execution: ExecutionFence
    """Current full execution fence."""

    ttl_secs: UInt64 | None = None
    """Optional requested TTL; the backend may clamp it to policy."""

    def __post_init__(self) -> None:
        try:
            if self.ttl_secs is None or self.ttl_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, ttl_secs=uint64_or_null)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseRenewRequest")


class QueueLeaseV2Request(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Request for generation-fenced atomic leasing."""

    max: UInt64
    """Maximum number of entries to lease."""

    owner_id: str
    """Stable daemon/scheduler instance id that will own new leases."""

    workflow_ids: list[str]
    """Kernel-preallocated workflow ids. Length must equal `max`; a queue entry that already owns a
    workflow id keeps it and does not consume a new id.
    """

    exclude: list[ExecutionFence] = []
    """Active execution fences to exclude from selection and collision checks."""

    def __post_init__(self) -> None:
        try:
            if self.max <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, max=uint64)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseV2Request")


class QueueLeaseV2Response(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """The answer of `queue/v2/lease`."""

    leased: list[FencedQueueEntry]
    """Newly leased entries with complete ownership fences."""

    blocked: list[QueueLeaseBlock] = []
    """Entries that were left where they are, because a fence stands in the way."""


class QueueReleasePendingV2Request(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Generation-fenced return-to-pending request. The queue preserves the canonical workflow
    id/generation for the next lease attempt.
    """

    execution: ExecutionFence
    """Exact current execution fence."""

    reason: str
    """Auditable reason for returning the entry to Pending."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueReleasePendingV2Request")
