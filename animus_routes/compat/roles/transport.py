"""Transports: the daemon over a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import HealthReport
from animus_routes.compat.types.generated.transport import (
    TransportConfig,
    TransportInfo,
    TransportSchema,
)

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext

__all__ = [
    "HealthReport",
    "TransportBackend",
    "TransportConfig",
    "TransportInfo",
    "TransportSchema",
]


@runtime_checkable
class TransportBackend(Protocol):
    """Also: `shutdown`, `schema`, `health`."""

    def start(self, params: TransportConfig, ctx: CallContext) -> Any:
        """A `TransportInfo`."""
