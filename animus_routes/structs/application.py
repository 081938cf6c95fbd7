"""The wire types of animus-application-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-application-protocol/_all.json sha256
  010f063ecd8b315fb8d51f47589c083ff02169f1d65a23fb04288223e7235be0
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from animus_routes.structs._struct import UInt53, WireStruct, new_list

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
    Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9](\.?[A-Za-z0-9_-])*\.?\Z"),
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


class AllowedApplicationChatControls(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Allowed application control values projected by an authenticated portal.

    This is a transport shape only. The portal decides which values appear.
    """

    schema_: ApplicationChatControlsSchema = field(name="schema")
    """Exact controls schema discriminator."""

    approvals: list[bool] = field(default_factory=new_list)
    """Allowed approval selections."""

    permission_intent: list[ApplicationPermissionIntent] = field(default_factory=new_list)
    """Allowed permission intent selections."""

    profile_ref: list[ApplicationConfiguredRef] = field(default_factory=new_list)
    """Allowed canonical profile assertion."""

    reasoning_effort: list[ApplicationReasoningEffort] = field(default_factory=new_list)
    """Allowed reasoning effort selections."""

    skill_ref: list[ApplicationConfiguredRef] = field(default_factory=new_list)
    """Allowed configured skill references."""


class ApplicationChatControls(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Closed application controls envelope accepted by `animus chat send`."""

    schema_: ApplicationChatControlsSchema = field(name="schema")
    """Exact controls schema discriminator."""

    approvals: bool | UnsetType = UNSET
    """Request kernel-mediated approvals when authorized by the profile."""

    permission_intent: ApplicationPermissionIntent | UnsetType = UNSET
    """Requested provider-neutral permission intent."""

    profile_ref: ApplicationConfiguredRef | UnsetType = UNSET
    """Assertion of the conversation's canonical configured profile."""

    reasoning_effort: ApplicationReasoningEffort | UnsetType = UNSET
    """Requested reasoning effort."""

    skill_ref: ApplicationConfiguredRef | UnsetType = UNSET
    """Configured skill selected from the profile's authorized options."""


ApplicationChatErrorMessage: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]
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
    Meta(min_length=1, max_length=512, pattern=r"^[^\u0000-\u001F\u007F]+\Z"),
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


class UserMessageAccepted(
    WireStruct,
    kw_only=True,
    tag_field="type",
    tag="user_message_accepted",
    forbid_unknown_fields=True,
):
    """Canonical user row was durably accepted."""

    type: ClassVar[Literal["user_message_accepted"]] = "user_message_accepted"

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


class TurnCompleted(
    WireStruct, kw_only=True, tag_field="type", tag="turn_completed", forbid_unknown_fields=True
):
    """Assistant row was durably completed."""

    type: ClassVar[Literal["turn_completed"]] = "turn_completed"

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

    session_id: ApplicationProtocolString | None = None
    """Optional provider continuity pointer."""


class TurnFailed(
    WireStruct, kw_only=True, tag_field="type", tag="turn_failed", forbid_unknown_fields=True
):
    """User row is durable but assistant execution did not complete."""

    type: ClassVar[Literal["turn_failed"]] = "turn_failed"

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


ApplicationChatReceiptFrame: TypeAlias = (
    UserMessageAccepted
    | TurnCompleted
    | TurnFailed
)
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
