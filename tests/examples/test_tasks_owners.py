"""Tasks that belong to somebody: `<kind>/v2/<verb>`, with an identity."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_host import TASKS, Task, create, refused, served

from animus_routes.host import Plugin

KIM = {"user_id": "u-1", "tenant_id": "t-1"}
LEE = {"user_id": "u-2", "tenant_id": "t-1"}
MORE: dict[str, dict[str, Any]] = {
    "update": {"patch": {"title": "x"}},
    "status": {"status": "done"},
}
OTHERS = [LEE, {"user_id": "u-1", "tenant_id": "t-2"}, {"user_id": "u-1"}, {"user_id": ""}]


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TASKS, tmp_path) as started:
        yield started


def asking(actor: Any, **params: Any) -> dict[str, Any]:
    return {"context": {"actor": actor}, **params}


def made(plugin: Plugin, actor: Any, title: str = "Fix it", **payload: Any) -> Task:
    params = asking(actor, kind="task", payload={"title": title, **payload})
    task: Task = plugin.call("task/v2/create", params)
    return task


def listed(plugin: Plugin, actor: Any, **query: Any) -> list[str]:
    params = asking(actor, filter=query)
    return [task["title"] for task in plugin.call("task/v2/list", params)["subjects"]]


def test_a_task_is_created_as_the_protocol_has_it(plugin: Plugin) -> None:
    params = {
        "context": {"actor": {"user_id": "u-1", "tenant_id": "t-1"}},
        "kind": "task",
        "payload": {"title": "Fix it", "priority": 2},
    }
    task = plugin.call("task/v2/create", params)
    assert task.pop("created_at") <= task.pop("updated_at")
    assert task == {
        "id": "task:1",
        "kind": "task",
        "title": "Fix it",
        "status": "ready",
        "native_status": "Todo",
        "priority": 2,
    }


def test_an_owner_does_with_a_task_what_anybody_does(plugin: Plugin) -> None:
    task = made(plugin, KIM, labels=["a"])
    assert plugin.call("task/v2/get", asking(KIM, id=task["id"]))["title"] == "Fix it"
    patch = {"title": "Mend it", "labels_add": ["b"], "comment": "soon"}
    changed = plugin.call("task/v2/update", asking(KIM, id=task["id"], patch=patch))
    assert (changed["title"], changed["labels"]) == ("Mend it", ["a", "b"])
    done = plugin.call("task/v2/status", asking(KIM, id=task["id"], status="done"))
    assert done["status"] == "done"
    assert listed(plugin, KIM, status=["done"]) == ["Mend it"]
    assert plugin.call("task/v2/delete", asking(KIM, id=task["id"])) == {"ok": True}
    assert listed(plugin, KIM) == []


@pytest.mark.parametrize("actor", OTHERS)
@pytest.mark.parametrize("verb", ["get", "update", "status", "delete"])
def test_a_task_of_somebody_else_is_not_there(plugin: Plugin, verb: str, actor: Any) -> None:
    task = made(plugin, KIM)
    for known in (task["id"], task["id"].removeprefix("task:")):
        theirs = refused(plugin, f"task/v2/{verb}", asking(actor, id=known, **MORE.get(verb, {})))
        none = refused(
            plugin, f"task/v2/{verb}", asking(actor, id="task:404", **MORE.get(verb, {}))
        )
        assert theirs.message == none.message.replace("task:404", known)
        assert (theirs.code, theirs.data) == (none.code, none.data)
    assert plugin.call("task/v2/get", asking(KIM, id=task["id"])) == task


@pytest.mark.parametrize("actor", OTHERS)
def test_no_filter_shows_tasks_of_somebody_else(plugin: Plugin, actor: Any) -> None:
    task = made(plugin, KIM, assignee="kim", labels=["a"])
    filters: list[dict[str, Any]] = [
        {},
        {"kind": ["task"]},
        {"status": ["ready"]},
        {"native_status": "Todo"},
        {"assignee": ["kim"]},
        {"labels_any": ["a", f'owner:["{KIM["user_id"]}","{KIM["tenant_id"]}"]']},
        {"labels_all": ["a"]},
        {"updated_since": task["updated_at"]},
        {"cursor": "after-0"},
        {"limit": 500},
        {"owner": None},
    ]
    for query in filters:
        assert listed(plugin, actor, **query) == []
    made(plugin, actor, "Mine", assignee="kim", labels=["a"])
    for query in filters:
        assert listed(plugin, actor, **query) == ["Mine"]


def test_what_has_no_owner_is_there_for_nobody(plugin: Plugin) -> None:
    free = create(plugin, "Free")
    assert listed(plugin, KIM) == []
    problem = refused(plugin, "task/v2/get", asking(KIM, id=free["id"]))
    assert problem.data["category"] == "not_found"


def test_the_daemon_sees_all_tasks(plugin: Plugin) -> None:
    made(plugin, KIM, "Kim's")
    made(plugin, LEE, "Lee's")
    create(plugin, "Free")
    found = plugin.call("task/list", {})["subjects"]
    assert [task["title"] for task in found] == ["Kim's", "Lee's", "Free"]
    assert plugin.call("task/next")["title"] == "Kim's"


def test_pages_hold_one_owner_s_tasks(plugin: Plugin) -> None:
    for number in range(4):
        made(plugin, KIM, f"Kim {number}")
        made(plugin, LEE, f"Lee {number}")
    titles: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = plugin.call("task/v2/list", asking(LEE, filter=query))
        titles += [task["title"] for task in page["subjects"]]
        if "next_cursor" not in page:
            break
        query["cursor"] = page["next_cursor"]
    assert titles == [f"Lee {number}" for number in range(4)]


def test_a_parent_has_the_same_owner(plugin: Plugin) -> None:
    theirs, mine, free = made(plugin, LEE), made(plugin, KIM), create(plugin, "Free")
    for parent in (theirs, free):
        params = asking(KIM, kind="task", payload={"title": "x", "parent": parent["id"]})
        problem = refused(plugin, "task/v2/create", params)
        assert problem.message == f"parent: '{parent['id']}' does not exist"
        patch = {"id": parent["id"], "patch": {"parent": mine["id"]}}
        assert "does not exist" in refused(plugin, "task/update", patch).message
    child = made(plugin, KIM, parent=mine["id"])
    found = plugin.call("task/v2/get", asking(KIM, id=mine["id"]))
    assert found["children"] == [child["id"]]


@pytest.mark.parametrize("verb", ["list", "get", "create", "update", "status", "delete"])
@pytest.mark.parametrize(
    "context", [None, {}, {"actor": None}, {"actor": {}}, {"actor": {"user_id": 7}}, {"actor": "u"}]
)
def test_without_an_identity_there_is_no_v2(plugin: Plugin, verb: str, context: Any) -> None:
    create(plugin, "Free")
    params: dict[str, Any] = {"id": "task:1", "status": "done", "payload": {"title": "x"}}
    given = params if context is None else {**params, "context": context}
    assert refused(plugin, f"task/v2/{verb}", given).code == -32602
    found = plugin.call("task/list", {})["subjects"]
    assert [(task["title"], task["status"]) for task in found] == [("Free", "ready")]


def test_v2_is_advertised_under_both_names(plugin: Plugin) -> None:
    methods = (plugin.initialize_result or {})["capabilities"]["methods"]
    verbs = ("list", "get", "create", "update", "status", "delete")
    for prefix in ("task", "subject"):
        assert {f"{prefix}/v2/{verb}" for verb in verbs} <= set(methods)
    assert not {"task/v2/next", "task/v2/watch", "task/v2/schema"} & set(methods)
    made(plugin, KIM)
    found = plugin.call("subject/v2/list", asking(KIM))["subjects"]
    assert [task["id"] for task in found] == ["task:1"]


def test_tasks_of_older_layouts_have_no_owner_and_stay(plugin: Plugin, tmp_path: Path) -> None:
    first = create(plugin, "Old")
    plugin.shutdown()
    path = tmp_path / ".animus" / "tasks.sqlite3"
    with closing(sqlite3.connect(path)) as db:  # as 0.1.0 left it
        for kind, name in db.execute("SELECT type, name FROM sqlite_schema").fetchall():
            if kind == "trigger" or name == "tasks_by_owner":
                db.execute(f"DROP {kind} {name}")
        db.execute("DROP TABLE IF EXISTS task_keys")
        db.execute("DROP TABLE animus_layouts")
        db.execute("ALTER TABLE tasks DROP COLUMN owner")
        db.execute("ALTER TABLE comments DROP COLUMN number")
        db.execute("ALTER TABLE tasks RENAME COLUMN document TO subject")
        db.execute("ALTER TABLE changes RENAME COLUMN document TO subject")
        db.execute("PRAGMA user_version = 1")
    with served(TASKS, tmp_path) as one, served(TASKS, tmp_path) as two:
        asked = [(each, each.request("task/list", {})) for each in (one, two)]
        for each, request in asked:
            assert [t["id"] for t in each.reply(request, 20)["subjects"]] == [first["id"]]
        assert listed(one, KIM) == []
        mine = made(two, KIM)
        assert (mine["id"], listed(one, KIM)) == ("task:2", ["Fix it"])


def test_owners_can_be_read_where_they_are_kept(plugin: Plugin, tmp_path: Path) -> None:
    made(plugin, KIM)
    made(plugin, {"user_id": "u-1"})
    create(plugin, "Free")
    with closing(sqlite3.connect(tmp_path / ".animus" / "tasks.sqlite3")) as db:
        rows = db.execute("SELECT owner FROM tasks ORDER BY seq").fetchall()
    assert [row and json.loads(row) for (row,) in rows] == [["u-1", "t-1"], ["u-1", None], None]


@pytest.mark.parametrize(
    ("said", "status", "native"),
    [
        ("In Review", "in-progress", "In Review"),
        ("in_review", "in-progress", "In Review"),
        (" backlog ", "ready", "Backlog"),
        ("Duplicate", "cancelled", "Duplicate"),
        ("in_progress", "in-progress", "In Progress"),
        ("done", "done", "Done"),
        ("DONE", "done", "Done"),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_status_may_be_native_or_the_protocols(
    plugin: Plugin, version: str, said: str, status: str, native: str
) -> None:
    task = made(plugin, KIM)["id"]
    params = asking(KIM, id=task, status=said)
    prefix = "task/v2" if version == "v2" else "task"
    moved = plugin.call(f"{prefix}/status", params)
    assert (moved["status"], moved["native_status"]) == (status, native)


@pytest.mark.parametrize("said", ["", " ", "open", "in-reviews"])
def test_a_status_that_nobody_here_knows_is_refused_with_those_that_are(
    plugin: Plugin, said: str
) -> None:
    task = made(plugin, KIM)["id"]
    for prefix in ("task", "task/v2"):
        problem = refused(plugin, f"{prefix}/status", asking(KIM, id=task, status=said))
        assert problem.code == -32602
        assert "ready, in-progress, blocked, done, cancelled, Todo" in problem.message
