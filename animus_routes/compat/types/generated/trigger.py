"""The wire types of animus-trigger-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-trigger-protocol/_all.json sha256
  68d3760a1d0348c1757b90611d0af6a7ffb514970608be3af5624aa1aed2e2c3
"""

from typing import Any

from animus_routes.compat.types._model import GeneratedModel

__all__ = [
    "TriggerEvent",
    "TriggerSchema",
]


class TriggerEvent(GeneratedModel):
    """One event emitted by a trigger backend.

    Trigger backends produce these in response to external activity (a Slack mention, a webhook
    POST, a file change, a cron tick, ...). The daemon consumes the stream returned by
    `trigger/watch` and decides what to do with each event using configuration the workflow YAML
    declares — typically "enqueue this workflow" or "create this task".

    Backend-specific payload data lives in `TriggerEvent.payload` and is addressable from
    workflow YAML via templating (e.g. `{{trigger.payload.user}}`).
    """

    action_hint: str | None = None
    id: str
    kind: str
    occurred_at: str
    payload: Any
    subject_id: str | None = None


class TriggerSchema(GeneratedModel):
    """Capability declaration returned by `trigger/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `trigger/ack` calls for fire-and-forget backends, or to expose the set of event kinds to
    workflow authors so they can match on `kind`.
    """

    kinds: list[str]
    supports_ack: bool
    supports_dedup: bool
    supports_resume: bool
