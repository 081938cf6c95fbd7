"""Queues of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.queue import (
    QueueCompletionRequest,
    QueueDropRequest,
    QueueEnqueueRequest,
    QueueEnqueueResponse,
    QueueEntry,
    QueueHoldRequest,
    QueueLeaseRequest,
    QueueLeaseResponse,
    QueueListRequest,
    QueueListResponse,
    QueueMarkAssignedRequest,
    QueueMutationResponse,
    QueueReleasePendingParams,
    QueueReleasePendingResponse,
    QueueReleaseRequest,
    QueueReorderRequest,
    QueueReorderResponse,
    QueueStats,
    SubjectDispatch,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "HealthReport",
    "Queue",
    "QueueCompletionRequest",
    "QueueDropRequest",
    "QueueEnqueueRequest",
    "QueueEnqueueResponse",
    "QueueEntry",
    "QueueHoldRequest",
    "QueueLeaseRequest",
    "QueueLeaseResponse",
    "QueueListRequest",
    "QueueListResponse",
    "QueueMarkAssignedRequest",
    "QueueMutationResponse",
    "QueueReleasePendingParams",
    "QueueReleasePendingResponse",
    "QueueReleaseRequest",
    "QueueReorderRequest",
    "QueueReorderResponse",
    "QueueStats",
    "SubjectDispatch",
]


@runtime_checkable
class Queue(Protocol):
    """Also: `release_pending`, `health`."""

    def enqueue(self, params: QueueEnqueueRequest, ctx: CallContext) -> Any:
        """A `QueueEnqueueResponse`."""

    def list(self, params: QueueListRequest, ctx: CallContext) -> Any:
        """A `QueueListResponse`."""

    def lease(self, params: QueueLeaseRequest, ctx: CallContext) -> Any:
        """A `QueueLeaseResponse`."""

    def stats(self, params: dict[str, Any], ctx: CallContext) -> Any:
        """A `QueueStats`."""

    def hold(self, params: QueueHoldRequest, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    def release(self, params: QueueReleaseRequest, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    def drop(self, params: QueueDropRequest, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    def mark_assigned(self, params: QueueMarkAssignedRequest, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    def completion(self, params: QueueCompletionRequest, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    def reorder(self, params: QueueReorderRequest, ctx: CallContext) -> Any:
        """A `QueueReorderResponse`."""
