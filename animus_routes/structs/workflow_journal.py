"""The wire types of animus-journal-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/additions/animus-journal-protocol.json sha256
  f634c0f1cb5927e9e03731025d8467952398e15e5115c3bcd2982e7817112f56
"""

from typing import Any, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import (
    Timestamp,
    TimestampOrBlank,
    UInt32,
    WireStruct,
    mend,
    null,
    timestamp,
    timestamp_or_null,
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


class CheckpointListResult(WireStruct, kw_only=True):
    """Result of `journal/checkpoint_list`."""

    checkpoint_nums: list[UInt32]
    """Numbers of the checkpoints that are kept."""


class CheckpointLoadParams(WireStruct, kw_only=True):
    """Params of `journal/checkpoint_load`."""

    workflow_id: str
    """Id of the workflow run."""

    checkpoint_num: UInt32
    """Number of the checkpoint within its run."""


class CheckpointLoadResult(WireStruct, kw_only=True):
    """Result of `journal/checkpoint_load`."""

    blob: Any = field(default_factory=null)
    """The checkpoint, or null when there is none. Always written."""


class CheckpointPruneParams(WireStruct, kw_only=True):
    """Params of `journal/checkpoint_prune`."""

    workflow_id: str
    """Id of the workflow run."""

    keep: UInt32
    """How many of the newest checkpoints stay."""


class CheckpointSaveParams(WireStruct, kw_only=True):
    """Params of `journal/checkpoint_save`."""

    workflow_id: str
    """Id of the workflow run."""

    checkpoint_num: UInt32
    """Number of the checkpoint within its run."""

    blob: Any
    """The checkpoint, opaque to the journal."""


class EventQuery(WireStruct, kw_only=True):
    """Params of `journal/events`: events that match everything given."""

    limit: UInt32 | None = None
    """Return no more events than this."""

    run_id: str | None = None
    """Match events of this run."""

    since: TimestampOrBlank | None = None
    """Match events at or after this time."""

    def __post_init__(self) -> None:
        try:
            if self.since is None or self.since > "":
                return
        except TypeError:
            pass
        mend(self, since=timestamp_or_null)


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


class JournalEvent(WireStruct, kw_only=True):
    """One event in the life of a run."""

    run_id: str
    """Id of the run."""

    kind: JournalEventKind
    """What happened."""

    ts: Timestamp
    """When it happened."""

    agent: str | None = None
    """Agent that it happened to."""

    detail: Any = None
    """Anything else. Omitted when null."""

    phase: str | None = None
    """Phase that it happened to."""

    status: str | None = None
    """Status after the event."""

    workflow_ref: str | None = None
    """Workflow that runs."""

    def __post_init__(self) -> None:
        try:
            if self.ts > "":
                return
        except TypeError:
            pass
        mend(self, ts=timestamp)


class EventsResult(WireStruct, kw_only=True):
    """Result of `journal/events`."""

    events: list[JournalEvent]
    """The matching events."""

    truncated: bool
    """True when more events match than were returned."""


class JournalQuery(WireStruct, kw_only=True):
    """Params of `journal/list` and `journal/query_ids`: runs that match everything given."""

    limit: UInt32 | None = None
    """Return no more runs than this."""

    status: list[str] = []
    """Match runs in one of these statuses."""

    updated_since: TimestampOrBlank | None = None
    """Match runs saved at or after this time."""

    workflow_ref: str | None = None
    """Match runs of this workflow."""

    def __post_init__(self) -> None:
        try:
            if self.updated_since is None or self.updated_since > "":
                return
        except TypeError:
            pass
        mend(self, updated_since=timestamp_or_null)


class JournalRun(WireStruct, kw_only=True):
    """A workflow run as the journal keeps it. The journal does not look inside `blob`."""

    workflow_id: str
    """Id of the workflow run."""

    status: str
    """Status of the run."""

    blob: Any
    """The run itself, opaque to the journal."""

    created_at: TimestampOrBlank | None = None
    """When the run was first saved."""

    kind: str | None = None
    """Kind of the run."""

    updated_at: TimestampOrBlank | None = None
    """When the run was last saved."""

    workflow_ref: str | None = None
    """Workflow that runs."""

    def __post_init__(self) -> None:
        try:
            if (
                (self.created_at is None or self.created_at > "")
                and (self.updated_at is None or self.updated_at > "")
            ):
                return
        except TypeError:
            pass
        mend(self, created_at=timestamp_or_null, updated_at=timestamp_or_null)


class JournalSchema(WireStruct, kw_only=True):
    """Capability declaration returned by `journal/schema`."""

    supports_checkpoints: bool
    """True when the checkpoint methods are implemented."""

    supports_events: bool
    """True when `journal/record` and `journal/events` are implemented."""

    supports_filtering: bool
    """True when the queries honour their filters."""


class ListResult(WireStruct, kw_only=True):
    """Result of `journal/list`."""

    runs: list[JournalRun]
    """The matching runs."""

    truncated: bool
    """True when more runs match than were returned."""


class LoadResult(WireStruct, kw_only=True):
    """Result of `journal/load`."""

    run: JournalRun | None = field(default_factory=null)
    """The run, or null when there is none. Always written."""


class QueryIdsResult(WireStruct, kw_only=True):
    """Result of `journal/query_ids`."""

    ids: list[str]
    """Ids of the matching runs."""

    truncated: bool
    """True when more runs match than were returned."""


class RecordParams(WireStruct, kw_only=True):
    """Params of `journal/record`."""

    event: JournalEvent
    """The event to keep."""


class SaveParams(WireStruct, kw_only=True):
    """Params of `journal/save`: insert the run, or replace the one with its id."""

    run: JournalRun
    """The run to keep."""


class WorkflowIdParams(WireStruct, kw_only=True):
    """Params of `journal/load`, `journal/delete` and `journal/checkpoint_list`."""

    workflow_id: str
    """Id of the workflow run."""
