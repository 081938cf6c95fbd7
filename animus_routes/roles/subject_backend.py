"""`subject_backend`: tasks, issues and other units of work (spec sections 7.1 and 9).

The host calls `<kind>/<verb>`, while the spec has `subject/<verb>`; both are served. What hosts send
in other forms than the schema's is normalised here, and so is what handlers may return instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import structs

from animus_routes.errors import Invalid, Mistake, NotFound
from animus_routes.roles import (
    SEVERAL,
    ErrorRow,
    Like,
    MethodRow,
    Role,
    StreamRow,
    agreeing,
    has_key,
    items_of,
)
from animus_routes.timestamps import now
from animus_routes.values.codecs import to_builtins
from animus_routes.values.hints import is_generated

if TYPE_CHECKING:
    from animus_routes.roles import ParamsAdapter, Registered

STATUSES = ("ready", "in-progress", "blocked", "done", "cancelled")
PRIORITIES = {"none": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
# As the host's own help, and the tools that agents read, name them.
LEVELS = {**PRIORITIES, "p0": 4, "p1": 3, "p2": 2, "p3": 1}
DIGITS = 20  # more than any whole number on the wire has
GLOB = "*"
INSIDE = ("filter", "payload")  # what the params of some calls wrap
CONTEXT = "subject.SubjectRequestContext"

Params = dict[str, Any]
Words = list[object]


def subject_kind(params: Params, registered: Registered) -> str | None:
    """The kind that a call of `subject/<verb>` means: its own, one inside, its id's, the only one."""
    inside = [params[name] for name in INSIDE if isinstance(params.get(name), dict)]
    own = next((one["kind"] for one in (params, *inside) if one.get("kind") is not None), None)
    if isinstance(own, list):
        named = _served(cast("Words", own), registered)
        own = named[0] if len(named) == 1 else None
    if isinstance(own, str) and own:
        return own
    prefix, colon, _ = str(params.get("id", "")).partition(":")
    if colon and registered.serves(prefix):
        return prefix
    declared = registered.subject_kinds
    return declared[0] if len(declared) == 1 and GLOB not in declared[0] else None


def _list(params: Params, kind: str | None, registered: Registered) -> Params:
    """The daemon wraps the filter, the CLI does not."""
    wrapped = params.pop("filter", None)
    found = {} if wrapped is None else _object(wrapped, "filter")
    return _filter(params | found, kind, registered)


def _filter(params: Params, kind: str | None, registered: Registered) -> Params:
    """A filter for what is served here: the method's own kind wins over the filter's."""
    asked = params.get("kind")
    if kind is not None:
        params["kind"] = [kind]
    elif not asked:
        params["kind"] = [*registered.subject_kinds] if _all_named(registered) else None
    elif isinstance(asked, str):
        params["kind"] = [asked]
    elif isinstance(asked, list):
        params["kind"] = _served(cast("Words", asked), registered)
    return {name: value for name, value in _worded(params).items() if value is not None}


def _served(named: Words, registered: Registered) -> Words:
    """The kinds that are served here; all of them if none is: an empty list would mean every kind."""
    return [one for one in named if registered.serves(str(one))] or named


def _all_named(registered: Registered) -> bool:
    return not any(GLOB in kind for kind in registered.subject_kinds)


def _next(params: Params, kind: str | None, registered: Registered) -> Params:
    found = kind or params.get("kind") or subject_kind(params, registered)
    return params if found is None else {**params, "kind": found}


def _create(params: Params, kind: str | None, registered: Registered) -> Params:
    own = params.get("kind")
    if not isinstance(own, str | None):
        raise _invalid("kind", "Expected `str`", "type")
    params = _next(_fields(params, "priority"), kind, registered)
    if not params.get("kind"):
        served = ", ".join(registered.subject_kinds)
        raise _invalid("kind", f"Field required: one of {served}", "missing")
    return params


def _update(params: Params, _kind: str | None, _registered: Registered) -> Params:
    patch = params.get("patch")
    params["patch"] = {} if patch is None else _fields(_object(patch, "patch"), "patch.priority")
    return params


def _status(params: Params, _kind: str | None, _registered: Registered) -> Params:
    return _worded(params)


def _watch(params: Params, kind: str | None, registered: Registered) -> Params:
    found = _next(params, kind, registered)
    if found.get("filter") is not None:
        asked = _object(found["filter"], "filter")
        found["filter"] = _filter(asked, found.get("kind"), registered)
    return found


def _fields(fields: Params, path: str) -> Params:
    """The CLI says `body` for the description and writes the priority as a string."""
    body = fields.pop("body", None)
    if fields.get("description") is None and body is not None:
        fields["description"] = body
    _worded(fields)
    if isinstance(fields.get("priority"), str):
        raise _invalid(path, f"Expected 0..4 or one of {', '.join(LEVELS)}", "enum")
    return fields


def _worded(fields: Params) -> Params:
    """Statuses and priorities in the wire's words; what is none of them is left to the decoder."""
    status, priority = fields.get("status"), fields.get("priority")
    if isinstance(status, str):
        fields["status"] = _status_word(status)
    elif isinstance(status, list):
        fields["status"] = [_status_word(word) for word in cast("Words", status)]
    if isinstance(priority, str):
        word = priority.strip().lower()
        fields["priority"] = int(word) if _is_short(word) else LEVELS.get(word, priority)
    return fields


def _is_short(word: str) -> bool:
    """Is it a number that `int` reads? It refuses thousands of digits."""
    return word.isdecimal() and len(word) < DIGITS


def _status_word(word: object) -> object:
    if word in STATUSES:
        return word
    meant = str(word).strip().lower().replace("_", "-")
    return meant if meant in STATUSES else word


def _object(value: Any, path: str) -> Params:
    if not isinstance(value, dict):
        raise _invalid(path, "Expected `object`", "type")
    return cast("Params", value)


def _invalid(path: str, message: str, code: str) -> Invalid:
    return Invalid([{"path": path, "message": message, "code": code}])


def _fill(subject: Any) -> Any:
    """Fill in what every host needs and an author may leave out; `""` counts as left out.

    The wire types do this themselves; this is for plain dicts and an author's own types.
    """
    if is_generated(type(subject)) or subject is None:
        return subject
    found: Params = to_builtins(subject)
    if not isinstance(cast("object", found), dict):
        raise Mistake(
            f"returned a {type(subject).__name__} where a Subject belongs: {subject!r:.60}"
        )
    found["status"] = found.get("status") or "ready"
    for field in ("created_at", "updated_at"):
        found[field] = found.get(field) or now()
    return found


def _unwrap(result: Any) -> Any:
    """Unwrap the spec's `{"subject": ...}`: every host wants a bare subject."""
    if isinstance(result, dict):
        found = cast("Params", result)
        return found["subject"] if found.keys() == {"subject"} else found
    return result


def _waiting(result: Any, _params: Params, _registered: Registered) -> Any:
    return _fill(_unwrap(result))


def _subject(result: Any, params: Params, _registered: Registered) -> Any:
    if (found := _fill(_unwrap(result))) is None:
        raise NotFound(f"subject '{params.get('id', '')}'")
    return found


def _created(result: Any, _params: Params, _registered: Registered) -> Any:
    if (found := _fill(_unwrap(result))) is None:
        raise Mistake("returned None, but hosts want the new subject: return it")
    return found


def _subjects(result: Any, _params: Params, _registered: Registered) -> Any:
    if is_generated(type(result)):
        return result
    found: Params = {"subjects": []}
    if result is None or isinstance(result, SEVERAL):
        found["subjects"] = items_of(result)
    else:
        found = to_builtins(result)
        has_key(found, "subjects")
    found["subjects"] = [_fill(subject) for subject in found["subjects"] or ()]
    found["fetched_at"] = found.get("fetched_at") or now()
    return found


def _deleted(result: Any, _params: Params, _registered: Registered) -> Any:
    return {"ok": result is None or result} if isinstance(result, bool | None) else result


def _flags(registered: Registered) -> Params:
    """What follows from the registered methods; the author's own schema may not contradict it."""
    return {
        "supports_watch": registered.has("subject/watch"),
        "supports_create": registered.has("subject/create"),
        "supports_delete": registered.has("subject/delete"),
    }


def _schema(registered: Registered) -> Params:
    return {
        "kinds": list(registered.subject_kinds),
        "status_values": list(STATUSES),
        "supports_pagination": False,
    }


# Calls on behalf of somebody (newer 3.3). A handler gets them in v1's form, which `_apart` makes, or
# as the whole v2 request; either way the context is held first, and words are the wire's.


# By verb, what v1's params are in, and what stands beside it; of the other verbs, all stands beside.
WRAPPED: Final = {"list": ("filter", ()), "create": ("payload", ("kind",))}
BESIDE: Final = ("id", "kind", "patch", "status")


def _list_v2(params: Params, kind: str | None, registered: Registered) -> Params:
    given = params.get("filter")
    found = _object({} if given is None else given, "filter")
    return _held(params) | {"filter": _filter(found, kind, registered)}


def _create_v2(params: Params, kind: str | None, registered: Registered) -> Params:
    payload = params.get("payload")
    fields = _fields({} if payload is None else _object(payload, "payload"), "payload.priority")
    own = params.get("kind") or fields.pop("kind", None)
    found = _create({"kind": own}, kind, registered)
    return _held(params) | {"payload": fields, **found}


def _then(adapt: ParamsAdapter) -> ParamsAdapter:
    return lambda params, kind, registered: adapt(_held(params), kind, registered)


def _held(params: Params, _kind: object = None, _registered: object = None) -> Params:
    """The params, if their context says who is behind the call, and nothing beside it is malformed."""
    from msgspec import ValidationError, convert

    from animus_routes.values.hints import wire_type
    from animus_routes.values.issues import under

    wanted = {"context": wire_type(CONTEXT), "actor": wire_type("actor.Actor") | None}
    for name, hint in wanted.items():
        try:
            convert(params.get(name), hint)
        except ValidationError as error:
            raise under(name, error) from error
    return params


def _apart(held: ParamsAdapter, verb: str) -> ParamsAdapter:
    """In v1's form: the context is in `ctx.actor`, and what the call wraps is unwrapped."""
    wrapper, own = WRAPPED.get(verb, (None, BESIDE))

    def apart(params: Params, kind: str | None, registered: Registered) -> Params:
        found = held(params, kind, registered)
        inner: Params = found[wrapper] if wrapper is not None else {}
        return {name: found[name] for name in own if name in found} | inner

    return apart


def _v2(row: MethodRow, name: str, held: ParamsAdapter) -> MethodRow:
    """A method of v2, from that of v1 with the same verb."""
    return structs.replace(
        row,
        name=f"subject/v2/{row.verb}",
        params=f"subject.{name}",
        required=False,
        decoded=True,
        adapt_params=held,
        like=Like(row.name, _apart(held, row.verb)),
        actor="context.actor",
    )


def _row(verb: str, params: str, result: str = "Subject", **options: Any) -> MethodRow:
    return MethodRow(
        f"subject/{verb}",
        params=f"subject.{params}",
        result=f"subject.{result}",
        aliases=True,
        **options,
    )


LIST = _row(
    "list",
    "SubjectFilter",
    "SubjectList",
    required=True,
    reads=True,
    adapt_params=_list,
    adapt_result=_subjects,
    returns=("list",),
)
GET = _row("get", "SubjectGetRequest", required=True, reads=True, adapt_result=_subject)
CREATE = _row("create", "SubjectCreateRequest", adapt_params=_create, adapt_result=_created)
UPDATE = _row("update", "SubjectUpdateRequest", adapt_params=_update, adapt_result=_subject)
STATUS = _row("status", "SubjectStatusRequest", adapt_params=_status, adapt_result=_subject)
DELETE = _row(
    "delete",
    "DeleteSubjectRequest",
    "DeleteSubjectResponse",
    adapt_result=_deleted,
    returns=("bool",),
)

ROLE = Role(
    kind="subject_backend",
    subjects=True,
    subject_kind=subject_kind,
    errors={"not_supported": ErrorRow(category="unsupported")},
    notifications=("subject/changed",),
    methods=(
        LIST,
        GET,
        CREATE,
        UPDATE,
        STATUS,
        _row("next", "SubjectNextRequest", reads=True, adapt_params=_next, adapt_result=_waiting),
        DELETE,
        agreeing("subject/schema", "subject.SubjectSchema", _schema, _flags, aliases=True),
        MethodRow(
            "subject/watch",
            params="subject.SubjectWatchRequest",
            reads=True,
            long_running=True,
            aliases=True,
            adapt_params=_watch,
            stream=StreamRow(
                "subject/changed",
                ack={"watching": True},
                items={"subject/changed": "subject.SubjectChangedEvent"},
            ),
        ),
        MethodRow(
            "subject/unwatch",
            params="subject.SubjectUnwatchRequest",
            reads=True,
            one_way=True,
            stops="watch_id",
            stopped=lambda _name, found: {"ok": found},
        ),
        _v2(LIST, "SubjectListRequestV2", _list_v2),
        _v2(GET, "SubjectGetRequestV2", _held),
        _v2(CREATE, "SubjectCreateRequestV2", _create_v2),
        _v2(UPDATE, "SubjectUpdateRequestV2", _then(_update)),
        _v2(STATUS, "SubjectStatusRequestV2", _then(_status)),
        _v2(DELETE, "SubjectDeleteRequestV2", _held),
    ),
)
