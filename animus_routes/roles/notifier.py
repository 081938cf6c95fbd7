"""`notifier`: daemon events to people and services (spec sections 7.9 and 12.5).

The host calls `notifier/flush` on every tick, whatever the schema says, so it is always answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import MethodRow, Role, agreeing, listed

if TYPE_CHECKING:
    from animus_routes.roles import Registered


def _schema(_registered: Registered) -> dict[str, Any]:
    return {"connector_kinds": []}


def _flags(registered: Registered) -> dict[str, Any]:
    return {"supports_flush": registered.has("notifier/flush")}


def _accepted(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """None and True mean accepted, False that no connector took it."""
    accepted = result is None or bool(result)
    bare: Any = {"accepted": accepted, "delivered": 0, "lifecycle_events": []}
    return bare if result is None or isinstance(result, bool) else result


ROLE = Role(
    kind="notifier",
    crate_version="0.1.0",
    methods=(
        MethodRow(
            "notifier/notify",
            params="notifier.NotifierNotifyParams",
            result="notifier.NotifierNotifyResult",
            required=True,
            adapt_result=_accepted,
            returns=("bool",),
        ),
        MethodRow(
            "notifier/flush",
            params="notifier.NotifierFlushParams",
            result="notifier.NotifierFlushResult",
            adapt_result=listed("lifecycle_events"),
            returns=("list",),
            default=lambda _registered: {"lifecycle_events": []},
            advertised=False,
        ),
        agreeing("notifier/schema", "notifier.NotifierSchema", _schema, _flags),
    ),
)
