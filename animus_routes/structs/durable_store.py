"""The wire types of animus-durable-store-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-durable-store-protocol/_all.json sha256
  2498b5951e851d45ffe0ab0c1f63614bccc6c374348f9b50257e49c8280494b0
"""

from typing import Any

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt64,
    WireStruct,
    mend,
    uint64,
    uint64_or_null,
)

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


class AbandonStepRequest(WireStruct, kw_only=True):
    """Request for `durable/abandon_step`."""

    step_id: str
    """Step id whose reservation should be released."""

    reason: str | None = None
    """Optional audit reason."""


class AbandonStepResponse(WireStruct, kw_only=True):
    """Response for `durable/abandon_step`."""

    ack: bool
    """`true` if a reservation was found and released."""


class BeginStepRequest(WireStruct, kw_only=True):
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

    payload: Any = None
    """Backend-specific payload."""

    reservation_ttl_secs: UInt64 | None = None
    """Reservation TTL in seconds. If unset, the plugin uses its configured default
    (manifest-declared, typically 300). Caller may override per-step for known-long operations.
    """

    def __post_init__(self) -> None:
        try:
            if self.reservation_ttl_secs is None or self.reservation_ttl_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, reservation_ttl_secs=uint64_or_null)


class StepError(WireStruct, kw_only=True):
    """Structured error payload returned with PRIOR_ERROR or carried by `CommitStepRequest`."""

    code: str
    """Backend-specific error code."""

    message: str
    """Human-readable message."""

    details: Any = None
    """Backend-specific details."""


class BeginStepResponse(WireStruct, kw_only=True):
    """Response for `durable/begin_step`."""

    step_id: str
    """Plugin-issued step id (used as the handle for `commit_step` / `abandon_step`)."""

    status: str
    """Value from `step_status`."""

    prior_error: StepError | None = None
    """Present when `status == PRIOR_ERROR`. Contains the previously committed error."""

    prior_output: Any = None
    """Present when `status == ALREADY_COMMITTED`. Contains the previously committed `output` so
    the caller can short-circuit the side effect.
    """

    reservation_expires_at: str | None = None
    """Present when `status == IN_PROGRESS`. RFC 3339 timestamp of when the existing reservation
    expires.
    """


class BeginWorkflowRunRequest(WireStruct, kw_only=True):
    """Request for `durable/begin_workflow_run`."""

    run_id: str
    """Caller-supplied workflow run id."""

    phase_id: str
    """Caller-supplied phase id (DBOS workflow IDs are keyed by `(run_id, phase_id)`; different
    phases are different workflows).
    """

    inputs: Any = None
    """Opaque inputs payload."""


class BeginWorkflowRunResponse(WireStruct, kw_only=True):
    """Response for `durable/begin_workflow_run`."""

    epoch: UInt64
    """Plugin-issued, monotonically increasing epoch. The plugin persists the current epoch counter
    to its durable store; on restart, it resumes from the persisted value, not zero. The daemon
    does not store epoch values across restarts; instead it queries `durable/recover_in_flight`
    with `since_epoch = 0` after restart to get all in-flight runs.
    """

    def __post_init__(self) -> None:
        try:
            if self.epoch <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, epoch=uint64)


class CommitStepRequest(WireStruct, kw_only=True):
    """Request for `durable/commit_step`."""

    step_id: str
    """Step id from `BeginStepResponse`."""

    outcome: str
    """`"success"` or `"error"`. This is what decides on a replay: `output` and `error` may both be
    null, so the outcome cannot be told from them.
    """

    error: StepError | None = None
    """Optional error payload."""

    output: Any = None
    """Optional success payload."""


class CommitStepResponse(WireStruct, kw_only=True):
    """Response for `durable/commit_step`."""

    ack: bool
    """`true` if the commit was persisted (or already persisted under idempotent retry)."""


class DurableStoreCapabilities(WireStruct, kw_only=True):
    """Capability flags for durable_store plugins."""

    default_reservation_ttl_secs: UInt64 = field(default_factory=int)
    """Default reservation TTL in seconds. If unset on a `begin_step` call, the plugin uses this
    value. Hosts should respect this when picking timeouts.
    """

    max_payload_bytes: UInt64 = field(default_factory=int)
    """The largest `output` or `error` of one step that the store accepts, in bytes of JSON. What
    is larger should be passed by reference.
    """

    supports_recovery: bool = field(default_factory=bool)
    """`true` if the backend supports the `recover_in_flight` cursor / epoch model."""

    def __post_init__(self) -> None:
        try:
            if (
                self.default_reservation_ttl_secs <= MAX_UINT64
                and self.max_payload_bytes <= MAX_UINT64
            ):
                return
        except TypeError:
            pass
        mend(self, default_reservation_ttl_secs=uint64, max_payload_bytes=uint64)


class InFlightRun(WireStruct, kw_only=True):
    """A run that had outstanding reservations at recovery time."""

    run_id: str
    """Run id."""

    phase_id: str
    """Phase id."""

    last_committed_step: str | None = None
    """Step name of the last committed step, if any."""

    replay_state: Any = None
    """Backend-specific replay state (e.g., DBOS workflow status payload)."""


class QueryRunRequest(WireStruct, kw_only=True):
    """Request for `durable/query_run`."""

    run_id: str
    """Run id to query."""

    phase_id: str
    """Phase id (DBOS workflow id is keyed by `(run_id, phase_id)`)."""


class StepRecord(WireStruct, kw_only=True):
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

    error: StepError | None = None
    """Optional error payload."""

    output: Any = None
    """Optional success payload."""


class QueryRunResponse(WireStruct, kw_only=True):
    """Response for `durable/query_run`."""

    run_id: str
    """Run id (echoed)."""

    phase_id: str
    """Phase id (echoed)."""

    status: str
    """Status value from `run_status`."""

    steps: list[StepRecord]
    """Committed step records, in commit order."""


class RecoverInFlightRequest(WireStruct, kw_only=True):
    """Request for `durable/recover_in_flight`."""

    since_epoch: UInt64
    """Epoch cursor. Daemon passes `0` after restart to get all in-flight runs; subsequent polls
    pass the highest epoch seen previously.
    """

    def __post_init__(self) -> None:
        try:
            if self.since_epoch <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, since_epoch=uint64)


class RecoverInFlightResponse(WireStruct, kw_only=True):
    """Response for `durable/recover_in_flight`."""

    in_flight: list[InFlightRun]
    """Workflow runs that have outstanding reservations or pending state."""
