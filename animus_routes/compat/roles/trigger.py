"""Trigger backends: events from outside that start workflows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.plugin import TriggerEvent as WireTriggerEvent
from animus_routes.compat.types.generated.trigger import TriggerSchema

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = ["HealthReport", "TriggerBackend", "TriggerEvent", "TriggerSchema", "WireTriggerEvent"]


@dataclass
class TriggerEvent:
    """One event; what is None is not written."""

    event_id: str
    trigger_id: str | None = None
    subject_id: str | None = None
    subject_kind: str | None = None
    action_hint: str | None = None
    payload: Any = None


@runtime_checkable
class TriggerBackend(Protocol):
    """Also: `ack`, `schema`, `health`."""

    def watch(self, params: dict[str, Any], ctx: CallContext) -> Any:
        """An iterable of `TriggerEvent`, usually a generator."""
