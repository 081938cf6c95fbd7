"""`workflow_runner`: runs workflows, over RPC and as the command line the daemon uses (spec 7.5).

A handler may yield `PhaseEvent`s: they are sent as progress while it runs, and are in the result's
`phase_events`. Its result gets the execution fence that came in, and its receipts have to fit it.
The command line `execute` (host 4.8) calls the same handler; see `animus_routes.serving.execute`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from animus_routes.roles import MethodRow, Role, StreamRow
from animus_routes.roles.kept import LastItems, fitted
from animus_routes.roles.proof import hold_receipts, with_fence
from animus_routes.values.codecs import to_builtins
from animus_routes.values.hints import is_object

if TYPE_CHECKING:
    from animus_routes.roles import Registered


class WorkflowItems:
    """One call (see `roles.ItemAdapter`)."""

    def __init__(self, params: dict[str, Any], request_id: Any) -> None:
        self._params = params
        self.names: set[str] = set()
        self.events = LastItems()
        self._request_id = request_id

    def frame(self, item: Any) -> tuple[str, Any]:
        """The protocol has no notification for phase events: they are progress."""
        event = to_builtins(item)
        self.events.add(event)
        return "$/progress", {"id": self._request_id, "value": event}

    def complete(self, result: Any) -> Any:
        """The handler's result, with the events it yielded."""
        found = to_builtins(result)
        if not isinstance(found, dict):
            return found
        given = _proven(cast("dict[str, Any]", found), self._params)
        events = given.get("phase_events") or self.events.items()
        return fitted({**given, "phase_events": events})

    def farewell(self) -> None:
        """Nothing is said before a cancelled call's answer."""


def _proven(result: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """The result with the fence that came in, and with receipts that fit it."""
    hold_receipts(result, params)
    return with_fence(result, params)


def _phase(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    return _proven(to_builtins(result), params) if is_object(type(result)) else result


ROLE = Role(
    kind="workflow_runner",
    crate_version="0.4.0",
    extra="workflow_runner.WorkflowRunnerCapabilities",
    command="execute",
    methods=(
        MethodRow(
            "workflow/execute",
            params="workflow_runner.WorkflowExecuteRequest",
            result="workflow_runner.WorkflowExecuteResult",
            required=True,
            long_running=True,
            strict=True,
            beside=("new_workflow_id",),  # a new run's, on the command line
            stream=StreamRow("$/progress", adapter=WorkflowItems),
        ),
        MethodRow(
            "workflow/run_phase",
            params="workflow_runner.WorkflowPhaseRunRequest",
            result="workflow_runner.WorkflowPhaseRunResult",
            required=True,
            long_running=True,
            strict=True,
            adapt_result=_phase,
            adapts_all=True,
        ),
    ),
)
