"""`queue`: the dispatch queue, one process per call, so all state lives outside (spec 7.6)."""

from animus_routes.roles import MethodRow, Role


def _method(verb: str, params: str | None, result: str, *, required: bool = True) -> MethodRow:
    return MethodRow(
        f"queue/{verb}",
        params=None if params is None else f"queue.{params}",
        result=f"queue.{result}",
        required=required,
    )


ROLE = Role(
    kind="queue",
    crate_version="0.3.2",
    extra="queue.QueueCapabilities",
    methods=(
        _method("enqueue", "QueueEnqueueRequest", "QueueEnqueueResponse"),
        _method("list", "QueueListRequest", "QueueListResponse"),
        _method("lease", "QueueLeaseRequest", "QueueLeaseResponse"),
        _method("stats", None, "QueueStats"),
        _method("hold", "QueueHoldRequest", "QueueMutationResponse"),
        _method("release", "QueueReleaseRequest", "QueueMutationResponse"),
        _method("drop", "QueueDropRequest", "QueueMutationResponse"),
        _method("mark_assigned", "QueueMarkAssignedRequest", "QueueMutationResponse"),
        _method("completion", "QueueCompletionRequest", "QueueMutationResponse"),
        _method("reorder", "QueueReorderRequest", "QueueReorderResponse"),
        _method(
            "release_pending",
            "QueueReleasePendingParams",
            "QueueReleasePendingResponse",
            required=False,
        ),
        _method("next_deadline", None, "QueueNextDeadlineResponse", required=False),
    ),
)
