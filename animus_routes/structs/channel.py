"""The wire types of animus-channel-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-channel-protocol/_all.json sha256
  66aae28ab607153ed879074c94ac97a985daf318fe7a5bf9f58cd993909fbc0a
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import WireStruct, mend

__all__ = [
    "ChannelDelivery",
    "ChannelDeliveryState",
    "ChannelMessage",
    "ChannelReceiveResult",
    "ChannelSchema",
    "ChannelScope",
    "ChannelSendParams",
    "ChannelStatusParams",
    "ChannelVersion",
]


ChannelVersion: TypeAlias = Literal[
    "animus.channel.v1",
]


def _animus_channel_v1() -> ChannelVersion:
    return "animus.channel.v1"


def _animus_channel_v1_or(value: ChannelVersion | Literal[""]) -> ChannelVersion:
    return value or "animus.channel.v1"


if TYPE_CHECKING:
    _ChannelVersionOrBlank: TypeAlias = ChannelVersion
else:
    _ChannelVersionOrBlank = Literal[ChannelVersion, ""]


class ChannelScope(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelScope on the wire."""

    tenant_id: str

    connection_id: str


ChannelDeliveryState: TypeAlias = Literal[
    "queued",
    "sending",
    "accepted",
    "delivered",
    "read",
    "failed",
    "unknown",
]


class ChannelDelivery(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelDelivery on the wire."""

    schema_: _ChannelVersionOrBlank = field(default_factory=_animus_channel_v1, name="schema")

    scope: ChannelScope

    delivery_id: str

    state: ChannelDeliveryState

    error_code: str | None = None

    provider_message_id: str | None = None

    def __post_init__(self) -> None:
        try:
            if self.schema_:
                return
        except TypeError:
            pass
        mend(self, schema_=_animus_channel_v1_or)


class ChannelMessage(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelMessage on the wire."""

    schema_: ChannelVersion = field(name="schema")

    scope: ChannelScope

    message_id: str

    peer_id: str

    occurred_at: str

    text: str

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ChannelMessage")


class ChannelReceiveResult(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelReceiveResult on the wire."""

    schema_: _ChannelVersionOrBlank = field(default_factory=_animus_channel_v1, name="schema")

    duplicate: bool

    def __post_init__(self) -> None:
        try:
            if self.schema_:
                return
        except TypeError:
            pass
        mend(self, schema_=_animus_channel_v1_or)


class ChannelSchema(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelSchema on the wire."""

    schema_: _ChannelVersionOrBlank = field(default_factory=_animus_channel_v1, name="schema")

    providers: list[str]

    supports_text: bool

    supports_media: bool

    supports_templates: bool

    supports_delivery_status: bool

    supports_durable_receive: bool

    def __post_init__(self) -> None:
        try:
            if self.schema_:
                return
        except TypeError:
            pass
        mend(self, schema_=_animus_channel_v1_or)


class ChannelSendParams(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelSendParams on the wire."""

    schema_: ChannelVersion = field(name="schema")

    scope: ChannelScope

    delivery_id: str

    peer_id: str

    text: str

    reply_to: str | None = None

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ChannelSendParams")


class ChannelStatusParams(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """A ChannelStatusParams on the wire."""

    schema_: ChannelVersion = field(name="schema")

    scope: ChannelScope

    delivery_id: str

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ChannelStatusParams")
