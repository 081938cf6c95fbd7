"""`memory_store`: scoped key-value memory with search (spec section 7.8)."""

from animus_routes.roles import Method, Role


def _method(verb: str, name: str) -> Method:
    return Method(
        f"memory/{verb}",
        params=f"memory_store.{name}Request",
        result=f"memory_store.{name}Response",
        required=True,
    )


ROLE = Role(
    kind="memory_store",
    crate="memory_store",
    crate_version="0.1.0",
    extra="memory_store.MemoryStoreCapabilities",
    methods=(
        _method("put", "PutMemory"),
        _method("get", "GetMemory"),
        _method("query", "QueryMemory"),
        _method("list_scopes", "ListScopes"),
        _method("delete_scope", "DeleteScope"),
    ),
)
