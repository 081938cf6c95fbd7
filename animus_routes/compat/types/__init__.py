"""The wire types of the class-based SDK, loaded when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_routes.compat._lazy import loader

if TYPE_CHECKING:
    # ruff: noqa: F403 - for type checkers alone
    from animus_routes.compat.types import generated as generated
    from animus_routes.compat.types.plugin_protocol import *
    from animus_routes.compat.types.subject_protocol import *

HOMES = {
    "generated": (),
    "plugin_protocol": (
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
    "subject_protocol": (
        "Subject",
        "SubjectCreateRequest",
        "SubjectListParams",
        "SubjectListResult",
        "SubjectPatch",
        "SubjectStatus",
    ),
}

__getattr__ = loader(__name__, HOMES)
