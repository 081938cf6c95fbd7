"""`subject_backend`: tasks, issues and other units of work (spec sections 7.1 and 9).

The host calls `<kind>/<verb>`; `subject/<verb>` is what the spec writes. Both are served. What
hosts send beside the schema's form is normalised here, and what a handler may return beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.errors import Invalid, NotFound
from animus_routes.roles import ErrorRow, Method, Role, Stream
from animus_routes.timestamps import now

if TYPE_CHECKING:
    from animus_routes.routing import Registry

STATUSES = ("ready", "in-progress", "blocked", "done", "cancelled")
PRIORITIES = {"none": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}

Params = dict[str, Any]


def _filter(params: Params, kind: str | None) -> Params:
    """The daemon wraps the filter, the CLI does not; the method's own kind wins over both."""
    wrapped = params.get("filter")
    if wrapped is not None or "filter" in params:
        params = {**params, **(wrapped or {})} if isinstance(wrapped, dict | None) else params
        params.pop("filter", None)
    if kind is not None:
        params["kind"] = [kind]
    return params


def _kind(params: Params, kind: str | None) -> Params:
    if kind is not None:
        params["kind"] = kind
    return params


def _fields(fields: Params, path: str) -> Params:
    """The CLI says `body` for the description and writes the priority as a string."""
    if "body" in fields:
        body = fields.pop("body")
        fields.setdefault("description", body)
    priority = fields.get("priority")
    if isinstance(priority, str):
        name = priority.strip().lower()
        level = int(name) if name.isdecimal() else PRIORITIES.get(name)
        if level is None:
            known = ", ".join(PRIORITIES)
            issue = {"path": path, "message": f"Expected 0..4 or one of {known}", "code": "enum"}
            raise Invalid([issue])
        fields["priority"] = level
    return fields


def _create(params: Params, kind: str | None) -> Params:
    return _kind(_fields(params, "priority"), kind)


def _update(params: Params, _kind: str | None) -> Params:
    patch = params.get("patch")
    if patch is None:
        params["patch"] = {}
    elif isinstance(patch, dict):
        params["patch"] = _fields(patch, "patch.priority")
    return params


def _fill(subject: Any) -> Any:
    """A plain dict may leave out what every host needs; `""` counts as left out."""
    if isinstance(subject, dict):
        subject = {**subject}
        for field, value in (("status", "ready"), ("created_at", None), ("updated_at", None)):
            if not subject.get(field):
                subject[field] = value or now()
    return subject


def _subject(result: Any, params: Params, _registry: Registry) -> Any:
    if isinstance(result, dict) and result.keys() == {"subject"}:
        result = result["subject"]
    if result is None:
        raise NotFound(f"subject '{params.get('id', '')}'")
    return _fill(result)


def _created(result: Any, _params: Params, _registry: Registry) -> Any:
    return _fill(result)


def _subjects(result: Any, _params: Params, _registry: Registry) -> Any:
    page = {"subjects": result} if isinstance(result, list) else dict(result or {"subjects": []})
    page["subjects"] = [_fill(subject) for subject in page.get("subjects") or ()]
    if not page.get("fetched_at"):
        page["fetched_at"] = now()
    return page


def _deleted(result: Any, _params: Params, _registry: Registry) -> Any:
    return result if isinstance(result, dict) else {"ok": result is None or bool(result)}


def _flags(registry: Registry) -> Params:
    """What can be derived from the registry; the author's own schema may not contradict it."""
    return {
        "supports_watch": registry.has("subject/watch"),
        "supports_create": registry.has("subject/create"),
        "supports_delete": registry.has("subject/delete"),
    }


def _schema(registry: Registry) -> Params:
    return {
        "kinds": list(registry.subject_kinds),
        "status_values": list(STATUSES),
        "supports_pagination": False,
        **_flags(registry),
    }


def _declared(result: Any, _params: Params, registry: Registry) -> Any:
    """Whatever the author declares, the flags agree with what is registered."""
    from animus_routes.codecs import to_builtins

    return {**_schema(registry), **(to_builtins(result) or {}), **_flags(registry)}


SUBJECT = "subject.Subject"

ROLE = Role(
    kind="subject_backend",
    crate="subject",
    subjects=True,
    errors={"not_supported": ErrorRow(category="unsupported")},
    notifications=("subject/changed",),
    methods=(
        Method(
            "subject/list",
            params="subject.SubjectFilter",
            result="subject.SubjectList",
            required=True,
            aliases=True,
            adapt_params=_filter,
            adapt_result=_subjects,
            returns=("list",),
        ),
        Method(
            "subject/get",
            params="subject.SubjectGetRequest",
            result=SUBJECT,
            required=True,
            aliases=True,
            adapt_result=_subject,
        ),
        Method(
            "subject/create",
            params="subject.SubjectCreateRequest",
            result=SUBJECT,
            aliases=True,
            adapt_params=_create,
            adapt_result=_created,
        ),
        Method(
            "subject/update",
            params="subject.SubjectUpdateRequest",
            result=SUBJECT,
            aliases=True,
            adapt_params=_update,
            adapt_result=_subject,
        ),
        Method(
            "subject/status",
            params="subject.SubjectStatusRequest",
            result=SUBJECT,
            aliases=True,
            adapt_result=_subject,
        ),
        Method(
            "subject/next",
            params="subject.SubjectNextRequest",
            result=SUBJECT,
            aliases=True,
            adapt_params=_kind,
            adapt_result=lambda result, _params, _registry: _fill(result),
        ),
        Method(
            "subject/delete",
            params="subject.DeleteSubjectRequest",
            result="subject.DeleteSubjectResponse",
            aliases=True,
            adapt_result=_deleted,
            returns=("bool",),
        ),
        Method(
            "subject/schema",
            result="subject.SubjectSchema",
            aliases=True,
            adapt_result=_declared,
            adapts_all=True,
            default=_schema,
        ),
        Method(
            "subject/watch",
            params="subject.SubjectWatchRequest",
            long_running=True,
            aliases=True,
            adapt_params=_kind,
            stream=Stream(
                "subject/changed", ack={"watching": True}, item="subject.SubjectChangedEvent"
            ),
        ),
        Method(
            "subject/unwatch",
            params="subject.SubjectUnwatchRequest",
            notification=True,
            stops="watch_id",
            stopped=lambda _name, found: {"ok": found},
        ),
    ),
)
