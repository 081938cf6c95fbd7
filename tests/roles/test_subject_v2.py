"""Subjects on behalf of somebody: `<kind>/v2/<verb>` and `subject/v2/<verb>` (newer 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from animus_routes import App, Context, RpcError
from animus_routes.structs import subject as structs
from animus_routes.testing import TestClient
from animus_routes.types import subject as types

ACTOR = {"user_id": "u-1", "tenant_id": "t-1"}
CONTEXT: dict[str, Any] = {"actor": ACTOR}
TASK: dict[str, Any] = {
    "id": "task:9",
    "kind": "task",
    "title": "Fix it",
    "status": "ready",
    "priority": 2,
    "created_at": "2026-11-25T12:00:00Z",
    "updated_at": "2026-11-25T12:00:00Z",
}
VERBS = ("list", "get", "create", "update", "status", "delete")
PARAMS: dict[str, dict[str, Any]] = {
    "list": {"filter": {"status": ["ready"], "limit": 5}},
    "get": {"id": "task:9"},
    "create": {"kind": "task", "payload": {"title": "Fix it", "priority": 2}},
    "update": {"id": "task:9", "patch": {"status": "done"}},
    "status": {"id": "task:9", "status": "in_progress"},
    "delete": {"id": "task:9"},
}
# The same calls as a handler of v1 sees them.
V1: dict[str, dict[str, Any]] = {
    "list": {"kind": ["task"], "status": ["ready"], "limit": 5},
    "get": {"id": "task:9"},
    "create": {"kind": "task", "title": "Fix it", "priority": 2},
    "update": {"id": "task:9", "patch": {"status": "done"}},
    "status": {"id": "task:9", "status": "in-progress"},
    "delete": {"id": "task:9"},
}
GIVES: dict[str, Any] = dict.fromkeys(VERBS, TASK) | {"list": [TASK], "delete": True}
ANSWERS: dict[str, Any] = dict.fromkeys(VERBS, TASK) | {"delete": {"ok": True}}


def tasks(*, kinds: tuple[str, ...] = ("task",)) -> App:
    """A backend that serves v1's required methods, and says so."""
    app = App(
        kind="subject_backend", name="n", version="1.0.0", description="d", subject_kinds=kinds
    )

    @app.method("subject/list")
    def list_all(params: dict[str, Any]) -> list[Any]:
        return [TASK | {"title": "of v1"}]

    @app.method("subject/get")
    def get_any(id: str) -> dict[str, Any]:
        return TASK | {"title": "of v1"}

    return app


def noting(verb: str, seen: list[Any], app: App | None = None) -> App:
    """A backend whose method of v2 notes its params and who is behind the call."""
    found = app or tasks()

    @found.method(f"subject/v2/{verb}")
    def handler(params: dict[str, Any], ctx: Context) -> Any:
        seen.append((params, ctx.actor, ctx.kind))
        return GIVES[verb]

    return found


def refusal(app: App, method: str, params: Any) -> RpcError:
    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call(method, params)
    return caught.value


def paths(error: RpcError) -> list[str]:
    assert error.code == -32602
    return [issue["path"] for issue in error.data["issues"]]


def test_the_frame_of_a_create_is_answered_with_a_bare_subject() -> None:
    app = tasks()

    @app.method("subject/v2/create")
    def create(request: structs.SubjectCreateRequest) -> structs.Subject:
        assert (request.title, request.priority, request.kind) == ("Fix it", 2, "task")
        return structs.Subject(**TASK)

    asked = {"context": CONTEXT, "kind": "task", "payload": {"title": "Fix it", "priority": 2}}
    with TestClient(app) as client:
        assert client.call("task/v2/create", asked) == TASK


@pytest.mark.parametrize("name", ["task", "subject"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_handler_gets_the_call_as_in_v1_and_the_actor_beside_it(verb: str, name: str) -> None:
    seen: list[Any] = []
    with TestClient(noting(verb, seen)) as client:
        found = client.call(f"{name}/v2/{verb}", PARAMS[verb] | {"context": CONTEXT})
    assert seen == [(V1[verb], ACTOR, "task")]
    if verb == "list":
        assert found["subjects"] == [TASK]
    else:
        assert found == ANSWERS[verb]


def test_one_function_stands_under_both() -> None:
    app = App(
        kind="subject_backend", name="n", version="1.0.0", description="d", subject_kinds=["task"]
    )
    seen: list[Any] = []

    @app.method("subject/list")
    @app.method("subject/v2/list")
    def list_tasks(filter: structs.SubjectFilter, ctx: Context) -> list[Any]:
        seen.append((filter.limit, ctx.actor))
        return [TASK]

    @app.method("subject/get")
    @app.method("subject/v2/get")
    def get_task(id: str, ctx: Context) -> structs.Subject | None:
        seen.append((id, ctx.actor))
        return None

    @app.method("subject/update")
    @app.method("subject/v2/update")
    def update_task(id: str, patch: structs.SubjectPatch) -> structs.Subject:
        seen.append((id, patch.status))
        return structs.Subject(**TASK)

    with TestClient(app) as client:
        client.call("task/list", {"limit": 1})
        client.call("task/v2/list", {"context": CONTEXT, "filter": {"limit": 2}})
        client.call("task/v2/update", {"context": CONTEXT, "id": "x", "patch": {"status": "done"}})
        client.call("task/v2/update", {"context": CONTEXT, "id": "x", "patch": None})
        with pytest.raises(RpcError) as caught:
            client.call("task/v2/get", {"context": CONTEXT, "id": "task:9"})
    assert caught.value.data["category"] == "not_found"
    assert seen == [(1, None), (2, ACTOR), ("x", "done"), ("x", None), ("task:9", ACTOR)]


@pytest.mark.parametrize("family", [structs, types])
def test_a_handler_may_take_the_whole_request_of_v2(family: Any) -> None:
    app = tasks()
    seen: list[Any] = []

    def list_tasks(request: Any, ctx: Context) -> list[Any]:
        seen.append((request.context.actor.user_id, request.filter.kind, ctx.actor))
        return []

    def create(request: Any) -> Any:
        seen.append((request.kind, request.payload, request.context.idempotency_key))
        return TASK

    list_tasks.__annotations__["request"] = family.SubjectListRequestV2
    create.__annotations__["request"] = family.SubjectCreateRequestV2
    app.method("subject/v2/list")(list_tasks)
    app.method("subject/v2/create")(create)
    with TestClient(app) as client:
        client.call("task/v2/list", {"context": CONTEXT})
        keyed = {"context": CONTEXT | {"idempotency_key": "k"}, "payload": {"priority": "p0"}}
        client.call("task/v2/create", keyed)
    assert seen == [("u-1", ["task"], ACTOR), ("task", {"priority": 4}, "k")]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("context", "path"),
    [
        (None, "context"),
        ("u-1", "context"),
        ({}, "context.actor"),
        ({"actor": None}, "context.actor"),
        ({"actor": "u-1"}, "context.actor"),
        ({"actor": {}}, "context.actor.user_id"),
        ({"actor": {"user_id": "u-1", "claims": {}}}, "context.actor.claims"),
        ({"actor": ACTOR, "request_id": 1}, "context.request_id"),
    ],
)
def test_a_call_without_somebody_behind_it_is_refused(verb: str, context: Any, path: str) -> None:
    seen: list[Any] = []
    app = noting(verb, seen)
    assert paths(refusal(app, f"task/v2/{verb}", PARAMS[verb] | {"context": context})) == [path]
    assert paths(refusal(app, f"task/v2/{verb}", PARAMS[verb] | {"actor": ACTOR})) == ["context"]
    assert seen == []


def test_an_actor_beside_the_context_is_nobody() -> None:
    seen: list[Any] = []
    other = PARAMS["get"] | {"context": CONTEXT, "actor": {"user_id": "somebody else"}}
    with TestClient(noting("get", seen)) as client:
        client.call("task/v2/get", other)
        with pytest.raises(RpcError, match="actor") as caught:
            client.call("task/v2/get", other | {"actor": 7})
    assert caught.value.code == -32602
    assert [actor for _, actor, _ in seen] == [ACTOR]


@pytest.mark.parametrize("kinds", [("task",), ("*",), ("task", "ticket.*")])
@pytest.mark.parametrize("verb", VERBS)
def test_v2_is_never_served_by_v1(verb: str, kinds: tuple[str, ...]) -> None:
    app = tasks(kinds=kinds)
    refused = refusal(app, f"task/v2/{verb}", PARAMS[verb] | {"context": CONTEXT})
    assert (refused.code, refused.data["category"]) == (-32001, "unsupported")
    assert not [name for name in app.manifest()["capabilities"] if "/v2/" in name]


def test_an_object_serves_v2_by_methods_of_its_own() -> None:
    class Tasks:
        def list(self, params: dict[str, Any]) -> list[Any]:
            return []

        def get(self, params: dict[str, Any]) -> None: ...

    class Owned(Tasks):
        def v2_get(self, params: dict[str, Any]) -> dict[str, Any]:
            return TASK | {"title": params["id"]}

    for backend, served in ((Tasks(), False), (Owned(), True)):
        app = App(
            kind="subject_backend",
            name="n",
            version="1.0.0",
            description="d",
            subject_kinds=["task"],
        )
        app.include(backend)
        capabilities = app.manifest()["capabilities"]
        assert ("task/v2/get" in capabilities) is served
        assert "task/v2/list" not in capabilities


@pytest.mark.parametrize("kind", ["ticket.bug", "ticket"])
def test_kinds_below_a_glob_have_v2_too(kind: str) -> None:
    seen: list[Any] = []
    app = noting("get", seen, tasks(kinds=("ticket.*", "ticket")))
    with TestClient(app) as client:
        client.call(f"{kind}/v2/get", {"context": CONTEXT, "id": "1"})
        methods = client.initialize_result["capabilities"]["methods"]
    assert seen == [({"id": "1"}, ACTOR, kind)]
    assert {"subject/v2/get", "ticket/v2/get", "ticket.*/v2/get"} <= {*methods}


@pytest.mark.parametrize("verb", ["next", "watch", "schema"])
def test_hosts_answer_the_rest_themselves(verb: str) -> None:
    assert refusal(tasks(), f"task/v2/{verb}", {"context": CONTEXT}).code == -32601


@pytest.mark.parametrize(
    ("verb", "change", "path"),
    [
        ("list", {"filter": 7}, "filter"),
        ("list", {"filter": []}, "filter"),
        ("list", {"filter": 0}, "filter"),
        ("create", {"payload": "x"}, "payload"),
        ("create", {"payload": {"title": "t", "priority": "soon"}}, "payload.priority"),
        ("update", {"patch": []}, "patch"),
    ],
)
def test_what_a_call_wraps_has_to_be_an_object(verb: str, change: Any, path: str) -> None:
    params = PARAMS[verb] | {"context": CONTEXT} | change
    assert paths(refusal(noting(verb, []), f"task/v2/{verb}", params)) == [path]


@pytest.mark.parametrize("stray", [{"id": "task:5"}, 7, [1]])
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_call_has_no_use_for_changes_nothing(verb: str, stray: Any) -> None:
    seen: list[Any] = []
    others = dict.fromkeys(("filter", "payload"), stray)
    with TestClient(noting(verb, seen)) as client:
        client.call(f"task/v2/{verb}", {**others, **PARAMS[verb], "context": CONTEXT})
    assert seen == [(V1[verb], ACTOR, "task")]


SEVERAL = ("task", "ticket.*")


@pytest.mark.parametrize(
    ("method", "sent", "kind"),
    [
        ("subject/v2/create", {"kind": "task"}, "task"),
        ("subject/v2/create", {"payload": {"kind": "ticket.bug"}}, "ticket.bug"),
        ("subject/v2/create", {"kind": None, "payload": {"kind": "task"}}, "task"),
        ("ticket.bug/v2/create", {}, "ticket.bug"),
        ("ticket.bug/v2/create", {"kind": "task"}, "ticket.bug"),
        ("subject/create", {"kind": "ticket.bug"}, "ticket.bug"),
    ],
)
def test_what_is_created_has_a_kind(method: str, sent: dict[str, Any], kind: str) -> None:
    app = App(
        kind="subject_backend", name="n", version="1.0.0", description="d", subject_kinds=SEVERAL
    )
    seen: list[Any] = []

    @app.method("subject/create")
    @app.method("subject/v2/create")
    def create(params: dict[str, Any], ctx: Context) -> Any:
        seen.append((params["kind"], ctx.kind))
        return TASK

    app.method("subject/list")(lambda params: [])
    app.method("subject/get")(lambda params: TASK)
    with TestClient(app) as client:
        client.call(method, {"context": CONTEXT, **sent})
    assert seen == [(kind, kind)]


@pytest.mark.parametrize("method", ["subject/v2/create", "subject/create"])
@pytest.mark.parametrize("kind", [None, "", 7])
def test_of_several_kinds_none_is_guessed(method: str, kind: Any) -> None:
    seen: list[Any] = []
    app = noting("create", seen, tasks(kinds=SEVERAL))
    app.method("subject/create")(app.registrations[-1].function)
    sent = {"context": CONTEXT, "kind": kind, "payload": {"title": "t"}, "title": "t"}
    refused = refusal(app, method, sent)
    assert paths(refused) == ["kind"]
    assert kind == 7 or "task, ticket.*" in refused.message
    assert seen == []
