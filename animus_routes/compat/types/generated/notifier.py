"""The wire types of animus-notifier-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-notifier-protocol/_all.json sha256
  57ce53cb4d506dd9500b726592949d205bb824db9095f9a61d6c018aa00bb9e4
"""

from typing import Any

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, UInt32, UInt64, new_list

__all__ = [
    "DaemonEventRecord",
    "NotifierFlushParams",
    "NotifierFlushResult",
    "NotifierLifecycleEvent",
    "NotifierNotifyParams",
    "NotifierNotifyResult",
    "NotifierSchema",
]


class DaemonEventRecord(GeneratedModel):
    """One event of the daemon, as notifiers get it."""

    data: Any
    event_type: str
    id: str
    project_root: str | None = None
    schema_: str = Field(alias="schema")
    seq: UInt64 | None = None
    timestamp: str


class NotifierFlushParams(GeneratedModel):
    """Parameters for `notifier/flush`."""

    project_root: str | None = None


class NotifierLifecycleEvent(GeneratedModel):
    """Lifecycle record emitted by a notifier plugin so the daemon can mirror it into
    operator-visible logs.
    """

    data: Any
    event_type: str
    project_root: str | None = None


class NotifierFlushResult(GeneratedModel):
    """Result for `notifier/flush`."""

    lifecycle_events: list[NotifierLifecycleEvent] = Field(default_factory=new_list)


class NotifierNotifyParams(GeneratedModel):
    """Parameters for `notifier/notify`."""

    event: DaemonEventRecord


class NotifierNotifyResult(GeneratedModel):
    """Result for `notifier/notify`.

    `accepted` reports whether the plugin took ownership of the event for at-least-one
    configured connector. `delivered` reports the number of successful synchronous deliveries
    (useful for telemetry; backends that only enqueue must set this to `0`). `lifecycle_events`
    carries best-effort lifecycle reporting (enqueued / sent / failed / dead-lettered) that the
    daemon can fan out into `events.jsonl` for operator visibility.
    """

    accepted: bool
    delivered: UInt32 | None = None
    lifecycle_events: list[NotifierLifecycleEvent] = Field(default_factory=new_list)


class NotifierSchema(GeneratedModel):
    """Capability declaration returned by `notifier/schema`."""

    connector_kinds: list[str]
    supports_flush: bool
