"""A subject backend on the wire: every name, every form that hosts send, every convenience."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from making import full_app, issues, refused, subject, subject_app
from pydantic import BaseModel

from animus_routes import (
    UNSET,
    ConfigurationError,
    Context,
    NotFound,
    NotSupported,
    PermissionDenied,
    QuotaExceeded,
    Unavailable,
)
from animus_routes.structs import subject as structs
from animus_routes.testing import TestClient
from animus_routes.types import subject as models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes import App

VERBS = {
    "create": {"title": "t"},
    "delete": {"id": "task:1"},
    "get": {"id": "task:1"},
    "list": {},
    "next": None,
    "status": {"id": "task:1", "status": "done"},
    "update": {"id": "task:1", "patch": {}},
}


def complete_app(**options: Any) -> App:
    """Every verb, each answering with a subject that says what it was called with."""
    app = subject_app(**options)
    for verb in VERBS:

        def handler(params: dict[str, Any], ctx: Context, verb: str) -> Any:
            told = subject(f"{ctx.kind or 'none'}:{verb}", custom=params)
            return [told] if verb == "list" else told

        if verb == "delete":
            app.method("subject/delete")(lambda id: id == "task:1")
        else:
            app.method(f"subject/{verb}")(partial(handler, verb=verb))
    return app


def titled(title: str) -> list[dict[str, Any]]:
    return [subject("1", title=title)]


def told(client: TestClient, method: str, params: Any = None) -> Any:
    """The params that the handler of a verb saw."""
    result = client.call(method, params)
    return (result["subjects"][0] if "subjects" in result else result)["custom"]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_answers_under_both_prefixes(verb: str) -> None:
    with TestClient(complete_app()) as client:
        for prefix in ("task", "subject"):
            if (prefix, verb) == ("subject", "create"):
                params: Any = {"kind": "task", "title": "t"}
            else:
                params = VERBS[verb]
            assert client.call(f"{prefix}/{verb}", params) is not None


@pytest.mark.parametrize(
    ("kinds", "called", "kind"),
    [
        (["task"], "task/list", "task"),
        (["task"], "subject/list", None),
        (["jira.*"], "jira.bug/list", "jira.bug"),
        (["*"], "anything/list", "anything"),
        (["x.*", "x.y.*", "*"], "x.y.z/list", "x.y.z"),
    ],
)
def test_the_methods_kind_wins_over_the_filters(
    kinds: list[str], called: str, kind: str | None
) -> None:
    app = subject_app(subject_kinds=kinds)
    seen: list[Any] = []

    @app.method("subject/list")
    def list_subjects(filter: structs.SubjectFilter, ctx: Context) -> list[Any]:
        seen.append((filter.kind, ctx.kind))
        return []

    app.method("subject/get")(lambda id: None)
    with TestClient(app) as client:
        client.call(called, {"kind": ["other"]})
        client.call(called, {"filter": {"kind": ["other"]}})
    forced = ["other"] if kind is None else [kind]
    assert seen == [(forced, kind), (forced, kind)]


def test_globs_prefer_an_exact_kind_and_then_the_longest() -> None:
    app = subject_app(subject_kinds=["a.b", "a.*", "*"])
    app.method("subject/get")(lambda id: None)
    for kind in ("a.b", "a.*", "*"):
        app.method(f"{kind}/list")(partial(titled, kind))
    with TestClient(app) as client:
        for called, served in (("a.b", "a.b"), ("a.c", "a.*"), ("z", "*")):
            assert client.call(f"{called}/list")["subjects"][0]["title"] == served


@pytest.mark.parametrize(
    "params",
    [
        {"status": ["ready"], "limit": 2},
        {"filter": {"status": ["ready"], "limit": 2}},
        {"filter": {"status": ["ready"]}, "limit": 2},
        {"status": ["ready"], "limit": 2, "filter": None},
    ],
)
def test_a_filter_is_read_flat_and_wrapped(params: dict[str, Any]) -> None:
    for family in (structs, models):
        app = subject_app()
        seen: list[Any] = []

        def list_subjects(filter: Any, seen: list[Any]) -> list[Any]:
            seen.append((filter.status, filter.limit, filter.kind))
            return []

        def with_filter(filter: Any) -> list[Any]:
            return list_subjects(filter, seen)

        with_filter.__annotations__["filter"] = family.SubjectFilter
        app.method("subject/list")(with_filter)
        app.method("subject/get")(lambda id: None)
        with TestClient(app) as client:
            client.call("task/list", params)
        assert seen == [(["ready"], 2, ["task"])]


@pytest.mark.parametrize("params", [None, {}, {"filter": None}, {"filter": {}}])
def test_list_needs_no_params(params: Any) -> None:
    with TestClient(full_app()) as client:
        page = client.call("task/list", params)
    assert page["subjects"] == []
    assert page["fetched_at"].endswith("Z")


def test_a_filter_that_is_no_object_is_refused() -> None:
    app = subject_app()

    @app.method("subject/list")
    def list_subjects(filter: structs.SubjectFilter) -> list[Any]:
        return []

    app.method("subject/get")(lambda id: None)
    with TestClient(app) as client:
        assert issues(refused(client, "task/list", {"filter": "ready"})) == [("filter", "type")]
        assert issues(refused(client, "task/list", {"filter": {"status": ["open"]}})) == [
            ("status.0", "enum")
        ]


def test_list_takes_fields_with_the_wires_own_defaults() -> None:
    app = subject_app()
    seen: list[Any] = []

    @app.method("subject/list")
    def list_subjects(status: list[str], limit: int | None, cursor: str = "first") -> list[Any]:
        seen.append((status, limit, cursor))
        return []

    app.method("subject/get")(lambda id: None)
    with TestClient(app) as client:
        client.call("task/list")
        client.call("task/list", {"status": ["done"], "limit": 3, "cursor": "c"})
    assert seen == [([], None, "first"), (["done"], 3, "c")]


@pytest.mark.parametrize(
    ("priority", "read"),
    [("high", 3), ("None", 0), (" critical ", 4), ("2", 2), (1, 1), (None, None)],
)
def test_create_reads_what_the_command_line_sends(priority: Any, read: int | None) -> None:
    with TestClient(complete_app()) as client:
        params = {"title": "t", "body": "text", "priority": priority, "labels": ["a"]}
        seen = told(client, "task/create", params)
    assert seen == {
        "kind": "task",
        "title": "t",
        "description": "text",
        "priority": read,
        "labels": ["a"],
    }


def test_a_description_wins_over_a_body() -> None:
    with TestClient(complete_app()) as client:
        seen = told(client, "task/create", {"title": "t", "body": "b", "description": "d"})
    assert seen["description"] == "d"


def test_an_unknown_priority_is_refused_with_its_place() -> None:
    with TestClient(complete_app()) as client:
        assert issues(refused(client, "task/create", {"title": "t", "priority": "asap"})) == [
            ("priority", "enum")
        ]
        params = {"id": "task:1", "patch": {"priority": "asap"}}
        assert issues(refused(client, "task/update", params)) == [("patch.priority", "enum")]
        params = {"id": "task:1", "patch": 3}
        assert issues(refused(client, "task/update", params)) == [("patch", "type")]


@pytest.mark.parametrize("family", [structs, models])
def test_a_patch_keeps_absent_null_and_value_apart(family: Any) -> None:
    app = full_app()
    app.registrations.clear()
    seen: list[Any] = []

    def update(id: str, patch: Any) -> dict[str, Any]:
        seen.append((patch.assignee, patch.priority, patch.description, patch.labels))
        return subject(id)

    update.__annotations__["patch"] = family.SubjectPatch
    app.method("subject/update")(update)
    app.method("subject/get")(lambda id: None)
    app.method("subject/list")(list)
    with TestClient(app) as client:
        for patch in ({}, {"assignee": None}, {"assignee": "ada"}, None):
            client.call("task/update", {"id": "task:1", "patch": patch})
        patch = {"priority": "low", "body": "text", "labels": ["x"]}
        client.call("task/update", {"id": "task:1", "patch": patch})
        client.call("task/update", {"id": "task:1"})
    assert [assignee for assignee, *_ in seen] == [UNSET, None, "ada", UNSET, UNSET, UNSET]
    assert seen[4][1:] == (1, "text", ["x"])


@pytest.mark.parametrize("params", [None, {}, {"kind": "bug"}])
def test_next_needs_no_params(params: Any) -> None:
    with TestClient(complete_app()) as client:
        assert told(client, "task/next", params) == {"kind": "task"}


def test_next_may_have_nothing() -> None:
    app = full_app()
    app.method("subject/next")(lambda: None)
    with TestClient(app) as client:
        assert client.call("task/next") is None


@pytest.mark.parametrize(
    ("returned", "ok"),
    [(None, True), (True, True), (False, False), ({"ok": True}, True)],
)
def test_delete_takes_every_form_of_answer(returned: Any, ok: bool) -> None:
    app = full_app()
    app.method("subject/delete")(lambda id: returned)
    with TestClient(app) as client:
        assert client.call("task/delete", {"id": "task:1"}) == {"ok": ok}


@pytest.mark.parametrize("verb", ["get", "update", "status"])
def test_none_is_not_found(verb: str) -> None:
    app = full_app()
    app.registrations.clear()
    for name in ("get", "update", "status"):
        app.method(f"subject/{name}")(lambda id: None)
    app.method("subject/list")(lambda: None)
    with TestClient(app) as client:
        error = refused(client, f"task/{verb}", VERBS[verb])
        assert client.call("task/list")["subjects"] == []
    assert (error.code, error.message) == (-32602, "not found: subject 'task:1'")
    assert error.data == {"category": "not_found"}


def test_create_that_returns_nothing_is_the_authors_bug() -> None:
    app = full_app()
    app.method("subject/create")(lambda title: None)
    with TestClient(app) as client:
        assert refused(client, "task/create", {"title": "t"}).code == -32603


@dataclass
class OwnData:
    id: str
    kind: str
    title: str


class OwnModel(BaseModel):
    id: str
    kind: str
    title: str
    status: str = ""


def own_data(id: str) -> OwnData:
    return OwnData(id, "task", "t")


def own_model(id: str) -> OwnModel | None:
    return OwnModel(id=id, kind="task", title="t")


def struct(id: str) -> structs.Subject:
    return structs.Subject(id=id, kind="task", title="t", created_at="", status="ready")


def model(id: str) -> models.Subject:
    return models.Subject(id=id, kind="task", title="t", created_at="", status="ready")


def plain(id: str) -> dict[str, Any]:
    return subject(id, created_at="", status="")


def wrapped(id: str) -> dict[str, Any]:
    return {"subject": subject(id)}


@pytest.mark.parametrize("handler", [own_data, own_model, struct, model, plain, wrapped])
def test_status_and_times_are_filled_when_absent_or_blank(handler: Any) -> None:
    app = subject_app()
    app.method("subject/get")(handler)
    app.method("subject/list")(lambda: [handler("task:1"), handler("task:2")][:1])
    app.method("subject/create")(handler_of_create(handler))
    with TestClient(app) as client:
        found = client.call("task/get", {"id": "task:1"})
        created = client.call("task/create", {"title": "t"})
        if handler is not wrapped:
            assert client.call("task/list")["subjects"][0]["status"] == "ready"
    for answer in (found, created):
        assert answer["id"] == "task:1"
        assert answer["status"] == "ready"
        assert answer["created_at"].endswith("Z")
        assert answer["updated_at"].endswith("Z")


def handler_of_create(handler: Any) -> Any:
    def create(title: str) -> Any:
        return handler("task:1")

    create.__annotations__["return"] = handler.__annotations__["return"]
    create.__globals__.setdefault("OwnData", OwnData)
    return create


def test_what_an_author_says_of_status_and_times_stays() -> None:
    given = subject(
        "task:1",
        status="done",
        created_at="2020-01-01T00:00:00.123456789Z",
        updated_at="2020-01-02T00:00:00+01:00",
    )
    app = full_app()
    app.registrations.clear()
    app.method("subject/get")(lambda id: given)
    app.method("subject/list")(lambda: {"subjects": [given], "next_cursor": "c", "fetched_at": ""})
    with TestClient(app) as client:
        assert client.call("task/get", {"id": "task:1"}) == given
        page = client.call("task/list")
    assert page["subjects"] == [given]
    assert page["next_cursor"] == "c"
    assert page["fetched_at"]


# Schema, flags, tokens ----------------------------------------------------------------------------


@pytest.mark.parametrize("author", [False, True])
@pytest.mark.parametrize("verbs", [(), ("create",), ("delete", "watch"), ("create", "watch")])
def test_flags_methods_and_tokens_always_agree(verbs: tuple[str, ...], author: bool) -> None:
    app = full_app(subject_kinds=["task", "bug.*"])

    def watch() -> Iterator[Any]:
        yield from ()

    handlers: dict[str, Any] = {
        "create": lambda title: subject("1"),
        "delete": lambda id: None,
        "watch": watch,
    }
    for verb in verbs:
        app.method(f"subject/{verb}")(handlers[verb])
    if author:

        @app.method("subject/schema")
        def schema() -> dict[str, Any]:
            return {"supports_create": True, "supports_delete": True, "supports_pagination": True}

    with TestClient(app) as client:
        found = client.call("task/schema")
        assert client.call("subject/schema") == found
        capabilities = client.initialize_result["capabilities"]
    advertised = capabilities["methods"]
    for verb in handlers:
        for prefix in ("subject", "task", "bug.*"):
            assert (f"{prefix}/{verb}" in advertised) is (verb in verbs)
        assert found[f"supports_{verb}"] is (verb in verbs)
    assert found["supports_pagination"] is author
    assert found["kinds"] == ["task", "bug.*"]
    assert found["status_values"] == ["ready", "in-progress", "blocked", "done", "cancelled"]
    assert capabilities["subject_kinds"] == ["task", "bug.*"]
    tokens = app.manifest()["capabilities"]
    assert tokens == [*advertised, "subject_kind:task", "subject_kind:bug.*"]
    assert "subject/schema" in advertised


def test_a_handler_of_one_kinds_verb_is_no_other_kinds() -> None:
    app = full_app(subject_kinds=["task", "bug"])
    app.method("task/create")(lambda title: subject("1"))
    with TestClient(app) as client:
        advertised = client.initialize_result["capabilities"]["methods"]
        assert "task/create" in advertised
        assert "bug/create" not in advertised
        assert "subject/create" not in advertised
        assert client.call("task/create", {"title": "t"})["id"] == "1"
        assert refused(client, "bug/create", {"title": "t"}).code == -32001


def test_a_handler_of_the_only_kinds_verb_is_the_verbs() -> None:
    app = subject_app()
    app.method("task/list")(list)
    app.method("task/get")(lambda id: subject(id))
    with TestClient(app) as client:
        assert client.call("subject/get", {"id": "a"})["id"] == "a"
        assert "subject/get" in client.initialize_result["capabilities"]["methods"]


def test_a_required_verb_that_one_kind_lacks_is_reported() -> None:
    app = subject_app(subject_kinds=["task", "bug"])
    app.method("task/list")(list)
    app.method("subject/get")(lambda id: None)
    with pytest.raises(ConfigurationError, match="'bug/list' is required"):
        TestClient(app)


def test_unserved_and_unknown_methods_differ() -> None:
    with TestClient(full_app(subject_kinds=["task", "x.*"])) as client:
        for method in ("task/create", "subject/create", "x.y/create"):
            error = refused(client, method, {"title": "t"})
            assert error.code == -32001
            assert error.data == {"category": "unsupported"}
        for method in ("task/frobnicate", "other/create", "subject/", "x"):
            assert refused(client, method).code == -32601


# Watch --------------------------------------------------------------------------------------------


def watching_app(events: int | None) -> App:
    app = full_app()

    @app.method("subject/watch")
    def watch(filter: structs.SubjectFilter, kind: str | None, ctx: Context) -> Iterator[Any]:
        number = 0
        while events is None or number < events:
            number += 1
            yield {
                "id": f"task:{number}",
                "change_kind": "created",
                "subject": subject(f"task:{number}", custom={"kind": kind, "limit": filter.limit}),
            }
            if events is None and ctx.wait(0.01):
                return

    return app


@pytest.mark.parametrize("method", ["subject/watch", "task/watch"])
def test_a_watch_is_acknowledged_and_then_says_what_changed(method: str) -> None:
    with TestClient(watching_app(2)) as client:
        stream = client.stream(method)
        assert stream.ack == {"watching": True}
        changes = list(stream)
        assert [change["id"] for change in changes] == [stream.request_id] * 2
        assert [change["event"]["id"] for change in changes] == ["task:1", "task:2"]
        assert {found.method for found in client.notifications} == {"subject/changed"}


def test_a_watch_reads_its_filter() -> None:
    with TestClient(watching_app(1)) as client:
        stream = client.stream("subject/watch", {"kind": "bug", "filter": {"limit": 3}})
        assert next(stream)["event"]["subject"]["custom"] == {"kind": "bug", "limit": 3}
        forced = client.stream("task/watch", {"kind": "bug"})
        assert next(forced)["event"]["subject"]["custom"] == {"kind": "task", "limit": None}


def test_a_watch_with_a_filter_alone_may_be_opened_without_one() -> None:
    app = full_app()

    @app.method("subject/watch")
    def watch(filter: structs.SubjectFilter) -> Iterator[Any]:
        yield {
            "id": "1",
            "change_kind": "created",
            "subject": subject("1", custom={"l": filter.limit}),
        }

    with TestClient(app) as client:
        assert next(client.stream("subject/watch"))["event"]["subject"]["custom"] == {"l": None}
        opened = client.stream("subject/watch", {"filter": {"limit": 4}})
        assert next(opened)["event"]["subject"]["custom"] == {"l": 4}


@pytest.mark.parametrize("as_request", [False, True])
def test_unwatch_ends_a_watch_by_its_id_as_text(as_request: bool) -> None:
    with TestClient(watching_app(None)) as client:
        stream = client.stream("subject/watch")
        next(stream)
        params = {"watch_id": str(stream.request_id)}
        if as_request:
            assert client.call("subject/unwatch", params) == {"ok": True}
            assert client.call("subject/unwatch", {"watch_id": "999"}) == {"ok": False}
        else:
            client.notify("subject/unwatch", params)
        list(stream)  # what was on its way, and then an end
        assert next(stream, None) is None


def test_an_async_watch_streams() -> None:
    app = full_app()

    @app.method("subject/watch")
    async def watch() -> Any:
        for number in range(3):
            yield {"id": str(number), "change_kind": "created", "subject": subject(str(number))}

    with TestClient(app) as client:
        changes = list(client.stream("task/watch"))
    assert [change["event"]["id"] for change in changes] == ["0", "1", "2"]


def test_a_plain_function_may_hand_over_the_stream() -> None:
    app = full_app()

    @app.method("subject/watch")
    def watch() -> Iterator[Any]:
        return iter([{"id": "1", "change_kind": "deleted", "subject": subject("1")}])

    with TestClient(app) as client:
        assert [change["event"]["id"] for change in client.stream("task/watch")] == ["1"]


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "category", "message"),
    [
        (NotFound("it"), -32602, "not_found", "not found: it"),
        (PermissionDenied("no"), -32600, "permission_denied", "permission denied: no"),
        (Unavailable("down"), -32603, "unavailable", "backend unavailable: down"),
        (NotSupported("never"), -32001, "unsupported", "never"),
        (QuotaExceeded("full"), -32603, "quota_exceeded", "quota exceeded: full"),
    ],
)
def test_named_errors_go_out_as_the_subject_crate_writes_them(
    error: Exception, code: int, category: str, message: str
) -> None:
    app = full_app()

    @app.method("subject/next")
    def fail() -> None:
        raise error

    with TestClient(app) as client:
        found = refused(client, "task/next")
    assert (found.code, found.data, found.message) == (code, {"category": category}, message)
