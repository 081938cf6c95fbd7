"""The wire types of animus-subject-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-subject-protocol/_all.json sha256
  770098b5157521b8ebac259b02cfadbfbc7c7b1078120c5f9525c2e1ce85df74
- schemas/additions/animus-subject-protocol.json sha256
  b1bbffd3ecbdd1756dfab67eb69d0e16c083a40a18af5563fd801950783d3e3c
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import UNSET, UnsetType, field

from animus_routes.structs._struct import (
    TimestampOrBlank,
    UInt8,
    UInt32,
    WireStruct,
    mend,
    timestamp_or_now,
    timestamp_or_null,
)
from animus_routes.timestamps import now

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


class CustomFieldSpec(WireStruct, kw_only=True):
    """Description of one custom field a backend exposes."""

    key: str
    """Field key as it appears in `Subject.custom`."""

    type: CustomFieldKind
    """Field type."""

    values: list[str] | None = None
    """The values of an `"enum"` field."""


SubjectId: TypeAlias = str
"""Backend-qualified identifier for a subject.

Convention is `"<backend>:<native_id>"`, e.g. `"linear:ENG-123"`, `"jira:PROJ-456"`,
`"github:owner/repo#789"`, `"native:TASK-001"`. The daemon treats the value as opaque; only the
originating backend interprets the native portion.

The `backend:` prefix is reserved. Plugin authors should always emit prefixed ids so
cross-backend collisions are impossible.
"""


class DeleteSubjectRequest(WireStruct, kw_only=True):
    """The params of `subject/delete`. A backend that deletes nothing answers -32001, and the
    daemon cancels the subject instead.
    """

    id: SubjectId
    """Id of the subject to delete."""


class DeleteSubjectResponse(WireStruct, kw_only=True):
    """The answer of `subject/delete`."""

    ok: bool
    """True when the backend successfully deleted the subject."""


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


def _ready() -> SubjectStatus:
    return "ready"


def _ready_or(value: SubjectStatus | Literal[""]) -> SubjectStatus:
    return value or "ready"


if TYPE_CHECKING:
    _SubjectStatusOrBlank: TypeAlias = SubjectStatus
else:
    _SubjectStatusOrBlank = Literal[SubjectStatus, ""]


class StatusDispatchHint(WireStruct, kw_only=True):
    """A mapping from a backend-native status string to its normalized bucket and optional dispatch
    label.

    See `SubjectSchema.status_dispatch_hints`.
    """

    native_status: str
    """The backend's native status string, e.g. `"In Review"`, `"Spec"`, `"Shipped"`."""

    maps_to: SubjectStatus
    """The normalized `SubjectStatus` bucket this native value maps into."""

    description: str | None = None
    """Optional human-readable description of the semantics of this native status."""

    dispatch_label: str | None = None
    """Optional workflow dispatch label. When set, workflow YAML can trigger phases keyed on this
    label (e.g. `triggered_by_dispatch_label: code-review`) regardless of which backend the
    subject came from.
    """


class SubjectAttachment(WireStruct, kw_only=True):
    """An attachment on a `Subject` — document, URL, file, comment thread, or any other
    backend-defined artifact carried alongside the work item.

    The `kind` field is opaque to the daemon; workflow YAML matches on it. Convention:
    `"document"`, `"url"`, `"file"`, `"comment-thread"`. Backends may introduce custom kinds.
    """

    id: str
    """Stable identifier for this attachment within the backend."""

    kind: str
    """Attachment category. Conventional values: `"document"`, `"url"`, `"file"`,
    `"comment-thread"`. Backends may emit custom values.
    """

    uri: str
    """Location-of-truth URI. Examples: `linear://issue/ENG-123/doc/spec`,
    `https://docs.example.com/spec.md`, `file:///tmp/handoff.md`.
    """

    metadata: Any = None
    """What else is known of the attachment: size, author, revision."""

    mime_type: str | None = None
    """MIME type, if known (e.g. `"text/markdown"`, `"application/pdf"`)."""

    title: str | None = None
    """Human-readable title, if known."""


class Subject(WireStruct, kw_only=True):
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

    status: _SubjectStatusOrBlank = field(default_factory=_ready)
    """Normalized status. See `SubjectStatus`."""

    created_at: TimestampOrBlank = field(default_factory=now)
    """When the subject was first created in its native system."""

    updated_at: TimestampOrBlank = field(default_factory=now)
    """When the subject was last updated in its native system."""

    assignee: str | None = None
    """Free-form assignee identifier. Format is backend-specific; commonly a username, email, or
    `"agent:<name>"` for an Animus agent.
    """

    attachments: list[SubjectAttachment] = []
    """Documents, URLs, files and threads that belong to the subject. Workflows can wait for one
    (`requires_document_attachment: true`).
    """

    children: list[SubjectId] = []
    """Child subjects, if any."""

    custom: dict[str, Any] = {}
    """Backend-specific fields the daemon does not interpret. Workflows can read these via
    templating.
    """

    description: str | None = None
    """Long-form description (markdown encouraged)."""

    labels: list[str] = []
    """Labels/tags. Backend-defined string set."""

    native_status: str | None = None
    """Backend-raw status string, e.g. `"In Review"`, `"Spec"`, `"Shipped"`, `"Cycle 12 / blocked
    on infra"`. The normalized `Subject.status` is the coarse-grained bucket; this preserves the
    upstream signal so workflows can dispatch on rich vocabularies. Optional — backends that
    have nothing more specific than the normalized status should leave this `None`.
    """

    parent: SubjectId | None = None
    """Parent subject, if any (e.g. an epic for an issue)."""

    priority: UInt8 | None = None
    """Optional priority on a 0..=4 scale: 0 = none, 1 = low, 2 = medium, 3 = high, 4 = critical."""

    status_metadata: Any = None
    """What the tracker says of its own state: id, color, type, order. Workflows may read it
    (`{{subject.status_metadata.color}}`). null is left out.
    """

    url: str | None = None
    """Permalink to the subject in its native system, if one exists."""

    def __post_init__(self) -> None:
        try:
            if self.status and self.created_at > "" and self.updated_at > "":
                return
        except TypeError:
            pass
        mend(self, status=_ready_or, created_at=timestamp_or_now, updated_at=timestamp_or_now)


class SubjectChangedEvent(WireStruct, kw_only=True):
    """Notification payload for `subject/changed`."""

    id: SubjectId
    """Affected subject id."""

    change_kind: ChangeKind
    """What kind of change occurred."""

    subject: Subject
    """The subject's new state."""

    previous_dispatch_label: str | None = None
    """Workflow dispatch label before the change, if known. Paired with the new
    `"dispatch-label-changed"` so downstream consumers can react to label transitions
    independently of status transitions.
    """

    previous_native_status: str | None = None
    """The tracker's own status before the change, if it is known. It tells changes that the five
    words do not show, such as `"Todo"` to `"In Review"`, which are both `"in-progress"`.
    """


class SubjectCreateRequest(WireStruct, kw_only=True):
    """Request payload for `<kind>/create`."""

    kind: str
    """Kind of the subject to create."""

    title: str
    """Short human-readable title."""

    assignee: str | None = None
    """Free-form assignee identifier."""

    custom: dict[str, Any] = {}
    """Backend-specific fields, see `Subject.custom`."""

    description: str | None = None
    """Long-form description (markdown encouraged)."""

    labels: list[str] = []
    """Labels of the new subject."""

    parent: SubjectId | None = None
    """Parent subject, if any."""

    priority: UInt8 | None = None
    """Optional priority on a 0..=4 scale: 0 = none, 1 = low, 2 = medium, 3 = high, 4 = critical."""

    status: SubjectStatus | None = None
    """Status to start with. The backend chooses when absent."""

    url: str | None = None
    """Permalink to the subject in its native system, if one exists."""


class SubjectFilter(WireStruct, kw_only=True):
    """What `subject/list` is asked for. Every field is optional, and all that are given have to be
    met. An empty list is no condition. `cursor` is the backend's own: the host hands back what
    `next_cursor` was.
    """

    assignee: list[str] = []
    """Match subjects assigned to one of these identifiers."""

    cursor: str | None = None
    """Pagination cursor returned by a prior `subject/list` call."""

    dispatch_label: str | None = None
    """Match subjects whose dispatch label (resolved by the backend from its
    `SubjectSchema.status_dispatch_hints` table) equals this value. Workflow YAML can use this
    to gate a phase on a label like `"code-review"` without coupling to any one backend's
    vocabulary.
    """

    has_attachment_kind: str | None = None
    """Match subjects that carry at least one `SubjectAttachment` whose `kind` equals this value.
    Useful for `requires_document_attachment` style gates.
    """

    kind: list[str] = []
    """Match subjects whose `kind` is one of these."""

    labels_all: list[str] = []
    """Match subjects that have all of these labels."""

    labels_any: list[str] = []
    """Match subjects that have at least one of these labels."""

    limit: UInt32 | None = None
    """Suggested page size. Backends are free to clamp this."""

    native_status: str | None = None
    """Match subjects whose backend-raw `Subject.native_status` equals this value. Use when the
    normalized `SubjectStatus` is too coarse — e.g. match Linear `"In Review"` but not `"In
    Progress"`, which both map to `"in-progress"`.
    """

    status: list[SubjectStatus] = []
    """Match subjects whose status is one of these."""

    updated_since: TimestampOrBlank | None = None
    """Match subjects updated at or after this timestamp."""

    def __post_init__(self) -> None:
        try:
            if self.updated_since is None or self.updated_since > "":
                return
        except TypeError:
            pass
        mend(self, updated_since=timestamp_or_null)

    def matches(self, subject: Subject) -> bool:
        """Does it meet every condition?"""
        from animus_routes.matching import subject_matches

        return subject_matches(self, subject)


class SubjectGetRequest(WireStruct, kw_only=True):
    """Request payload for `<kind>/get`."""

    id: SubjectId
    """Id of the subject to read."""


class SubjectList(WireStruct, kw_only=True):
    """Result of `subject/list`."""

    subjects: list[Subject]
    """Subjects in this page."""

    fetched_at: TimestampOrBlank = field(default_factory=now)
    """When the backend snapshot was taken. Used by the daemon for cache freshness reasoning."""

    next_cursor: str | None = None
    """Opaque cursor for the next page, or `None` if exhausted."""

    def __post_init__(self) -> None:
        try:
            if self.fetched_at > "":
                return
        except TypeError:
            pass
        mend(self, fetched_at=timestamp_or_now)


class SubjectNextRequest(WireStruct, kw_only=True):
    """Request payload for `<kind>/next`."""

    kind: str | None = None
    """Kind to choose from. Any kind when absent."""


class SubjectPatch(WireStruct, kw_only=True):
    """What `subject/update` changes: the fields that are given, and no others. `assignee` knows
    three states: absent leaves it, null clears it, a name sets it. Labels are added and removed
    one by one, so that two changes at once do not lose each other.
    """

    assignee: str | None | UnsetType = UNSET
    """Set, change, or clear the assignee. `None` means clear."""

    comment: str | None = None
    """Optional comment to post alongside the update. Backends that don't support comments may
    surface this as a summary in their native activity log.
    """

    custom: dict[str, Any] = {}
    """Backend-specific custom fields to merge. An explicit JSON `null` value clears the field at
    that key.
    """

    description: str | None = None
    """Set the long-form description."""

    labels: list[str] | None = None
    """Replace all labels by these. An empty list removes every label."""

    labels_add: list[str] = []
    """Labels to add (deduplicated against existing labels)."""

    labels_remove: list[str] = []
    """Labels to remove."""

    priority: UInt8 | None = None
    """Set the priority, on the scale of `Subject.priority`."""

    status: SubjectStatus | None = None
    """Set the normalized status. Backends translate to their native value using the workflow-YAML
    `status_map`.
    """

    title: str | None = None
    """Set the title."""

    def changes(self) -> dict[str, Any]:
        """What it sets, by field; assignee None clears."""
        from animus_routes.matching import changes

        return changes(self)

    def apply(self, subject: Subject) -> Subject:
        """A changed copy of the subject."""
        from animus_routes.matching import patched

        return patched(self, subject)


class SubjectSchema(WireStruct, kw_only=True):
    """Capability declaration returned by `subject/schema`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    `subject/watch` for polling-only backends, or to pre-populate a UI with the subject's
    available custom-field values.
    """

    kinds: list[str]
    """Subject kinds this backend produces."""

    status_values: list[SubjectStatus]
    """Normalized status values this backend can emit."""

    supports_watch: bool = field(default_factory=bool)
    """Whether `subject/watch` is implemented."""

    supports_create: bool = field(default_factory=bool)
    """True if, and only if, the plugin honors `<kind>/create` verb invocations.

    The protocol-standard `subject/create` verb has not been wired in any first-party plugin or
    daemon path; the kind-prefixed form is the durable surface in production today. Backends
    that intend callers to be able to insert new subjects should set this to `true` and register
    a `<kind>/create` method handler.
    """

    supports_pagination: bool
    """Whether `subject/list` honors `cursor`."""

    custom_fields: list[CustomFieldSpec] = []
    """Custom field declarations."""

    native_status_values: list[str] = []
    """Native (pre-mapping) status values the backend uses upstream. Useful for documenting
    `status_map` entries in workflow YAML.
    """

    status_dispatch_hints: list[StatusDispatchHint] = []
    """Status dispatch hints: for each backend-native status the backend declares what normalized
    `SubjectStatus` it bucketizes to and an optional `dispatch_label` workflow YAML can fire
    phases on.

    `dispatch_label` decouples workflow YAML from any one backend's vocabulary. Multiple
    backends (Linear `"In Review"`, GitHub `"awaiting-review"`, Jira `"Code Review"`) can
    advertise the same `dispatch_label = "code-review"`, and a workflow phase keyed on that
    label fires for all of them.
    """

    supports_delete: bool = field(default_factory=bool)
    """Whether `subject/delete` (or `<kind>/delete`) is served. Without it, deletes are answered
    with -32001, and the daemon cancels the subject instead.
    """


class SubjectStatusRequest(WireStruct, kw_only=True):
    """Request payload for `<kind>/status`."""

    id: SubjectId
    """Id of the subject to move."""

    status: SubjectStatus
    """Status to move it to."""


class SubjectUnwatchRequest(WireStruct, kw_only=True):
    """The params of `subject/unwatch`: `watch_id` is the id of the `subject/watch` that is to end.
    """

    watch_id: str
    """Id of the watch subscription to stop. Matches the request id from the originating
    `subject/watch` call.
    """


class SubjectUpdateRequest(WireStruct, kw_only=True):
    """Request payload for `<kind>/update`."""

    id: SubjectId
    """Id of the subject to change."""

    patch: SubjectPatch
    """What to change."""


class SubjectWatchRequest(WireStruct, kw_only=True):
    """Request payload for `subject/watch`."""

    filter: SubjectFilter | None = None
    """Report changes of matching subjects only."""

    kind: str | None = None
    """Report changes of this kind only."""


if TYPE_CHECKING:
    from animus_routes.structs.actor import Actor
    from animus_routes.structs.subject_v2 import (
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
        "Actor": "animus_routes.structs.actor",
        "SubjectCreateRequestV2": "animus_routes.structs.subject_v2",
        "SubjectDeleteRequestV2": "animus_routes.structs.subject_v2",
        "SubjectGetRequestV2": "animus_routes.structs.subject_v2",
        "SubjectListRequestV2": "animus_routes.structs.subject_v2",
        "SubjectRequestContext": "animus_routes.structs.subject_v2",
        "SubjectStatusRequestV2": "animus_routes.structs.subject_v2",
        "SubjectUpdateRequestV2": "animus_routes.structs.subject_v2",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
