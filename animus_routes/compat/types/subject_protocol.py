"""Subjects as an author writes them, with any status, and blanks that are filled on the way out."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, new_dict, new_list
from animus_routes.compat.types.generated.subject import Subject as WireSubject
from animus_routes.compat.types.generated.subject import SubjectFilter, SubjectPatch, SubjectStatus
from animus_routes.compat.types.generated.subject import SubjectList as WireSubjectList

__all__ = [
    "Subject",
    "SubjectCreateRequest",
    "SubjectListParams",
    "SubjectListResult",
    "SubjectPatch",
    "SubjectStatus",
    "WireSubject",
    "WireSubjectList",
]

SubjectListParams: TypeAlias = SubjectFilter


class Subject(GeneratedModel):
    """A subject.

    Any status is accepted here; hosts read `ready`, `in-progress`, `blocked`, `done` and
    `cancelled`, and lose the whole answer over another one. An empty time becomes now.
    """

    id: str
    kind: str
    title: str
    status: str = "ready"
    created_at: str = ""
    updated_at: str = ""
    description: str | None = None
    priority: int | None = None
    assignee: str | None = None
    native_status: str | None = None
    parent: str | None = None
    status_metadata: Any = None
    url: str | None = None
    labels: list[str] = Field(default_factory=new_list)
    children: list[str] = Field(default_factory=new_list)
    attachments: list[Any] = Field(default_factory=new_list)
    custom: dict[str, Any] = Field(default_factory=new_dict)


class SubjectListResult(GeneratedModel):
    """A page of subjects; `fetched_at` becomes now unless it is set."""

    subjects: list[Subject] = Field(default_factory=new_list)
    next_cursor: str | None = None
    fetched_at: str | None = None


class SubjectCreateRequest(GeneratedModel):
    """The fields of `create`, for hints: the method gets a dict."""

    kind: str
    title: str
    description: str | None = None
    status: str | None = None
    priority: int | None = None
    assignee: str | None = None
    parent: str | None = None
    url: str | None = None
    labels: list[str] = Field(default_factory=new_list)
    custom: dict[str, Any] = Field(default_factory=new_dict)
