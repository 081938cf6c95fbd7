"""The wire types of animus-subject-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-subject-protocol/_all.json sha256
  770098b5157521b8ebac259b02cfadbfbc7c7b1078120c5f9525c2e1ce85df74
- schemas/additions/animus-subject-protocol.json sha256
  b1bbffd3ecbdd1756dfab67eb69d0e16c083a40a18af5563fd801950783d3e3c
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.compat.types._model import GeneratedModel, UInt8, UInt32, new_dict, new_list

__all__ = [
    "Actor",
    "ChangeKind",
    "CustomFieldKind",
    "CustomFieldSpec",
    "DeleteSubjectRequest",
    "DeleteSubjectResponse",
    "StatusDispatchHint",
    "Subject",
    "SubjectAttachment",
    "SubjectChangedEvent",
    "SubjectCreateRequest",
    "SubjectFilter",
    "SubjectGetRequest",
    "SubjectId",
    "SubjectList",
    "SubjectNextRequest",
    "SubjectPatch",
    "SubjectSchema",
    "SubjectStatus",
    "SubjectStatusRequest",
    "SubjectUnwatchRequest",
    "SubjectUpdateRequest",
    "SubjectWatchRequest",
]


class Actor(GeneratedModel):
    """Who is behind a call, as the transport asserts it after it has authenticated the caller. The
    host hands it on as it is; plugins use it to decide what the caller may see.
    """

    claims: list[str] = Field(default_factory=new_list)
    tenant_id: str | None = None
    user_id: str


ChangeKind: TypeAlias = Literal[
    "created",
    "updated",
    "status-changed",
    "deleted",
    "dispatch-label-changed",
    "attachment-added",
    "attachment-removed",
]
"""Categorization of a subject change event.

- created: Subject was newly created upstream.
- updated: Subject was updated (any field).
- status-changed: Subject's normalized status transitioned.
- deleted: Subject was deleted upstream.
- dispatch-label-changed: Subject's workflow dispatch label moved, independent of any change to
  the normalized `SubjectStatus` bucket. Emitted when the backend's native status moved between
  two values that share the same normalized bucket but have different
  `StatusDispatchHint.dispatch_label`s.
- attachment-added: A `SubjectAttachment` was added to the subject.
- attachment-removed: A `SubjectAttachment` was removed from the subject.
"""


CustomFieldKind: TypeAlias = Literal[
    "string",
    "number",
    "bool",
    "enum",
    "date",
]
"""The type of a custom field.

- string: Free-form string.
- number: Numeric (integer or float).
- bool: Boolean.
- enum: Enumerated string; allowed values in `CustomFieldSpec.values`.
- date: Date/time (ISO 8601).
"""


class CustomFieldSpec(GeneratedModel):
    """Description of one custom field a backend exposes."""

    key: str
    type: CustomFieldKind
    values: list[str] | None = None


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class DeleteSubjectRequest(GeneratedModel):
    """The params of `subject/delete`. A backend that deletes nothing answers -32001, and the
    daemon cancels the subject instead.
    """

    id: SubjectId


class DeleteSubjectResponse(GeneratedModel):
    """The answer of `subject/delete`."""

    ok: bool


SubjectStatus: TypeAlias = Literal[
    "ready",
    "in-progress",
    "blocked",
    "done",
    "cancelled",
]
"""How far a subject is, in the host's five words. A tracker's own states (`"Backlog"`, `"In
Review"`) map to one of them; they go into `native_status` beside it.

- ready: Eligible for dispatch.
- in-progress: Currently being worked by a workflow run (or by a human, in the upstream system).
- blocked: Cannot proceed; awaiting unblock.
- done: Successfully completed.
- cancelled: Abandoned without completion.
"""


class StatusDispatchHint(GeneratedModel):
    """A mapping from a backend-native status string to its normalized bucket and optional dispatch
    label.

    See `SubjectSchema.status_dispatch_hints`.
    """

    description: str | None = None
    dispatch_label: str | None = None
    maps_to: SubjectStatus
    native_status: str


class SubjectAttachment(GeneratedModel):
    """An attachment on a `Subject` — document, URL, file, comment thread, or any other
    backend-defined artifact carried alongside the work item.

    The `kind` field is opaque to the daemon; workflow YAML matches on it. Convention:
    `"document"`, `"url"`, `"file"`, `"comment-thread"`. Backends may introduce custom kinds.
    """

    id: str
    kind: str
    metadata: Any = None
    mime_type: str | None = None
    title: str | None = None
    uri: str


class Subject(GeneratedModel):
    """A normalized cross-backend representation of a unit of dispatchable work.

    Subjects flow from backends into the daemon's dispatch queue and back as updates after a
    workflow run completes. Backend-specific fields the daemon doesn't interpret live in
    `Subject.custom` and are addressable from workflow YAML via templating (e.g.
    `{{subject.custom.story_points}}`).
    """

    assignee: str | None = None
    attachments: list[SubjectAttachment] = Field(default_factory=new_list)
    children: list[SubjectId] = Field(default_factory=new_list)
    created_at: str
    custom: dict[str, Any] = Field(default_factory=new_dict)
    description: str | None = None
    id: SubjectId
    kind: str
    labels: list[str] = Field(default_factory=new_list)
    native_status: str | None = None
    parent: SubjectId | None = None
    priority: UInt8 | None = None
    status: SubjectStatus
    status_metadata: Any = None
    title: str
    updated_at: str
    url: str | None = None


class SubjectChangedEvent(GeneratedModel):
    """Notification payload for `subject/changed`."""

    change_kind: ChangeKind
    id: SubjectId
    previous_dispatch_label: str | None = None
    previous_native_status: str | None = None
    subject: Subject


class SubjectCreateRequest(GeneratedModel):
    """Request payload for `<kind>/create`."""

    assignee: str | None = None
    custom: dict[str, Any] = Field(default_factory=new_dict)
    description: str | None = None
    kind: str
    labels: list[str] = Field(default_factory=new_list)
    parent: SubjectId | None = None
    priority: UInt8 | None = None
    status: SubjectStatus | None = None
    title: str
    url: str | None = None


class SubjectFilter(GeneratedModel):
    """What `subject/list` is asked for. Every field is optional, and all that are given have to be
    met. An empty list is no condition. `cursor` is the backend's own: the host hands back what
    `next_cursor` was.
    """

    assignee: list[str] = Field(default_factory=new_list)
    cursor: str | None = None
    dispatch_label: str | None = None
    has_attachment_kind: str | None = None
    kind: list[str] = Field(default_factory=new_list)
    labels_all: list[str] = Field(default_factory=new_list)
    labels_any: list[str] = Field(default_factory=new_list)
    limit: UInt32 | None = None
    native_status: str | None = None
    status: list[SubjectStatus] = Field(default_factory=new_list)
    updated_since: str | None = None


class SubjectGetRequest(GeneratedModel):
    """Request payload for `<kind>/get`."""

    id: SubjectId


class SubjectList(GeneratedModel):
    """Result of `subject/list`."""

    fetched_at: str
    next_cursor: str | None = None
    subjects: list[Subject]


class SubjectNextRequest(GeneratedModel):
    """Request payload for `<kind>/next`."""

    kind: str | None = None


class SubjectPatch(GeneratedModel):
    """What `subject/update` changes: the fields that are given, and no others. `assignee` knows
    three states: absent leaves it, null clears it, a name sets it. Labels are added and removed
    one by one, so that two changes at once do not lose each other.
    """

    assignee: str | None = None
    comment: str | None = None
    custom: dict[str, Any] = Field(default_factory=new_dict)
    description: str | None = None
    labels: list[str] | None = None
    labels_add: list[str] = Field(default_factory=new_list)
    labels_remove: list[str] = Field(default_factory=new_list)
    priority: UInt8 | None = None
    status: SubjectStatus | None = None
    title: str | None = None


class SubjectSchema(GeneratedModel):
    """Capability declaration returned by `subject/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `subject/watch` for polling-only backends, or to pre-populate a UI with the subject's
    available custom-field values.
    """

    custom_fields: list[CustomFieldSpec] = Field(default_factory=new_list)
    kinds: list[str]
    native_status_values: list[str] = Field(default_factory=new_list)
    status_dispatch_hints: list[StatusDispatchHint] = Field(default_factory=new_list)
    status_values: list[SubjectStatus]
    supports_create: bool
    supports_delete: bool | None = None
    supports_pagination: bool
    supports_watch: bool


class SubjectStatusRequest(GeneratedModel):
    """Request payload for `<kind>/status`."""

    id: SubjectId
    status: SubjectStatus


class SubjectUnwatchRequest(GeneratedModel):
    """The params of `subject/unwatch`: `watch_id` is the id of the `subject/watch` that is to end.
    """

    watch_id: str


class SubjectUpdateRequest(GeneratedModel):
    """Request payload for `<kind>/update`."""

    id: SubjectId
    patch: SubjectPatch


class SubjectWatchRequest(GeneratedModel):
    """Request payload for `subject/watch`."""

    filter: SubjectFilter | None = None
    kind: str | None = None
