"""The base layer: envelopes, constants, and the documents of the handshake."""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias

from animus_routes.compat.types._model import GeneratedModel
from animus_routes.compat.types.generated.plugin import (
    EnvRequirement,
    HealthCheckResult,
    HealthStatus,
    HostCapabilities,
    HostInfo,
    InitializeParams,
    InitializeResult,
    KindCapability,
    McpTool,
    PluginCapabilities,
    PluginInfo,
    PluginManifest,
    RpcError,
)
from animus_routes.roles import PROTOCOL_VERSION

__all__ = [
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
]

RpcId: TypeAlias = str | int | None
PluginKindString: TypeAlias = str


class ErrorCode:
    """The protocol's error codes (spec section 4)."""

    PARSE_ERROR: Final = -32700
    INVALID_REQUEST: Final = -32600
    METHOD_NOT_FOUND: Final = -32601
    INVALID_PARAMS: Final = -32602
    INTERNAL_ERROR: Final = -32603
    PLUGIN_NOT_INITIALIZED: Final = -32000
    METHOD_NOT_SUPPORTED: Final = -32001
    REQUEST_CANCELLED: Final = -32002
    TIMEOUT: Final = -32003
    SERVER_SHUTDOWN: Final = -32099


class PluginKind:
    """The kinds by name. `define_plugin` refuses `TASK_BACKEND`, which is retired, and `CUSTOM`."""

    PROVIDER: Final = "provider"
    SUBJECT_BACKEND: Final = "subject_backend"
    TASK_BACKEND: Final = "task_backend"
    TRIGGER_BACKEND: Final = "trigger_backend"
    LOG_STORAGE_BACKEND: Final = "log_storage_backend"
    TRANSPORT_BACKEND: Final = "transport_backend"
    WORKFLOW_RUNNER: Final = "workflow_runner"
    QUEUE: Final = "queue"
    DURABLE_STORE: Final = "durable_store"
    MEMORY_STORE: Final = "memory_store"
    NOTIFIER: Final = "notifier"
    CUSTOM: Final = "custom"

    ALL: ClassVar[frozenset[str]] = frozenset(
        {
            PROVIDER,
            SUBJECT_BACKEND,
            TASK_BACKEND,
            TRIGGER_BACKEND,
            LOG_STORAGE_BACKEND,
            TRANSPORT_BACKEND,
            WORKFLOW_RUNNER,
            QUEUE,
            DURABLE_STORE,
            MEMORY_STORE,
            NOTIFIER,
            CUSTOM,
        }
    )


class RpcRequest(GeneratedModel):
    """A request, or a notification if `id` was never set."""

    jsonrpc: str = "2.0"
    method: str
    id: RpcId = None
    params: Any = None


class RpcNotification(GeneratedModel):
    """A notification."""

    jsonrpc: str = "2.0"
    method: str
    params: Any = None


class RpcResponse(GeneratedModel):
    """An answer: exactly one of `result` and `error`."""

    jsonrpc: str = "2.0"
    id: RpcId = None
    result: Any = None
    error: RpcError | None = None
