"""The wire types of animus-plugin-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-plugin-protocol/_all.json sha256
  90f834fe09aea9f8cb56eca57d7fe6e8c3e08e4cd2bbc01cc6a30a804672da20
- schemas/additions/animus-plugin-protocol.json sha256
  f3fe8b633ca7af5f88da7eb98854fc0d3a91b5fd4d240adbd83f7430ef9358a8
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, Int32, UInt64, new_dict, new_list

__all__ = [
    "EnvRequirement",
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
    "PluginManifest",
    "RpcError",
    "RpcNotification",
    "RpcRequest",
    "RpcResponse",
    "TriggerAckParams",
    "TriggerAckStatus",
    "TriggerActionHint",
    "TriggerBinding",
    "TriggerEvent",
    "TriggerWatchParams",
]


class EnvRequirement(GeneratedModel):
    """One environment variable a plugin asks the host to forward at spawn time.

    The host treats `name` as the source of truth: only matching variables are passed through
    the `env_clear()` boundary. `description` and `sensitive` are informational hints surfaced
    in `animus plugin info` and the install flow so operators can decide whether a plugin's
    secret requirements are reasonable before granting it access.

    When `required` is set, the host emits a warning at spawn time if the variable isn't present
    in the daemon's own environment. The host never refuses to spawn over a missing required var
    — that decision belongs to the plugin itself, which sees the missing variable during its own
    startup.
    """

    description: str | None = None
    name: str
    required: bool | None = None
    sensitive: bool | None = None


HealthStatus: TypeAlias = Literal[
    "healthy",
    "degraded",
    "unhealthy",
]
"""Health status emitted by `health/check`.

Hosts surface this in `animus daemon health` and may use it to gate work (e.g. drain in-flight
subjects from a `Degraded` plugin before restart).

- healthy: Plugin is fully functional.
- degraded: Plugin is operational but in a reduced state (e.g. stale cache, upstream
  rate-limited but recovering).
- unhealthy: Plugin is non-functional. The host may restart or quarantine it.
"""


class HealthCheckResult(GeneratedModel):
    """Response to `health/check`."""

    last_error: str | None = None
    memory_usage_bytes: UInt64 | None = None
    status: HealthStatus
    uptime_ms: UInt64 | None = None


class HostCapabilities(GeneratedModel):
    """Capabilities the host advertises during the handshake.

    Plugins may use these to enable optional features. The host promises to honor any capability
    it advertises.
    """

    cancellation: bool | None = None
    progress: bool | None = None
    streaming: bool | None = None


class HostInfo(GeneratedModel):
    """Identity of the host issuing the `initialize` call.

    Plugins may log this for debugging or vary behavior based on the host version (e.g. enabling
    features only available in newer hosts).
    """

    name: str
    version: str


class InitializeParams(GeneratedModel):
    """Parameters sent from host to plugin in the `initialize` request.

    This is the first request the host sends after the plugin process starts. The plugin should
    validate `protocol_version` and return an `InitializeResult` or an error if the versions are
    incompatible.
    """

    capabilities: HostCapabilities
    host_info: HostInfo
    init_extensions: dict[str, Any] = Field(default_factory=new_dict)
    protocol_version: str


class McpTool(GeneratedModel):
    """Description of an MCP tool exposed by a custom plugin.

    Hosts that bridge MCP can re-expose these tools to MCP clients without the plugin author
    writing MCP-specific code.
    """

    description: str | None = None
    input_schema: Any = None
    name: str


class PluginCapabilities(GeneratedModel):
    """Capabilities the plugin advertises during the handshake.

    `methods` is the closed set of domain methods the plugin implements; the host uses it to
    skip calls the plugin would reject anyway. `subject_kinds` and `mcp_tools` are supplemental
    hints for subject-backend and custom-plugin kinds respectively.
    """

    cancellation: bool | None = None
    mcp_tools: list[McpTool] = Field(default_factory=new_list)
    methods: list[str] = Field(default_factory=new_list)
    progress: bool | None = None
    projections: list[str] = Field(default_factory=new_list)
    streaming: bool | None = None
    subject_kinds: list[str] = Field(default_factory=new_list)


class KindCapability(GeneratedModel):
    """What a plugin says of one of its kinds in `InitializeResult.kind_capabilities`."""

    crate_version: str
    extra: Any = None


class PluginInfo(GeneratedModel):
    """Identity of the plugin returned in the `initialize` response."""

    description: str | None = None
    name: str
    plugin_kind: str
    plugin_kinds: list[str] = Field(default_factory=new_list)
    version: str


class InitializeResult(GeneratedModel):
    """The plugin's answer to `initialize`. The host compares `protocol_version`, and keeps
    `capabilities` and `kind_capabilities` as long as the process lives.
    """

    capabilities: PluginCapabilities
    kind_capabilities: dict[str, KindCapability] = Field(default_factory=new_dict)
    plugin_info: PluginInfo
    protocol_version: str


class PluginManifest(GeneratedModel):
    """One-shot manifest emitted when a plugin is invoked with `--manifest`.

    This is the discovery surface used by `animus plugin install` and similar tooling that needs
    to know what a binary is before spawning it as a long-running stdio child. The shape mirrors
    `InitializeResult` but is flat for ease of static parsing.
    """

    capabilities: list[str] = Field(default_factory=new_list)
    description: str
    env_required: list[EnvRequirement] = Field(default_factory=new_list)
    name: str
    notification_buffer_size: UInt64 | None = None
    plugin_kind: str
    plugin_kinds: list[str] = Field(default_factory=new_list)
    protocol_version: str
    supports_mcp: bool | None = None
    version: str


class RpcError(GeneratedModel):
    """The error of an answer. `code` is one of the protocol's, or of JSON-RPC's reserved range;
    `data` is detail that the host may log or pass on.
    """

    code: Int32
    data: Any = None
    message: str


class RpcNotification(GeneratedModel):
    """A JSON-RPC 2.0 notification frame.

    Notifications are fire-and-forget — they have no `id` and the recipient never replies.
    Server-streaming results from a single request id (e.g. `subject/changed` watch events) are
    also delivered as notifications; in that case the original request id is carried inside
    `params`.
    """

    jsonrpc: str
    method: str
    params: Any = None


class RpcRequest(GeneratedModel):
    """A request, which has an `id`; a notification has none."""

    id: Any = None
    jsonrpc: str
    method: str
    params: Any = None


class RpcResponse(GeneratedModel):
    """An answer: exactly one of `result` and `error`."""

    error: RpcError | None = None
    id: Any = None
    jsonrpc: str
    result: Any = None


TriggerAckStatus: TypeAlias = str
"""What the host did with an event: `queued`, `unmatched` or `shutdown`; others may come."""


class TriggerAckParams(GeneratedModel):
    """Parameters sent from host to plugin in the `trigger/ack` notification.

    The host emits this after it has accepted an event for processing. Plugins use it to persist
    a cursor or trim a server-side queue.
    """

    event_id: str
    status: TriggerAckStatus | None = None


TriggerActionHint: TypeAlias = str
"""What a trigger suggests that the host does with an event: `create_task` or `run_workflow`;
others may come.
"""


class TriggerBinding(GeneratedModel):
    """One trigger of the project's workflow configuration, as `trigger/watch` carries it."""

    config: Any = None
    id: str
    workflow_ref: str | None = None


class TriggerEvent(GeneratedModel):
    """An event of a trigger, which the host matches with its triggers.

    - With a `subject_id`, the host looks the subject up and may start its workflow.
    - With the hint `create_task`, it makes a new task, with `payload` as its input.
    - Otherwise it starts the trigger's workflow, if one is configured.
    """

    action_hint: TriggerActionHint | None = None
    event_id: str
    payload: Any = None
    subject_id: str | None = None
    subject_kind: str | None = None
    trigger_id: str | None = None


class TriggerWatchParams(GeneratedModel):
    """Parameters sent from host to plugin in the `trigger/watch` request.

    Trigger backend plugins receive this once during startup. After replying to the request the
    plugin emits `trigger/event` notifications whenever it observes something the host should
    react to. The plugin keeps watching until it receives a `shutdown` request or its stdio
    closes.
    """

    config: Any = None
    cursor: Any = None
    triggers: list[TriggerBinding] = Field(default_factory=new_list)
