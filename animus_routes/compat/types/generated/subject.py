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
    """An opaque, transport-asserted caller identity.

    Constructed by the transport after it authenticates the caller, relayed verbatim by the
    kernel, and consumed only by plugins for data scoping. See the crate-level docs for the full
    contract.
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
    """Request payload for `subject/delete`. Added in v0.1.8.

    Backends that do not support deletion MUST reject with the
    `error_codes.METHOD_NOT_SUPPORTED` JSON-RPC error code so the daemon can fall back to
    status-only soft-cancel semantics.
    """

    id: SubjectId


class DeleteSubjectResponse(GeneratedModel):
    """Response payload for `subject/delete`. Added in v0.1.8.

    Carries a single `ok` flag so the wire shape remains an object (matching every other subject
    verb) and so future fields — e.g. a tombstone id or a `permanent: bool` discriminator — can
    be added without breaking v0.1.8 clients.
    """

    ok: bool


SubjectStatus: TypeAlias = Literal[
    "ready",
    "in-progress",
    "blocked",
    "done",
    "cancelled",
]
"""Normalized cross-backend subject status.

Backend-native states (`"Backlog"`, `"In Review"`, `"Won't Fix"`, ...) map into one of these
five via the `status_map` declared per-subject in workflow YAML. The mapping lives in
configuration, not code, so adding a new backend never requires extending this enum.

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
    `"document"`, `"url"`, `"file"`, `"comment-thread"`. Backends MAY introduce custom kinds.
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
    """Filter passed to `subject/list`.

    All fields are optional and combined with AND semantics. Empty `Vec` fields mean "no
    constraint on this dimension". `cursor` is opaque to the daemon — backends issue and accept
    their own pagination tokens.
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
    """A patch applied to a subject via `subject/update`.

    All fields are optional. Missing fields are not modified. The double-`Option` on
    `SubjectPatch.assignee` distinguishes "not modified" (`None`) from "explicitly clear"
    (`Some(None)`). Labels are partitioned into add/remove sets to avoid lost-write races on the
    labels list as a whole.
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
    """Request payload for `METHOD_SUBJECT_UNWATCH`. Added in v0.1.16.

    Carries the `watch_id` correlating with the JSON-RPC request id the daemon used when it
    issued the original `subject/watch` call, so the backend can cancel the matching watch task.
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
