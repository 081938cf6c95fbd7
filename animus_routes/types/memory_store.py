"""The wire types of animus-memory-store-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-memory-store-protocol/_all.json sha256
  0e421edca41cd64a3298c1444f065c2d09bb62699f44a0c878dabe5c1c538828
"""

from operator import not_
from typing import Any

from pydantic import Field

from animus_routes.types._model import Bool, Float, UInt32, UInt64, WireModel, is_null

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


class MemoryScope(WireModel):
    """Memory scope identifier. The scope id is derived by the plugin from these fields as a flat
    namespace. Project-wide memory: `project_id` only. Per-agent: `project_id` + `agent_id`.
    Per-task: `project_id` + `agent_id` + `task_id`.
    """

    project_id: str
    """Project identifier (required)."""

    agent_id: str | None = Field(default=None, exclude_if=is_null)
    """Optional agent identifier (per-agent or per-task scopes)."""

    task_id: str | None = Field(default=None, exclude_if=is_null)
    """Optional task identifier (per-task scopes only)."""


class DeleteScopeRequest(WireModel):
    """Request for `memory/delete_scope`."""

    scope: MemoryScope
    """Scope to delete."""


class DeleteScopeResponse(WireModel):
    """Response for `memory/delete_scope`."""

    ack: Bool
    """`true` if the scope was deleted (or didn't exist; idempotent)."""


class GetMemoryRequest(WireModel):
    """Request for `memory/get`."""

    scope: MemoryScope
    """Scope to read from."""

    key: str
    """Exact key to look up."""


class GetMemoryResponse(WireModel):
    """Response for `memory/get`."""

    found: Bool
    """`true` if, and only if, the key was found."""

    value: Any = Field(default=None, exclude_if=is_null)
    """The stored value, if found."""


class ListScopesRequest(WireModel):
    """Request for `memory/list_scopes`."""

    cursor: str | None = Field(default=None, exclude_if=is_null)
    """Cursor-based pagination. `None` for the first page."""

    page_size: UInt32 | None = Field(default=None, exclude_if=is_null)
    """Page size. Backends may clamp to their declared per-backend maximum. Defaults to 100 if
    unset.
    """

    project_id: str | None = Field(default=None, exclude_if=is_null)
    """If set, only return scopes under this project. Else return all scopes."""


class ListScopesResponse(WireModel):
    """Response for `memory/list_scopes`."""

    scopes: list[MemoryScope]
    """Returned scopes."""

    next_cursor: str | None = Field(default=None, exclude_if=is_null)
    """Cursor for the next page, or `None` if exhausted."""


class MemoryQueryResult(WireModel):
    """A single semantic query hit."""

    key: str
    """The key the value was stored under."""

    value: Any
    """The stored value."""

    score: Float
    """Relevance score (backend-specific; higher is more relevant)."""


class MemoryStoreCapabilities(WireModel):
    """Capability flags for memory_store plugins."""

    max_query_top_k: UInt32 = 0
    """Maximum `top_k` allowed on a query."""

    native_key_get: Bool = False
    """`true` if `memory/get` is O(1) exact-key. Zep: `false` (search-based fallback)."""

    native_ttl: Bool = False
    """`true` if the backend natively honors `ttl_secs`. Zep: `false`. SQLite-backed: `true`."""

    strong_consistency: Bool = False
    """`true` if put → query is immediately consistent. Zep: `false`."""


class PutMemoryRequest(WireModel):
    """Request for `memory/put`."""

    scope: MemoryScope
    """Target scope."""

    key: str
    """Key under which to store the value."""

    value: Any
    """Value to store (JSON)."""

    ttl_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional hint; backends may ignore. Backends must declare `native_ttl` in their
    capabilities; when false, the TTL is recorded in metadata only and the caller is responsible
    for eviction.
    """


class PutMemoryResponse(WireModel):
    """Response for `memory/put`."""

    ack: Bool
    """`true` if the value was accepted."""

    indexed_immediately: Bool
    """`true` if the backend has fully indexed the value and `query` is expected to find it
    immediately. `false` when ingestion is async (e.g., Zep). Callers needing read-after-write
    semantics must surface this.
    """

    record_id: str = Field(default="", exclude_if=not_)
    """Backend-issued identifier for the stored entry. Useful for delete-by-id or audit. Empty
    string when the backend doesn't expose stable record ids.
    """


class QueryMemoryRequest(WireModel):
    """Request for `memory/query`."""

    scope: MemoryScope
    """Scope to search."""

    query: str
    """Natural-language query."""

    top_k: UInt32
    """Maximum results to return. Backends may clamp to their declared `max_query_top_k`
    capability.
    """


class QueryMemoryResponse(WireModel):
    """Response for `memory/query`."""

    results: list[MemoryQueryResult]
    """Top-k semantic matches in descending relevance."""
