"""What a channel decides about messages it has seen and deliveries under way, whatever it keeps them in.

An inbound message is known by its scope and `message_id`, an outbound one by its connection and
`delivery_id`. Keep `content_of` with each, in the same transaction as the message itself, and before
anything goes over the network. Both families of wire types are taken.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import json

from animus_routes.errors import InvalidRequest
from animus_routes.values.codecs import to_builtins

__all__ = ["State", "advanced", "content_of", "is_duplicate", "is_final", "key_of"]

State = Literal["queued", "sending", "accepted", "delivered", "read", "failed", "unknown"]

# A delivery only goes on from left to right. What nobody knows may turn out either way, and is never
# sent again by itself; what has failed or was read stays so.
ORDER: Final[dict[State, int]] = {
    "queued": 0,
    "sending": 1,
    "unknown": 2,
    "accepted": 3,
    "delivered": 4,
    "read": 5,
    "failed": 5,
}


def key_of(message: Any) -> tuple[str, str, str]:
    """What a message is known by: tenant, connection, and its own id.

    Args:
        message: A `ChannelMessage`, `ChannelSendParams` or `ChannelStatusParams`.
    """
    own: str | None = getattr(message, "message_id", None)
    return (
        message.scope.tenant_id,
        message.scope.connection_id,
        message.delivery_id if own is None else own,
    )


def content_of(message: Any) -> str:
    """What two messages of one key have to have in common: everything.

    Args:
        message: A `ChannelMessage` or `ChannelSendParams`.
    """
    return json.encode(to_builtins(message), order="sorted").decode()


def is_duplicate(message: Any, kept: str | None) -> bool:
    """Was this very message taken before?

    Args:
        message: A `ChannelMessage` or `ChannelSendParams`.
        kept: What is kept under its key, of `content_of`; None = nothing.

    Raises:
        InvalidRequest: Another one was, under the same key.
    """
    if kept is None:
        return False
    if kept != content_of(message):
        raise InvalidRequest(f"'{key_of(message)[2]}' is the id of a message with other content")
    return True


def advanced(state: State, told: State) -> State:
    """The state of a delivery after news of it; older news changes nothing.

    Args:
        state: As it is kept.
        told: What the provider says now, in any order and as often as it likes.
    """
    return told if ORDER[told] > ORDER[state] else state


def is_final(state: State) -> bool:
    """Will no news change it any more?"""
    return state in {"read", "failed"}
