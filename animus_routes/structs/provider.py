"""The wire types of animus-provider-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-provider-protocol/_all.json sha256
  2bd8d279aa2c8fe28f9982da11060651a22ca7cedb5bd1c1e8e56e8c90d1ca23
- schemas/additions/animus-provider-protocol.json sha256
  0536105e6d361f484b7201ef3f591187fe0906ec1cc43db8dff26ee80dd82e92
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    Int32,
    OpenStruct,
    UInt64,
    WireStruct,
    mend,
    uint64,
    uint64_or_null,
)

__all__ = [
    "AgentCancelRequest",
    "AgentError",
    "AgentNotification",
    "AgentOutput",
    "AgentRespondParams",
    "AgentRespondResult",
    "AgentRunRequest",
    "AgentRunResponse",
    "AgentThinking",
    "AgentToolCall",
    "AgentToolResult",
    "InteractionRequestPayload",
    "InteractionRequestedParams",
    "InteractionResponse",
    "ProviderCapabilities",
    "ProviderManifest",
    "TokenUsage",
]


class AgentCancelRequest(WireStruct, kw_only=True):
    """Parameters for an `agent/cancel` call."""

    session_id: str
    """Session id to cancel."""


class AgentOutput(WireStruct, kw_only=True, tag_field="kind", tag="output"):
    """Incremental text the model has produced. Maps to `agent/output`."""

    kind: ClassVar[Literal["output"]] = "output"

    session_id: str
    """Stable session id this delta belongs to."""

    text: str
    """Text delta."""

    is_final: bool = field(default_factory=bool)
    """`true` when this is the final aggregated text for the turn."""


class AgentThinking(WireStruct, kw_only=True, tag_field="kind", tag="thinking"):
    """Visible reasoning from the model. Maps to `agent/thinking`."""

    kind: ClassVar[Literal["thinking"]] = "thinking"

    session_id: str
    """Stable session id."""

    text: str
    """Reasoning text."""


class AgentToolCall(WireStruct, kw_only=True, tag_field="kind", tag="toolCall"):
    """Agent invoked a tool. Maps to `agent/toolCall`."""

    kind: ClassVar[Literal["toolCall"]] = "toolCall"

    session_id: str
    """Stable session id."""

    name: str
    """Tool name."""

    arguments: Any
    """Tool arguments."""

    server: str | None = None
    """MCP server that hosts the tool, if known."""


class AgentToolResult(WireStruct, kw_only=True, tag_field="kind", tag="toolResult"):
    """Tool returned a result. Maps to `agent/toolResult`."""

    kind: ClassVar[Literal["toolResult"]] = "toolResult"

    session_id: str
    """Stable session id."""

    name: str
    """Tool name."""

    output: Any
    """Tool output."""

    success: bool
    """True if the tool reported success."""


class AgentError(WireStruct, kw_only=True, tag_field="kind", tag="error"):
    """Error encountered mid-run. Maps to `agent/error`."""

    kind: ClassVar[Literal["error"]] = "error"

    session_id: str
    """Stable session id."""

    message: str
    """Error message."""

    recoverable: bool
    """True if the run continues after this error."""


AgentNotification: TypeAlias = (
    AgentOutput
    | AgentThinking
    | AgentToolCall
    | AgentToolResult
    | AgentError
)
"""What a provider reports during a run. Each goes out as the notification that its `kind` means.
`session_id` is filled in. What comes after the answer of the run is dropped.
"""


class InteractionResponse(WireStruct, kw_only=True):
    """What was answered."""

    answer: str | None = None
    """The answer to a question."""

    decision: str | None = None
    """`allow` or `deny`, for an approval."""

    message: str | None = None
    """A word to the agent that goes with the decision."""


class AgentRespondParams(WireStruct, kw_only=True):
    """Params of `agent/respond`."""

    interaction_id: str
    """Id of the interaction."""

    session_id: str
    """Session that asks."""

    response: InteractionResponse
    """What was answered."""


class AgentRespondResult(WireStruct, kw_only=True):
    """Result of `agent/respond`."""

    accepted: bool
    """False when nobody waits for this answer (any more)."""


class AgentRunRequest(OpenStruct, kw_only=True):
    """The params of `agent/run` and `agent/resume`; the latter names the `session_id` to continue.
    Keys that are not listed here are a provider's own, and are kept.
    """

    prompt: str
    """User prompt (latest turn)."""

    cwd: str
    """Working directory the agent should operate from. The provider passes this through to the
    wrapped CLI (e.g. `cwd` for `claude`).
    """

    env: dict[str, str] = {}
    """Environment variables to inject into the spawned child."""

    mcp_servers: Any = None
    """MCP server descriptors for the provider to bridge."""

    model: str | None = None
    """Concrete model identifier. Must appear in `ProviderManifest.supported_models`."""

    permission_mode: str | None = None
    """Permission mode (`"safe"`, `"acceptEdits"`, `"bypassPermissions"`, ...). Provider-specific;
    consult the provider's manifest.
    """

    project_root: str | None = None
    """Project root, if distinct from `cwd` (e.g. running from a subdir)."""

    response_schema: Any = None
    """Optional response schema (JSON Schema) the provider should constrain the model to."""

    runtime_contract: Any = None
    """Runtime contract envelope (workflow-runner-supplied metadata)."""

    session_id: str | None = None
    """Existing session id when resuming. `None` for fresh runs."""

    system_prompt: str | None = None
    """Optional system prompt. Many providers prefer this be set once at session start and ignored
    on subsequent turns; the provider decides.
    """

    timeout_secs: UInt64 | None = None
    """Hard timeout in seconds. The runtime will issue `agent/cancel` if this elapses."""

    tools: Any = None
    """Tool allow/deny config. Provider-specific shape."""

    def __post_init__(self) -> None:
        try:
            if self.timeout_secs is None or self.timeout_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, timeout_secs=uint64_or_null)


class TokenUsage(WireStruct, kw_only=True):
    """Token-accounting summary for an agent run."""

    input: UInt64
    """Input tokens consumed."""

    output: UInt64
    """Output tokens generated."""

    cache_writes: UInt64 | None = None
    """Tokens written to a prompt cache, if applicable."""

    cached: UInt64 | None = None
    """Tokens served from a prompt cache, if applicable."""

    def __post_init__(self) -> None:
        try:
            if (
                self.input <= MAX_UINT64
                and self.output <= MAX_UINT64
                and (self.cache_writes is None or self.cache_writes <= MAX_UINT64)
                and (self.cached is None or self.cached <= MAX_UINT64)
            ):
                return
        except TypeError:
            pass
        mend(self, input=uint64, output=uint64, cache_writes=uint64_or_null, cached=uint64_or_null)


class AgentRunResponse(WireStruct, kw_only=True):
    """Final response to `agent/run` or `agent/resume`.

    Streaming notifications are sent during the run; this is the aggregated terminal payload.
    Hosts may persist it as the canonical run record.
    """

    session_id: str = field(default_factory=str)
    """Provider-issued session id. Stable for the life of the session; usable with `agent/resume`
    later.
    """

    exit_code: Int32
    """Process exit code from the wrapped CLI, if any."""

    output: str
    """Concatenated final assistant output."""

    duration_ms: UInt64
    """Total wall-clock duration of the run."""

    backend: str
    """Provider-specific backend label (e.g. `"claude-code:1.0.0"`)."""

    decision_verdict: Any = None
    """Optional verdict for review/QA agents that produce pass/fail decisions. Free-form so review
    providers can shape their own envelopes.
    """

    errors: list[str] = []
    """Errors emitted during the run (recoverable or terminal)."""

    metadata: list[Any] = []
    """Free-form metadata entries the provider chose to surface."""

    thinking: list[str] = []
    """Visible reasoning traces (when the model produced any)."""

    tokens_used: TokenUsage | None = None
    """Token-accounting summary, if the provider tracks it."""

    tool_calls: list[Any] = []
    """All tool invocations the agent made during the run."""

    tool_results: list[Any] = []
    """All tool results returned to the agent."""

    def __post_init__(self) -> None:
        try:
            if self.duration_ms <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, duration_ms=uint64)


class InteractionRequestPayload(WireStruct, kw_only=True):
    """What an agent asks: an approval names an action or a tool call, a question has a text."""

    action: str | None = None
    """Action to approve."""

    arguments: Any = None
    """Arguments of that call."""

    options: list[str] = []
    """Answers to choose from."""

    question: str | None = None
    """Question to answer."""

    tool_name: str | None = None
    """Tool that the agent wants to call."""


class InteractionRequestedParams(WireStruct, kw_only=True):
    """Params of the notification `agent/interactionRequested`. An approval that is not answered
    before it expires is denied.
    """

    interaction_id: str
    """Id of the interaction."""

    session_id: str
    """Session that asks."""

    kind: str
    """`approval` or `question`; other kinds may be added."""

    payload: InteractionRequestPayload
    """What is asked."""

    expires_at: str | None = None
    """RFC 3339 time after which an answer comes too late."""


class ProviderCapabilities(WireStruct, kw_only=True):
    """Provider capability flags."""

    cancellation: bool = field(default_factory=bool)
    """Provider supports `agent/cancel`."""

    mcp: bool = field(default_factory=bool)
    """Provider supports MCP server bridging (i.e. accepts the `mcp_servers` field of
    `AgentRunRequest`).
    """

    resume: bool = field(default_factory=bool)
    """Provider supports `agent/resume` against prior session ids."""

    streaming: bool = field(default_factory=bool)
    """Provider emits `agent/output` deltas as the model produces them."""

    write_capable: bool = field(default_factory=bool)
    """Provider can edit files in the working directory (vs. read-only research providers)."""


class ProviderManifest(WireStruct, kw_only=True):
    """Static manifest describing what a provider plugin supports.

    Returned by both the one-shot `--manifest` CLI mode and the `initialize` JSON-RPC handshake.
    The fields here are the provider-specific overlay on top of
    `animus_plugin_protocol.PluginManifest`.
    """

    name: str
    """Plugin name (e.g. `"animus-provider-claude"`)."""

    version: str
    """Plugin semver."""

    description: str
    """Human-readable description."""

    supported_models: list[str]
    """Concrete model identifiers this provider can route to.

    Examples: `["claude-sonnet-4-6", "claude-opus-4-7"]`, `["gpt-5", "gpt-5-mini"]`. Hosts use
    this to validate the `model` field of an `AgentRunRequest` before dispatching.
    """

    tool: str
    """Tool name passed through to the wrapped CLI (`"claude"`, `"codex"`, `"gemini"`, ...). Custom
    HTTP providers may set this to their plugin name.
    """

    capabilities: ProviderCapabilities
    """Capability flags."""
