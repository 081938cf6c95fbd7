"""`environment`: prepared places where commands run (no spec text; facts 11).

A handler of `exec_stream` yields its output, as `ExecOutput` or `("stdout", text)`, and returns
the exit code or an `ExecResponse`; what the response leaves out is filled in from what was yielded.
If the output would not fit into a frame, its end is kept: the host has already seen the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.roles import MethodRow, Role, StreamRow
from animus_routes.roles.kept import Tail
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from animus_routes.roles import Registered

NOTIFICATIONS = {"output": "environment/output", "journal": "environment/journal"}
ITEMS: Final = {
    "environment/output": "environment.ExecOutput",
    "environment/journal": "environment.ExecJournal",
}
KEPT_CHARS: Final = 512 * 1024  # of each stream: two of them fit, however JSON writes them


class ExecItems:
    """One `exec_stream` or `exec_session` call (see `roles.ItemAdapter`)."""

    def __init__(self, params: dict[str, Any], _request_id: Any) -> None:
        handle = params.get("handle")
        known = cast("dict[str, Any]", handle) if isinstance(handle, dict) else {}
        self._handle_id: Any = known.get("id", "")
        self.names: set[str] = set()
        self._texts = {name: Tail(KEPT_CHARS) for name in ("stdout", "stderr")}

    def frame(self, item: Any) -> tuple[str, Any]:
        """Output by default; `kind: journal` for a session's journal."""
        if isinstance(item, tuple):
            item = dict(zip(("stream", "text"), cast("tuple[str, str]", item), strict=True))
        given: dict[str, Any] = to_builtins(item)
        params = {"kind": "output", "handle_id": self._handle_id, **given}
        if params["kind"] == "output":
            self._texts[params["stream"]].add(params["text"])
        return NOTIFICATIONS[params["kind"]], params

    def complete(self, result: Any) -> Any:
        """The aggregated response."""
        given: dict[str, Any]
        if result is None or isinstance(result, int):
            given = {} if result is None else {"exit_code": result}
        else:
            given = to_builtins(result)
        texts = {name: tail.text() for name, tail in self._texts.items()}
        return {**{name: text for name, text in texts.items() if text}, **given}

    def farewell(self) -> None:
        """Nothing is said before a cancelled call's answer."""


def _done(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """A teardown has nothing to say."""
    return result or {}


def _method(verb: str, params: str, result: str, **options: Any) -> MethodRow:
    return MethodRow(
        f"environment/{verb}",
        params=f"environment.{params}",
        result=f"environment.{result}",
        **options,
    )


ROLE = Role(
    kind="environment",
    crate_version="0.2.0",
    notifications=tuple(NOTIFICATIONS.values()),
    methods=(
        _method("prepare", "PrepareRequest", "PrepareResponse", required=True, long_running=True),
        _method("exec", "ExecRequest", "ExecResponse", required=True, long_running=True),
        _method(
            "exec_stream",
            "ExecRequest",
            "ExecResponse",
            long_running=True,
            stream=StreamRow("environment/output", adapter=ExecItems, items=ITEMS),
        ),
        # Its request and result have no schema in any published copy: the params are open.
        MethodRow(
            "environment/exec_session",
            long_running=True,
            stream=StreamRow("environment/journal", adapter=ExecItems, items=ITEMS),
        ),
        _method(
            "teardown",
            "TeardownRequest",
            "TeardownResponse",
            required=True,
            adapt_result=_done,
        ),
    ),
)
