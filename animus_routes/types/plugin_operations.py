"""The wire types of animus-plugin-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-plugin-protocol/_all.json sha256
  90f834fe09aea9f8cb56eca57d7fe6e8c3e08e4cd2bbc01cc6a30a804672da20
- schemas/additions/animus-plugin-protocol.json sha256
  f3fe8b633ca7af5f88da7eb98854fc0d3a91b5fd4d240adbd83f7430ef9358a8
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from animus_routes.types._model import Bool, Int64, UInt64, WireModel, is_null

__all__ = [
    "ConversationOperation",
    "ConversationOperationAcceptUserRequest",
    "ConversationOperationBeginOutcome",
    "ConversationOperationBeginRequest",
    "ConversationOperationBeginResponse",
    "ConversationOperationBindExecutionRequest",
    "ConversationOperationClaim",
    "ConversationOperationKey",
    "ConversationOperationLoadRequest",
    "ConversationOperationLoadResponse",
    "ConversationOperationMutationResponse",
    "ConversationOperationReleaseRequest",
    "ConversationOperationRenewRequest",
    "ConversationOperationStatus",
    "ConversationOperationTerminalizeRequest",
]


_Text1To128: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]


_Token1To128: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$"),
]


ConversationOperationStatus: TypeAlias = Literal[
    "pending",
    "user_accepted",
    "completed",
    "assistant_failed",
    "assistant_interrupted",
]
"""Durable lifecycle state for an idempotent application chat send."""


class ConversationOperation(WireModel):
    """Canonical durable operation state. Lease credentials are returned only on an acquired begin
    and are not part of replay/load receipts.
    """

    operation_id: str

    conversation_id: str

    caller_key: str

    user_message_id: str

    assistant_message_id: str

    status: ConversationOperationStatus

    assistant_seq: UInt64 | None = Field(default=None, exclude_if=is_null)

    error_code: str | None = Field(default=None, exclude_if=is_null)

    error_message: str | None = Field(default=None, exclude_if=is_null)

    execution_hash: str | None = Field(default=None, exclude_if=is_null)

    user_seq: UInt64 | None = Field(default=None, exclude_if=is_null)


class ConversationOperationAcceptUserRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    user_seq: UInt64

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


ConversationOperationBeginOutcome: TypeAlias = Literal[
    "acquired",
    "replay",
    "in_progress",
    "conflict",
]


class ConversationOperationBeginRequest(WireModel):
    """Fields common to every conversation-store request: tenant, project, and repository identity
    a shared backend partitions on. Flattened into each request so the wire payload stays flat.
    """

    conversation_id: str

    caller_key: _Token1To128

    request_hash: str

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationClaim(WireModel):
    """Lease-bearing claim returned only to the host that owns shared authority."""

    operation_id: str

    conversation_id: str

    caller_key: str

    user_message_id: str

    assistant_message_id: str

    status: ConversationOperationStatus

    lease_token: str

    lease_expires_at: Int64

    assistant_seq: UInt64 | None = Field(default=None, exclude_if=is_null)

    error_code: str | None = Field(default=None, exclude_if=is_null)

    error_message: str | None = Field(default=None, exclude_if=is_null)

    execution_hash: str | None = Field(default=None, exclude_if=is_null)

    recovered: Bool = False

    user_seq: UInt64 | None = Field(default=None, exclude_if=is_null)


class ConversationOperationBeginResponse(WireModel):
    """A ConversationOperationBeginResponse on the wire."""

    outcome: ConversationOperationBeginOutcome

    claim: ConversationOperationClaim | None = Field(default=None, exclude_if=is_null)

    operation: ConversationOperation | None = Field(default=None, exclude_if=is_null)


class ConversationOperationBindExecutionRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    execution_hash: str

    allow_rebind: Bool = False
    """Rebinding is permitted only for a reclaimed pending lease before canonical user acceptance;
    ordinary claims may only bind once.
    """

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationKey(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationLoadRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationLoadResponse(WireModel):
    """A ConversationOperationLoadResponse on the wire."""

    operation: ConversationOperation | None = Field(default=None, exclude_if=is_null)


class ConversationOperationMutationResponse(WireModel):
    """A ConversationOperationMutationResponse on the wire."""

    changed: Bool

    operation: ConversationOperation | None = Field(default=None, exclude_if=is_null)


class ConversationOperationReleaseRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationRenewRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    as_user: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationTerminalizeRequest(WireModel):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    status: ConversationOperationStatus

    as_user: str | None = Field(default=None, exclude_if=is_null)

    assistant_seq: UInt64 | None = Field(default=None, exclude_if=is_null)

    error_code: str | None = Field(default=None, exclude_if=is_null)

    error_message: str | None = Field(default=None, exclude_if=is_null)

    project_root: str | None = Field(default=None, exclude_if=is_null)
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = Field(default=None, exclude_if=is_null)
    """Repository scope id."""

    tenant_id: _Text1To128 | None = Field(default=None, exclude_if=is_null)
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ConversationOperationTerminalizeRequest")
