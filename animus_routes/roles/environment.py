"""`environment`: prepared places where commands run (no spec text; facts 11).

A handler of `exec_stream` yields its output, as `ExecOutput` or `("stdout", text)`, and returns
the exit code or an `ExecResponse`; what the response leaves out is filled from what was yielded.
"""

from __future__ import annotations

from typing import Any

from animus_routes.codecs import to_builtins
from animus_routes.roles import Method, Role, Stream

NOTIFICATIONS = {"output": "environment/output", "journal": "environment/journal"}


class ExecRun:
    """One `exec_stream` or `exec_session` call (see `roles.Run`)."""

    def __init__(self, params: dict[str, Any], _request_id: Any) -> None:
        handle = params.get("handle")
        self._handle_id = handle.get("id", "") if isinstance(handle, dict) else ""
        self.names: set[str] = set()
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def notification(self, item: Any) -> tuple[str, Any]:
        """Output by default; `kind: journal` for a session's journal."""
        if isinstance(item, tuple):
            stream, text = item
            item = {"stream": stream, "text": text}
        params = {"kind": "output", "handle_id": self._handle_id, **to_builtins(item)}
        if params["kind"] == "output":
            self._texts[params["stream"]].append(params["text"])
        return NOTIFICATIONS[params["kind"]], params

    def complete(self, result: Any) -> Any:
        """The aggregated response."""
        given: dict[str, Any]
        if result is None or isinstance(result, int):
            given = {} if result is None else {"exit_code": result}
        else:
            given = to_builtins(result)
        texts = {name: "".join(parts) for name, parts in self._texts.items()}
        return {**{name: text for name, text in texts.items() if text}, **given}

    def farewell(self) -> None:
        """Nothing is said before a cancelled call's answer."""


def _method(verb: str, params: str, result: str, **options: Any) -> Method:
    return Method(
        f"environment/{verb}",
        params=f"environment.{params}",
        result=f"environment.{result}",
        **options,
    )


ROLE = Role(
    kind="environment",
    crate="environment",
    crate_version="0.1.0",
    notifications=tuple(NOTIFICATIONS.values()),
    methods=(
        _method("prepare", "PrepareRequest", "PrepareResponse", required=True, long_running=True),
        _method("exec", "ExecRequest", "ExecResponse", required=True, long_running=True),
        _method(
            "exec_stream",
            "ExecRequest",
            "ExecResponse",
            long_running=True,
            stream=Stream("environment/output", run=ExecRun),
        ),
        # Its request and result have no schema in any published copy: the params are open.
        Method(
            "environment/exec_session",
            long_running=True,
            stream=Stream("environment/journal", run=ExecRun),
        ),
        _method(
            "teardown",
            "TeardownRequest",
            "TeardownResponse",
            required=True,
            adapt_result=lambda result, _params, _registry: result or {},
        ),
    ),
)
