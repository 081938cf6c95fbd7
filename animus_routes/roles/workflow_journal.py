"""`workflow_journal`: runs, checkpoints and events of workflows (no spec text, no bundle)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import ErrorRow, Method, Role, agreeing

if TYPE_CHECKING:
    from animus_routes.routing import Registry


def _schema(_registry: Registry) -> dict[str, Any]:
    return {"supports_filtering": False}


def _flags(registry: Registry) -> dict[str, Any]:
    return {
        "supports_checkpoints": registry.has("journal/checkpoint_save"),
        "supports_events": registry.has("journal/events"),
    }


def _method(verb: str, params: str, result: str | None = None, *, required: bool = False) -> Method:
    return Method(
        f"journal/{verb}",
        params=f"workflow_journal.{params}",
        result=None if result is None else f"workflow_journal.{result}",
        required=required,
    )


ROLE = Role(
    kind="workflow_journal",
    crate="workflow_journal",
    crate_version="0.1.15",
    errors={"not_supported": ErrorRow(category="not_supported")},
    methods=(
        _method("save", "SaveParams", required=True),
        _method("load", "WorkflowIdParams", "LoadResult", required=True),
        _method("list", "JournalQuery", "ListResult", required=True),
        _method("query_ids", "JournalQuery", "QueryIdsResult", required=True),
        _method("delete", "WorkflowIdParams", required=True),
        _method("checkpoint_save", "CheckpointSaveParams"),
        _method("checkpoint_load", "CheckpointLoadParams", "CheckpointLoadResult"),
        _method("checkpoint_list", "WorkflowIdParams", "CheckpointListResult"),
        _method("checkpoint_prune", "CheckpointPruneParams"),
        _method("record", "RecordParams"),
        _method("events", "EventQuery", "EventsResult"),
        agreeing("journal/schema", "workflow_journal.JournalSchema", _schema, _flags),
    ),
)
