"""A subject backend on the wire: every name, every form that hosts send, every convenience."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import full_app, issues, refused, subject, subject_app
from msgspec import Meta
from pydantic import BaseModel

from animus_routes import (
    UNSET,
    Context,
    RpcError,
)
from animus_routes.structs import subject as structs
from animus_routes.testing import TestClient
from animus_routes.types import subject as models

if TYPE_CHECKING:
    from animus_routes import App


def nothing() -> list[Any]:
    return []


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
        (["task"], "subject/list", "other"),
        (["jira.*"], "jira.bug/list", "jira.bug"),
        (["*"], "anything/list", "anything"),
        (["x.*", "x.y.*", "*"], "x.y.z/list", "x.y.z"),
    ],
)
def test_the_methods_kind_wins_over_the_filters(kinds: list[str], called: str, kind: str) -> None:
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
    assert seen == [([kind], kind), ([kind], kind)]


def test_globs_prefer_an_exact_kind_and_then_the_longest() -> None:
    app = subject_app(subject_kinds=["a.b", "a.*", "*"])
    app.method("subject/get")(lambda id: None)
    for kind in ("a.b", "a.*", "*"):
        app.method(f"{kind}/list")(partial(titled, kind))
    with TestClient(app) as client:
        for called, served in (("a.b", "a.b"), ("a.c", "a.*"), ("z", "*")):
            assert client.call(f"{called}/list")["subjects"][0]["title"] == served


@pytest.mark.parametrize("glob", ["*", "x.*"])
def test_any_number_of_kinds_takes_no_more_memory(glob: str) -> None:
    """A bounded number of names is kept, and what decodes and calls is made once."""
    app = subject_app(subject_kinds=[glob])
    app.method("subject/get")(lambda id: None)

    @app.method("subject/list")
    def listed(filter: structs.SubjectFilter) -> list[Any]:
        return [subject("x:1", title=filter.kind[0])]

    def ask(client: TestClient, first: int) -> int:
        for number in range(first, first + 1000):
            kind = f"x.{number}"
            listed = client.call(f"{kind}/list")["subjects"]
            assert [listed[0]["title"], listed[0]["kind"]] == [kind, "task"]
            for method in (f"{kind}/get", f"{kind}/next", f"{number}.y/get", f"{kind}/odd"):
                with pytest.raises(RpcError):
                    client.call(method, {"id": "a"})
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with TestClient(app) as client:
        ask(client, 0)
        tracemalloc.start()
        try:
            before = ask(client, 0)
            assert ask(client, 1000) - before < 200_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "params",
    [
        {"status": ["ready"], "limit": 2},
        {"filter": {"status": ["ready"], "limit": 2}},
        {"filter": {"status": ["ready"]}, "limit": 2},
        {"status": ["ready"], "limit": 2, "filter": None},
    ],
)
@pytest.mark.parametrize("family", [structs, models])
def test_a_filter_is_read_flat_and_wrapped(family: Any, params: dict[str, Any]) -> None:
    app = subject_app()
    seen: list[Any] = []

    def list_subjects(filter: Any) -> list[Any]:
        seen.append((filter.status, filter.limit, filter.kind))
        return []

    list_subjects.__annotations__["filter"] = family.SubjectFilter
    app.method("subject/list")(list_subjects)
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
        error = refused(client, "task/list", {"filter": {"status": ["open"]}})
    words = "'blocked', 'cancelled', 'done', 'in-progress', 'ready'"
    assert issues(error) == [("status.0", "enum")]
    assert error.message == f"invalid params: status.0: Expected one of {words}"


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


def test_create_by_field_fills_what_the_host_left_out() -> None:
    app = subject_app()
    seen: list[Any] = []

    @app.method("subject/create")
    def create(
        title: str,
        custom: dict[str, Any],
        labels: list[str],
        assignee: Annotated[str | None, Meta(description="Whose")],
        parent: structs.SubjectId | None,
    ) -> dict[str, Any]:
        seen.append((title, custom, labels, assignee, parent))
        return subject("task:1")

    app.method("subject/list")(nothing)
    app.method("subject/get")(lambda id: None)
    with TestClient(app) as client:
        client.call("task/create", {"title": "t"})
    assert seen == [("t", {}, [], None, None)]


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
        params: Any = {"id": "task:1", "patch": {"priority": "asap"}}
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
    app.method("subject/list")(nothing)
    with TestClient(app) as client:
        patches: list[Any] = [{}, {"assignee": None}, {"assignee": "ada"}, None]
        for patch in patches:
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
