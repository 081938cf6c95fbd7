"""The wire types of animus-channel-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-channel-protocol/_all.json sha256
  66aae28ab607153ed879074c94ac97a985daf318fe7a5bf9f58cd993909fbc0a
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from animus_routes.types._model import Bool, OrWord, WireModel, is_null

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


class ChannelScope(WireModel):
    """A ChannelScope on the wire."""

    model_config = ConfigDict(extra="forbid")

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


class ChannelDelivery(WireModel):
    """A ChannelDelivery on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: Annotated[ChannelVersion, OrWord("animus.channel.v1")] = Field(
        default="animus.channel.v1", validation_alias="schema", serialization_alias="schema"
    )

    scope: ChannelScope

    delivery_id: str

    state: ChannelDeliveryState

    error_code: str | None = Field(default=None, exclude_if=is_null)

    provider_message_id: str | None = Field(default=None, exclude_if=is_null)


class ChannelMessage(WireModel):
    """A ChannelMessage on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: ChannelVersion = Field(validation_alias="schema", serialization_alias="schema")

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


class ChannelReceiveResult(WireModel):
    """A ChannelReceiveResult on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: Annotated[ChannelVersion, OrWord("animus.channel.v1")] = Field(
        default="animus.channel.v1", validation_alias="schema", serialization_alias="schema"
    )

    duplicate: Bool


class ChannelSchema(WireModel):
    """A ChannelSchema on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: Annotated[ChannelVersion, OrWord("animus.channel.v1")] = Field(
        default="animus.channel.v1", validation_alias="schema", serialization_alias="schema"
    )

    providers: list[str]

    supports_text: Bool

    supports_media: Bool

    supports_templates: Bool

    supports_delivery_status: Bool

    supports_durable_receive: Bool


class ChannelSendParams(WireModel):
    """A ChannelSendParams on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: ChannelVersion = Field(validation_alias="schema", serialization_alias="schema")

    scope: ChannelScope

    delivery_id: str

    peer_id: str

    text: str

    reply_to: str | None = Field(default=None, exclude_if=is_null)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ChannelSendParams")


class ChannelStatusParams(WireModel):
    """A ChannelStatusParams on the wire."""

    model_config = ConfigDict(extra="forbid")

    schema_: ChannelVersion = Field(validation_alias="schema", serialization_alias="schema")

    scope: ChannelScope

    delivery_id: str

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ChannelStatusParams")
