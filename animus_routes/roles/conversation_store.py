"""`conversation_store`: chat history, one process per call (no spec text; facts 11).

`project_root` and `repo_scope` stand flat beside each request's own keys. `seq` of a message is
the client's: (conversation, seq) is unique and never renumbered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import Method, Role

if TYPE_CHECKING:
    from animus_routes.routing import Registry


def _empty(result: Any, _params: dict[str, Any], _registry: Registry) -> Any:
    return result if isinstance(result, dict) else {}


def _method(verb: str, name: str, *, void: bool = False) -> Method:
    return Method(
        f"conversation/{verb}",
        params=f"plugin.Conversation{name}Request",
        result=f"plugin.Conversation{name}Response",
        required=True,
        adapt_result=_empty if void else None,
        returns=("bool",) if void else (),
    )


ROLE = Role(
    kind="conversation_store",
    crate="plugin",
    crate_version="0.1.17",
    methods=(
        _method("create", "Create"),
        _method("load_meta", "LoadMeta"),
        _method("save_meta", "SaveMeta", void=True),
        _method("append_message", "AppendMessage", void=True),
        _method("load_messages", "LoadMessages"),
        _method("list", "List"),
        _method("delete", "Delete", void=True),
    ),
)
