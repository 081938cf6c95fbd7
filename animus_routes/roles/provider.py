"""`provider`: LLM agents (spec sections 7.2 and 10).

A handler of `agent/run` yields what happens, as the `AgentNotification` types, plain dicts with
their `kind`, or bare text; it returns the response, or only some of its fields. The final `output`
is complete even if hosts lose notifications, because it is assembled from what was yielded. If it
does not fit into a frame, its end is kept.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from animus_routes.roles import ErrorRow, MethodRow, Role, StreamRow
from animus_routes.roles.kept import LastItems, Tail, fitted
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from animus_routes.roles import Registered

NOTIFICATIONS: Final = {
    "output": "agent/output",
    "thinking": "agent/thinking",
    "toolCall": "agent/toolCall",
    "toolResult": "agent/toolResult",
    "error": "agent/error",
}
INTERACTION: Final = "agent/interactionRequested"
RUN_NAMES: Final = ("control_session_id", "session_id")
ITEMS: Final = {
    "agent/output": "provider.AgentOutput",
    "agent/thinking": "provider.AgentThinking",
    "agent/toolCall": "provider.AgentToolCall",
    "agent/toolResult": "provider.AgentToolResult",
    "agent/error": "provider.AgentError",
    INTERACTION: "provider.InteractionRequestedParams",
}
BY_CLASS: Final = {
    "AgentOutput": "output",
    "AgentThinking": "thinking",
    "AgentToolCall": "toolCall",
    "AgentToolResult": "toolResult",
    "AgentError": "error",
}


class AgentItems:
    """One run: its names, its notifications, its response (see `roles.ItemAdapter`)."""

    def __init__(self, params: dict[str, Any], _request_id: Any) -> None:
        given = [params.get(name) for name in RUN_NAMES]
        self.names = {name for name in given if isinstance(name, str) and name}
        requested = params.get("session_id") or params.get("control_session_id")
        self._session = str(requested or os.urandom(16).hex())
        self.names.add(self._session)
        self._started = monotonic()
        self._turns = Tail()
        self._deltas = Tail()
        self._kept = {kept: LastItems() for kept in RESPONSE_LISTS.values()}

    def frame(self, item: Any) -> tuple[str, Any]:
        """One item in the form of the wire: no `kind`, a session id, explicit flags."""
        if isinstance(item, str):
            item = {"kind": "output", "text": item}
        params: dict[str, Any] = to_builtins(item)
        if "interaction_id" in params:
            return INTERACTION, self._named(params)
        kind = params.pop("kind", None) or BY_CLASS.get(type(item).__name__)
        if kind not in NOTIFICATIONS:
            raise ValueError(
                f"an item of a run has to be text or have a kind: {', '.join(NOTIFICATIONS)}"
            )
        params = self._named(params)
        if kind == "output":
            params = self._said(params)
        else:
            params = {**DEFAULTS.get(kind, {}), **params}
            field = KEPT_FIELD.get(kind)
            kept = (
                params[field] if field else {k: v for k, v in params.items() if k != "session_id"}
            )
            self._kept[RESPONSE_LISTS[kind]].add(kept)
        return NOTIFICATIONS[kind], params

    def _named(self, params: dict[str, Any]) -> dict[str, Any]:
        """Fill the session id in, or learn it from the item that carries one."""
        learned = params.get("session_id")
        if learned:
            self._session = learned
            self.names.add(learned)
        return {**params, "session_id": self._session}

    def _said(self, params: dict[str, Any]) -> dict[str, Any]:
        """Deltas add up to a turn; a final text replaces them all."""
        final = bool(params.get("is_final") or params.get("final"))
        self._deltas.add(params["text"])
        if final:
            # A final item without text only ends the turn that was streamed.
            streamed = self._deltas.take()
            self._turns.add(params["text"] or streamed)
        return {**params, "is_final": final, "final": final}

    def complete(self, result: Any) -> Any:
        """An `AgentRunResponse`: what was yielded, overridden by what the handler returned."""
        self._turns.add(self._deltas.take())
        given = {"output": result} if isinstance(result, str) else to_builtins(result) or {}
        if not given.get("session_id", True):
            del given["session_id"]  # left out, as the types let an author do
        response = {
            "session_id": self._session,
            "exit_code": 0,
            "output": self._turns.text(),
            "duration_ms": int((monotonic() - self._started) * 1000),
            "backend": "",
            **{name: kept.items() for name, kept in self._kept.items() if kept.items()},
        }
        return fitted({**response, **given})

    def farewell(self) -> tuple[str, Any]:
        """A fatal error first, so that a host does not run a cancelled prompt again (host 7.19)."""
        params = {"session_id": self._session, "message": "cancelled", "recoverable": False}
        return NOTIFICATIONS["error"], params


# What part of an item goes into which list of the response, and what a notification always has.
RESPONSE_LISTS: Final = {
    "thinking": "thinking",
    "toolCall": "tool_calls",
    "toolResult": "tool_results",
    "error": "errors",
}
KEPT_FIELD: Final = {"thinking": "text", "error": "message"}
DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "toolCall": {"arguments": None, "server": None},
    "toolResult": {"success": True},
    "error": {"recoverable": False},
}


def _run(name: str, *, required: bool = False) -> MethodRow:
    return MethodRow(
        name,
        params="provider.AgentRunRequest",
        result="provider.AgentRunResponse",
        required=required,
        long_running=True,
        stream=StreamRow("agent/output", adapter=AgentItems, items=ITEMS),
        returns=("AgentRunResponse", "str", "dict"),
    )


def _cancelled(name: Any, found: bool) -> dict[str, Any]:  # noqa: FBT001 - see roles.MethodRow.stopped
    return {"session_id": name, "cancelled": found}


def _responded(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    return {"accepted": result is not False} if isinstance(result, bool | None) else result


ROLE = Role(
    kind="provider",
    errors={"unavailable": ErrorRow(prefix="provider unavailable: ")},
    notifications=(*NOTIFICATIONS.values(), INTERACTION),
    methods=(
        _run("agent/run", required=True),
        _run("agent/resume"),
        MethodRow(
            "agent/cancel",
            params="provider.AgentCancelRequest",
            stops="session_id",
            stopped=_cancelled,
            served_with="agent/run",
        ),
        MethodRow(
            "agent/respond",
            params="provider.AgentRespondParams",
            result="provider.AgentRespondResult",
            adapt_result=_responded,
            returns=("bool",),
        ),
    ),
)
