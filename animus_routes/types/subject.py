"""The wire types of animus-subject-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-subject-protocol/_all.json sha256
  770098b5157521b8ebac259b02cfadbfbc7c7b1078120c5f9525c2e1ce85df74
- schemas/additions/animus-subject-protocol.json sha256
  b1bbffd3ecbdd1756dfab67eb69d0e16c083a40a18af5563fd801950783d3e3c
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import UnsetType
from pydantic import Field

from animus_routes.timestamps import now
from animus_routes.types._model import (
    Bool,
    Clearable,
    OrWord,
    TimestampOrNow,
    TimestampOrNull,
    UInt8,
    UInt32,
    WireModel,
    is_null,
    is_unset,
    new_dict,
    new_list,
    unset,
)

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
    "SubjectCreateRequestV2",
    "SubjectDeleteRequestV2",
    "SubjectFilter",
    "SubjectGetRequest",
    "SubjectGetRequestV2",
    "SubjectId",
    "SubjectList",
    "SubjectListRequestV2",
    "SubjectNextRequest",
    "SubjectPatch",
    "SubjectRequestContext",
    "SubjectSchema",
    "SubjectStatus",
    "SubjectStatusRequest",
    "SubjectStatusRequestV2",
    "SubjectUnwatchRequest",
    "SubjectUpdateRequest",
    "SubjectUpdateRequestV2",
    "SubjectWatchRequest",
]


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


class CustomFieldSpec(WireModel):
    """Description of one custom field a backend exposes."""

    key: str
    """Field key as it appears in `Subject.custom`."""

    type: CustomFieldKind
    """Field type."""

    values: list[str] | None = Field(default=None, exclude_if=is_null)
    """For `CustomFieldKind.Enum` fields, the enumerated values."""


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class DeleteSubjectRequest(WireModel):
    """Request payload for `subject/delete`. Added in v0.1.8.

    Backends that do not support deletion MUST reject with the
    `error_codes.METHOD_NOT_SUPPORTED` JSON-RPC error code so the daemon can fall back to
    status-only soft-cancel semantics.
    """

    id: SubjectId
    """Id of the subject to delete."""


class DeleteSubjectResponse(WireModel):
    """Response payload for `subject/delete`. Added in v0.1.8.

    Carries a single `ok` flag so the wire shape remains an object (matching every other subject
    verb) and so future fields — e.g. a tombstone id or a `permanent: bool` discriminator — can
    be added without breaking v0.1.8 clients.
    """

    ok: Bool
    """True when the backend successfully deleted the subject."""


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


class StatusDispatchHint(WireModel):
    """A mapping from a backend-native status string to its normalized bucket and optional dispatch
    label.

    See `SubjectSchema.status_dispatch_hints`.
    """

    native_status: str
    """The backend's native status string, e.g. `"In Review"`, `"Spec"`, `"Shipped"`."""

    maps_to: SubjectStatus
    """The normalized `SubjectStatus` bucket this native value maps into."""

    description: str | None = Field(default=None, exclude_if=is_null)
    """Optional human-readable description of the semantics of this native status."""

    dispatch_label: str | None = Field(default=None, exclude_if=is_null)
    """Optional workflow dispatch label. When set, workflow YAML can trigger phases keyed on this
    label (e.g. `triggered_by_dispatch_label: code-review`) regardless of which backend the
    subject came from.
    """


class SubjectAttachment(WireModel):
    """An attachment on a `Subject` — document, URL, file, comment thread, or any other
    backend-defined artifact carried alongside the work item.

    The `kind` field is opaque to the daemon; workflow YAML matches on it. Convention:
    `"document"`, `"url"`, `"file"`, `"comment-thread"`. Backends MAY introduce custom kinds.
    """

    id: str
    """Stable identifier for this attachment within the backend."""

    kind: str
    """Attachment category. Conventional values: `"document"`, `"url"`, `"file"`,
    `"comment-thread"`. Backends MAY emit custom values.
    """

    uri: str
    """Location-of-truth URI. Examples: `linear://issue/ENG-123/doc/spec`,
    `https://docs.example.com/spec.md`, `file:///tmp/handoff.md`.
    """

    metadata: Any = Field(default=None, exclude_if=is_null)
    """Free-form backend metadata (size, author, revision, etc.). Defaults to JSON `null` and is
    skipped on serialization at that default.
    """

    mime_type: str | None = Field(default=None, exclude_if=is_null)
    """MIME type, if known (e.g. `"text/markdown"`, `"application/pdf"`)."""

    title: str | None = Field(default=None, exclude_if=is_null)
    """Human-readable title, if known."""


class Subject(WireModel):
    """A normalized cross-backend representation of a unit of dispatchable work.

    Subjects flow from backends into the daemon's dispatch queue and back as updates after a
    workflow run completes. Backend-specific fields the daemon doesn't interpret live in
    `Subject.custom` and are addressable from workflow YAML via templating (e.g.
    `{{subject.custom.story_points}}`).
    """

    id: SubjectId
    """Backend-qualified identifier. See `SubjectId`."""

    kind: str
    """Subject kind. Backend-defined. Examples: `"task"`, `"issue"`, `"epic"`, `"ticket"`,
    `"document"`, `"lead"`, `"contract"`, `"incident"`.
    """

    title: str
    """Short human-readable title."""

    status: Annotated[SubjectStatus, OrWord("ready")] = "ready"
    """Normalized status. See `SubjectStatus`."""

    created_at: TimestampOrNow = Field(default_factory=now)
    """When the subject was first created in its native system."""

    updated_at: TimestampOrNow = Field(default_factory=now)
    """When the subject was last updated in its native system."""

    assignee: str | None = Field(default=None, exclude_if=is_null)
    """Free-form assignee identifier. Format is backend-specific; commonly a username, email, or
    `"agent:<name>"` for an Animus agent.
    """

    attachments: list[SubjectAttachment] = Field(default_factory=new_list, exclude_if=not_)
    """First-class attachments the subject carries — documents, URLs, uploaded files, comment
    threads. Backends like Linear surface attached spec docs here; workflow YAML can gate on
    attachment presence (`requires_document_attachment: true`) to drive document-aware phases.
    Defaults to empty, which is skipped on serialization for v0.1.0 wire compatibility.
    """

    children: list[SubjectId] = Field(default_factory=new_list, exclude_if=not_)
    """Child subjects, if any."""

    custom: dict[str, Any] = Field(default_factory=new_dict, exclude_if=not_)
    """Backend-specific fields the daemon does not interpret. Workflows can read these via
    templating.
    """

    description: str | None = Field(default=None, exclude_if=is_null)
    """Long-form description (markdown encouraged)."""

    labels: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Labels/tags. Backend-defined string set."""

    native_status: str | None = Field(default=None, exclude_if=is_null)
    """Backend-raw status string, e.g. `"In Review"`, `"Spec"`, `"Shipped"`, `"Cycle 12 / blocked
    on infra"`. The normalized `Subject.status` is the coarse-grained bucket; this preserves the
    upstream signal so workflows can dispatch on rich vocabularies. Optional — backends that
    have nothing more specific than the normalized status should leave this `None`.
    """

    parent: SubjectId | None = Field(default=None, exclude_if=is_null)
    """Parent subject, if any (e.g. an epic for an issue)."""

    priority: UInt8 | None = Field(default=None, exclude_if=is_null)
    """Optional priority on a 0..=4 scale: 0 = none, 1 = low, 2 = medium, 3 = high, 4 = critical."""

    status_metadata: Any = Field(default=None, exclude_if=is_null)
    """Free-form backend status payload — state id, color, type, ordering position, transition
    rules, etc. Workflows may read this via templating (e.g.
    `{{subject.status_metadata.color}}`). Defaults to JSON `null`, which is skipped on
    serialization so v0.1.0 consumers see no extra field.
    """

    url: str | None = Field(default=None, exclude_if=is_null)
    """Permalink to the subject in its native system, if one exists."""


class SubjectChangedEvent(WireModel):
    """Notification payload for `subject/changed`."""

    id: SubjectId
    """Affected subject id."""

    change_kind: ChangeKind
    """What kind of change occurred."""

    subject: Subject
    """The subject's new state."""

    previous_dispatch_label: str | None = Field(default=None, exclude_if=is_null)
    """Workflow dispatch label before the change, if known. Paired with the new
    `ChangeKind.DispatchLabelChanged` so downstream consumers can react to label transitions
    independently of status transitions.
    """

    previous_native_status: str | None = Field(default=None, exclude_if=is_null)
    """Backend-raw status before the change, if known. Useful for `change_kind = "status-changed"`
    events where the normalized bucket did not move but the native status did (e.g. Linear
    `"Todo"` → `"In Review"` both bucket to `SubjectStatus.InProgress`). Defaults to `None`;
    skipped on serialization for v0.1.0 wire compatibility.
    """


class SubjectCreateRequest(WireModel):
    """Request payload for `<kind>/create`."""

    kind: str
    """Kind of the subject to create."""

    title: str
    """Short human-readable title."""

    assignee: str | None = Field(default=None, exclude_if=is_null)
    """Free-form assignee identifier."""

    custom: dict[str, Any] = Field(default_factory=new_dict, exclude_if=not_)
    """Backend-specific fields, see `Subject.custom`."""

    description: str | None = Field(default=None, exclude_if=is_null)
    """Long-form description (markdown encouraged)."""

    labels: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Labels of the new subject."""

    parent: SubjectId | None = Field(default=None, exclude_if=is_null)
    """Parent subject, if any."""

    priority: UInt8 | None = Field(default=None, exclude_if=is_null)
    """Optional priority on a 0..=4 scale: 0 = none, 1 = low, 2 = medium, 3 = high, 4 = critical."""

    status: SubjectStatus | None = Field(default=None, exclude_if=is_null)
    """Status to start with. The backend chooses when absent."""

    url: str | None = Field(default=None, exclude_if=is_null)
    """Permalink to the subject in its native system, if one exists."""


class SubjectFilter(WireModel):
    """Filter passed to `subject/list`.

    All fields are optional and combined with AND semantics. Empty `Vec` fields mean "no
    constraint on this dimension". `cursor` is opaque to the daemon — backends issue and accept
    their own pagination tokens.
    """

    assignee: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Match subjects assigned to one of these identifiers."""

    cursor: str | None = Field(default=None, exclude_if=is_null)
    """Pagination cursor returned by a prior `subject/list` call."""

    dispatch_label: str | None = Field(default=None, exclude_if=is_null)
    """Match subjects whose dispatch label (resolved by the backend from its
    `SubjectSchema.status_dispatch_hints` table) equals this value. Workflow YAML can use this
    to gate a phase on a label like `"code-review"` without coupling to any one backend's
    vocabulary.
    """

    has_attachment_kind: str | None = Field(default=None, exclude_if=is_null)
    """Match subjects that carry at least one `SubjectAttachment` whose `kind` equals this value.
    Useful for `requires_document_attachment` style gates.
    """

    kind: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Match subjects whose `kind` is one of these."""

    labels_all: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Match subjects that have all of these labels."""

    labels_any: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Match subjects that have at least one of these labels."""

    limit: UInt32 | None = Field(default=None, exclude_if=is_null)
    """Suggested page size. Backends are free to clamp this."""

    native_status: str | None = Field(default=None, exclude_if=is_null)
    """Match subjects whose backend-raw `Subject.native_status` equals this value. Use when the
    normalized `SubjectStatus` is too coarse — e.g. match Linear `"In Review"` but not `"In
    Progress"`, which both map to `SubjectStatus.InProgress`.
    """

    status: list[SubjectStatus] = Field(default_factory=new_list, exclude_if=not_)
    """Match subjects whose status is one of these."""

    updated_since: TimestampOrNull | None = Field(default=None, exclude_if=is_null)
    """Match subjects updated at or after this timestamp."""

    def matches(self, subject: Subject) -> bool:
        """Does it meet every condition?"""
        from animus_routes.matching import subject_matches

        return subject_matches(self, subject)


class SubjectGetRequest(WireModel):
    """Request payload for `<kind>/get`."""

    id: SubjectId
    """Id of the subject to read."""


class SubjectList(WireModel):
    """Result of `subject/list`."""

    subjects: list[Subject]
    """Subjects in this page."""

    fetched_at: TimestampOrNow = Field(default_factory=now)
    """When the backend snapshot was taken. Used by the daemon for cache freshness reasoning."""

    next_cursor: str | None = Field(default=None, exclude_if=is_null)
    """Opaque cursor for the next page, or `None` if exhausted."""


class SubjectNextRequest(WireModel):
    """Request payload for `<kind>/next`."""

    kind: str | None = Field(default=None, exclude_if=is_null)
    """Kind to choose from. Any kind when absent."""


class SubjectPatch(WireModel):
    """A patch applied to a subject via `subject/update`.

    All fields are optional. Missing fields are not modified. The double-`Option` on
    `SubjectPatch.assignee` distinguishes "not modified" (`None`) from "explicitly clear"
    (`Some(None)`). Labels are partitioned into add/remove sets to avoid lost-write races on the
    labels list as a whole.
    """

    assignee: Annotated[str | None | UnsetType, Clearable()] = Field(
        default_factory=unset, exclude_if=is_unset
    )
    """Set, change, or clear the assignee. `Some(None)` means clear."""

    comment: str | None = Field(default=None, exclude_if=is_null)
    """Optional comment to post alongside the update. Backends that don't support comments may
    surface this as a summary in their native activity log.
    """

    custom: dict[str, Any] = Field(default_factory=new_dict, exclude_if=not_)
    """Backend-specific custom fields to merge. An explicit JSON `null` value clears the field at
    that key.
    """

    description: str | None = Field(default=None, exclude_if=is_null)
    """Set the long-form description."""

    labels: list[str] | None = Field(default=None, exclude_if=is_null)
    """Replace all labels by these. An empty list removes every label."""

    labels_add: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Labels to add (deduplicated against existing labels)."""

    labels_remove: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Labels to remove."""

    priority: UInt8 | None = Field(default=None, exclude_if=is_null)
    """Set the priority, on the scale of `Subject.priority`."""

    status: SubjectStatus | None = Field(default=None, exclude_if=is_null)
    """Set the normalized status. Backends translate to their native value using the workflow-YAML
    `status_map`.
    """

    title: str | None = Field(default=None, exclude_if=is_null)
    """Set the title."""

    def changes(self) -> dict[str, Any]:
        """What it sets, by field; assignee None clears."""
        from animus_routes.matching import changes

        return changes(self)

    def apply(self, subject: Subject) -> Subject:
        """A changed copy of the subject."""
        from animus_routes.matching import patched

        return patched(self, subject)


class SubjectSchema(WireModel):
    """Capability declaration returned by `subject/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `subject/watch` for polling-only backends, or to pre-populate a UI with the subject's
    available custom-field values.
    """

    kinds: list[str]
    """Subject kinds this backend produces."""

    status_values: list[SubjectStatus]
    """Normalized status values this backend can emit."""

    supports_watch: Bool = False
    """Whether `subject/watch` is implemented."""

    supports_create: Bool = False
    """True iff the plugin honors `<kind>/create` verb invocations.

    The protocol-standard `subject/create` verb has not been wired in any first-party plugin or
    daemon path; the kind-prefixed form is the durable surface in production today. Backends
    that intend callers to be able to insert new subjects should set this to `true` and register
    a `<kind>/create` method handler.
    """

    supports_pagination: Bool
    """Whether `subject/list` honors `cursor`."""

    custom_fields: list[CustomFieldSpec] = Field(default_factory=new_list, exclude_if=not_)
    """Custom field declarations."""

    native_status_values: list[str] = Field(default_factory=new_list, exclude_if=not_)
    """Native (pre-mapping) status values the backend uses upstream. Useful for documenting
    `status_map` entries in workflow YAML.
    """

    status_dispatch_hints: list[StatusDispatchHint] = Field(
        default_factory=new_list, exclude_if=not_
    )
    """Status dispatch hints: for each backend-native status the backend declares what normalized
    `SubjectStatus` it bucketizes to and an optional `dispatch_label` workflow YAML can fire
    phases on.

    `dispatch_label` decouples workflow YAML from any one backend's vocabulary. Multiple
    backends (Linear `"In Review"`, GitHub `"awaiting-review"`, Jira `"Code Review"`) can
    advertise the same `dispatch_label = "code-review"`, and a workflow phase keyed on that
    label fires for all of them.
    """

    supports_delete: Bool = False
    """True iff the plugin honors `METHOD_SUBJECT_DELETE` (or the equivalent kind-prefixed
    `<kind>/delete` form).

    Backends that leave this `false` MUST respond to delete attempts with
    `error_codes.METHOD_NOT_SUPPORTED` so the daemon can fall back to status-only soft-cancel
    semantics. Defaults to `false` for v0.1.x wire compatibility: pre-v0.5.7 backends that emit
    schemas without this field decode as "delete unsupported".
    """


class SubjectStatusRequest(WireModel):
    """Request payload for `<kind>/status`."""

    id: SubjectId
    """Id of the subject to move."""

    status: SubjectStatus
    """Status to move it to."""


class SubjectUnwatchRequest(WireModel):
    """Request payload for `METHOD_SUBJECT_UNWATCH`. Added in v0.1.16.

    Carries the `watch_id` correlating with the JSON-RPC request id the daemon used when it
    issued the original `subject/watch` call, so the backend can cancel the matching watch task.
    """

    watch_id: str
    """Id of the watch subscription to stop. Matches the request id from the originating
    `subject/watch` call.
    """


class SubjectUpdateRequest(WireModel):
    """Request payload for `<kind>/update`."""

    id: SubjectId
    """Id of the subject to change."""

    patch: SubjectPatch
    """What to change."""


class SubjectWatchRequest(WireModel):
    """Request payload for `subject/watch`."""

    filter: SubjectFilter | None = Field(default=None, exclude_if=is_null)
    """Report changes of matching subjects only."""

    kind: str | None = Field(default=None, exclude_if=is_null)
    """Report changes of this kind only."""


if TYPE_CHECKING:
    from animus_routes.types.actor import Actor
    from animus_routes.types.subject_v2 import (
        SubjectCreateRequestV2,
        SubjectDeleteRequestV2,
        SubjectGetRequestV2,
        SubjectListRequestV2,
        SubjectRequestContext,
        SubjectStatusRequestV2,
        SubjectUpdateRequestV2,
    )
else:
    _LATER = {
        "Actor": "animus_routes.types.actor",
        "SubjectCreateRequestV2": "animus_routes.types.subject_v2",
        "SubjectDeleteRequestV2": "animus_routes.types.subject_v2",
        "SubjectGetRequestV2": "animus_routes.types.subject_v2",
        "SubjectListRequestV2": "animus_routes.types.subject_v2",
        "SubjectRequestContext": "animus_routes.types.subject_v2",
        "SubjectStatusRequestV2": "animus_routes.types.subject_v2",
        "SubjectUpdateRequestV2": "animus_routes.types.subject_v2",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
