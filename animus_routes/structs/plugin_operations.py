"""The wire types of animus-plugin-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-plugin-protocol/_all.json sha256
  90f834fe09aea9f8cb56eca57d7fe6e8c3e08e4cd2bbc01cc6a30a804672da20
- schemas/additions/animus-plugin-protocol.json sha256
  f3fe8b633ca7af5f88da7eb98854fc0d3a91b5fd4d240adbd83f7430ef9358a8
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from animus_routes.structs._struct import (
    MAX_UINT64,
    Int64,
    UInt64,
    WireStruct,
    mend,
    uint64,
    uint64_or_null,
)

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


_Text1To128: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]


_Token1To128: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+\Z"),
]


ConversationOperationStatus: TypeAlias = Literal[
    "pending",
    "user_accepted",
    "completed",
    "assistant_failed",
    "assistant_interrupted",
]
"""Durable lifecycle state for an idempotent application chat send."""


class ConversationOperation(WireStruct, kw_only=True):
    """Canonical durable operation state. Lease credentials are returned only on an acquired begin
    and are not part of replay/load receipts.
    """

    operation_id: str

    conversation_id: str

    caller_key: str

    user_message_id: str

    assistant_message_id: str

    status: ConversationOperationStatus

    assistant_seq: UInt64 | None = None

    error_code: str | None = None

    error_message: str | None = None

    execution_hash: str | None = None

    user_seq: UInt64 | None = None

    def __post_init__(self) -> None:
        try:
            if (
                (self.assistant_seq is None or self.assistant_seq <= MAX_UINT64)
                and (self.user_seq is None or self.user_seq <= MAX_UINT64)
            ):
                return
        except TypeError:
            pass
        mend(self, assistant_seq=uint64_or_null, user_seq=uint64_or_null)


class ConversationOperationAcceptUserRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    user_seq: UInt64

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """

    def __post_init__(self) -> None:
        try:
            if self.user_seq <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, user_seq=uint64)


ConversationOperationBeginOutcome: TypeAlias = Literal[
    "acquired",
    "replay",
    "in_progress",
    "conflict",
]


class ConversationOperationBeginRequest(WireStruct, kw_only=True):
    """Fields common to every conversation-store request: tenant, project, and repository identity
    a shared backend partitions on. Flattened into each request so the wire payload stays flat.
    """

    conversation_id: str

    caller_key: _Token1To128

    request_hash: str

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationClaim(WireStruct, kw_only=True):
    """Lease-bearing claim returned only to the host that owns shared authority."""

    operation_id: str

    conversation_id: str

    caller_key: str

    user_message_id: str

    assistant_message_id: str

    status: ConversationOperationStatus

    lease_token: str

    lease_expires_at: Int64

    assistant_seq: UInt64 | None = None

    error_code: str | None = None

    error_message: str | None = None

    execution_hash: str | None = None

    recovered: bool = field(default_factory=bool)

    user_seq: UInt64 | None = None

    def __post_init__(self) -> None:
        try:
            if (
                (self.assistant_seq is None or self.assistant_seq <= MAX_UINT64)
                and (self.user_seq is None or self.user_seq <= MAX_UINT64)
            ):
                return
        except TypeError:
            pass
        mend(self, assistant_seq=uint64_or_null, user_seq=uint64_or_null)


class ConversationOperationBeginResponse(WireStruct, kw_only=True):
    """A ConversationOperationBeginResponse on the wire."""

    outcome: ConversationOperationBeginOutcome

    claim: ConversationOperationClaim | None = None

    operation: ConversationOperation | None = None


class ConversationOperationBindExecutionRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    execution_hash: str

    allow_rebind: bool = field(default_factory=bool)
    """Rebinding is permitted only for a reclaimed pending lease before canonical user acceptance;
    ordinary claims may only bind once.
    """

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationKey(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationLoadRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationLoadResponse(WireStruct, kw_only=True):
    """A ConversationOperationLoadResponse on the wire."""

    operation: ConversationOperation | None = None


class ConversationOperationMutationResponse(WireStruct, kw_only=True):
    """A ConversationOperationMutationResponse on the wire."""

    changed: bool

    operation: ConversationOperation | None = None


class ConversationOperationReleaseRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationRenewRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    as_user: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """


class ConversationOperationTerminalizeRequest(WireStruct, kw_only=True):
    """Shared key used by load and all lease-owned mutations. The backend still derives actor and
    tenant authority from the authenticated context.
    """

    conversation_id: str

    caller_key: _Token1To128

    operation_id: str

    lease_token: str

    status: ConversationOperationStatus

    as_user: str | None = None

    assistant_seq: UInt64 | None = None

    error_code: str | None = None

    error_message: str | None = None

    project_root: str | None = None
    """Absolute project root path of the calling CLI/daemon."""

    repo_scope: str | None = None
    """Repository scope id."""

    tenant_id: _Text1To128 | None = None
    """Opaque server-selected tenant/workspace partition key.

    The authenticated application layer derives this value from its session and forwards the
    same value in the transport actor. A user supplied workspace id is not authoritative.
    Authenticated stores must fail closed if this field is absent or disagrees with the
    transport-asserted actor tenant. Omission remains wire-compatible only for explicitly
    configured single-tenant legacy stores.
    """

    def __post_init__(self) -> None:
        try:
            if self.assistant_seq is None or self.assistant_seq <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, assistant_seq=uint64_or_null)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ConversationOperationTerminalizeRequest")
