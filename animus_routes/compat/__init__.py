"""The interface of the published Python SDK, for plugins written as classes; `App` serves them.

    from animus_routes.compat import PluginKind, Subject, SubjectListResult, define_plugin

Modules, names and signatures are the SDK's: replace the name of its package by that of this one.
`define_plugin` is a thin adapter: it passes the object to `App.include`. Each name is loaded when
it is first used. docs/moving.md shows a class next to the decorators that replace it, and says
what is different.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_routes.compat._lazy import loader

if TYPE_CHECKING:
    # ruff: noqa: F403, F405 - for type checkers alone; at run time `__getattr__` finds each name
    from animus_routes.compat import durable_store as durable_store
    from animus_routes.compat import log_storage as log_storage
    from animus_routes.compat import memory_store as memory_store
    from animus_routes.compat import notifier as notifier
    from animus_routes.compat import provider as provider
    from animus_routes.compat import queue as queue
    from animus_routes.compat import subject as subject
    from animus_routes.compat import transport as transport
    from animus_routes.compat import trigger as trigger
    from animus_routes.compat import types as types
    from animus_routes.compat import workflow_runner as workflow_runner
    from animus_routes.compat.adapter import Params as Params
    from animus_routes.compat.handshake import *
    from animus_routes.compat.plugin import *
    from animus_routes.compat.roles.context import *
    from animus_routes.compat.roles.durable_store import *
    from animus_routes.compat.roles.log_storage import *
    from animus_routes.compat.roles.memory_store import *
    from animus_routes.compat.roles.notifier import *
    from animus_routes.compat.roles.provider import *
    from animus_routes.compat.roles.queue import *
    from animus_routes.compat.roles.subject import *
    from animus_routes.compat.roles.transport import *
    from animus_routes.compat.roles.trigger import *
    from animus_routes.compat.roles.workflow_runner import *
    from animus_routes.compat.types.plugin_protocol import *
    from animus_routes.compat.wire import *

__version__: Final = "0.2.0"
"""The version of the SDK whose interface this is."""

HOMES: Final = {
    "adapter": ("Params",),
    "plugin": (
        "DefinitionError",
        "PluginHandle",
        "PluginSpec",
        "define_plugin",
        "ensure_wire_subject",
    ),
    "handshake": (
        "PluginIdentity",
        "build_initialize_result",
        "build_manifest",
        "validate_initialize_params",
    ),
    "wire": (
        "FrameHandler",
        "Logger",
        "Wire",
        "create_wire",
        "encode_frame",
        "error_response",
        "ok_response",
        "parse_frame",
        "run_lines",
    ),
    "types.plugin_protocol": (
        "PROTOCOL_VERSION",
        "EnvRequirement",
        "ErrorCode",
        "HealthCheckResult",
        "HealthStatus",
        "HostCapabilities",
        "HostInfo",
        "InitializeParams",
        "InitializeResult",
        "KindCapability",
        "McpTool",
        "PluginCapabilities",
        "PluginInfo",
        "PluginKind",
        "PluginKindString",
        "PluginManifest",
        "RpcError",
        "RpcId",
        "RpcNotification",
        "RpcRequest",
        "RpcResponse",
    ),
    "roles.context": ("CallContext", "HealthReport"),
}
# Where every other name is looked for, in this order.
ROLES: Final = (
    "subject",
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
__all__ = [
    "PROTOCOL_VERSION",
    "AgentRunRequest",
    "AgentRunResponse",
    "AgentStream",
    "CallContext",
    "DurableStore",
    "EnvRequirement",
    "ErrorCode",
    "HealthCheckResult",
    "HealthReport",
    "HealthStatus",
    "HostCapabilities",
    "HostInfo",
    "InitializeParams",
    "InitializeResult",
    "LogStorageBackend",
    "McpTool",
    "MemoryStore",
    "Notifier",
    "PluginCapabilities",
    "PluginHandle",
    "PluginIdentity",
    "PluginInfo",
    "PluginKind",
    "PluginKindString",
    "PluginManifest",
    "PluginSpec",
    "Provider",
    "ProviderCallContext",
    "ProviderRunParams",
    "ProviderRunResult",
    "Queue",
    "RpcError",
    "RpcId",
    "RpcNotification",
    "RpcRequest",
    "RpcResponse",
    "Subject",
    "SubjectBackend",
    "SubjectCallContext",
    "SubjectCreateRequest",
    "SubjectListParams",
    "SubjectListResult",
    "SubjectPatch",
    "SubjectStatus",
    "TransportBackend",
    "TriggerBackend",
    "TriggerEvent",
    "Wire",
    "WorkflowRunner",
    "__version__",
    "build_initialize_result",
    "build_manifest",
    "create_wire",
    "define_plugin",
    "encode_frame",
    "ensure_wire_subject",
    "error_response",
    "ok_response",
    "parse_frame",
    "validate_initialize_params",
]

_load = loader(__name__, {**HOMES, "roles": (), "types": (), **dict.fromkeys(ROLES, ())})


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    try:
        return _load(name)
    except AttributeError:
        pass
    for role in ROLES:
        for module in (f"roles.{role}", f"types.generated.{role}"):
            found = __import__(f"{__name__}.{module}", fromlist=[name])
            if name in found.__all__:
                value: object = getattr(found, name)
                globals()[name] = value
                return value
    return _not_the_sdk_s(name)


def _not_the_sdk_s(name: str) -> object:
    """A wire type that 0.1 had here, though the SDK has not."""
    for crate in (*ROLES, "plugin"):
        found = __import__(f"animus_routes.types.{crate}", fromlist=[name])
        if name in found.__all__:
            import warnings

            warnings.warn(
                f"{__name__}.{name} will go with the next release: import it from {found.__name__}",
                DeprecationWarning,
                stacklevel=3,
            )
            value: object = getattr(found, name)
            return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
