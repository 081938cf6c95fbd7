"""The wire types of animus-durable-store-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-durable-store-protocol/_all.json sha256
  2498b5951e851d45ffe0ab0c1f63614bccc6c374348f9b50257e49c8280494b0
"""

from typing import Any

from pydantic import Field

from animus_routes.types._model import Bool, UInt64, WireModel, is_null

__all__ = [
    "AbandonStepRequest",
    "AbandonStepResponse",
    "BeginStepRequest",
    "BeginStepResponse",
    "BeginWorkflowRunRequest",
    "BeginWorkflowRunResponse",
    "CommitStepRequest",
    "CommitStepResponse",
    "DurableStoreCapabilities",
    "InFlightRun",
    "QueryRunRequest",
    "QueryRunResponse",
    "RecoverInFlightRequest",
    "RecoverInFlightResponse",
    "StepError",
    "StepRecord",
]


class AbandonStepRequest(WireModel):
    """Request for `durable/abandon_step`."""

    step_id: str
    """Step id whose reservation should be released."""

    reason: str | None = Field(default=None, exclude_if=is_null)
    """Optional audit reason."""


class AbandonStepResponse(WireModel):
    """Response for `durable/abandon_step`."""

    ack: Bool
    """`true` if a reservation was found and released."""


class BeginStepRequest(WireModel):
    """Request for `durable/begin_step`."""

    run_id: str
    """Run id (must match the one used in `begin_workflow_run`)."""

    phase_id: str
    """Phase id."""

    step_name: str
    """Stable name for this step within the phase (e.g., `"spawn_agent"`, `"apply_git_ops"`)."""

    idempotency_key: str
    """Caller-supplied idempotency key. Daemon convention: `format!("{}:{}:{}", run_id, phase_id,
    step_name)`. The plugin uses this key to deduplicate replays.
    """

    payload: Any = Field(default=None, exclude_if=is_null)
    """Backend-specific payload."""

    reservation_ttl_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Reservation TTL in seconds. If unset, the plugin uses its configured default
    (manifest-declared, typically 300). Caller may override per-step for known-long operations.
    """


class StepError(WireModel):
    """Structured error payload returned with PRIOR_ERROR or carried by `CommitStepRequest`."""

    code: str
    """Backend-specific error code."""

    message: str
    """Human-readable message."""

    details: Any = Field(default=None, exclude_if=is_null)
    """Backend-specific details."""


class BeginStepResponse(WireModel):
    """Response for `durable/begin_step`."""

    step_id: str
    """Plugin-issued step id (used as the handle for `commit_step` / `abandon_step`)."""

    status: str
    """Value from `step_status`."""

    prior_error: StepError | None = Field(default=None, exclude_if=is_null)
    """Present when `status == PRIOR_ERROR`. Contains the previously committed error."""

    prior_output: Any = Field(default=None, exclude_if=is_null)
    """Present when `status == ALREADY_COMMITTED`. Contains the previously committed `output` so
    the caller can short-circuit the side effect.
    """

    reservation_expires_at: str | None = Field(default=None, exclude_if=is_null)
    """Present when `status == IN_PROGRESS`. RFC 3339 timestamp of when the existing reservation
    expires.
    """


class BeginWorkflowRunRequest(WireModel):
    """Request for `durable/begin_workflow_run`."""

    run_id: str
    """Caller-supplied workflow run id."""

    phase_id: str
    """Caller-supplied phase id (DBOS workflow IDs are keyed by `(run_id, phase_id)`; different
    phases are different workflows).
    """

    inputs: Any = Field(default=None, exclude_if=is_null)
    """Opaque inputs payload."""


class BeginWorkflowRunResponse(WireModel):
    """Response for `durable/begin_workflow_run`."""

    epoch: UInt64
    """Plugin-issued, monotonically increasing epoch. The plugin persists the current epoch counter
    to its durable store; on restart, it resumes from the persisted value, not zero. The daemon
    does not store epoch values across restarts; instead it queries `durable/recover_in_flight`
    with `since_epoch = 0` after restart to get all in-flight runs.
    """


class CommitStepRequest(WireModel):
    """Request for `durable/commit_step`."""

    step_id: str
    """Step id from `BeginStepResponse`."""

    outcome: str
    """`"success"` or `"error"`. This is what decides on a replay: `output` and `error` may both be
    null, so the outcome cannot be told from them.
    """

    error: StepError | None = Field(default=None, exclude_if=is_null)
    """Optional error payload."""

    output: Any = Field(default=None, exclude_if=is_null)
    """Optional success payload."""


class CommitStepResponse(WireModel):
    """Response for `durable/commit_step`."""

    ack: Bool
    """`true` if the commit was persisted (or already persisted under idempotent retry)."""


class DurableStoreCapabilities(WireModel):
    """Capability flags for durable_store plugins."""

    default_reservation_ttl_secs: UInt64 = 0
    """Default reservation TTL in seconds. If unset on a `begin_step` call, the plugin uses this
    value. Hosts should respect this when picking timeouts.
    """

    max_payload_bytes: UInt64 = 0
    """The largest `output` or `error` of one step that the store accepts, in bytes of JSON. What
    is larger should be passed by reference.
    """

    supports_recovery: Bool = False
    """`true` if the backend supports the `recover_in_flight` cursor / epoch model."""


class InFlightRun(WireModel):
    """A run that had outstanding reservations at recovery time."""

    run_id: str
    """Run id."""

    phase_id: str
    """Phase id."""

    last_committed_step: str | None = Field(default=None, exclude_if=is_null)
    """Step name of the last committed step, if any."""

    replay_state: Any = Field(default=None, exclude_if=is_null)
    """Backend-specific replay state (e.g., DBOS workflow status payload)."""


class QueryRunRequest(WireModel):
    """Request for `durable/query_run`."""

    run_id: str
    """Run id to query."""

    phase_id: str
    """Phase id (DBOS workflow id is keyed by `(run_id, phase_id)`)."""


class StepRecord(WireModel):
    """A committed step record returned by `durable/query_run`."""

    step_id: str
    """Step id."""

    step_name: str
    """Step name."""

    idempotency_key: str
    """Idempotency key."""

    committed_at: str
    """RFC 3339 commit timestamp."""

    outcome: str
    """`"success"` or `"error"` — the authoritative outcome (see `commit_outcome`). Independent of
    payload nulls.
    """

    error: StepError | None = Field(default=None, exclude_if=is_null)
    """Optional error payload."""

    output: Any = Field(default=None, exclude_if=is_null)
    """Optional success payload."""


class QueryRunResponse(WireModel):
    """Response for `durable/query_run`."""

    run_id: str
    """Run id (echoed)."""

    phase_id: str
    """Phase id (echoed)."""

    status: str
    """Status value from `run_status`."""

    steps: list[StepRecord]
    """Committed step records, in commit order."""


class RecoverInFlightRequest(WireModel):
    """Request for `durable/recover_in_flight`."""

    since_epoch: UInt64
    """Epoch cursor. Daemon passes `0` after restart to get all in-flight runs; subsequent polls
    pass the highest epoch seen previously.
    """


class RecoverInFlightResponse(WireModel):
    """Response for `durable/recover_in_flight`."""

    in_flight: list[InFlightRun]
    """Workflow runs that have outstanding reservations or pending state."""
