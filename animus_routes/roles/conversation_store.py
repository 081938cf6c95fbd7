"""`conversation_store`: chat history, one process per call (no spec text; facts 11, newer 3.4).

Each request has `project_root`, `repo_scope` and `tenant_id` next to its own keys. A message's `seq`
belongs to the client: (conversation, seq) is unique and never renumbered. Hosts send a message that
has a key only to a store that serves all of `conversation/operation_*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.errors import Mistake
from animus_routes.roles import MethodRow, Role, Together, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered, ResultAdapter

UNCLAIMED: Final = ("in_progress", "conflict")


def _empty(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """The answer says nothing about what was done, whatever the handler returns."""
    return {} if result is None or isinstance(result, (bool, list)) else result


def _found(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that there is no such conversation: the wire then leaves out `meta`."""
    return {} if result is None else result


def _begun(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """A claim was acquired, an operation is a replay; a word says why there is neither."""
    if isinstance(result, str):
        if result not in UNCLAIMED:
            raise Mistake(f"returned {result!r}: a word alone is 'in_progress' or 'conflict'")
        return {"outcome": result}
    if _has(result, "lease_token"):
        return {"outcome": "acquired", "claim": result}
    return {"outcome": "replay", "operation": result} if _has(result, "operation_id") else result


def _loaded(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that there is no such operation."""
    return {"operation": result} if _has(result, "operation_id") else result or {}


def _changed(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """Whether it was done; an operation is one that was changed."""
    if result is None:
        raise Mistake("returned None, but hosts want to know whether it was done: return a bool")
    if isinstance(result, bool):
        return {"changed": result}
    return {"changed": True, "operation": result} if _has(result, "operation_id") else result


def _has(result: Any, key: str) -> bool:
    return key in result if isinstance(result, dict) else hasattr(result, key)


def _method(
    verb: str,
    name: str,
    adapt: ResultAdapter | None = None,
    *returns: str,
    reads: bool = False,
) -> MethodRow:
    return MethodRow(
        f"conversation/{verb}",
        params=f"plugin.Conversation{name}Request",
        result=f"plugin.Conversation{name}Response",
        required=True,
        reads=reads,
        adapt_result=adapt,
        returns=returns,
    )


def _operation(
    verb: str,
    name: str,
    adapt: ResultAdapter = _changed,
    result: str = "Mutation",
    returns: tuple[str, ...] = ("bool", "ConversationOperation"),
    *,
    reads: bool = False,
) -> MethodRow:
    return MethodRow(
        f"conversation/operation_{verb}",
        params=f"plugin.ConversationOperation{name}Request",
        result=f"plugin.ConversationOperation{result}Response",
        strict=True,
        decoded=True,
        reads=reads,
        adapt_result=adapt,
        adapts_all=True,
        returns=returns,
    )


OPERATIONS: Final = (
    _operation(
        "begin",
        "Begin",
        _begun,
        "Begin",
        ("ConversationOperationClaim", "ConversationOperation", "str"),
    ),
    _operation("load", "Load", _loaded, "Load", ("ConversationOperation",), reads=True),
    _operation("renew", "Renew"),
    _operation("bind_execution", "BindExecution"),
    _operation("release", "Release"),
    _operation("accept_user", "AcceptUser"),
    _operation("terminalize", "Terminalize"),
)

ROLE = Role(
    kind="conversation_store",
    crate_version="0.1.18",
    together=(
        Together(
            methods=tuple(row.name for row in OPERATIONS),
            tokens=(
                "conversation_operations_shared_v1",
                "conversation_operation_fenced_append_v1",
            ),
        ),
    ),
    methods=(
        _method("create", "Create"),
        _method("load_meta", "LoadMeta", _found, reads=True),
        _method("save_meta", "SaveMeta", _empty, "bool"),
        _method("append_message", "AppendMessage", _empty, "bool"),
        _method("load_messages", "LoadMessages", listed("messages"), "list", reads=True),
        _method("list", "List", listed("conversations"), "list", reads=True),
        _method("delete", "Delete", _empty, "bool"),
        *OPERATIONS,
    ),
)
