"""The wire types of animus-memory-store-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-memory-store-protocol/_all.json sha256
  0e421edca41cd64a3298c1444f065c2d09bb62699f44a0c878dabe5c1c538828
"""

from typing import Any

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt32,
    UInt64,
    WireStruct,
    mend,
    uint64_or_null,
)

__all__ = [
    "DeleteScopeRequest",
    "DeleteScopeResponse",
    "GetMemoryRequest",
    "GetMemoryResponse",
    "ListScopesRequest",
    "ListScopesResponse",
    "MemoryQueryResult",
    "MemoryScope",
    "MemoryStoreCapabilities",
    "PutMemoryRequest",
    "PutMemoryResponse",
    "QueryMemoryRequest",
    "QueryMemoryResponse",
]


class MemoryScope(WireStruct, kw_only=True):
    """Memory scope identifier. The scope id is derived by the plugin from these fields as a flat
    namespace. Project-wide memory: `project_id` only. Per-agent: `project_id` + `agent_id`.
    Per-task: `project_id` + `agent_id` + `task_id`.
    """

    project_id: str
    """Project identifier (required)."""

    agent_id: str | None = None
    """Optional agent identifier (per-agent or per-task scopes)."""

    task_id: str | None = None
    """Optional task identifier (per-task scopes only)."""


class DeleteScopeRequest(WireStruct, kw_only=True):
    """Request for `memory/delete_scope`."""

    scope: MemoryScope
    """Scope to delete."""


class DeleteScopeResponse(WireStruct, kw_only=True):
    """Response for `memory/delete_scope`."""

    ack: bool
    """`true` if the scope was deleted (or didn't exist; idempotent)."""


class GetMemoryRequest(WireStruct, kw_only=True):
    """Request for `memory/get`."""

    scope: MemoryScope
    """Scope to read from."""

    key: str
    """Exact key to look up."""


class GetMemoryResponse(WireStruct, kw_only=True):
    """Response for `memory/get`."""

    found: bool
    """`true` if, and only if, the key was found."""

    value: Any = None
    """The stored value, if found."""


class ListScopesRequest(WireStruct, kw_only=True):
    """Request for `memory/list_scopes`."""

    cursor: str | None = None
    """Cursor-based pagination. `None` for the first page."""

    page_size: UInt32 | None = None
    """Page size. Backends may clamp to their declared per-backend maximum. Defaults to 100 if
    unset.
    """

    project_id: str | None = None
    """If set, only return scopes under this project. Else return all scopes."""


class ListScopesResponse(WireStruct, kw_only=True):
    """Response for `memory/list_scopes`."""

    scopes: list[MemoryScope]
    """Returned scopes."""

    next_cursor: str | None = None
    """Cursor for the next page, or `None` if exhausted."""


class MemoryQueryResult(WireStruct, kw_only=True):
    """A single semantic query hit."""

    key: str
    """The key the value was stored under."""

    value: Any
    """The stored value."""

    score: float
    """Relevance score (backend-specific; higher is more relevant)."""


class MemoryStoreCapabilities(WireStruct, kw_only=True):
    """Capability flags for memory_store plugins."""

    max_query_top_k: UInt32 = field(default_factory=int)
    """Maximum `top_k` allowed on a query."""

    native_key_get: bool = field(default_factory=bool)
    """`true` if `memory/get` is O(1) exact-key. Zep: `false` (search-based fallback)."""

    native_ttl: bool = field(default_factory=bool)
    """`true` if the backend natively honors `ttl_secs`. Zep: `false`. SQLite-backed: `true`."""

    strong_consistency: bool = field(default_factory=bool)
    """`true` if put → query is immediately consistent. Zep: `false`."""


class PutMemoryRequest(WireStruct, kw_only=True):
    """Request for `memory/put`."""

    scope: MemoryScope
    """Target scope."""

    key: str
    """Key under which to store the value."""

    value: Any
    """Value to store (JSON)."""

    ttl_secs: UInt64 | None = None
    """Optional hint; backends may ignore. Backends must declare `native_ttl` in their
    capabilities; when false, the TTL is recorded in metadata only and the caller is responsible
    for eviction.
    """

    def __post_init__(self) -> None:
        try:
            if self.ttl_secs is None or self.ttl_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, ttl_secs=uint64_or_null)


class PutMemoryResponse(WireStruct, kw_only=True):
    """Response for `memory/put`."""

    ack: bool
    """`true` if the value was accepted."""

    indexed_immediately: bool
    """`true` if the backend has fully indexed the value and `query` is expected to find it
    immediately. `false` when ingestion is async (e.g., Zep). Callers needing read-after-write
    semantics must surface this.
    """

    record_id: str = ""
    """Backend-issued identifier for the stored entry. Useful for delete-by-id or audit. Empty
    string when the backend doesn't expose stable record ids.
    """


class QueryMemoryRequest(WireStruct, kw_only=True):
    """Request for `memory/query`."""

    scope: MemoryScope
    """Scope to search."""

    query: str
    """Natural-language query."""

    top_k: UInt32
    """Maximum results to return. Backends may clamp to their declared `max_query_top_k`
    capability.
    """


class QueryMemoryResponse(WireStruct, kw_only=True):
    """Response for `memory/query`."""

    results: list[MemoryQueryResult]
    """Top-k semantic matches in descending relevance."""
