"""The interface of the published Python SDK, for plugins written as classes; `App` serves them.

    from animus_routes.compat import PluginKind, Subject, SubjectListResult, define_plugin

`define_plugin` is a thin adapter: it passes the object to `App.include`. Every name is in this
module, including the wire types of the ten roles, and is loaded when it is first used.
docs/moving.md shows a class next to the decorators that replace it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TypeAlias

from animus_routes.roles import PROTOCOL_VERSION as PROTOCOL_VERSION

if TYPE_CHECKING:
    # ruff: noqa: F403, F405 - for type checkers alone; at run time `__getattr__` finds each name
    from animus_routes.compat.adapter import AgentStream as AgentStream
    from animus_routes.compat.adapter import CallContext as CallContext
    from animus_routes.compat.adapter import Params as Params
    from animus_routes.compat.contracts import *
    from animus_routes.compat.handshake import *
    from animus_routes.compat.plugin import *
    from animus_routes.types.durable_store import *
    from animus_routes.types.log_storage import *
    from animus_routes.types.memory_store import *
    from animus_routes.types.notifier import *
    from animus_routes.types.plugin import EnvRequirement as EnvRequirement
    from animus_routes.types.plugin import HealthCheckResult as HealthCheckResult
    from animus_routes.types.plugin import HealthStatus as HealthStatus
    from animus_routes.types.plugin import HostCapabilities as HostCapabilities
    from animus_routes.types.plugin import HostInfo as HostInfo
    from animus_routes.types.plugin import InitializeParams as InitializeParams
    from animus_routes.types.plugin import InitializeResult as InitializeResult
    from animus_routes.types.plugin import KindCapability as KindCapability
    from animus_routes.types.plugin import McpTool as McpTool
    from animus_routes.types.plugin import PluginCapabilities as PluginCapabilities
    from animus_routes.types.plugin import PluginInfo as PluginInfo
    from animus_routes.types.plugin import PluginManifest as PluginManifest
    from animus_routes.types.plugin import RpcError as RpcError
    from animus_routes.types.plugin import TriggerEvent as TriggerEvent
    from animus_routes.types.provider import *
    from animus_routes.types.queue import *
    from animus_routes.types.subject import *
    from animus_routes.types.transport import *
    from animus_routes.types.trigger import TriggerSchema as TriggerSchema
    from animus_routes.types.workflow_runner import PhaseCompleted as PhaseCompleted
    from animus_routes.types.workflow_runner import PhaseDecision as PhaseDecision
    from animus_routes.types.workflow_runner import PhaseEvent as PhaseEvent
    from animus_routes.types.workflow_runner import PhaseResultSnapshot as PhaseResultSnapshot
    from animus_routes.types.workflow_runner import PhaseStarted as PhaseStarted
    from animus_routes.types.workflow_runner import WorkflowExecuteRequest as WorkflowExecuteRequest
    from animus_routes.types.workflow_runner import WorkflowExecuteResult as WorkflowExecuteResult
    from animus_routes.types.workflow_runner import (
        WorkflowPhaseRunRequest as WorkflowPhaseRunRequest,
    )
    from animus_routes.types.workflow_runner import WorkflowPhaseRunResult as WorkflowPhaseRunResult
    from animus_routes.types.workflow_runner import (
        WorkflowRunnerCapabilities as WorkflowRunnerCapabilities,
    )
    from animus_routes.types.workflow_runner import WorkflowRunnerManifest as WorkflowRunnerManifest

    ProviderCallContext: TypeAlias = CallContext
    SubjectCallContext: TypeAlias = CallContext
    ProviderRunParams: TypeAlias = AgentRunRequest
    ProviderRunResult: TypeAlias = AgentRunResponse
    SubjectListParams: TypeAlias = SubjectFilter
    SubjectListResult: TypeAlias = SubjectList
    WireTriggerEvent: TypeAlias = TriggerEvent

PluginKindString: TypeAlias = str

_HERE: Final = ("plugin", "adapter", "contracts", "handshake")
# In this order: of a name that two crates have, the first counts, such as the flat TriggerEvent.
_CRATES: Final = (
    "subject",
    "plugin",
    "provider",
    "trigger",
    "log_storage",
    "transport",
    "queue",
    "workflow_runner",
    "durable_store",
    "memory_store",
    "notifier",
)
_ALIASES: Final = {
    "ProviderCallContext": "CallContext",
    "ProviderRunParams": "AgentRunRequest",
    "ProviderRunResult": "AgentRunResponse",
    "SubjectCallContext": "CallContext",
    "SubjectListParams": "SubjectFilter",
    "SubjectListResult": "SubjectList",
    "WireTriggerEvent": "TriggerEvent",
}


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(name)
    if name == "define_plugin":
        from animus_routes.engine.program import claim_for_program

        claim_for_program(sys._getframe(1))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    wanted = _ALIASES.get(name, name)
    for module in (
        *(f"animus_routes.compat.{home}" for home in _HERE),
        *(f"animus_routes.types.{crate}" for crate in _CRATES),
    ):
        found = __import__(module, fromlist=[wanted])
        if wanted in found.__all__:
            value: object = getattr(found, wanted)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'animus_routes.compat' has no attribute '{name}'")
