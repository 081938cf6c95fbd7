"""The wire types of animus-provider-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-provider-protocol/_all.json sha256
  2bd8d279aa2c8fe28f9982da11060651a22ca7cedb5bd1c1e8e56e8c90d1ca23
- schemas/additions/animus-provider-protocol.json sha256
  0536105e6d361f484b7201ef3f591187fe0906ec1cc43db8dff26ee80dd82e92
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.types._model import Bool, Int32, UInt64, WireModel, is_null, new_dict, new_list

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


class AgentCancelRequest(WireModel):
    """Parameters for an `agent/cancel` call."""

    session_id: str
    """Session id to cancel."""


class AgentOutput(WireModel):
    """Incremental text the model has produced. Maps to `agent/output`."""

    kind: Literal["output"] = "output"

    session_id: str
    """Stable session id this delta belongs to."""

    text: str
    """Text delta."""

    is_final: Bool = False
    """`true` when this is the final aggregated text for the turn."""


class AgentThinking(WireModel):
    """Visible reasoning from the model. Maps to `agent/thinking`."""

    kind: Literal["thinking"] = "thinking"

    session_id: str
    """Stable session id."""

    text: str
    """Reasoning text."""


class AgentToolCall(WireModel):
    """Agent invoked a tool. Maps to `agent/toolCall`."""

    kind: Literal["toolCall"] = "toolCall"

    session_id: str
    """Stable session id."""

    name: str
    """Tool name."""

    arguments: Any
    """Tool arguments."""

    server: str | None = Field(default=None, exclude_if=is_null)
    """MCP server that hosts the tool, if known."""


class AgentToolResult(WireModel):
    """Tool returned a result. Maps to `agent/toolResult`."""

    kind: Literal["toolResult"] = "toolResult"

    session_id: str
    """Stable session id."""

    name: str
    """Tool name."""

    output: Any
    """Tool output."""

    success: Bool
    """True if the tool reported success."""


class AgentError(WireModel):
    """Error encountered mid-run. Maps to `agent/error`."""

    kind: Literal["error"] = "error"

    session_id: str
    """Stable session id."""

    message: str
    """Error message."""

    recoverable: Bool
    """True if the run continues after this error."""


AgentNotification: TypeAlias = Annotated[
    AgentOutput | AgentThinking | AgentToolCall | AgentToolResult | AgentError,
    Field(discriminator="kind"),
]
"""What a provider reports during a run. Each goes out as the notification that its `kind` means.
`session_id` is filled in. What comes after the answer of the run is dropped.
"""


class InteractionResponse(WireModel):
    """What was answered."""

    answer: str | None = Field(default=None, exclude_if=is_null)
    """The answer to a question."""

    decision: str | None = Field(default=None, exclude_if=is_null)
    """`allow` or `deny`, for an approval."""

    message: str | None = Field(default=None, exclude_if=is_null)
    """A word to the agent that goes with the decision."""


class AgentRespondParams(WireModel):
    """Params of `agent/respond`."""

    interaction_id: str
    """Id of the interaction."""

    session_id: str
    """Session that asks."""

    response: InteractionResponse
    """What was answered."""


class AgentRespondResult(WireModel):
    """Result of `agent/respond`."""

    accepted: Bool
    """False when nobody waits for this answer (any more)."""


class AgentRunRequest(WireModel):
    """The params of `agent/run` and `agent/resume`; the latter names the `session_id` to continue.
    Keys that are not listed here are a provider's own, and are kept.
    """

    prompt: str
    """User prompt (latest turn)."""

    cwd: str
    """Working directory the agent should operate from. The provider passes this through to the
    wrapped CLI (e.g. `cwd` for `claude`).
    """

    env: dict[str, str] = Field(default_factory=new_dict, exclude_if=not_)
    """Environment variables to inject into the spawned child."""

    mcp_servers: Any = Field(default=None, exclude_if=is_null)
    """MCP server descriptors for the provider to bridge."""

    model: str | None = Field(default=None, exclude_if=is_null)
    """Concrete model identifier. Must appear in `ProviderManifest.supported_models`."""

    permission_mode: str | None = Field(default=None, exclude_if=is_null)
    """Permission mode (`"safe"`, `"acceptEdits"`, `"bypassPermissions"`, ...). Provider-specific;
    consult the provider's manifest.
    """

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Project root, if distinct from `cwd` (e.g. running from a subdir)."""

    response_schema: Any = Field(default=None, exclude_if=is_null)
    """Optional response schema (JSON Schema) the provider should constrain the model to."""

    runtime_contract: Any = Field(default=None, exclude_if=is_null)
    """Runtime contract envelope (workflow-runner-supplied metadata)."""

    session_id: str | None = Field(default=None, exclude_if=is_null)
    """Existing session id when resuming. `None` for fresh runs."""

    system_prompt: str | None = Field(default=None, exclude_if=is_null)
    """Optional system prompt. Many providers prefer this be set once at session start and ignored
    on subsequent turns; the provider decides.
    """

    timeout_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Hard timeout in seconds. The runtime will issue `agent/cancel` if this elapses."""

    tools: Any = Field(default=None, exclude_if=is_null)
    """Tool allow/deny config. Provider-specific shape."""


class TokenUsage(WireModel):
    """Token-accounting summary for an agent run."""

    input: UInt64
    """Input tokens consumed."""

    output: UInt64
    """Output tokens generated."""

    cache_writes: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Tokens written to a prompt cache, if applicable."""

    cached: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Tokens served from a prompt cache, if applicable."""


class AgentRunResponse(WireModel):
    """Final response to `agent/run` or `agent/resume`.

    Streaming notifications are sent during the run; this is the aggregated terminal payload.
    Hosts may persist it as the canonical run record.
    """

    session_id: str = ""
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

    decision_verdict: Any = Field(default=None, exclude_if=is_null)
    """Optional verdict for review/QA agents that produce pass/fail decisions. Free-form so review
    providers can shape their own envelopes.
    """

    errors: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Errors emitted during the run (recoverable or terminal)."""

    metadata: list[Any] = Field(default_factory=new_list, exclude_if=not_)
    """Free-form metadata entries the provider chose to surface."""

    thinking: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Visible reasoning traces (when the model produced any)."""

    tokens_used: TokenUsage | None = Field(default=None, exclude_if=is_null)
    """Token-accounting summary, if the provider tracks it."""

    tool_calls: list[Any] = Field(default_factory=new_list, exclude_if=not_)
    """All tool invocations the agent made during the run."""

    tool_results: list[Any] = Field(default_factory=new_list, exclude_if=not_)
    """All tool results returned to the agent."""


class InteractionRequestPayload(WireModel):
    """What an agent asks: an approval names an action or a tool call, a question has a text."""

    action: str | None = Field(default=None, exclude_if=is_null)
    """Action to approve."""

    arguments: Any = Field(default=None, exclude_if=is_null)
    """Arguments of that call."""

    options: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Answers to choose from."""

    question: str | None = Field(default=None, exclude_if=is_null)
    """Question to answer."""

    tool_name: str | None = Field(default=None, exclude_if=is_null)
    """Tool that the agent wants to call."""


class InteractionRequestedParams(WireModel):
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

    expires_at: str | None = Field(default=None, exclude_if=is_null)
    """RFC 3339 time after which an answer comes too late."""


class ProviderCapabilities(WireModel):
    """Provider capability flags."""

    cancellation: Bool = False
    """Provider supports `agent/cancel`."""

    mcp: Bool = False
    """Provider supports MCP server bridging (i.e. accepts the `mcp_servers` field of
    `AgentRunRequest`).
    """

    resume: Bool = False
    """Provider supports `agent/resume` against prior session ids."""

    streaming: Bool = False
    """Provider emits `agent/output` deltas as the model produces them."""

    write_capable: Bool = False
    """Provider can edit files in the working directory (vs. read-only research providers)."""


class ProviderManifest(WireModel):
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
