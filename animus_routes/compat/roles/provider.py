"""Providers: agents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import CallContext, HealthReport
from animus_routes.compat.types.generated.provider import (
    AgentCancelRequest,
    AgentNotification,
    AgentRunRequest,
    AgentRunResponse,
    ProviderCapabilities,
    TokenUsage,
)

if TYPE_CHECKING:
    from animus_routes.handlers.context import Context

__all__ = [
    "AgentCancelRequest",
    "AgentNotification",
    "AgentRunRequest",
    "AgentRunResponse",
    "AgentStream",
    "HealthReport",
    "Provider",
    "ProviderCallContext",
    "ProviderCapabilities",
    "ProviderRunParams",
    "ProviderRunResult",
    "TokenUsage",
]


class AgentStream:
    """What a provider reports during a run; each call sends one `agent/*` notification.

    Without a `session_id`, a report is of the session that the request names.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._session = ctx.params.get("session_id")

    def output(self, *, text: str, session_id: str | None = None, final: bool = False) -> None:
        """Text from the agent; `final` text is that of the whole turn."""
        self._emit("output", session_id, text=text, is_final=final)

    def thinking(self, *, text: str, session_id: str | None = None) -> None:
        """What the agent is thinking."""
        self._emit("thinking", session_id, text=text)

    def tool_call(
        self,
        *,
        name: str,
        arguments: Any = None,
        server: str | None = None,
        session_id: str | None = None,
    ) -> None:
        """The agent calls a tool."""
        given: Any = arguments if arguments is not None else {}
        self._emit("toolCall", session_id, name=name, arguments=given, server=server)

    def tool_result(
        self, *, name: str, output: Any = "", success: bool = True, session_id: str | None = None
    ) -> None:
        """What the tool answered."""
        self._emit("toolResult", session_id, name=name, output=output, success=success)

    def error(
        self, *, message: str, recoverable: bool = False, session_id: str | None = None
    ) -> None:
        """Something went wrong; an error that is not recoverable ends the run."""
        self._emit("error", session_id, message=message, recoverable=recoverable)

    def _emit(self, kind: str, session_id: str | None, **fields: Any) -> None:
        named = self._session if session_id is None else session_id
        if named is not None:
            fields["session_id"] = named
        self._ctx.emit({"kind": kind, **fields})


@dataclass
class ProviderCallContext(CallContext):
    """One call.

    Attributes:
        stream: For `run` and `resume`: reports what happens meanwhile.
    """

    stream: AgentStream | None = None


@dataclass
class ProviderRunParams:
    """Params of a run as they once were; methods get an `AgentRunRequest`."""

    prompt: str
    cwd: str
    model: str | None = None
    session_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class ProviderRunResult:
    """The result of a run as it once was, still accepted; `extra` is written beside the rest."""

    session_id: str
    output: str
    exit_code: int
    duration_ms: int
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@runtime_checkable
class Provider(Protocol):
    """Also: `resume`, `cancel`, `health`."""

    def run(self, params: AgentRunRequest, ctx: ProviderCallContext) -> Any:
        """An `AgentRunResponse`, or some of its fields; `ctx.stream` reports the rest."""
