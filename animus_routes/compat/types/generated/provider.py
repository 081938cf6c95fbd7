"""The wire types of animus-provider-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-provider-protocol/_all.json sha256
  2bd8d279aa2c8fe28f9982da11060651a22ca7cedb5bd1c1e8e56e8c90d1ca23
- schemas/additions/animus-provider-protocol.json sha256
  0536105e6d361f484b7201ef3f591187fe0906ec1cc43db8dff26ee80dd82e92
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, Int32, UInt64, new_dict, new_list

__all__ = [
    "AgentCancelRequest",
    "AgentNotification",
    "AgentNotificationVariant0",
    "AgentNotificationVariant1",
    "AgentNotificationVariant2",
    "AgentNotificationVariant3",
    "AgentNotificationVariant4",
    "AgentRespondParams",
    "AgentRespondResult",
    "AgentRunRequest",
    "AgentRunResponse",
    "InteractionRequestPayload",
    "InteractionRequestedParams",
    "InteractionResponse",
    "ProviderCapabilities",
    "ProviderManifest",
    "TokenUsage",
]


class AgentCancelRequest(GeneratedModel):
    """Parameters for an `agent/cancel` call."""

    session_id: str


class AgentNotificationVariant0(GeneratedModel):
    """Incremental text the model has produced. Maps to `agent/output`."""

    is_final: bool | None = None
    kind: Literal["output"] = "output"
    session_id: str
    text: str


class AgentNotificationVariant1(GeneratedModel):
    """Visible reasoning from the model. Maps to `agent/thinking`."""

    kind: Literal["thinking"] = "thinking"
    session_id: str
    text: str


class AgentNotificationVariant2(GeneratedModel):
    """Agent invoked a tool. Maps to `agent/toolCall`."""

    arguments: Any
    kind: Literal["toolCall"] = "toolCall"
    name: str
    server: str | None = None
    session_id: str


class AgentNotificationVariant3(GeneratedModel):
    """Tool returned a result. Maps to `agent/toolResult`."""

    kind: Literal["toolResult"] = "toolResult"
    name: str
    output: Any
    session_id: str
    success: bool


class AgentNotificationVariant4(GeneratedModel):
    """Error encountered mid-run. Maps to `agent/error`."""

    kind: Literal["error"] = "error"
    message: str
    recoverable: bool
    session_id: str


AgentNotification: TypeAlias = (
    AgentNotificationVariant0
    | AgentNotificationVariant1
    | AgentNotificationVariant2
    | AgentNotificationVariant3
    | AgentNotificationVariant4
)
"""What a provider reports during a run. Each goes out as the notification that its `kind` means.
`session_id` is filled in. What comes after the answer of the run is dropped.
"""


class InteractionResponse(GeneratedModel):
    """What was answered."""

    answer: str | None = None
    decision: str | None = None
    message: str | None = None


class AgentRespondParams(GeneratedModel):
    """Params of `agent/respond`."""

    interaction_id: str
    response: InteractionResponse
    session_id: str


class AgentRespondResult(GeneratedModel):
    """Result of `agent/respond`."""

    accepted: bool


class AgentRunRequest(GeneratedModel):
    """The params of `agent/run` and `agent/resume`; the latter names the `session_id` to continue.
    Keys that are not listed here are a provider's own, and are kept.
    """

    cwd: str
    env: dict[str, str] = Field(default_factory=new_dict)
    mcp_servers: Any = None
    model: str | None = None
    permission_mode: str | None = None
    project_root: str | None = None
    prompt: str
    response_schema: Any = None
    runtime_contract: Any = None
    session_id: str | None = None
    system_prompt: str | None = None
    timeout_secs: UInt64 | None = None
    tools: Any = None


class TokenUsage(GeneratedModel):
    """Token-accounting summary for an agent run."""

    cache_writes: UInt64 | None = None
    cached: UInt64 | None = None
    input: UInt64
    output: UInt64


class AgentRunResponse(GeneratedModel):
    """Final response to `agent/run` or `agent/resume`.

    Streaming notifications are sent during the run; this is the aggregated terminal payload.
    Hosts may persist it as the canonical run record.
    """

    backend: str
    decision_verdict: Any = None
    duration_ms: UInt64
    errors: list[str] = Field(default_factory=new_list)
    exit_code: Int32
    metadata: list[Any] = Field(default_factory=new_list)
    output: str
    session_id: str
    thinking: list[str] = Field(default_factory=new_list)
    tokens_used: TokenUsage | None = None
    tool_calls: list[Any] = Field(default_factory=new_list)
    tool_results: list[Any] = Field(default_factory=new_list)


class InteractionRequestPayload(GeneratedModel):
    """What an agent asks: an approval names an action or a tool call, a question has a text."""

    action: str | None = None
    arguments: Any = None
    options: list[str] = Field(default_factory=new_list)
    question: str | None = None
    tool_name: str | None = None


class InteractionRequestedParams(GeneratedModel):
    """Params of the notification `agent/interactionRequested`. An approval that is not answered
    before it expires is denied.
    """

    expires_at: str | None = None
    interaction_id: str
    kind: str
    payload: InteractionRequestPayload
    session_id: str


class ProviderCapabilities(GeneratedModel):
    """Provider capability flags."""

    cancellation: bool | None = None
    mcp: bool | None = None
    resume: bool | None = None
    streaming: bool | None = None
    write_capable: bool | None = None


class ProviderManifest(GeneratedModel):
    """Static manifest describing what a provider plugin supports.

    Returned by both the one-shot `--manifest` CLI mode and the `initialize` JSON-RPC handshake.
    The fields here are the provider-specific overlay on top of
    `animus_plugin_protocol.PluginManifest`.
    """

    capabilities: ProviderCapabilities
    description: str
    name: str
    supported_models: list[str]
    tool: str
    version: str
