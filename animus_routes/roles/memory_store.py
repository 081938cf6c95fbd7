"""`memory_store`: scoped key-value memory with search (spec section 7.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import MethodRow, Role, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered, ResultAdapter


def _got(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that there is no such key."""
    return {"found": False} if result is None else result


def _deleted(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None means that it is gone, even if it was never there."""
    if result is None or isinstance(result, bool):
        return {"ack": result is not False}
    return result


def _method(
    verb: str,
    name: str,
    adapt: ResultAdapter | None = None,
    *returns: str,
    reads: bool = False,
) -> MethodRow:
    return MethodRow(
        f"memory/{verb}",
        params=f"memory_store.{name}Request",
        result=f"memory_store.{name}Response",
        required=True,
        reads=reads,
        adapt_result=adapt,
        returns=returns,
    )


ROLE = Role(
    kind="memory_store",
    crate_version="0.1.0",
    extra="memory_store.MemoryStoreCapabilities",
    methods=(
        _method("put", "PutMemory"),
        _method("get", "GetMemory", _got, reads=True),
        _method("query", "QueryMemory", listed("results"), "list", reads=True),
        _method("list_scopes", "ListScopes", listed("scopes"), "list", reads=True),
        _method("delete_scope", "DeleteScope", _deleted, "bool"),
    ),
)
