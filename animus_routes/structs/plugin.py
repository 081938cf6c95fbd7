"""The wire types of animus-plugin-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-plugin-protocol/_all.json sha256
  90f834fe09aea9f8cb56eca57d7fe6e8c3e08e4cd2bbc01cc6a30a804672da20
- schemas/additions/animus-plugin-protocol.json sha256
  f3fe8b633ca7af5f88da7eb98854fc0d3a91b5fd4d240adbd83f7430ef9358a8
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from animus_routes.structs._struct import (
    MAX_UINT64,
    Int32,
    UInt64,
    WireStruct,
    mend,
    new_list,
    null,
    uint64,
    uint64_or_null,
)

__all__ = [
    "ChatMessage",
    "ConversationAppendMessageRequest",
    "ConversationAppendMessageResponse",
    "ConversationCreateRequest",
    "ConversationCreateResponse",
    "ConversationDeleteRequest",
    "ConversationDeleteResponse",
    "ConversationListRequest",
    "ConversationListResponse",
    "ConversationLoadMessagesRequest",
    "ConversationLoadMessagesResponse",
    "ConversationLoadMetaRequest",
    "ConversationLoadMetaResponse",
    "ConversationMeta",
    "ConversationOperation",
    "ConversationOperationAcceptUserRequest",
    "ConversationOperationAppendFence",
    "ConversationOperationBeginOutcome",
    "ConversationOperationBeginRequest",
    "ConversationOperationBeginResponse",
    "ConversationOperationBindExecutionRequest",
    "ConversationOperationClaim",
    "ConversationOperationKey",
    "ConversationOperationLoadRequest",
    "ConversationOperationLoadResponse",
    "ConversationOperationMutationResponse",
    "ConversationOperationReleaseRequest",
    "ConversationOperationRenewRequest",
    "ConversationOperationStatus",
    "ConversationOperationTerminalizeRequest",
    "ConversationSaveMetaRequest",
    "ConversationSaveMetaResponse",
    "ConversationScope",
    "ConversationSummary",
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
    "Visibility",
]


_Text1To128: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]


_Token1To128: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+\Z"),
]


class ChatMessage(WireStruct, kw_only=True):
    """One turn of a conversation. The store keeps it and gives it back as it is; `usage` and
    `blocks` are the host's own JSON.
    """

    seq: UInt64
    """Monotonic 0-based index within the conversation."""

    role: str
    """`"user"` or `"assistant"`."""

    content: str
    """Aggregated text content of the turn."""

    recorded_at: str
    """RFC 3339 timestamp when the turn was recorded."""

    blocks: list[Any] = []
    """Ordered timeline of the assistant turn (opaque JSON array)."""

    cost_usd: float | None = None
    """Provider-reported USD cost for an assistant turn."""

    model: str | None = None
    """Model that produced an assistant turn."""

    tool: str | None = None
    """Provider tool that produced an assistant turn."""

    usage: Any = None
    """Token usage reported by the provider (opaque JSON object)."""

    def __post_init__(self) -> None:
        try:
            if self.seq <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, seq=uint64)


class ConversationOperationAppendFence(WireStruct, kw_only=True):
    """The lease that an assistant's message of a keyed operation is written under.

    A store that advertises fenced appends writes the message in one transaction, and only if
    tenant, actor, repository, conversation, caller key, operation id and lease token are those
    of the operation, the lease has not expired by the store's own clock, the operation has
    accepted the user's message, and it still holds the conversation. Otherwise nothing is
    written.
    """

    caller_key: _Token1To128

    operation_id: str

    lease_token: str


class ConversationAppendMessageRequest(WireStruct, kw_only=True):
    """`conversation/append_message` request."""

    id: str
    """Conversation id to append to."""

    message: ChatMessage
    """The turn to append."""

    as_user: str | None = None
    """Acting user id, when known. A backend may use it to authorize the mutation. `None` for
    unscoped/admin access.
    """

    operation_fence: ConversationOperationAppendFence | None = None
    """Required for an assistant's message of a keyed operation in a store that several hosts
    share; absent for ordinary messages.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationAppendMessageResponse(WireStruct, kw_only=True):
    """`conversation/append_message` response (empty on success)."""


Visibility: TypeAlias = Literal[
    "private",
    "shared",
]
"""Visibility of a conversation. Controls whether `ConversationListRequest.as_user` filtering
surfaces it to users other than its `owner`.

- private: Visible only to the conversation's `owner` (and to unscoped/admin queries that pass
  no `as_user`). The default.
- shared: Visible to every user, in addition to its owner.
"""


def _private() -> Visibility:
    return "private"


class ConversationCreateRequest(WireStruct, kw_only=True):
    """`conversation/create` request."""

    agent_id: str | None = None
    """Canonical agent binding to stamp atomically at creation time."""

    id: str | None = None
    """Explicit conversation id; the backend assigns one when `None`."""

    owner: str | None = None
    """Legacy owner compatibility assertion.

    Authenticated stores must stamp the owner from their call context; when this field is
    present they may require it to match, but must never treat it as caller authority.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """

    visibility: Visibility = field(default_factory=_private)
    """Initial visibility for the new conversation."""


class ConversationMeta(WireStruct, kw_only=True):
    """What is known of a conversation: where its session continues, who it is, and who owns and
    sees it. A conversation of an older host has no agent, revision 0 and no owner, and is
    private.
    """

    id: str
    """Stable conversation id."""

    created_at: str
    """RFC 3339 creation timestamp."""

    updated_at: str
    """RFC 3339 timestamp of the most recent turn."""

    active_operation_id: _Token1To128 | None = None
    """Durable operation that owns the current revision reservation.

    `None` means no keyed operation owns a reservation. A present id must contain 1..=128 ASCII
    alphanumeric or `._:-` characters. Backends expose it through load-meta and accept it
    through save-meta so the owning operation can recover after a crash.
    """

    agent_id: str | None = None
    """Canonical configured agent profile bound to this conversation. `None` keeps legacy and
    intentionally unbound conversations neutral.
    """

    message_count: UInt64 = field(default_factory=int)
    """Count of persisted turns (user + assistant)."""

    model: str | None = None
    """Model used on the most recent turn."""

    owner: str | None = None
    """Authenticated user id that owns this conversation. Authenticated stores stamp this from
    their call context and must not accept an ordinary metadata update that changes or clears
    it. `None` is reserved for explicitly configured legacy data.
    """

    revision: UInt64 = field(default_factory=int)
    """Monotonic optimistic-concurrency token. Legacy metas start at zero."""

    session_id: str | None = None
    """The wrapped tool's native session handle, for resume continuity."""

    title: str | None = None
    """Optional human-facing title."""

    tool: str | None = None
    """Wrapped tool that currently owns the native session. `None` until the first turn completes.
    """

    visibility: Visibility = field(default_factory=_private)
    """Visibility. Defaults to `"private"` for legacy metas."""

    def __post_init__(self) -> None:
        try:
            if self.message_count <= MAX_UINT64 and self.revision <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, message_count=uint64, revision=uint64)


class ConversationCreateResponse(WireStruct, kw_only=True):
    """`conversation/create` response."""

    meta: ConversationMeta
    """Meta of the freshly-created conversation."""


class ConversationDeleteRequest(WireStruct, kw_only=True):
    """`conversation/delete` request."""

    id: str
    """Conversation id to delete."""

    as_user: str | None = None
    """Acting user id, when known. A backend may use it to authorize the delete. `None` for
    unscoped/admin access.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationDeleteResponse(WireStruct, kw_only=True):
    """`conversation/delete` response (empty; delete is idempotent)."""


class ConversationListRequest(WireStruct, kw_only=True):
    """`conversation/list` request."""

    as_user: str | None = None
    """When set, the backend returns conversations owned by this user id PLUS any `"shared"` ones.
    When `None`, all conversations are returned (legacy/admin view). A backend without auth
    context may ignore this and return everything.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationSummary(WireStruct, kw_only=True):
    """One-line summary returned by `conversation/list`."""

    id: str
    """Conversation id."""

    message_count: UInt64
    """Persisted turn count."""

    updated_at: str
    """RFC 3339 timestamp of the most recent turn."""

    agent_id: str | None = None
    """Canonical configured agent profile bound to this conversation."""

    model: str | None = None
    """Model used on the most recent turn, if any."""

    owner: str | None = None
    """Owner of the conversation, if any."""

    revision: UInt64 = field(default_factory=int)
    """Current optimistic-concurrency token."""

    title: str | None = None
    """Title, if any."""

    tool: str | None = None
    """Tool that owns the native session, if any."""

    visibility: Visibility = field(default_factory=_private)
    """Visibility of the conversation."""

    def __post_init__(self) -> None:
        try:
            if self.message_count <= MAX_UINT64 and self.revision <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, message_count=uint64, revision=uint64)


class ConversationListResponse(WireStruct, kw_only=True):
    """`conversation/list` response, summaries newest-first."""

    conversations: list[ConversationSummary] = field(default_factory=new_list)
    """Conversation summaries, most-recently-updated first."""


class ConversationLoadMessagesRequest(WireStruct, kw_only=True):
    """`conversation/load_messages` request."""

    id: str
    """Conversation id whose messages to read."""

    as_user: str | None = None
    """Acting user id, when known. A backend may use it to authorize the read. `None` for
    unscoped/admin access.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationLoadMessagesResponse(WireStruct, kw_only=True):
    """`conversation/load_messages` response."""

    messages: list[ChatMessage] = field(default_factory=new_list)
    """The ordered turn history."""


class ConversationLoadMetaRequest(WireStruct, kw_only=True):
    """`conversation/load_meta` request."""

    id: str
    """Conversation id to load."""

    as_user: str | None = None
    """Acting user id, when known. A backend may use it to authorize the read (e.g. deny a private
    conversation owned by another user). `None` for unscoped/admin access.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationLoadMetaResponse(WireStruct, kw_only=True):
    """`conversation/load_meta` response. `meta` is `None` when the conversation does not exist."""

    meta: ConversationMeta | None = None
    """The conversation meta, or `None` when not found."""


class ConversationSaveMetaRequest(WireStruct, kw_only=True):
    """`conversation/save_meta` request."""

    meta: ConversationMeta
    """The meta to persist. `meta.owner` is an immutable assertion: an ordinary save must not
    change or clear the stored owner.
    """

    as_user: str | None = None
    """Acting user id, when known. A backend may use it to authorize the mutation. `None` for
    unscoped/admin access.
    """

    expected_revision: UInt64 | None = None
    """Apply only when the stored meta still has this revision. Backends must enforce this
    atomically with the write (compare-and-swap).
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """

    def __post_init__(self) -> None:
        try:
            if self.expected_revision is None or self.expected_revision <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, expected_revision=uint64_or_null)


class ConversationSaveMetaResponse(WireStruct, kw_only=True):
    """`conversation/save_meta` response (empty on success)."""


class ConversationScope(WireStruct, kw_only=True):
    """Fields common to every conversation-store request: tenant, project, and repository identity
    a shared backend partitions on. Flattened into each request so the wire payload stays flat.
    """

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class EnvRequirement(WireStruct, kw_only=True):
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

    name: str
    """Environment variable name (e.g. `"OPENAI_API_KEY"`)."""

    description: str | None = None
    """Optional human-readable explanation of what the variable is used for."""

    required: bool = field(default_factory=bool)
    """When `true`, the host emits a warning at spawn time if the variable is not set in the
    daemon's environment.
    """

    sensitive: bool = field(default_factory=bool)
    """Hint that this variable carries a secret. Informational only — does not change spawn
    behavior. Used to drive warnings in install output and `animus plugin info` listings.
    """


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


class HealthCheckResult(WireStruct, kw_only=True):
    """Response to `health/check`."""

    status: HealthStatus
    """Overall status."""

    last_error: str | None = None
    """Most recent error message, if any."""

    memory_usage_bytes: UInt64 | None = None
    """Resident-set memory usage in bytes, if cheap to determine."""

    uptime_ms: UInt64 | None = None
    """Milliseconds since the plugin process started."""

    def __post_init__(self) -> None:
        try:
            if (
                (self.memory_usage_bytes is None or self.memory_usage_bytes <= MAX_UINT64)
                and (self.uptime_ms is None or self.uptime_ms <= MAX_UINT64)
            ):
                return
        except TypeError:
            pass
        mend(self, memory_usage_bytes=uint64_or_null, uptime_ms=uint64_or_null)


class HostCapabilities(WireStruct, kw_only=True):
    """Capabilities the host advertises during the handshake.

    Plugins may use these to enable optional features. The host promises to honor any capability
    it advertises.
    """

    cancellation: bool = field(default_factory=bool)
    """Host may issue `$/cancelRequest` notifications to cancel in-flight requests."""

    progress: bool = field(default_factory=bool)
    """Host accepts `$/progress` notifications."""

    streaming: bool = field(default_factory=bool)
    """Host accepts server-streaming notifications carrying the original request id."""


class HostInfo(WireStruct, kw_only=True):
    """Identity of the host issuing the `initialize` call.

    Plugins may log this for debugging or vary behavior based on the host version (e.g. enabling
    features only available in newer hosts).
    """

    name: str
    """Conventionally `"animus"` for the official Animus daemon."""

    version: str
    """Semver of the host."""


class InitializeParams(WireStruct, kw_only=True):
    """Parameters sent from host to plugin in the `initialize` request.

    This is the first request the host sends after the plugin process starts. The plugin should
    validate `protocol_version` and return an `InitializeResult` or an error if the versions are
    incompatible.
    """

    protocol_version: str
    """Protocol version the host speaks. See `PROTOCOL_VERSION`."""

    host_info: HostInfo
    """Identity of the host."""

    capabilities: HostCapabilities
    """Capabilities the host promises to honor."""

    init_extensions: dict[str, Any] = {}
    """What the host tells plugins beyond the protocol, by name, such as `project_binding`: the
    project that the process serves for its lifetime. Names that a plugin does not know are to
    be ignored.
    """


class McpTool(WireStruct, kw_only=True):
    """Description of an MCP tool exposed by a custom plugin.

    Hosts that bridge MCP can re-expose these tools to MCP clients without the plugin author
    writing MCP-specific code.
    """

    name: str
    """MCP tool name."""

    description: str | None = None
    """Human-readable description."""

    input_schema: Any = None
    """JSON Schema describing the tool's input."""


class PluginCapabilities(WireStruct, kw_only=True):
    """Capabilities the plugin advertises during the handshake.

    `methods` is the closed set of domain methods the plugin implements; the host uses it to
    skip calls the plugin would reject anyway. `subject_kinds` and `mcp_tools` are supplemental
    hints for subject-backend and custom-plugin kinds respectively.
    """

    cancellation: bool = field(default_factory=bool)
    """Plugin honors `$/cancelRequest` notifications."""

    mcp_tools: list[McpTool] = []
    """MCP tools exposed by the plugin (custom plugins only)."""

    methods: list[str] = field(default_factory=new_list)
    """Concrete methods the plugin implements (e.g. `["subject/list", "subject/get",
    "subject/update"]`).
    """

    progress: bool = field(default_factory=bool)
    """Plugin honors `$/progress` notifications."""

    projections: list[str] = []
    """Optional projection names the plugin can serve (subject backends only). Hosts may request a
    projection by name in calls that opt into projected views.
    """

    streaming: bool = field(default_factory=bool)
    """Plugin emits server-streaming notifications."""

    subject_kinds: list[str] = []
    """Subject kinds the plugin can produce (subject backends only)."""


class KindCapability(WireStruct, kw_only=True):
    """What a plugin says of one of its kinds in `InitializeResult.kind_capabilities`."""

    crate_version: str
    """The version of the kind's protocol that the plugin is written for, such as `"0.1.0"`. Hosts
    compare the major version.
    """

    extra: Any = None
    """What the kind itself has to declare, such as `QueueCapabilities` for a queue."""


class PluginInfo(WireStruct, kw_only=True):
    """Identity of the plugin returned in the `initialize` response."""

    name: str
    """Plugin's published name (e.g. `"animus-subject-linear"`)."""

    version: str
    """Plugin's semver."""

    plugin_kind: str
    """The plugin's kind, such as `subject_backend`; of several, the first."""

    description: str | None = None
    """Human-readable description."""

    plugin_kinds: list[str] = []
    """The other kinds of the same process, such as `config_source` beside `subject_backend`.
    Empty: there is one.
    """


class InitializeResult(WireStruct, kw_only=True):
    """The plugin's answer to `initialize`. The host compares `protocol_version`, and keeps
    `capabilities` and `kind_capabilities` as long as the process lives.
    """

    protocol_version: str
    """Protocol version the plugin speaks. See `PROTOCOL_VERSION`."""

    plugin_info: PluginInfo
    """Identity of the plugin."""

    capabilities: PluginCapabilities
    """Capabilities the plugin advertises."""

    kind_capabilities: dict[str, KindCapability] = {}
    """For each kind that has something to declare, the version of its protocol and its own flags.
    """


class PluginManifest(WireStruct, kw_only=True):
    """One-shot manifest emitted when a plugin is invoked with `--manifest`.

    This is the discovery surface used by `animus plugin install` and similar tooling that needs
    to know what a binary is before spawning it as a long-running stdio child. The shape mirrors
    `InitializeResult` but is flat for ease of static parsing.
    """

    name: str
    """Plugin name (matches `PluginInfo.name`)."""

    version: str
    """Plugin semver."""

    plugin_kind: str
    """The plugin's kind, such as `subject_backend`; of several, the first."""

    description: str
    """Human-readable description."""

    protocol_version: str
    """Protocol version the plugin was built against."""

    capabilities: list[str] = field(default_factory=new_list)
    """Methods implemented by the plugin."""

    env_required: list[EnvRequirement] = []
    """The environment variables that the host has to forward. It starts a plugin with `PATH`,
    `HOME`, `TMPDIR`, `LANG`, `LC_ALL`, `RUST_LOG`, `RUST_BACKTRACE`, `TZ`, and with those that
    stand here; every other variable is missing in the plugin, even if the daemon has it.
    """

    notification_buffer_size: UInt64 | None = None
    """How many notifications of this plugin the host should keep for whoever reads slowly, for
    plugins that send many at once. The host takes this number, or else
    `ANIMUS_PLUGIN_BROADCAST_CAPACITY`, or else 256, when it starts the process; it does not
    change while the process lives.
    """

    plugin_kinds: list[str] = []
    """The other kinds of the same process. Empty: there is one."""

    supports_mcp: bool | None = None
    """Whether agents of this provider can use MCP servers. `None` leaves it to the host."""

    def __post_init__(self) -> None:
        try:
            if self.notification_buffer_size is None or self.notification_buffer_size <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, notification_buffer_size=uint64_or_null)


class RpcError(WireStruct, kw_only=True):
    """The error of an answer. `code` is one of the protocol's, or of JSON-RPC's reserved range;
    `data` is detail that the host may log or pass on.
    """

    code: Int32
    """Error code; see `error_codes`."""

    message: str
    """Short human-readable description."""

    data: Any = None
    """Optional structured detail."""


class RpcNotification(WireStruct, kw_only=True):
    """A JSON-RPC 2.0 notification frame.

    Notifications are fire-and-forget — they have no `id` and the recipient never replies.
    Server-streaming results from a single request id (e.g. `subject/changed` watch events) are
    also delivered as notifications; in that case the original request id is carried inside
    `params`.
    """

    jsonrpc: str
    """Always `"2.0"`."""

    method: str
    """JSON-RPC method name."""

    params: Any = None
    """Notification parameters."""


class RpcRequest(WireStruct, kw_only=True):
    """A request, which has an `id`; a notification has none."""

    jsonrpc: str
    """Always `"2.0"`."""

    method: str
    """JSON-RPC method name (e.g. `"initialize"`, `"subject/list"`)."""

    id: Any = None
    """The request's id; absent in a notification."""

    params: Any = None
    """Method parameters; structurally validated by the receiving handler."""


class RpcResponse(WireStruct, kw_only=True):
    """An answer: exactly one of `result` and `error`."""

    jsonrpc: str
    """Always `"2.0"`."""

    error: RpcError | None = None
    """Error payload. Mutually exclusive with `result`."""

    id: Any = None
    """Echoes the id of the originating request. `None` only when the request id could not be
    determined (e.g. parse error on the request frame).
    """

    result: Any = None
    """Successful result. Mutually exclusive with `error`."""


TriggerAckStatus: TypeAlias = str
"""What the host did with an event: `queued`, `unmatched` or `shutdown`; others may come."""


class TriggerAckParams(WireStruct, kw_only=True):
    """Parameters sent from host to plugin in the `trigger/ack` notification.

    The host emits this after it has accepted an event for processing. Plugins use it to persist
    a cursor or trim a server-side queue.
    """

    event_id: str
    """The `event_id` being acknowledged."""

    status: TriggerAckStatus | None = None
    """Optional status the host wants to report. See `TriggerAckStatus`."""


TriggerActionHint: TypeAlias = str
"""What a trigger suggests that the host does with an event: `create_task` or `run_workflow`;
others may come.
"""


class TriggerBinding(WireStruct, kw_only=True):
    """One trigger of the project's workflow configuration, as `trigger/watch` carries it."""

    id: str
    """The trigger's id; events name it as their `trigger_id`."""

    config: Any = None
    """Plugin-specific configuration of this trigger."""

    workflow_ref: str | None = None
    """Workflow that the trigger starts, if it names one."""


class TriggerEvent(WireStruct, kw_only=True):
    """An event of a trigger, which the host matches with its triggers.

    - With a `subject_id`, the host looks the subject up and may start its workflow.
    - With the hint `create_task`, it makes a new task, with `payload` as its input.
    - Otherwise it starts the trigger's workflow, if one is configured.
    """

    event_id: str
    """Unique event id assigned by the plugin. Used by the host to send back `trigger/ack`. Plugins
    should make this stable across restarts when possible so duplicate deliveries can be
    deduplicated.
    """

    action_hint: TriggerActionHint | None = None
    """Optional hint for what the host should do. Plugins may omit this and let the host fall back
    to the trigger config's `workflow_ref`.
    """

    payload: Any = field(default_factory=null)
    """Event payload. Forwarded to the spawned workflow as input."""

    subject_id: str | None = None
    """Optional subject the event refers to (e.g. a Linear issue id). When set, the host may
    resolve the subject via its configured subject backend and kick the subject's assigned
    workflow.
    """

    subject_kind: str | None = None
    """Optional subject kind for `subject_id` (e.g. `"issue"`, `"task"`)."""

    trigger_id: str | None = None
    """Logical trigger id this event belongs to. Matches the `id` of a `WorkflowTrigger` in the
    project's workflow YAML.
    """


class TriggerWatchParams(WireStruct, kw_only=True):
    """Parameters sent from host to plugin in the `trigger/watch` request.

    Trigger backend plugins receive this once during startup. After replying to the request the
    plugin emits `trigger/event` notifications whenever it observes something the host should
    react to. The plugin keeps watching until it receives a `shutdown` request or its stdio
    closes.
    """

    config: Any = None
    """Plugin-specific configuration forwarded from project workflow YAML."""

    cursor: Any = None
    """Optional resume cursor from a previous run; semantics are plugin-defined. Plugins should
    ignore it if unrecognized.
    """

    triggers: list[TriggerBinding] = []
    """The triggers this plugin watches for. Empty when the host does not say."""


if TYPE_CHECKING:
    from animus_routes.structs.plugin_operations import (
        ConversationOperation,
        ConversationOperationAcceptUserRequest,
        ConversationOperationBeginOutcome,
        ConversationOperationBeginRequest,
        ConversationOperationBeginResponse,
        ConversationOperationBindExecutionRequest,
        ConversationOperationClaim,
        ConversationOperationKey,
        ConversationOperationLoadRequest,
        ConversationOperationLoadResponse,
        ConversationOperationMutationResponse,
        ConversationOperationReleaseRequest,
        ConversationOperationRenewRequest,
        ConversationOperationStatus,
        ConversationOperationTerminalizeRequest,
    )
else:
    _LATER = {
        "ConversationOperation": "animus_routes.structs.plugin_operations",
        "ConversationOperationAcceptUserRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationBeginOutcome": "animus_routes.structs.plugin_operations",
        "ConversationOperationBeginRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationBeginResponse": "animus_routes.structs.plugin_operations",
        "ConversationOperationBindExecutionRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationClaim": "animus_routes.structs.plugin_operations",
        "ConversationOperationKey": "animus_routes.structs.plugin_operations",
        "ConversationOperationLoadRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationLoadResponse": "animus_routes.structs.plugin_operations",
        "ConversationOperationMutationResponse": "animus_routes.structs.plugin_operations",
        "ConversationOperationReleaseRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationRenewRequest": "animus_routes.structs.plugin_operations",
        "ConversationOperationStatus": "animus_routes.structs.plugin_operations",
        "ConversationOperationTerminalizeRequest": "animus_routes.structs.plugin_operations",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
