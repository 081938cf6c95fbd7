"""`channel_backend`: messages to and from people, over somebody's network (newer 3.7).

The plugin speaks to the provider; the host decides whose message it is and what is said. Which
tenant a message belongs to is what `scope` says, never the provider's payload. The rules of keeping
messages are in `animus_routes.batteries.channels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.errors import Mistake, NotFound
from animus_routes.roles import MethodRow, Role, agreeing
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from animus_routes.roles import Registered, ResultAdapter

VERSION: Final = "animus.channel.v1"
STATES: Final = ("queued", "sending", "accepted", "delivered", "read", "failed", "unknown")


def _received(result: Any, _params: dict[str, Any], _registered: Registered) -> Any:
    """Whether it is a duplicate is enough; None means that it is new."""
    if isinstance(result, bool | None):
        return {"schema": VERSION, "duplicate": bool(result)}
    return result


def _delivery(result: Any, params: dict[str, Any], _registered: Registered) -> Any:
    """A delivery's state is enough; None means that there is no such delivery."""
    asked = {
        "schema": VERSION,
        "scope": params.get("scope"),
        "delivery_id": params.get("delivery_id"),
    }
    if result is None:
        raise NotFound(f"delivery '{asked['delivery_id']}'")
    if isinstance(result, str) and result not in STATES:
        raise Mistake(f"returned {result!r}, which is none of the states {', '.join(STATES)}")
    given: dict[str, Any] = {"state": result} if isinstance(result, str) else to_builtins(result)
    for name, value in asked.items():
        if given.get(name, value) != value:
            raise Mistake(
                f"returned a delivery with another `{name}` than the one it was asked for"
            )
    return asked | given


def _schema(_registered: Registered) -> dict[str, Any]:
    return {
        "schema": VERSION,
        "providers": [],
        "supports_text": True,
        "supports_media": False,
        "supports_templates": False,
        "supports_durable_receive": False,
    }


def _flags(registered: Registered) -> dict[str, Any]:
    return {"supports_delivery_status": registered.has("channel/status")}


def _method(
    verb: str, params: str, result: str, adapt: ResultAdapter, *returns: str, reads: bool = False
) -> MethodRow:
    """What is sent beside the wire type's fields is refused, an actor included."""
    return MethodRow(
        f"channel/{verb}",
        params=f"channel.{params}",
        result=f"channel.{result}",
        required=True,
        reads=reads,
        strict=True,
        decoded=True,
        actor="",
        adapt_result=adapt,
        adapts_all=True,
        returns=returns,
    )


ROLE = Role(
    kind="channel_backend",
    methods=(
        agreeing("channel/schema", "channel.ChannelSchema", _schema, _flags),
        _method("receive", "ChannelMessage", "ChannelReceiveResult", _received, "bool"),
        _method("send", "ChannelSendParams", "ChannelDelivery", _delivery, "str"),
        _method("status", "ChannelStatusParams", "ChannelDelivery", _delivery, "str", reads=True),
    ),
)
