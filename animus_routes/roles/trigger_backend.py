"""`trigger_backend`: events from outside that start workflows (spec sections 7.3 and 11).

The daemon ignores an error answer to `trigger/watch`, and the error event that the protocol has
for a watch that breaks. So a watch that fails ends the process, and the daemon's supervisor
restarts it, with growing pauses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.roles import MethodRow, Role, StreamRow, agreeing

if TYPE_CHECKING:
    from animus_routes.roles import Registered


def _acked(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    if result is None or isinstance(result, bool):
        return {"event_id": params.get("event_id"), "acked": result is not False}
    return result


def _schema(_registered: Registered) -> dict[str, Any]:
    return {"kinds": [], "supports_resume": False, "supports_dedup": False}


def _flags(registered: Registered) -> dict[str, Any]:
    return {"supports_ack": registered.has("trigger/ack")}


ROLE = Role(
    kind="trigger_backend",
    notifications=("trigger/event",),
    methods=(
        MethodRow(
            "trigger/watch",
            params="plugin.TriggerWatchParams",
            required=True,
            long_running=True,
            stream=StreamRow(
                "trigger/event",
                key="",
                ack={"watching": True},
                error_key="error",
                fatal=True,
            ),
        ),
        MethodRow(
            "trigger/ack",
            params="plugin.TriggerAckParams",
            one_way=True,
            adapt_result=_acked,
            returns=("bool",),
        ),
        agreeing("trigger/schema", "trigger.TriggerSchema", _schema, _flags),
    ),
)
