"""`transport_backend`: makes the daemon reachable over a network (spec section 13).

The listener belongs to the author's lifespan; `transport/start` answers when it is bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import ErrorRow, MethodRow, Role, agreeing
from animus_routes.timestamps import now

if TYPE_CHECKING:
    from animus_routes.roles import Registered


def _started(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """An address alone is enough: it started now."""
    info: Any = {"bound_addr": result} if isinstance(result, str) else result
    untimed = isinstance(result, str | dict) and not info.get("started_at")
    return {**info, "started_at": now()} if untimed else info


def _stopped(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None or a bool is enough."""
    return {"shutdown": True} if result is None or isinstance(result, bool) else result


def _schema(_registered: Registered) -> dict[str, Any]:
    return {"kinds": [], "supports_streaming": False, "supports_websocket": False}


def _no_flags(_registered: Registered) -> dict[str, Any]:
    return {}


ROLE = Role(
    kind="transport_backend",
    errors={"permission_denied": ErrorRow(code=-32603)},
    methods=(
        MethodRow(
            "transport/start",
            params="transport.TransportConfig",
            result="transport.TransportInfo",
            required=True,
            adapt_result=_started,
            adapts_all=True,
            returns=("str",),
        ),
        MethodRow(
            "transport/shutdown",
            required=True,
            adapt_result=_stopped,
            default=lambda _registered: {"shutdown": True},
        ),
        agreeing("transport/schema", "transport.TransportSchema", _schema, _no_flags),
    ),
)
