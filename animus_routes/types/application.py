"""The wire types of animus-application-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-application-protocol/_all.json sha256
  010f063ecd8b315fb8d51f47589c083ff02169f1d65a23fb04288223e7235be0
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UnsetType
from pydantic import ConfigDict, Field

from animus_routes.types._model import (
    Bool,
    Clearable,
    UInt53,
    WireModel,
    is_null,
    is_unset,
    new_list,
    unset,
)

__all__ = [
    "AllowedAction",
    "AllowedApplicationChatControls",
    "ApplicationChatControls",
    "ApplicationChatControlsSchema",
    "ApplicationChatErrorMessage",
    "ApplicationChatFailureStatus",
    "ApplicationChatReceiptFrame",
    "ApplicationChatSequence",
    "ApplicationChatTurnStatus",
    "ApplicationConfiguredRef",
    "ApplicationPermissionIntent",
    "ApplicationProtocolString",
    "ApplicationReasoningEffort",
    "ApplicationResourceKind",
    "CompletedStatus",
    "ResourceVisibility",
    "TurnCompleted",
    "TurnFailed",
    "UserAcceptedStatus",
    "UserMessageAccepted",
]


AllowedAction: TypeAlias = Literal[
    "read",
    "inspect",
    "launch",
    "stream",
    "send",
    "respond",
]
"""An action that a client may offer for a resource. The words are standardized here; they grant
nothing. The authenticated application decides which of them a caller gets for each resource.

- read: Read the resource projection.
- inspect: Inspect an agent's safe configuration projection.
- launch: Launch a workflow run from the resource.
- stream: Mint or consume a stream grant for a run.
- send: Send a message to a conversation.
- respond: Respond to an interaction.
"""


ApplicationPermissionIntent: TypeAlias = Literal[
    "default",
    "review",
    "auto_edit",
    "unrestricted",
]
"""Provider-neutral permission intent selected by an application.

- default: Inherit safe provider defaults.
- review: Review without broad edit permission.
- auto_edit: Permit ordinary automated edits.
- unrestricted: Request the profile's explicitly authorized unrestricted mode.
"""


ApplicationConfiguredRef: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9](\.?[A-Za-z0-9_-])*\.?$"),
]
"""A bounded reference to a server-configured agent profile or skill."""


ApplicationReasoningEffort: TypeAlias = Literal[
    "low",
    "medium",
    "high",
]
"""Application-safe reasoning effort requested from an authorized profile.

- low: Low reasoning effort.
- medium: Medium reasoning effort.
- high: High reasoning effort.
"""


ApplicationChatControlsSchema: TypeAlias = Literal[
    "animus.chat.application_controls.v1",
]
"""Stable schema discriminator for `ApplicationChatControls`.

- animus.chat.application_controls.v1: `animus.chat.application_controls.v1`.
"""


class AllowedApplicationChatControls(WireModel):
    """Allowed application control values projected by an authenticated portal.

    This is a transport shape only. The portal decides which values appear.
    """

    model_config = ConfigDict(extra="forbid")

    schema_: ApplicationChatControlsSchema = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    """Exact controls schema discriminator."""

    approvals: list[Bool] = Field(default_factory=new_list)
    """Allowed approval selections."""

    permission_intent: list[ApplicationPermissionIntent] = Field(default_factory=new_list)
    """Allowed permission intent selections."""

    profile_ref: list[ApplicationConfiguredRef] = Field(default_factory=new_list)
    """Allowed canonical profile assertion."""

    reasoning_effort: list[ApplicationReasoningEffort] = Field(default_factory=new_list)
    """Allowed reasoning effort selections."""

    skill_ref: list[ApplicationConfiguredRef] = Field(default_factory=new_list)
    """Allowed configured skill references."""


class ApplicationChatControls(WireModel):
    """Closed application controls envelope accepted by `animus chat send`."""

    model_config = ConfigDict(extra="forbid")

    schema_: ApplicationChatControlsSchema = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    """Exact controls schema discriminator."""

    approvals: Annotated[Bool | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Request kernel-mediated approvals when authorized by the profile."""

    permission_intent: Annotated[ApplicationPermissionIntent | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Requested provider-neutral permission intent."""

    profile_ref: Annotated[ApplicationConfiguredRef | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Assertion of the conversation's canonical configured profile."""

    reasoning_effort: Annotated[ApplicationReasoningEffort | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Requested reasoning effort."""

    skill_ref: Annotated[ApplicationConfiguredRef | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Configured skill selected from the profile's authorized options."""


ApplicationChatErrorMessage: TypeAlias = Annotated[str, Field(min_length=1, max_length=1024)]
"""Safe bounded diagnostic for a confirmed assistant failure receipt."""


ApplicationChatFailureStatus: TypeAlias = Literal[
    "assistant_failed",
    "assistant_interrupted",
]
"""Confirmed partial-success terminal status.

- assistant_failed: Provider or assistant execution failed.
- assistant_interrupted: Provider or assistant execution was interrupted.
"""


ApplicationProtocolString: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=512, pattern=r"^[^\u0000-\u001F\u007F]+$"),
]
"""A bounded, non-empty receipt identifier with no ASCII control characters."""


ApplicationChatSequence: TypeAlias = UInt53
"""A non-negative chat sequence exactly representable by JavaScript clients."""


UserAcceptedStatus: TypeAlias = Literal[
    "user_accepted",
]
"""Literal accepted-user status.

- user_accepted: `user_accepted`.
"""


class UserMessageAccepted(WireModel):
    """Canonical user row was durably accepted."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["user_message_accepted"] = "user_message_accepted"

    status: UserAcceptedStatus
    """Must be `user_accepted`."""

    conversation_id: ApplicationProtocolString
    """Conversation identity."""

    seq: ApplicationChatSequence
    """Canonical user-message sequence."""

    message_id: ApplicationProtocolString
    """Canonical user-message identity."""

    operation_id: ApplicationProtocolString
    """Durable operation identity."""


CompletedStatus: TypeAlias = Literal[
    "completed",
]
"""Literal completed-turn status.

- completed: `completed`.
"""


class TurnCompleted(WireModel):
    """Assistant row was durably completed."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["turn_completed"] = "turn_completed"

    status: CompletedStatus
    """Must be `completed`."""

    conversation_id: ApplicationProtocolString
    """Conversation identity."""

    seq: ApplicationChatSequence
    """Canonical assistant-message sequence."""

    message_id: ApplicationProtocolString
    """Canonical assistant-message identity."""

    user_seq: ApplicationChatSequence
    """Accepted user-message sequence."""

    user_message_id: ApplicationProtocolString
    """Accepted user-message identity."""

    operation_id: ApplicationProtocolString
    """Durable operation identity."""

    session_id: ApplicationProtocolString | None = Field(default=None, exclude_if=is_null)
    """Optional provider continuity pointer."""


class TurnFailed(WireModel):
    """User row is durable but assistant execution did not complete."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["turn_failed"] = "turn_failed"

    status: ApplicationChatFailureStatus
    """Confirmed partial-success status."""

    conversation_id: ApplicationProtocolString
    """Conversation identity."""

    user_seq: ApplicationChatSequence
    """Accepted user-message sequence."""

    user_message_id: ApplicationProtocolString
    """Accepted user-message identity."""

    operation_id: ApplicationProtocolString
    """Durable operation identity."""

    error_code: ApplicationProtocolString
    """Stable, non-sensitive failure code."""

    error_message: ApplicationChatErrorMessage
    """Safe bounded failure description."""


ApplicationChatReceiptFrame: TypeAlias = Annotated[
    UserMessageAccepted | TurnCompleted | TurnFailed,
    Field(discriminator="type"),
]
"""Exact durable JSONL receipt frames used by application chat callers."""


ApplicationChatTurnStatus: TypeAlias = Literal[
    "completed",
    "assistant_failed",
    "assistant_interrupted",
]
"""Terminal status carried by an application chat receipt.

- completed: Assistant message persisted successfully.
- assistant_failed: User message persisted but the provider failed.
- assistant_interrupted: User message persisted but the provider was interrupted.
"""


ApplicationResourceKind: TypeAlias = Literal[
    "agent",
    "chat",
    "workflow",
    "run",
    "subject",
    "queue_entry",
    "operation",
    "interaction",
]
"""Resource kinds exposed by the application projection boundary.

- agent: Configured agent profile.
- chat: Durable chat conversation.
- workflow: Workflow definition.
- run: Workflow execution.
- subject: Backend-owned subject.
- queue_entry: Queue entry.
- operation: Durable operation record.
- interaction: Human interaction request.
"""


ResourceVisibility: TypeAlias = Literal[
    "private",
    "org",
    "public",
]
"""Visibility vocabulary carried by application resource projections.

- private: Visible only through an explicit relationship or administration.
- org: Visible within the authenticated organization boundary.
- public: Publicly readable.
"""
