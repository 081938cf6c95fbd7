"""`trigger_backend`: events from outside that start workflows (spec sections 7.3 and 11).

The daemon ignores an error answer to `trigger/watch`, and the error event that the protocol has
for a watch that breaks. So a watch that fails ends the process, and the daemon's supervisor
restarts it, with growing pauses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.roles import MethodRow, Role, StreamRow, agreeing
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from animus_routes.roles import Registered


# The trigger crate's spelling of what hosts know.
HINTS: Final = {"create-task": "create_task", "run-workflow": "run_workflow"}


def _acked(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    if result is None or isinstance(result, bool):
        return {"event_id": params.get("event_id"), "acked": result is not False}
    return result


def _event(item: Any) -> Any:
    """An event that names itself `id`, as the trigger crate's own type does.

    Hosts look for `event_id`, and drop what has none. What else the form has, `kind` and
    `occurred_at`, goes out beside it.
    """
    older = hasattr(item, "occurred_at") and not hasattr(item, "event_id")
    found = cast("dict[str, Any]", to_builtins(item) if older else item)
    if type(found) is not dict or "id" not in found or "event_id" in found:  # a type, as it is
        return item
    hint = found.get("action_hint")
    rest = {name: value for name, value in found.items() if name != "id"}
    if hint in HINTS:
        rest["action_hint"] = HINTS[hint]
    return {"event_id": found["id"], **rest}


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
                items={"trigger/event": "plugin.TriggerEvent"},
                adapt_item=_event,
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
