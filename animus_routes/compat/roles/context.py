"""What a method knows of its call, and what `health` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import threading

    from animus_routes.compat.types.plugin_protocol import HealthStatus, RpcId
    from animus_routes.handlers.context import Context

__all__ = ["CallContext", "HealthReport"]


@dataclass
class CallContext:
    """One call.

    Attributes:
        request_id: The request's id.
        cancelled: Set once the call is cancelled; None in a context made by hand.
    """

    request_id: RpcId = None
    cancelled: threading.Event | None = None

    _context: ClassVar[Context | None] = None

    @property
    def context(self) -> Context:
        """The framework's own context, for everything that this one lacks.

        Raises:
            RuntimeError: This context was made by hand, for a test.
        """
        if self._context is None:
            raise RuntimeError("a context that was made by hand has no call of the framework's")
        return self._context


@dataclass
class HealthReport:
    """How a backend is; healthy unless it says otherwise. Its values are not checked."""

    status: HealthStatus | str = "healthy"
    last_error: str | None = None
    uptime_ms: int | None = None
    memory_usage_bytes: int | None = None
