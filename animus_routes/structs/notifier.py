"""The wire types of animus-notifier-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-notifier-protocol/_all.json sha256
  57ce53cb4d506dd9500b726592949d205bb824db9095f9a61d6c018aa00bb9e4
"""

from typing import Any

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt32,
    UInt64,
    WireStruct,
    mend,
    new_list,
    uint64,
)

__all__ = [
    "DaemonEventRecord",
    "NotifierFlushParams",
    "NotifierFlushResult",
    "NotifierLifecycleEvent",
    "NotifierNotifyParams",
    "NotifierNotifyResult",
    "NotifierSchema",
]


class DaemonEventRecord(WireStruct, kw_only=True):
    """One event of the daemon, as notifiers get it."""

    schema_: str = field(name="schema")
    """Schema URI for the event payload (e.g. `"animus.daemon-event.v1"`)."""

    id: str
    """Globally-unique event id."""

    timestamp: str
    """RFC3339 timestamp the daemon stamped at emission."""

    event_type: str
    """Event kind (e.g. `"workflow_completed"`, `"task-state-change"`)."""

    data: Any
    """Free-form event payload."""

    project_root: str | None = None
    """Optional project root path this event is about."""

    seq: UInt64 = field(default_factory=int)
    """Monotonic sequence number assigned by the daemon for this run."""

    def __post_init__(self) -> None:
        try:
            if self.seq <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, seq=uint64)


class NotifierFlushParams(WireStruct, kw_only=True):
    """Parameters for `notifier/flush`."""

    project_root: str | None = None
    """Optional project-root scoping. `None` means flush every project the plugin tracks."""


class NotifierLifecycleEvent(WireStruct, kw_only=True):
    """Lifecycle record emitted by a notifier plugin so the daemon can mirror it into
    operator-visible logs.
    """

    event_type: str
    """Event-type label, e.g. `"notification-delivery-enqueued"`."""

    data: Any
    """Free-form payload mirrored verbatim into `DaemonEventRecord.data`."""

    project_root: str | None = None
    """Project root the underlying event belonged to, if known."""


class NotifierFlushResult(WireStruct, kw_only=True):
    """Result for `notifier/flush`."""

    lifecycle_events: list[NotifierLifecycleEvent] = field(default_factory=new_list)
    """Lifecycle records produced by the flush. Same shape as
    `NotifierNotifyResult.lifecycle_events`.
    """


class NotifierNotifyParams(WireStruct, kw_only=True):
    """Parameters for `notifier/notify`."""

    event: DaemonEventRecord
    """One daemon event record to forward."""


class NotifierNotifyResult(WireStruct, kw_only=True):
    """Result for `notifier/notify`.

    `accepted` reports whether the plugin took ownership of the event for at-least-one
    configured connector. `delivered` reports the number of successful synchronous deliveries
    (useful for telemetry; backends that only enqueue must set this to `0`). `lifecycle_events`
    carries best-effort lifecycle reporting (enqueued / sent / failed / dead-lettered) that the
    daemon can fan out into `events.jsonl` for operator visibility.
    """

    accepted: bool
    """`true` if, and only if, at least one connector accepted the event for delivery."""

    delivered: UInt32 = field(default_factory=int)
    """Number of deliveries the plugin completed synchronously."""

    lifecycle_events: list[NotifierLifecycleEvent] = field(default_factory=new_list)
    """Optional lifecycle records (delivery-enqueued / sent / failed / dead-lettered) the daemon
    can fan out into `events.jsonl`.
    """


class NotifierSchema(WireStruct, kw_only=True):
    """Capability declaration returned by `notifier/schema`."""

    connector_kinds: list[str]
    """Free-form connector kinds this plugin can route to (e.g. `["webhook", "slack_webhook"]`).
    Workflows may use this to surface which transports are available.
    """

    supports_flush: bool = field(default_factory=bool)
    """Whether the plugin maintains its own outbox + background retry loop. When `true`, the daemon
    should call `notifier/flush` on its tick boundary; when `false`, the daemon should skip
    flush.
    """
