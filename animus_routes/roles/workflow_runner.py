"""`workflow_runner`: runs workflows, over RPC and as the command line the daemon uses (spec 7.5).

A handler may yield `PhaseEvent`s: they are sent as progress while it runs, and are in the result's
`phase_events`. The command line `execute` (host 4.8) calls the same handler; see `animus_routes.serving.execute`.
"""

from __future__ import annotations

from typing import Any, cast

from animus_routes.roles import MethodRow, Role, StreamRow
from animus_routes.roles.kept import LastItems, fitted
from animus_routes.values.codecs import to_builtins


class WorkflowItems:
    """One call (see `roles.ItemAdapter`)."""

    def __init__(self, _params: dict[str, Any], request_id: Any) -> None:
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
        given = cast("dict[str, Any]", found)
        events = given.get("phase_events") or self.events.items()
        return fitted({**given, "phase_events": events})

    def farewell(self) -> None:
        """Nothing is said before a cancelled call's answer."""


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
            stream=StreamRow("$/progress", adapter=WorkflowItems),
        ),
        MethodRow(
            "workflow/run_phase",
            params="workflow_runner.WorkflowPhaseRunRequest",
            result="workflow_runner.WorkflowPhaseRunResult",
            required=True,
            long_running=True,
        ),
    ),
)
