"""`environment`: prepared places where commands run (no spec text; facts 11, newer 3.5).

A handler of `exec_stream` yields its output, as `ExecOutput` or `("stdout", text)`, and returns
the exit code or an `ExecResponse`; what the response leaves out is filled in from what was yielded.
If the output would not fit into a frame, its end is kept: the host has already seen the rest.

A handler of `exec_session` yields journal events, and returns the session's status or an
`ExecSessionResponse`; an async one yields the latter last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.errors import Mistake
from animus_routes.roles import MethodRow, Role, StreamRow, listed
from animus_routes.roles.kept import Tail
from animus_routes.roles.proof import with_fence
from animus_routes.timestamps import now
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
    """One `exec_stream` call (see `roles.ItemAdapter`)."""

    def __init__(self, params: dict[str, Any], _request_id: Any) -> None:
        self._handle_id = _handle_id(params)
        self.names: set[str] = set()
        self._texts = {name: Tail(KEPT_CHARS) for name in ("stdout", "stderr")}

    def frame(self, item: Any) -> tuple[str, Any]:
        """Output by default."""
        given = _fields(item)
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


class SessionItems:
    """One `exec_session` call (see `roles.ItemAdapter`)."""

    def __init__(self, params: dict[str, Any], _request_id: Any) -> None:
        self._params = params
        self._handle_id = _handle_id(params)
        self._workflow_id: Any = params.get("workflow_id")
        self._ended: Any = None
        self._result: dict[str, Any] | None = None
        self.names: set[str] = set()

    def frame(self, item: Any) -> tuple[str, Any] | None:
        """What has an `event_kind` is a journal event; the response is none."""
        if self._result is not None:
            raise Mistake("yielded something after its ExecSessionResponse, which comes last")
        given = _fields(item)
        kind = given.get("kind") or ("journal" if "event_kind" in given else "output")
        if "kind" not in given and kind == "output" and "status" in given:
            self._result = given
            return None
        params = {"kind": kind, "handle_id": self._handle_id, **given}
        if kind == "journal":
            params = self._journal(params)
        return NOTIFICATIONS[kind], params

    def _journal(self, params: dict[str, Any]) -> dict[str, Any]:
        self._workflow_id = params.get("workflow_id") or self._workflow_id
        if self._workflow_id is not None:
            params["workflow_id"] = self._workflow_id
        if params.get("terminal"):
            self._ended = params.get("status")
        return {"ts": now(), "payload": {}, **params}

    def complete(self, result: Any) -> Any:
        """An `ExecSessionResponse`, with the fence that came in."""
        found = self._result if result is None else result
        if found is None:
            found = self._ended
        if found is None:
            raise Mistake("returned nothing: return the session's status or an ExecSessionResponse")
        given: dict[str, Any] = {"status": found} if isinstance(found, str) else to_builtins(found)
        if self._workflow_id is not None:
            given = {"workflow_id": self._workflow_id, **given}
        return with_fence(given, self._params)

    def farewell(self) -> None:
        """Nothing is said before a cancelled call's answer."""


def _handle_id(params: dict[str, Any]) -> Any:
    handle = params.get("handle")
    return cast("dict[str, Any]", handle).get("id", "") if isinstance(handle, dict) else ""


def _fields(item: Any) -> dict[str, Any]:
    """An item's fields; a pair is a stream and its text."""
    if isinstance(item, tuple):
        return dict(zip(("stream", "text"), cast("tuple[str, str]", item), strict=True))
    found: dict[str, Any] = to_builtins(item)
    return found


def _done(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """A teardown has nothing to say."""
    return result or {}


def _node(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that there is no such node, which is a null on the wire."""
    return {"node": result} if result is None or _has(result, "orphan") else result


def _gone(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    """The ids that were deleted; True means the one that was asked for."""
    if isinstance(result, bool | None):
        result = [params.get("id")] if result else []
    return (
        {"deleted": list(cast("list[str]", result))} if isinstance(result, list | tuple) else result
    )


def _reaped(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    """The ids that were deleted, and whether that was only a question."""
    deleted = result is None or isinstance(result, list | tuple)
    given: dict[str, Any] = {"deleted": [*(result or ())]} if deleted else to_builtins(result)
    return {**given, "dry_run": bool(params.get("dry_run"))}


def _has(result: Any, key: str) -> bool:
    return key in result if isinstance(result, dict) else hasattr(result, key)


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
        _method(
            "exec_session",
            "ExecSessionRequest",
            "ExecSessionResponse",
            long_running=True,
            strict=True,
            decoded=True,
            stream=StreamRow("environment/journal", adapter=SessionItems, items=ITEMS),
            returns=("str",),
        ),
        _method(
            "teardown",
            "TeardownRequest",
            "TeardownResponse",
            required=True,
            adapt_result=_done,
        ),
        _method(
            "list",
            "ListNodesRequest",
            "ListNodesResponse",
            decoded=True,
            reads=True,
            adapt_result=listed("nodes"),
            returns=("list",),
        ),
        _method(
            "get",
            "GetNodeRequest",
            "GetNodeResponse",
            decoded=True,
            reads=True,
            adapt_result=_node,
            adapts_all=True,
            returns=("EnvironmentNode",),
        ),
        _method(
            "teardown_node",
            "TeardownNodeRequest",
            "TeardownNodeResponse",
            decoded=True,
            adapt_result=_gone,
            returns=("list", "bool"),
        ),
        _method(
            "reap",
            "ReapRequest",
            "ReapResponse",
            decoded=True,
            adapt_result=_reaped,
            adapts_all=True,
            returns=("list",),
        ),
    ),
)
