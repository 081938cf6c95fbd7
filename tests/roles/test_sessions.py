"""Environments of newer hosts: sessions with a fence, and nodes (newer 3.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from animus_routes import App, RpcError
from animus_routes.structs import environment as structs
from animus_routes.testing import TestClient
from animus_routes.types import environment as types

ACTOR = {"user_id": "u-1", "claims": [], "tenant_id": "t-1"}
FENCE: dict[str, Any] = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:TASK-1", "generation": 1},
}
SESSION: dict[str, Any] = {
    "actor": ACTOR,
    "handle": {"id": "h-1", "workspace_root": "/repo"},
    "subject_id": "task:TASK-1",
    "workflow_ref": "coding",
    "workflow_id": "wf-1",
    "execution_fence": FENCE,
}
STARTED: dict[str, Any] = {
    "kind": "journal",
    "handle_id": "h-1",
    "workflow_id": "wf-1",
    "event_kind": "phase_started",
    "phase_id": "build",
    "ts": "2026-11-25T12:00:00Z",
    "payload": {"run_id": "r-1"},
}
ENDED: dict[str, Any] = {
    "kind": "journal",
    "handle_id": "h-1",
    "workflow_id": "wf-1",
    "event_kind": "workflow_completed",
    "status": "completed",
    "ts": "2026-11-25T12:09:00Z",
    "payload": {"run_id": "r-1"},
    "terminal": True,
}
ANSWER = {"workflow_id": "wf-1", "status": "completed", "execution_fence": FENCE}
NODE: dict[str, Any] = {
    "id": "svc-2",
    "name": "animus-run-ab12",
    "state": "SUCCESS",
    "run_id": "wf-1",
    "orphan": False,
}


def served(**handlers: Any) -> App:
    app = App(kind="environment", name="e", version="1.0.0", description="d")

    def nothing(params: dict[str, Any]) -> dict[str, Any]:
        return {}

    for verb in ("prepare", "exec", "teardown"):
        app.method(f"environment/{verb}")(nothing)
    for verb, handler in handlers.items():
        app.method(f"environment/{verb}")(handler)
    return app


def session(handler: Any, params: Any = SESSION) -> tuple[list[tuple[str, Any]], Any]:
    """What a session sent, and its answer."""
    with TestClient(served(exec_session=handler)) as client:
        answer = client.call("environment/exec_session", params)
        return [(n.method, n.params) for n in client.notifications], answer


def cause(handler: Any, params: Any = SESSION) -> str:
    with TestClient(served(exec_session=handler)) as client, pytest.raises(RpcError) as caught:
        client.call("environment/exec_session", params)
    assert caught.value.code == -32603
    return str(caught.value.__cause__)


# Sessions: the frames of newer 3.5 ----------------------------------------------------------------


def dicts(request: structs.ExecSessionRequest) -> Generator[dict[str, Any], None, str]:
    yield STARTED
    yield ENDED
    return "completed"


def structs_(request: structs.ExecSessionRequest) -> Iterator[structs.ExecNotification]:
    yield structs.ExecJournal(**{k: v for k, v in STARTED.items() if k != "kind"})
    yield structs.ExecJournal(**{k: v for k, v in ENDED.items() if k != "kind"})


def models(
    request: types.ExecSessionRequest,
) -> Generator[types.ExecNotification, None, types.ExecSessionResponse]:
    yield types.ExecJournal(**STARTED)
    yield types.ExecJournal(**ENDED)
    return types.ExecSessionResponse(status="completed", execution_fence=request.execution_fence)


async def later(request: structs.ExecSessionRequest) -> AsyncIterator[Any]:
    yield STARTED
    yield ENDED
    yield structs.ExecSessionResponse(status="completed")


def short(subject_id: str, execution_fence: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "event_kind": "phase_started",
        "phase_id": "build",
        "ts": STARTED["ts"],
        "payload": {"run_id": "r-1"},
    }
    yield {k: v for k, v in ENDED.items() if k not in {"kind", "handle_id", "workflow_id"}}
    yield {"status": "completed"}


@pytest.mark.parametrize(
    "handler", [dicts, structs_, models, later, short], ids=lambda h: h.__name__
)
def test_a_session_is_a_journal_and_its_result_with_the_fence(handler: Any) -> None:
    sent, answer = session(handler)
    assert sent == [("environment/journal", STARTED), ("environment/journal", ENDED)]
    assert answer == ANSWER


def test_what_an_event_leaves_out_is_filled_in() -> None:
    def handler() -> Generator[dict[str, Any], None, str]:
        yield {"event_kind": "started", "workflow_id": "wf-7"}
        return "failed"

    params = {name: SESSION[name] for name in ("handle", "subject_id")}
    ((method, event),), answer = session(handler, params)
    assert method == "environment/journal"
    assert event.pop("ts")
    assert event == {
        "kind": "journal",
        "handle_id": "h-1",
        "workflow_id": "wf-7",
        "event_kind": "started",
        "payload": {},
    }
    assert answer == {"status": "failed", "workflow_id": "wf-7"}


def test_a_session_without_a_fence_hands_none_back() -> None:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"status": "no-run"}

    params = {name: SESSION[name] for name in ("handle", "subject_id")}
    assert session(handler, params) == ([], {"status": "no-run"})


@pytest.mark.parametrize(
    "fence",
    [
        {**FENCE, "workflow_generation": 2},
        {**FENCE, "subject": {"qualified_id": "task:TASK-1", "generation": 2}},
        {**FENCE, "subject": None},
    ],
)
def test_a_handler_that_changes_the_fence_is_the_authors_mistake(fence: dict[str, Any]) -> None:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"status": "completed", "execution_fence": fence}

    assert "another `execution_fence`" in cause(handler)


def test_a_fence_that_nobody_sent_is_another_one() -> None:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"status": "completed", "execution_fence": FENCE}

    params = {name: SESSION[name] for name in ("handle", "subject_id")}
    assert "another `execution_fence`" in cause(handler, params)


def test_the_same_fence_with_nulls_is_the_same() -> None:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"status": "completed", "execution_fence": {**FENCE, "repository": None}}

    assert session(handler)[1] == ANSWER


def test_the_response_comes_last_and_there_is_one() -> None:
    def more() -> Iterator[dict[str, Any]]:
        yield {"status": "completed"}
        yield STARTED

    def none() -> Iterator[dict[str, Any]]:
        yield STARTED

    assert "comes last" in cause(more)
    assert "returned nothing" in cause(none)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"workflow_id": "wf-2"}, "workflow_id"),
        ({"subject_id": "task:TASK-2"}, "subject_id"),
        ({"execution_fence": {**FENCE, "version": 2}}, "execution_fence.version"),
        ({"execution_fence": {**FENCE, "x": 1}}, "execution_fence"),
        ({"actor": "u-1"}, "actor"),
        ({"handle": None}, "handle"),
    ],
)
def test_a_session_is_refused_before_it_begins(change: dict[str, Any], path: str) -> None:
    with TestClient(served(exec_session=dicts)) as client, pytest.raises(RpcError) as caught:
        client.call("environment/exec_session", SESSION | change)
    assert caught.value.code == -32602
    assert caught.value.data["issues"][0]["path"] == path
    assert client.notifications == []


def test_the_manifest_has_the_token_that_runners_look_for() -> None:
    token = "environment/exec_session"
    assert token in served(exec_session=dicts).manifest()["capabilities"]
    assert token not in served().manifest()["capabilities"]


# Nodes --------------------------------------------------------------------------------------------


def answer(verb: str, params: Any, gives: Any) -> Any:
    def handler(params: dict[str, Any]) -> Any:
        return gives

    with TestClient(served(**{verb: handler})) as client:
        return client.call(f"environment/{verb}", params)


@pytest.mark.parametrize("family", [structs, types])
def test_nodes_are_listed_found_and_absent(family: Any) -> None:
    node = family.EnvironmentNode(**NODE)
    assert answer("list", {}, [node]) == {"nodes": [NODE]}
    assert answer("list", {}, None) == {"nodes": []}
    assert answer("get", {"id": "svc-2"}, node) == {"node": NODE}
    assert answer("get", {"id": "svc-9"}, None) == {"node": None}
    assert answer("get", {"id": "svc-9"}, family.GetNodeResponse()) == {"node": None}


@pytest.mark.parametrize(
    ("gives", "deleted"),
    [(None, []), (False, []), (True, ["svc-2"]), (["svc-2", "vol-2"], ["svc-2", "vol-2"])],
)
def test_a_node_is_torn_down_as_often_as_hosts_like(gives: Any, deleted: list[str]) -> None:
    assert answer("teardown_node", {"id": "svc-2"}, gives) == {"deleted": deleted}


@pytest.mark.parametrize("family", [structs, types])
def test_a_reap_says_what_it_did_or_would_do(family: Any) -> None:
    asked = {"dry_run": True, "older_than_secs": 600}
    kept = family.EnvironmentNode(**NODE)
    found = family.ReapResponse(deleted=["svc-1"], kept=[kept])
    wire = {"deleted": ["svc-1"], "kept": [NODE], "dry_run": True}
    assert answer("reap", asked, found) == wire
    assert answer("reap", {}, ["svc-1"]) == {"deleted": ["svc-1"], "dry_run": False}
    assert answer("reap", {}, None) == {"deleted": [], "dry_run": False}
    whole = {"deleted": [], "kept": [], "dry_run": False}
    assert answer("reap", {}, family.ReapResponse(dry_run=True)) == whole
