"""The wire types of animus-log-storage-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-log-storage-protocol/_all.json sha256
  74085fe72495987fe8e7b9abf070fd080dde06ac02d465ea62e7a140da68f907
- schemas/additions/animus-log-storage-protocol.json sha256
  76668a268e5b585f4657cc1ec1d1117d4848e2da127e5918ca5d965ff4700c42
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.types._model import (
    Bool,
    Int64,
    Timestamp,
    TimestampOrNull,
    UInt64,
    WireModel,
    is_null,
)

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


class LogEntry(WireModel):
    """One structured log record persisted by a log storage backend.

    `LogEntry` is the unit of work for `log_storage/*` methods — the daemon produces them, the
    backend persists them, and operators query them. The `fields` value is opaque to the host
    and lets emitters attach structured key/value context (`request_id`, `subject_id`,
    `workflow_id`, ...) without stretching the fixed schema.
    """

    id: str
    """Backend-assigned unique id. UUID, ULID, monotonic timestamp, `(source, ts, hash(message))` —
    whatever the backend can dedupe on.
    """

    ts: Timestamp
    """When the upstream emitter produced the entry. Backends must preserve the original timestamp
    rather than overwriting with arrival time.
    """

    level: LogLevel
    """Severity level. Used both for filtering and for surfacing in operator UIs."""

    source: LogSource
    """What produced this entry — the daemon process, a plugin, the CLI, or an in-flight workflow
    run.
    """

    target: str
    """Where in a program the entry comes from, as a dotted path, such as
    `"plugin.animus-subject-linear.client"`. Stores may index it for globs.
    """

    message: str
    """Human-readable log message. Multi-line content is allowed; emitters should avoid stuffing
    entire JSON blobs here and use `fields` instead.
    """

    fields: Any = Field(default=None, exclude_if=is_null)
    """What else is known, by name; null if nothing is."""

    source_name: str | None = Field(default=None, exclude_if=is_null)
    """Free-form name disambiguating multiple emitters within a `LogSource`: plugin name
    (`"animus-subject-linear"`), workflow id, CLI command, etc. `None` is acceptable for source
    kinds with only one emitter.
    """


class LogQuery(WireModel):
    """Filter applied to `log_storage/query` and `log_storage/tail`.

    All fields are optional and combined with AND semantics. Backends must honor filters they
    advertise via `LogStorageSchema.supports_filtering` and may return -32001 for filters they
    can't apply — the daemon then filters in-process.
    """

    cursor: str | None = Field(default=None, exclude_if=is_null)
    """Opaque resume cursor returned by a prior `LogQueryResult.next_cursor`. Backends define the
    encoding.
    """

    follow: Bool = False
    """`true` = continue streaming new entries as they arrive (only meaningful for
    `log_storage/tail`). Default `false`.
    """

    limit: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Maximum number of entries to return from a single `log_storage/query` call. `None` means no
    caller-imposed limit; the backend may still enforce its own.
    """

    min_level: LogLevel | None = Field(default=None, exclude_if=is_null)
    """Minimum severity. Entries below this level are excluded."""

    since: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """Lower bound (inclusive) on `LogEntry.ts`."""

    source: LogSource | None = Field(default=None, exclude_if=is_null)
    """Match on `LogEntry.source`."""

    source_name: str | None = Field(default=None, exclude_if=is_null)
    """Exact-match against `LogEntry.source_name`."""

    target_glob: str | None = Field(default=None, exclude_if=is_null)
    """Glob pattern matched against `LogEntry.target`. Conventional glob semantics: `*` matches any
    run of non-`.` characters, `**` matches any run including `.`.
    """

    until: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """Upper bound (exclusive) on `LogEntry.ts`."""

    def matches(self, entry: LogEntry) -> bool:
        """Does it meet every condition?"""
        from animus_routes.matching import entry_matches

        return entry_matches(self, entry)


class LogQueryResult(WireModel):
    """One page of `LogEntry` records returned by `log_storage/query`.

    Backends that paginate set `next_cursor` to an opaque string the caller passes back as
    `LogQuery.cursor`. Backends that return everything in one shot leave it `None`.
    """

    entries: list[LogEntry]
    """Matched entries in chronological order (oldest first). Backends may reverse this for
    performance; if so, document it.
    """

    next_cursor: str | None = Field(default=None, exclude_if=is_null)
    """Opaque cursor for the next page, or `None` if exhausted."""


class SupportsFiltering(WireModel):
    """Server-side filter support advertised by `LogStorageSchema`.

    Fields default to `false`; backends opt into each filter they can apply natively. Filters
    the backend doesn't support are evaluated in-process by the daemon.
    """

    by_glob: Bool = False
    """Backend evaluates `LogQuery.target_glob` with full glob semantics. Implies (but does not
    require) `SupportsFiltering.by_target`.
    """

    by_level: Bool = False
    """Backend honors `LogQuery.min_level`."""

    by_source: Bool = False
    """Backend honors `LogQuery.source`."""

    by_target: Bool = False
    """Backend honors `LogQuery.target_glob` as an exact-target match (without the glob expansion).
    """

    by_time_range: Bool = False
    """Backend honors `LogQuery.since` and `LogQuery.until`."""


class LogStorageSchema(WireModel):
    """Capability declaration returned by `log_storage/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `log_storage/tail` for batch-only backends, or to know whether to apply filters in-process
    before/after sending the query.
    """

    supports_query: Bool = False
    """Backend implements `log_storage/query` for historical reads. If `false`, the backend is
    write-only (a sink); hosts must not call `query`.
    """

    supports_tail: Bool = False
    """Backend implements `log_storage/tail` for streaming reads."""

    supports_dedup: Bool
    """Backend deduplicates by `LogEntry.id`. Hosts may skip their own dedup table when this is
    `true`.
    """

    supports_filtering: SupportsFiltering
    """Which `LogQuery` filters the backend can evaluate server-side."""

    max_query_window: Int64 | None = Field(default=None, exclude_if=is_null)
    """The longest span of time that one query may cover, in milliseconds; `None` if the store
    names no limit.
    """

    retention_hint: Int64 | None = Field(default=None, exclude_if=is_null)
    """Typical retention period after which entries are evicted. Surfaced to operators so they
    understand how far back queries can reach.
    """


class LogStoreRequest(WireModel):
    """Request payload for `log_storage/store`: a batch, stored whole or not at all."""

    entries: list[LogEntry]
    """The entries, in the order they were emitted."""


class LogStoreResult(WireModel):
    """Response payload for `log_storage/store`."""

    stored: UInt64
    """How many entries are stored now; an entry whose id was known counts."""
