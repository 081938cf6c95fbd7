"""The wire types of animus-journal-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/additions/animus-journal-protocol.json sha256
  f634c0f1cb5927e9e03731025d8467952398e15e5115c3bcd2982e7817112f56
"""

from operator import not_
from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.types._model import (
    Bool,
    Timestamp,
    TimestampOrNull,
    UInt32,
    WireModel,
    is_null,
    new_list,
)

__all__ = [
    "CheckpointListResult",
    "CheckpointLoadParams",
    "CheckpointLoadResult",
    "CheckpointPruneParams",
    "CheckpointSaveParams",
    "EventQuery",
    "EventsResult",
    "JournalEvent",
    "JournalEventKind",
    "JournalQuery",
    "JournalRun",
    "JournalSchema",
    "ListResult",
    "LoadResult",
    "QueryIdsResult",
    "RecordParams",
    "SaveParams",
    "WorkflowIdParams",
]


class CheckpointListResult(WireModel):
    """Result of `journal/checkpoint_list`."""

    checkpoint_nums: list[UInt32]
    """Numbers of the checkpoints that are kept."""


class CheckpointLoadParams(WireModel):
    """Params of `journal/checkpoint_load`."""

    workflow_id: str
    """Id of the workflow run."""

    checkpoint_num: UInt32
    """Number of the checkpoint within its run."""


class CheckpointLoadResult(WireModel):
    """Result of `journal/checkpoint_load`."""

    blob: Any = None
    """The checkpoint, or null when there is none. Always written."""


class CheckpointPruneParams(WireModel):
    """Params of `journal/checkpoint_prune`."""

    workflow_id: str
    """Id of the workflow run."""

    keep: UInt32
    """How many of the newest checkpoints stay."""


class CheckpointSaveParams(WireModel):
    """Params of `journal/checkpoint_save`."""

    workflow_id: str
    """Id of the workflow run."""

    checkpoint_num: UInt32
    """Number of the checkpoint within its run."""

    blob: Any
    """The checkpoint, opaque to the journal."""


class EventQuery(WireModel):
    """Params of `journal/events`: events that match everything given."""

    limit: UInt32 | None = Field(default=None, exclude_if=is_null)
    """Return no more events than this."""

    run_id: str | None = Field(default=None, exclude_if=is_null)
    """Match events of this run."""

    since: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """Match events at or after this time."""


JournalEventKind: TypeAlias = Literal[
    "run_started",
    "phase_started",
    "phase_completed",
    "run_completed",
    "run_failed",
]
"""What happened to a run.

- run_started: The run began.
- phase_started: A phase began.
- phase_completed: A phase ended.
- run_completed: The run ended well.
- run_failed: The run ended badly.
"""


class JournalEvent(WireModel):
    """One event in the life of a run."""

    run_id: str
    """Id of the run."""

    kind: JournalEventKind
    """What happened."""

    ts: Timestamp
    """When it happened."""

    agent: str | None = Field(default=None, exclude_if=is_null)
    """Agent that it happened to."""

    detail: Any = Field(default=None, exclude_if=is_null)
    """Anything else. Omitted when null."""

    phase: str | None = Field(default=None, exclude_if=is_null)
    """Phase that it happened to."""

    status: str | None = Field(default=None, exclude_if=is_null)
    """Status after the event."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow that runs."""


class EventsResult(WireModel):
    """Result of `journal/events`."""

    events: list[JournalEvent]
    """The matching events."""

    truncated: Bool
    """True when more events match than were returned."""


class JournalQuery(WireModel):
    """Params of `journal/list` and `journal/query_ids`: runs that match everything given."""

    limit: UInt32 | None = Field(default=None, exclude_if=is_null)
    """Return no more runs than this."""

    status: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Match runs in one of these statuses."""

    updated_since: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """Match runs saved at or after this time."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Match runs of this workflow."""


class JournalRun(WireModel):
    """A workflow run as the journal keeps it. The journal does not look inside `blob`."""

    workflow_id: str
    """Id of the workflow run."""

    status: str
    """Status of the run."""

    blob: Any
    """The run itself, opaque to the journal."""

    created_at: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """When the run was first saved."""

    kind: str | None = Field(default=None, exclude_if=is_null)
    """Kind of the run."""

    updated_at: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """When the run was last saved."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow that runs."""


class JournalSchema(WireModel):
    """Capability declaration returned by `journal/schema`."""

    supports_checkpoints: Bool
    """True when the checkpoint methods are implemented."""

    supports_events: Bool
    """True when `journal/record` and `journal/events` are implemented."""

    supports_filtering: Bool
    """True when the queries honour their filters."""


class ListResult(WireModel):
    """Result of `journal/list`."""

    runs: list[JournalRun]
    """The matching runs."""

    truncated: Bool
    """True when more runs match than were returned."""


class LoadResult(WireModel):
    """Result of `journal/load`."""

    run: JournalRun | None = None
    """The run, or null when there is none. Always written."""


class QueryIdsResult(WireModel):
    """Result of `journal/query_ids`."""

    ids: list[str]
    """Ids of the matching runs."""

    truncated: Bool
    """True when more runs match than were returned."""


class RecordParams(WireModel):
    """Params of `journal/record`."""

    event: JournalEvent
    """The event to keep."""


class SaveParams(WireModel):
    """Params of `journal/save`: insert the run, or replace the one with its id."""

    run: JournalRun
    """The run to keep."""


class WorkflowIdParams(WireModel):
    """Params of `journal/load`, `journal/delete` and `journal/checkpoint_list`."""

    workflow_id: str
    """Id of the workflow run."""
