"""Subject backends: tasks, issues and other units of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from animus_routes.compat.roles.context import CallContext, HealthReport
from animus_routes.compat.types.generated.subject import (
    ChangeKind,
    CustomFieldKind,
    CustomFieldSpec,
    DeleteSubjectRequest,
    DeleteSubjectResponse,
    StatusDispatchHint,
    SubjectAttachment,
    SubjectChangedEvent,
    SubjectFilter,
    SubjectId,
    SubjectList,
    SubjectSchema,
)
from animus_routes.compat.types.subject_protocol import (
    Subject,
    SubjectCreateRequest,
    SubjectListParams,
    SubjectListResult,
    SubjectPatch,
    SubjectStatus,
)

__all__ = [
    "ChangeKind",
    "CustomFieldKind",
    "CustomFieldSpec",
    "DeleteSubjectRequest",
    "DeleteSubjectResponse",
    "HealthReport",
    "StatusDispatchHint",
    "Subject",
    "SubjectAttachment",
    "SubjectBackend",
    "SubjectCallContext",
    "SubjectChangedEvent",
    "SubjectCreateRequest",
    "SubjectFilter",
    "SubjectId",
    "SubjectList",
    "SubjectListParams",
    "SubjectListResult",
    "SubjectPatch",
    "SubjectSchema",
    "SubjectStatus",
]


@dataclass
class SubjectCallContext(CallContext):
    """One call.

    Attributes:
        kind: The subject kind that is meant: one of those that the plugin declares.
    """

    kind: str = ""


@runtime_checkable
class SubjectBackend(Protocol):
    """Also: `create`, `update`, `status`, `next`, `delete`, `schema`, `health`."""

    def list(self, params: SubjectListParams, ctx: SubjectCallContext) -> Any:
        """A `SubjectListResult`."""

    def get(self, params: dict[str, Any], ctx: SubjectCallContext) -> Any:
        """A `Subject`, or None for "not found"."""
