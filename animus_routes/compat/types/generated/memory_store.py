"""The wire types of animus-memory-store-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-memory-store-protocol/_all.json sha256
  0e421edca41cd64a3298c1444f065c2d09bb62699f44a0c878dabe5c1c538828
"""

from typing import Any

from animus_routes.compat.types._model import GeneratedModel, UInt32, UInt64

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


class MemoryScope(GeneratedModel):
    """Memory scope identifier. The scope id is derived by the plugin from these fields as a flat
    namespace. Project-wide memory: `project_id` only. Per-agent: `project_id` + `agent_id`.
    Per-task: `project_id` + `agent_id` + `task_id`.
    """

    agent_id: str | None = None
    project_id: str
    task_id: str | None = None


class DeleteScopeRequest(GeneratedModel):
    """Request for `memory/delete_scope`."""

    scope: MemoryScope


class DeleteScopeResponse(GeneratedModel):
    """Response for `memory/delete_scope`."""

    ack: bool


class GetMemoryRequest(GeneratedModel):
    """Request for `memory/get`."""

    key: str
    scope: MemoryScope


class GetMemoryResponse(GeneratedModel):
    """Response for `memory/get`."""

    found: bool
    value: Any = None


class ListScopesRequest(GeneratedModel):
    """Request for `memory/list_scopes`."""

    cursor: str | None = None
    page_size: UInt32 | None = None
    project_id: str | None = None


class ListScopesResponse(GeneratedModel):
    """Response for `memory/list_scopes`."""

    next_cursor: str | None = None
    scopes: list[MemoryScope]


class MemoryQueryResult(GeneratedModel):
    """A single semantic query hit."""

    key: str
    score: float
    value: Any


class MemoryStoreCapabilities(GeneratedModel):
    """Capability flags for memory_store plugins."""

    max_query_top_k: UInt32 | None = None
    native_key_get: bool | None = None
    native_ttl: bool | None = None
    strong_consistency: bool | None = None


class PutMemoryRequest(GeneratedModel):
    """Request for `memory/put`."""

    key: str
    scope: MemoryScope
    ttl_secs: UInt64 | None = None
    value: Any


class PutMemoryResponse(GeneratedModel):
    """Response for `memory/put`."""

    ack: bool
    indexed_immediately: bool
    record_id: str | None = None


class QueryMemoryRequest(GeneratedModel):
    """Request for `memory/query`."""

    query: str
    scope: MemoryScope
    top_k: UInt32


class QueryMemoryResponse(GeneratedModel):
    """Response for `memory/query`."""

    results: list[MemoryQueryResult]
