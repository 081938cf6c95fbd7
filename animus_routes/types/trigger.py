"""The wire types of animus-trigger-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-trigger-protocol/_all.json sha256
  68d3760a1d0348c1757b90611d0af6a7ffb514970608be3af5624aa1aed2e2c3
"""

from typing import Any

from pydantic import Field

from animus_routes.types._model import Bool, Timestamp, WireModel, is_null

__all__ = [
    "TriggerEvent",
    "TriggerSchema",
]


class TriggerEvent(WireModel):
    """One event emitted by a trigger backend.

    Trigger backends produce these in response to external activity (a Slack mention, a webhook
    POST, a file change, a cron tick, ...). The daemon consumes the stream returned by
    `trigger/watch` and decides what to do with each event using configuration the workflow YAML
    declares — typically "enqueue this workflow" or "create this task".

    Backend-specific payload data lives in `TriggerEvent.payload` and is addressable from
    workflow YAML via templating (e.g. `{{trigger.payload.user}}`).
    """

    id: str
    """Stable identifier for this event. Used for deduplication if the daemon restarts and the
    backend redelivers from its journal, and as the argument to `trigger/ack`.

    Backends that cannot produce a stable id (e.g. timer-based triggers) should synthesize one
    from `(kind, occurred_at, payload-hash)` so duplicates collapse.
    """

    occurred_at: Timestamp
    """When it happened; now if the source does not say."""

    kind: str
    """What kind of trigger fired. Convention is `"<backend>_<event>"`, e.g. `"slack_mention"`,
    `"slack_channel_message"`, `"github_webhook_push"`, `"file_changed"`, `"cron_tick"`. The
    daemon treats the value as opaque; workflows match on it.
    """

    payload: Any
    """Free-form payload describing the event. Schema is trigger-specific and documented by each
    backend's plugin.
    """

    action_hint: str | None = Field(default=None, exclude_if=is_null)
    """Optional hint about what the daemon should do (e.g. `"run-workflow:review"`,
    `"create-task"`). Workflows may ignore this — it is an advisory field, not a routing
    decision.
    """

    subject_id: str | None = Field(default=None, exclude_if=is_null)
    """Optional subject id (e.g. `"linear:ENG-123"`) this event is about, if the backend can
    resolve one. Lets workflows correlate triggers with subject backends without re-querying.
    """


class TriggerSchema(WireModel):
    """Capability declaration returned by `trigger/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `trigger/ack` calls for fire-and-forget backends, or to expose the set of event kinds to
    workflow authors so they can match on `kind`.
    """

    kinds: list[str]
    """Event kinds this backend can emit. Examples: `["slack_mention", "slack_channel_message"]`,
    `["github_webhook_push", "github_webhook_pull_request"]`, `["cron_tick"]`.
    """

    supports_resume: Bool
    """Whether the backend can resume a subscription after a host restart (i.e. honors a delivery
    cursor). Backends without resume support re-emit events from the moment `trigger/watch` is
    called.
    """

    supports_dedup: Bool
    """Whether the backend deduplicates events across restarts by emitting the same
    `TriggerEvent.id` for a re-seen event. Hosts use this to decide whether to maintain their
    own dedup table.
    """

    supports_ack: Bool = False
    """Whether the backend honors `trigger/ack`. Backends without ack support return -32001 from
    `trigger/ack`; hosts then skip the call.
    """
