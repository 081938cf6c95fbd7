"""Memory stores: what agents remember."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.memory_store import (
    DeleteScopeRequest,
    DeleteScopeResponse,
    GetMemoryRequest,
    GetMemoryResponse,
    ListScopesRequest,
    ListScopesResponse,
    PutMemoryRequest,
    PutMemoryResponse,
    QueryMemoryRequest,
    QueryMemoryResponse,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "DeleteScopeRequest",
    "DeleteScopeResponse",
    "GetMemoryRequest",
    "GetMemoryResponse",
    "HealthReport",
    "ListScopesRequest",
    "ListScopesResponse",
    "MemoryStore",
    "PutMemoryRequest",
    "PutMemoryResponse",
    "QueryMemoryRequest",
    "QueryMemoryResponse",
]


@runtime_checkable
class MemoryStore(Protocol):
    """Also: `health`."""

    def put(self, params: PutMemoryRequest, ctx: CallContext) -> Any:
        """A `PutMemoryResponse`."""

    def get(self, params: GetMemoryRequest, ctx: CallContext) -> Any:
        """A `GetMemoryResponse`."""

    def query(self, params: QueryMemoryRequest, ctx: CallContext) -> Any:
        """A `QueryMemoryResponse`."""

    def list_scopes(self, params: ListScopesRequest, ctx: CallContext) -> Any:
        """A `ListScopesResponse`."""

    def delete_scope(self, params: DeleteScopeRequest, ctx: CallContext) -> Any:
        """A `DeleteScopeResponse`."""
