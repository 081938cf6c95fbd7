"""Workflow runners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.workflow_runner import (
    PhaseEvent,
    PhaseResultSnapshot,
    WorkflowExecuteRequest,
    WorkflowExecuteResult,
    WorkflowPhaseRunRequest,
    WorkflowPhaseRunResult,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "HealthReport",
    "PhaseEvent",
    "PhaseResultSnapshot",
    "WorkflowExecuteRequest",
    "WorkflowExecuteResult",
    "WorkflowPhaseRunRequest",
    "WorkflowPhaseRunResult",
    "WorkflowRunner",
]


@runtime_checkable
class WorkflowRunner(Protocol):
    """Also: `health`."""

    def execute(self, params: WorkflowExecuteRequest, ctx: CallContext) -> Any:
        """A `WorkflowExecuteResult`."""

    def run_phase(self, params: WorkflowPhaseRunRequest, ctx: CallContext) -> Any:
        """A `WorkflowPhaseRunResult`."""
