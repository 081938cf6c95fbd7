"""Notifiers: the daemon's events to people and services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.notifier import (
    DaemonEventRecord,
    NotifierFlushParams,
    NotifierFlushResult,
    NotifierNotifyParams,
    NotifierNotifyResult,
    NotifierSchema,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "DaemonEventRecord",
    "HealthReport",
    "Notifier",
    "NotifierFlushParams",
    "NotifierFlushResult",
    "NotifierNotifyParams",
    "NotifierNotifyResult",
    "NotifierSchema",
]


@runtime_checkable
class Notifier(Protocol):
    """Also: `flush`, `schema`, `health`."""

    def notify(self, params: NotifierNotifyParams, ctx: CallContext) -> Any:
        """A `NotifierNotifyResult`."""
