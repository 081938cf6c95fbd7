"""The wire types of animus-subject-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-subject-protocol/_all.json sha256
  770098b5157521b8ebac259b02cfadbfbc7c7b1078120c5f9525c2e1ce85df74
- schemas/additions/animus-subject-protocol.json sha256
  b1bbffd3ecbdd1756dfab67eb69d0e16c083a40a18af5563fd801950783d3e3c
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any

from msgspec import field

from animus_routes.structs._struct import WireStruct, null
from animus_routes.structs.actor import Actor
from animus_routes.structs.subject import SubjectFilter, SubjectId

__all__ = [
    "SubjectCreateRequestV2",
    "SubjectDeleteRequestV2",
    "SubjectGetRequestV2",
    "SubjectListRequestV2",
    "SubjectRequestContext",
    "SubjectStatusRequestV2",
    "SubjectUpdateRequestV2",
]


class SubjectRequestContext(WireStruct, kw_only=True):
    """Authenticated request context asserted by the application transport.

    The actor is required on every v2 subject call. Correlation and idempotency values are
    opaque transport identifiers: the kernel relays them and the owning backend decides how to
    record or enforce them.
    """

    actor: Actor
    """Authenticated caller. Claims remain advisory; ownership is the stable `(user_id, tenant_id)`
    pair.
    """

    correlation_id: str | None = None
    """Optional correlation identifier spanning related requests."""

    idempotency_key: str | None = None
    """Optional idempotency key for a mutation."""

    request_id: str | None = None
    """An id of the request, for logs."""


class SubjectCreateRequestV2(WireStruct, kw_only=True):
    """A new subject on behalf of somebody. What `payload` holds is the backend's business."""

    context: SubjectRequestContext
    """Authenticated request context."""

    kind: str | None = None
    """Kind for the canonical `subject/v2/create` form. A kind-prefixed method may omit this and
    derive it from the method.
    """

    payload: Any = field(default_factory=null)
    """Backend-defined create fields."""


class SubjectDeleteRequestV2(WireStruct, kw_only=True):
    """Actor-scoped v2 delete request."""

    context: SubjectRequestContext
    """Authenticated request context."""

    id: SubjectId
    """Subject identifier."""


class SubjectGetRequestV2(WireStruct, kw_only=True):
    """Actor-scoped v2 get request."""

    context: SubjectRequestContext
    """Authenticated request context."""

    id: SubjectId
    """Subject identifier."""


class SubjectListRequestV2(WireStruct, kw_only=True):
    """Actor-scoped v2 list request."""

    context: SubjectRequestContext
    """Authenticated request context."""

    filter: SubjectFilter = field(default_factory=SubjectFilter)
    """Subject filters. Ownership is always an additional backend-enforced predicate and cannot be
    overridden by this filter.
    """


class SubjectStatusRequestV2(WireStruct, kw_only=True):
    """Actor-scoped v2 status mutation request."""

    context: SubjectRequestContext
    """Authenticated request context."""

    id: SubjectId
    """Subject identifier."""

    status: str
    """Backend-native or normalized status token."""


class SubjectUpdateRequestV2(WireStruct, kw_only=True):
    """Actor-scoped v2 update request."""

    context: SubjectRequestContext
    """Authenticated request context."""

    id: SubjectId
    """Subject identifier."""

    patch: Any = field(default_factory=null)
    """Backend-defined update patch."""
