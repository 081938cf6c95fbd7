"""Log storage backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.log_storage import (
    LogEntry,
    LogLevel,
    LogQuery,
    LogQueryResult,
    LogSource,
    LogStorageSchema,
    SupportsFiltering,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "HealthReport",
    "LogEntry",
    "LogLevel",
    "LogQuery",
    "LogQueryResult",
    "LogSource",
    "LogStorageBackend",
    "LogStorageSchema",
    "SupportsFiltering",
]


@runtime_checkable
class LogStorageBackend(Protocol):
    """Also: `query`, `tail`, `schema`, `health`."""

    def store(self, params: dict[str, Any], ctx: CallContext) -> Any:
        """What became of `params["entries"]`: `{"stored": 3}`."""
