"""`workflow_journal`: runs, checkpoints and events of workflows (no spec text, no bundle)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import ErrorRow, MethodRow, Role, agreeing, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered, ResultAdapter


def _schema(_registered: Registered) -> dict[str, Any]:
    return {"supports_filtering": False}


def _flags(registered: Registered) -> dict[str, Any]:
    return {
        "supports_checkpoints": registered.has("journal/checkpoint_save"),
        "supports_events": registered.has("journal/events"),
    }


def _absent(key: str) -> ResultAdapter:
    """None means that there is none, which is a null on the wire."""

    def absent(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
        return {key: None} if result is None else result

    return absent


def _method(
    verb: str,
    params: str,
    result: str | None = None,
    adapt: ResultAdapter | None = None,
    *returns: str,
    required: bool = False,
    reads: bool = False,
) -> MethodRow:
    return MethodRow(
        f"journal/{verb}",
        params=f"workflow_journal.{params}",
        result=None if result is None else f"workflow_journal.{result}",
        required=required,
        reads=reads,
        adapt_result=adapt,
        returns=returns,
    )


_RUNS = listed("runs", truncated=False)
_IDS = listed("ids", truncated=False)
_EVENTS = listed("events", truncated=False)
_NUMBERS = listed("checkpoint_nums")


ROLE = Role(
    kind="workflow_journal",
    crate_version="0.1.15",
    errors={"not_supported": ErrorRow(category="not_supported")},
    methods=(
        _method("save", "SaveParams", required=True),
        _method(
            "load", "WorkflowIdParams", "LoadResult", _absent("run"), required=True, reads=True
        ),
        _method("list", "JournalQuery", "ListResult", _RUNS, "list", required=True, reads=True),
        _method(
            "query_ids", "JournalQuery", "QueryIdsResult", _IDS, "list", required=True, reads=True
        ),
        _method("delete", "WorkflowIdParams", required=True),
        _method("checkpoint_save", "CheckpointSaveParams"),
        _method(
            "checkpoint_load",
            "CheckpointLoadParams",
            "CheckpointLoadResult",
            _absent("blob"),
            reads=True,
        ),
        _method(
            "checkpoint_list",
            "WorkflowIdParams",
            "CheckpointListResult",
            _NUMBERS,
            "list",
            reads=True,
        ),
        _method("checkpoint_prune", "CheckpointPruneParams"),
        _method("record", "RecordParams"),
        _method("events", "EventQuery", "EventsResult", _EVENTS, "list", reads=True),
        agreeing(
            "journal/schema", "workflow_journal.JournalSchema", _schema, _flags, required=False
        ),
    ),
)
