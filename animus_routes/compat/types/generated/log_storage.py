"""The wire types of animus-log-storage-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-log-storage-protocol/_all.json sha256
  74085fe72495987fe8e7b9abf070fd080dde06ac02d465ea62e7a140da68f907
- schemas/additions/animus-log-storage-protocol.json sha256
  76668a268e5b585f4657cc1ec1d1117d4848e2da127e5918ca5d965ff4700c42
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, Int64, UInt64

__all__ = [
    "LogEntry",
    "LogLevel",
    "LogQuery",
    "LogQueryResult",
    "LogSource",
    "LogStorageSchema",
    "LogStoreRequest",
    "LogStoreResult",
    "SupportsFiltering",
]


LogLevel: TypeAlias = Literal[
    "trace",
    "debug",
    "info",
    "warn",
    "error",
]
"""How severe an entry is. A store may drop what is below a level that it is configured with.

- trace: Highest-volume, lowest-priority. Used for fine-grained instrumentation.
- debug: Debug-level diagnostic detail. Off by default in production.
- info: Routine informational messages.
- warn: Recoverable problem the operator should know about.
- error: Failure that prevented the requested work from completing.
"""


LogSource: TypeAlias = Literal[
    "daemon",
    "plugin",
    "cli",
    "workflow",
]
"""What produced a `LogEntry`.

The set is closed — every emitter in the Animus protocol maps to one of these four buckets.
Disambiguate finer-grained emitters via `LogEntry.source_name`.

- daemon: The Animus daemon process itself.
- plugin: A plugin process (subject backend, provider, trigger, log storage, ...). Use
  `LogEntry.source_name` to name the specific plugin.
- cli: A short-lived CLI invocation. Use `LogEntry.source_name` to name the command (`"queue
  list"`, `"workflow run"`, ...).
- workflow: An in-flight workflow run. Use `LogEntry.source_name` to carry the workflow id.
"""


class LogEntry(GeneratedModel):
    """One structured log record persisted by a log storage backend.

    `LogEntry` is the unit of work for `log_storage/*` methods — the daemon produces them, the
    backend persists them, and operators query them. The `fields` value is opaque to the host
    and lets emitters attach structured key/value context (`request_id`, `subject_id`,
    `workflow_id`, ...) without stretching the fixed schema.
    """

    fields_: Any = Field(alias="fields", default=None)
    id: str
    level: LogLevel
    message: str
    source: LogSource
    source_name: str | None = None
    target: str
    ts: str


class LogQuery(GeneratedModel):
    """Filter applied to `log_storage/query` and `log_storage/tail`.

    All fields are optional and combined with AND semantics. Backends must honor filters they
    advertise via `LogStorageSchema.supports_filtering` and may return -32001 for filters they
    can't apply — the daemon then filters in-process.
    """

    cursor: str | None = None
    follow: bool | None = None
    limit: UInt64 | None = None
    min_level: LogLevel | None = None
    since: str | None = None
    source: LogSource | None = None
    source_name: str | None = None
    target_glob: str | None = None
    until: str | None = None


class LogQueryResult(GeneratedModel):
    """One page of `LogEntry` records returned by `log_storage/query`.

    Backends that paginate set `next_cursor` to an opaque string the caller passes back as
    `LogQuery.cursor`. Backends that return everything in one shot leave it `None`.
    """

    entries: list[LogEntry]
    next_cursor: str | None = None


class SupportsFiltering(GeneratedModel):
    """Server-side filter support advertised by `LogStorageSchema`.

    Fields default to `false`; backends opt into each filter they can apply natively. Filters
    the backend doesn't support are evaluated in-process by the daemon.
    """

    by_glob: bool | None = None
    by_level: bool | None = None
    by_source: bool | None = None
    by_target: bool | None = None
    by_time_range: bool | None = None


class LogStorageSchema(GeneratedModel):
    """Capability declaration returned by `log_storage/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `log_storage/tail` for batch-only backends, or to know whether to apply filters in-process
    before/after sending the query.
    """

    max_query_window: Int64 | None = None
    retention_hint: Int64 | None = None
    supports_dedup: bool
    supports_filtering: SupportsFiltering
    supports_query: bool
    supports_tail: bool


class LogStoreRequest(GeneratedModel):
    """Request payload for `log_storage/store`: a batch, stored whole or not at all."""

    entries: list[LogEntry]


class LogStoreResult(GeneratedModel):
    """Response payload for `log_storage/store`."""

    stored: UInt64
