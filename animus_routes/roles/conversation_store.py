"""`conversation_store`: chat history, one process per call (no spec text; facts 11).

Each request has `project_root` and `repo_scope` next to its own keys. A message's `seq` belongs to
the client: (conversation, seq) is unique and never renumbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import MethodRow, Role, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered, ResultAdapter


def _empty(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """The answer says nothing about what was done, whatever the handler returns."""
    return {} if result is None or isinstance(result, (bool, list)) else result


def _found(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that there is no such conversation: the wire then leaves out `meta`."""
    return {} if result is None else result


def _method(verb: str, name: str, adapt: ResultAdapter | None = None, *returns: str) -> MethodRow:
    return MethodRow(
        f"conversation/{verb}",
        params=f"plugin.Conversation{name}Request",
        result=f"plugin.Conversation{name}Response",
        required=True,
        adapt_result=adapt,
        returns=returns,
    )


ROLE = Role(
    kind="conversation_store",
    crate_version="0.1.18",
    methods=(
        _method("create", "Create"),
        _method("load_meta", "LoadMeta", _found),
        _method("save_meta", "SaveMeta", _empty, "bool"),
        _method("append_message", "AppendMessage", _empty, "bool"),
        _method("load_messages", "LoadMessages", listed("messages"), "list"),
        _method("list", "List", listed("conversations"), "list"),
        _method("delete", "Delete", _empty, "bool"),
    ),
)
