"""The wire types of animus-durable-store-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-durable-store-protocol/_all.json sha256
  2498b5951e851d45ffe0ab0c1f63614bccc6c374348f9b50257e49c8280494b0
"""

from typing import Any

from animus_routes.compat.types._model import GeneratedModel, UInt64

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


class AbandonStepRequest(GeneratedModel):
    """Request for `durable/abandon_step`."""

    reason: str | None = None
    step_id: str


class AbandonStepResponse(GeneratedModel):
    """Response for `durable/abandon_step`."""

    ack: bool


class BeginStepRequest(GeneratedModel):
    """Request for `durable/begin_step`."""

    idempotency_key: str
    payload: Any = None
    phase_id: str
    reservation_ttl_secs: UInt64 | None = None
    run_id: str
    step_name: str


class StepError(GeneratedModel):
    """Structured error payload returned with PRIOR_ERROR or carried by `CommitStepRequest`."""

    code: str
    details: Any = None
    message: str


class BeginStepResponse(GeneratedModel):
    """Response for `durable/begin_step`."""

    prior_error: StepError | None = None
    prior_output: Any = None
    reservation_expires_at: str | None = None
    status: str
    step_id: str


class BeginWorkflowRunRequest(GeneratedModel):
    """Request for `durable/begin_workflow_run`."""

    inputs: Any = None
    phase_id: str
    run_id: str


class BeginWorkflowRunResponse(GeneratedModel):
    """Response for `durable/begin_workflow_run`."""

    epoch: UInt64


class CommitStepRequest(GeneratedModel):
    """Request for `durable/commit_step`."""

    error: StepError | None = None
    outcome: str
    output: Any = None
    step_id: str


class CommitStepResponse(GeneratedModel):
    """Response for `durable/commit_step`."""

    ack: bool


class DurableStoreCapabilities(GeneratedModel):
    """Capability flags for durable_store plugins."""

    default_reservation_ttl_secs: UInt64 | None = None
    max_payload_bytes: UInt64 | None = None
    supports_recovery: bool | None = None


class InFlightRun(GeneratedModel):
    """A run that had outstanding reservations at recovery time."""

    last_committed_step: str | None = None
    phase_id: str
    replay_state: Any = None
    run_id: str


class QueryRunRequest(GeneratedModel):
    """Request for `durable/query_run`."""

    phase_id: str
    run_id: str


class StepRecord(GeneratedModel):
    """A committed step record returned by `durable/query_run`."""

    committed_at: str
    error: StepError | None = None
    idempotency_key: str
    outcome: str
    output: Any = None
    step_id: str
    step_name: str


class QueryRunResponse(GeneratedModel):
    """Response for `durable/query_run`."""

    phase_id: str
    run_id: str
    status: str
    steps: list[StepRecord]


class RecoverInFlightRequest(GeneratedModel):
    """Request for `durable/recover_in_flight`."""

    since_epoch: UInt64


class RecoverInFlightResponse(GeneratedModel):
    """Response for `durable/recover_in_flight`."""

    in_flight: list[InFlightRun]
