"""The wire types of animus-notifier-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-notifier-protocol/_all.json sha256
  57ce53cb4d506dd9500b726592949d205bb824db9095f9a61d6c018aa00bb9e4
"""

from typing import Any

from pydantic import Field

from animus_routes.types._model import Bool, UInt32, UInt64, WireModel, is_null, new_list

__all__ = [
    "DaemonEventRecord",
    "NotifierFlushParams",
    "NotifierFlushResult",
    "NotifierLifecycleEvent",
    "NotifierNotifyParams",
    "NotifierNotifyResult",
    "NotifierSchema",
]


class DaemonEventRecord(WireModel):
    """One event of the daemon, as notifiers get it."""

    schema_: str = Field(validation_alias="schema", serialization_alias="schema")
    """Schema URI for the event payload (e.g. `"animus.daemon-event.v1"`)."""

    id: str
    """Globally-unique event id."""

    timestamp: str
    """RFC3339 timestamp the daemon stamped at emission."""

    event_type: str
    """Event kind (e.g. `"workflow_completed"`, `"task-state-change"`)."""

    data: Any
    """Free-form event payload."""

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Optional project root path this event is about."""

    seq: UInt64 = 0
    """Monotonic sequence number assigned by the daemon for this run."""


class NotifierFlushParams(WireModel):
    """Parameters for `notifier/flush`."""

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Optional project-root scoping. `None` means flush every project the plugin tracks."""


class NotifierLifecycleEvent(WireModel):
    """Lifecycle record emitted by a notifier plugin so the daemon can mirror it into
    operator-visible logs.
    """

    event_type: str
    """Event-type label, e.g. `"notification-delivery-enqueued"`."""

    data: Any
    """Free-form payload mirrored verbatim into `DaemonEventRecord.data`."""

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Project root the underlying event belonged to, if known."""


class NotifierFlushResult(WireModel):
    """Result for `notifier/flush`."""

    lifecycle_events: list[NotifierLifecycleEvent] = Field(default_factory=new_list)
    """Lifecycle records produced by the flush. Same shape as
    `NotifierNotifyResult.lifecycle_events`.
    """


class NotifierNotifyParams(WireModel):
    """Parameters for `notifier/notify`."""

    event: DaemonEventRecord
    """One daemon event record to forward."""


class NotifierNotifyResult(WireModel):
    """Result for `notifier/notify`.

    `accepted` reports whether the plugin took ownership of the event for at-least-one
    configured connector. `delivered` reports the number of successful synchronous deliveries
    (useful for telemetry; backends that only enqueue must set this to `0`). `lifecycle_events`
    carries best-effort lifecycle reporting (enqueued / sent / failed / dead-lettered) that the
    daemon can fan out into `events.jsonl` for operator visibility.
    """

    accepted: Bool
    """`true` if, and only if, at least one connector accepted the event for delivery."""

    delivered: UInt32 = 0
    """Number of deliveries the plugin completed synchronously."""

    lifecycle_events: list[NotifierLifecycleEvent] = Field(default_factory=new_list)
    """Optional lifecycle records (delivery-enqueued / sent / failed / dead-lettered) the daemon
    can fan out into `events.jsonl`.
    """


class NotifierSchema(WireModel):
    """Capability declaration returned by `notifier/schema`."""

    connector_kinds: list[str]
    """Free-form connector kinds this plugin can route to (e.g. `["webhook", "slack_webhook"]`).
    Workflows may use this to surface which transports are available.
    """

    supports_flush: Bool = False
    """Whether the plugin maintains its own outbox + background retry loop. When `true`, the daemon
    should call `notifier/flush` on its tick boundary; when `false`, the daemon should skip
    flush.
    """
