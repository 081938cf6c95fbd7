"""Durable stores: the steps of workflow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.durable_store import (
    AbandonStepRequest,
    AbandonStepResponse,
    BeginStepRequest,
    BeginStepResponse,
    BeginWorkflowRunRequest,
    BeginWorkflowRunResponse,
    CommitStepRequest,
    CommitStepResponse,
    QueryRunRequest,
    QueryRunResponse,
    RecoverInFlightRequest,
    RecoverInFlightResponse,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "AbandonStepRequest",
    "AbandonStepResponse",
    "BeginStepRequest",
    "BeginStepResponse",
    "BeginWorkflowRunRequest",
    "BeginWorkflowRunResponse",
    "CommitStepRequest",
    "CommitStepResponse",
    "DurableStore",
    "HealthReport",
    "QueryRunRequest",
    "QueryRunResponse",
    "RecoverInFlightRequest",
    "RecoverInFlightResponse",
]


@runtime_checkable
class DurableStore(Protocol):
    """Also: `health`."""

    def begin_workflow_run(self, params: BeginWorkflowRunRequest, ctx: CallContext) -> Any:
        """A `BeginWorkflowRunResponse`."""

    def begin_step(self, params: BeginStepRequest, ctx: CallContext) -> Any:
        """A `BeginStepResponse`."""

    def commit_step(self, params: CommitStepRequest, ctx: CallContext) -> Any:
        """A `CommitStepResponse`."""

    def abandon_step(self, params: AbandonStepRequest, ctx: CallContext) -> Any:
        """An `AbandonStepResponse`."""

    def recover_in_flight(self, params: RecoverInFlightRequest, ctx: CallContext) -> Any:
        """A `RecoverInFlightResponse`."""

    def query_run(self, params: QueryRunRequest, ctx: CallContext) -> Any:
        """A `QueryRunResponse`."""
