"""The wire types of animus-queue-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_
from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field

from animus_routes.types._model import Bool, UInt64, WireModel, is_null, new_list
from animus_routes.types.dispatch import SubjectDispatch
from animus_routes.types.execution import ExecutionFence, RepositoryReservation, SubjectGeneration
from animus_routes.types.queue import QueueEntry

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


class FencedQueueEntry(WireModel):
    """One queue entry paired with its complete execution ownership fence."""

    model_config = ConfigDict(extra="forbid")

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


class QueueCompletionV2Request(WireModel):
    """Generation-fenced terminal completion request."""

    model_config = ConfigDict(extra="forbid")

    execution: ExecutionFence
    """Exact current execution fence."""

    status: str
    """Terminal status from `completion_status`."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow ref that ran."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueCompletionV2Request")


class QueueEnqueueV2Request(WireModel):
    """Enqueue request for the generation-fenced scheduler."""

    model_config = ConfigDict(extra="forbid")

    subject_dispatch: SubjectDispatch
    """Full dispatch envelope to enqueue."""

    expire_after_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional grace window after `run_at`."""

    idempotency_key: str | None = Field(default=None, exclude_if=is_null)
    """Stable producer idempotency key (for example a GitHub delivery id plus trigger id).
    Repeating a key returns the original entry and generation.
    """

    repository: RepositoryReservation | None = Field(default=None, exclude_if=is_null)
    """Exact repository/head-ref reservation for coding work. Non-code queue entries may omit it."""

    run_at: str | None = Field(default=None, exclude_if=is_null)
    """Optional RFC 3339 earliest-dispatch time."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueEnqueueV2Request")


class QueueEnqueueV2Response(WireModel):
    """Enqueue response carrying the immutable subject generation allocated to the entry."""

    model_config = ConfigDict(extra="forbid")

    enqueued: Bool
    """`true` when this call created the entry; `false` for an idempotent replay."""

    entry_id: str
    """Stable queue entry id."""

    subject: SubjectGeneration
    """Immutable subject generation allocated to the entry."""

    warning: str | None = Field(default=None, exclude_if=is_null)
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


class QueueLeaseBlock(WireModel):
    """A candidate intentionally not leased by the v2 scheduler."""

    model_config = ConfigDict(extra="forbid")

    entry_id: str
    """Queue entry that remained untouched."""

    reason: QueueLeaseBlockReason
    """Why the entry cannot be leased."""

    conflicts_with: ExecutionFence | None = Field(default=None, exclude_if=is_null)
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


class QueueLeaseMutationResponse(WireModel):
    """Response shared by renew, recover, completion, and release-pending v2."""

    model_config = ConfigDict(extra="forbid")

    outcome: QueueLeaseMutationOutcome
    """What became of the change."""

    execution: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Current fence after success, including a transferred/incremented lease generation after
    recovery.
    """

    reason: str | None = Field(default=None, exclude_if=is_null)
    """Human-readable diagnostic safe for logs/UI."""


class QueueLeaseRecoverRequest(WireModel):
    """Request to transfer an expired lease to a new daemon owner."""

    model_config = ConfigDict(extra="forbid")

    execution: ExecutionFence
    """Last durable execution fence. The backend CAS-checks its owner and lease generation, then
    preserves workflow/subject generations.
    """

    new_owner_id: str
    """New daemon/scheduler instance id."""

    ttl_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional requested TTL; the backend may clamp it to policy."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseRecoverRequest")


class QueueLeaseRenewRequest(WireModel):
    """Request to renew an exact, still-owned lease."""

    model_config = ConfigDict(extra="forbid")

    execution: ExecutionFence
    """Current full execution fence."""

    ttl_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional requested TTL; the backend may clamp it to policy."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseRenewRequest")


class QueueLeaseV2Request(WireModel):
    """Request for generation-fenced atomic leasing."""

    model_config = ConfigDict(extra="forbid")

    max: UInt64
    """Maximum number of entries to lease."""

    owner_id: str
    """Stable daemon/scheduler instance id that will own new leases."""

    workflow_ids: list[str]
    """Kernel-preallocated workflow ids. Length must equal `max`; a queue entry that already owns a
    workflow id keeps it and does not consume a new id.
    """

    exclude: list[ExecutionFence] = Field(default_factory=new_list, exclude_if=not_)
    """Active execution fences to exclude from selection and collision checks."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseV2Request")


class QueueLeaseV2Response(WireModel):
    """The answer of `queue/v2/lease`."""

    model_config = ConfigDict(extra="forbid")

    leased: list[FencedQueueEntry]
    """Newly leased entries with complete ownership fences."""

    blocked: list[QueueLeaseBlock] = Field(default_factory=new_list, exclude_if=not_)
    """Entries that were left where they are, because a fence stands in the way."""


class QueueReleasePendingV2Request(WireModel):
    """Generation-fenced return-to-pending request. The queue preserves the canonical workflow
    id/generation for the next lease attempt.
    """

    model_config = ConfigDict(extra="forbid")

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
