"""`log_storage_backend`: log entries in batches, queried and followed (spec 7.4 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import MethodRow, Role, StreamRow, agreeing, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered


def _stored(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    """None or True means every entry of the batch; a number means that many."""
    if result is None or result is True:
        return {"stored": len(params.get("entries", ()))}
    return {"stored": int(result)} if isinstance(result, int) else result


def _schema(_registered: Registered) -> dict[str, Any]:
    return {
        "supports_dedup": False,
        "supports_filtering": {
            "by_glob": False,
            "by_level": False,
            "by_source": False,
            "by_target": False,
            "by_time_range": False,
        },
    }


def _flags(registered: Registered) -> dict[str, Any]:
    return {
        "supports_query": registered.has("log_storage/query"),
        "supports_tail": registered.has("log_storage/tail"),
    }


ROLE = Role(
    kind="log_storage_backend",
    notifications=("log_storage/event",),
    methods=(
        MethodRow(
            "log_storage/store",
            params="log_storage.LogStoreRequest",
            result="log_storage.LogStoreResult",
            required=True,
            adapt_result=_stored,
            adapts_all=True,
            returns=("int",),
        ),
        MethodRow(
            "log_storage/query",
            params="log_storage.LogQuery",
            result="log_storage.LogQueryResult",
            reads=True,
            adapt_result=listed("entries"),
            returns=("list",),
        ),
        MethodRow(
            "log_storage/tail",
            params="log_storage.LogQuery",
            reads=True,
            long_running=True,
            stream=StreamRow(
                "log_storage/event",
                key="entry",
                ack={"tailing": True},
                error_key="error",
                items={"log_storage/event": "log_storage.LogEntry"},
            ),
        ),
        agreeing("log_storage/schema", "log_storage.LogStorageSchema", _schema, _flags),
    ),
)
