"""`queue`: the dispatch queue, one process per call, so all state lives outside (spec 7.6; newer 3.2).

Hosts of 0.7 want the six `queue/v2/*` methods, whose leases are fenced by generations. The rules of
these leases are in `animus_routes.batteries.leases`, for every store alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.errors import Invalid, Mistake
from animus_routes.roles import MethodRow, Role, Together, listed

if TYPE_CHECKING:
    from animus_routes.roles import ParamsAdapter, Registered, ResultAdapter

MAX_LEASE_BATCH: Final = 5  # hosts refuse a queue that leases fewer at once
OUTCOMES: Final = (
    "applied",
    "already_applied",
    "not_found",
    "stale_fence",
    "lease_still_live",
    "not_assigned",
)


def _batch(params: dict[str, Any], _kind: str | None, registered: Registered) -> dict[str, Any]:
    """No more at once than hosts are told."""
    most = registered.figure("queue", "max_lease_batch") or MAX_LEASE_BATCH
    asked = params.get("max")
    if isinstance(asked, int) and isinstance(most, int) and asked > most:
        raise Invalid([{"path": "max", "message": f"Expected at most {most}", "code": "value"}])
    return params


def _outcome(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """An outcome's word alone is enough."""
    if not isinstance(result, str):
        return result
    if result not in OUTCOMES:
        raise Mistake(f"returned {result!r}, which is none of the outcomes {', '.join(OUTCOMES)}")
    return {"outcome": result}


def _method(
    verb: str, params: str | None, result: str, *, required: bool = True, reads: bool = False
) -> MethodRow:
    return MethodRow(
        f"queue/{verb}",
        params=None if params is None else f"queue.{params}",
        result=f"queue.{result}",
        required=required,
        reads=reads,
    )


def _fenced(
    verb: str,
    params: str,
    result: str = "QueueLeaseMutationResponse",
    adapt: ResultAdapter | None = _outcome,
    returns: tuple[str, ...] = ("str",),
    adapt_params: ParamsAdapter | None = None,
) -> MethodRow:
    """One of v2: what is sent beside the wire type's fields is refused, an actor included."""
    return MethodRow(
        f"queue/v2/{verb}",
        params=f"queue.{params}",
        result=f"queue.{result}",
        strict=True,
        decoded=True,
        actor="",
        adapt_params=adapt_params,
        adapt_result=adapt,
        returns=returns,
    )


FENCED: Final = (
    _fenced("enqueue", "QueueEnqueueV2Request", "QueueEnqueueV2Response", None, ()),
    _fenced(
        "lease",
        "QueueLeaseV2Request",
        "QueueLeaseV2Response",
        listed("leased"),
        ("list",),
        _batch,
    ),
    _fenced("lease/renew", "QueueLeaseRenewRequest"),
    _fenced("lease/recover", "QueueLeaseRecoverRequest"),
    _fenced("completion", "QueueCompletionV2Request"),
    _fenced("release_pending", "QueueReleasePendingV2Request"),
)

ROLE = Role(
    kind="queue",
    crate_version="0.3.2",
    extra="queue.QueueCapabilities",
    together=(
        Together(
            methods=tuple(row.name for row in FENCED),
            whole="hosts use all of queue/v2 or nothing of it",
            crate_version="0.4.0",
            flag="generation_fenced_leases_v1",
            figures={"max_lease_batch": MAX_LEASE_BATCH},
        ),
    ),
    methods=(
        _method("enqueue", "QueueEnqueueRequest", "QueueEnqueueResponse"),
        _method("list", "QueueListRequest", "QueueListResponse", reads=True),
        _method("lease", "QueueLeaseRequest", "QueueLeaseResponse"),
        _method("stats", None, "QueueStats", reads=True),
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
        _method("next_deadline", None, "QueueNextDeadlineResponse", required=False, reads=True),
        *FENCED,
    ),
)
