from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_host import (
    TASKS,
    Task,
    create,
    every_task,
    refused,
    served,
    update,
)

from animus_routes.host import Plugin


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TASKS, tmp_path) as plugin:
        yield plugin


def test_every_verb_is_advertised_for_subject_and_for_task(plugin: Plugin) -> None:
    assert plugin.initialize_result is not None
    capabilities = plugin.initialize_result["capabilities"]
    verbs = ("list", "get", "create", "update", "status", "next", "delete", "schema", "watch")
    for verb in verbs:
        assert {f"subject/{verb}", f"task/{verb}"} <= set(capabilities["methods"])
    assert capabilities["subject_kinds"] == ["task"]


def test_a_created_task_is_a_complete_subject(plugin: Plugin) -> None:
    parent = create(plugin, "Epic")
    document = {"id": "d1", "kind": "document", "uri": "file:///spec.md", "title": "Spec"}
    task = create(
        plugin,
        "Write it",
        body="In *Markdown*.",
        priority="3",
        labels=["docs", "docs", "api"],
        assignee="kim",
        parent=parent["id"],
        url="https://example.com/1",
        custom={"story_points": 3, "anything": {"goes": True}},
        native_status="Backlog",
        attachments=[document],
    )
    created_at, updated_at = task.pop("created_at"), task.pop("updated_at")
    assert created_at <= updated_at
    assert created_at.endswith("Z")
    assert task == {
        "id": "task:2",
        "kind": "task",
        "title": "Write it",
        "description": "In *Markdown*.",
        "status": "ready",
        "native_status": "Backlog",
        "priority": 3,
        "labels": ["docs", "api"],
        "assignee": "kim",
        "parent": "task:1",
        "url": "https://example.com/1",
        "custom": {"story_points": 3, "anything": {"goes": True}},
        "attachments": [document],
    }
    assert plugin.call("task/get", {"id": "task:1"})["children"] == ["task:2"]
    assert plugin.call("subject/get", {"id": "task:2"})["title"] == "Write it"


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({}, "title"),
        ({"title": " "}, "title"),
        ({"title": "x", "priority": 5}, "priority"),
        ({"title": "x", "native_status": "Nowhere"}, "native_status"),
        ({"title": "x", "status": "done", "native_status": "Todo"}, "native_status"),
        ({"title": "x", "parent": "task:404"}, "parent"),
        ({"title": "x", "custom": {"risk": "huge"}}, "custom"),
        ({"title": "x", "custom": {"due": "tomorrow"}}, "custom"),
    ],
)
def test_a_create_that_makes_no_sense_is_refused_and_leaves_nothing(
    plugin: Plugin, params: dict[str, Any], path: str
) -> None:
    refusal = refused(plugin, "task/create", params)
    assert (refusal.code, refusal.data["category"]) == (-32602, "invalid_request")
    assert path in str(refusal.data["issues"])
    assert plugin.call("task/list")["subjects"] == []


def test_a_number_is_never_given_out_twice(plugin: Plugin) -> None:
    create(plugin, "one")
    second = create(plugin, "two")
    assert plugin.call("task/delete", {"id": second["id"]}) == {"ok": True}
    assert create(plugin, "three")["id"] == "task:3"


@pytest.mark.parametrize("method", ["task/get", "task/delete", "task/update", "task/status"])
def test_what_does_not_exist_is_not_found(plugin: Plugin, method: str) -> None:
    refusal = refused(plugin, method, {"id": "task:9", "patch": {}, "status": "done"})
    assert refusal.code == -32602
    assert refusal.data["category"] == "not_found"


def test_an_assignee_is_left_cleared_or_set(plugin: Plugin) -> None:
    task = create(plugin, "x", assignee="kim")
    assert update(plugin, task, labels_add=["a"])["assignee"] == "kim"
    assert update(plugin, task, assignee="lee")["assignee"] == "lee"
    assert "assignee" not in update(plugin, task, assignee=None)


def test_labels_are_added_removed_and_replaced(plugin: Plugin) -> None:
    task = create(plugin, "x", labels=["a", "b"])
    assert update(plugin, task, labels_add=["b", "c"])["labels"] == ["a", "b", "c"]
    assert update(plugin, task, labels_remove=["a", "never"])["labels"] == ["b", "c"]
    assert update(plugin, task, labels=["z"])["labels"] == ["z"]


def test_custom_fields_are_merged_and_a_null_clears_one(plugin: Plugin) -> None:
    task = create(plugin, "x", custom={"spec": "7.1", "risk": "low"})
    task = update(plugin, task, custom={"risk": None, "own": [1, None]})
    assert task["custom"] == {"spec": "7.1", "own": [1, None]}
    refusal = refused(plugin, "task/update", {"id": task["id"], "patch": {"custom": {"spec": 7}}})
    assert "spec" in refusal.message


def test_every_plain_field_can_be_updated_and_cleared(plugin: Plugin) -> None:
    parent, task = create(plugin, "parent"), create(plugin, "x", url="https://example.com")
    task = update(plugin, task, title="y", body="text", priority="high", parent=parent["id"])
    assert (task["title"], task["description"], task["priority"]) == ("y", "text", 3)
    assert task["parent"] == parent["id"]
    task = update(plugin, task, description="", priority=0, parent=None, url=None)
    assert not {"description", "parent", "url"} & task.keys()
    assert task["priority"] == 0


def test_an_update_that_changes_nothing_leaves_the_time_of_the_last_one(plugin: Plugin) -> None:
    task = create(plugin, "x", labels=["a"])
    assert update(plugin, task, labels_add=["a"], title="x") == task
    assert plugin.call("task/update", {"id": task["id"]}) == task
    assert update(plugin, task, title="y")["updated_at"] > task["updated_at"]


def test_a_task_cannot_stand_below_itself(plugin: Plugin) -> None:
    top = create(plugin, "top")
    below = create(plugin, "below", parent=top["id"])
    for parent in (top, below):
        patch = {"parent": parent["id"]}
        assert "parent" in refused(plugin, "task/update", {"id": top["id"], "patch": patch}).message


def test_a_bare_status_keeps_a_native_one_that_fits(plugin: Plugin) -> None:
    task = create(plugin, "x", native_status="In Review")
    assert task["status"] == "in-progress"
    expected = {
        "in-progress": "In Review",
        "done": "Done",
        "ready": "Todo",
        "blocked": "Blocked",
        "cancelled": "Cancelled",
    }
    for status, native in expected.items():
        task = plugin.call("task/status", {"id": task["id"], "status": status})
        assert (task["status"], task["native_status"]) == (status, native)
    assert refused(plugin, "task/status", {"id": task["id"], "status": "open"}).code == -32602


def test_comments_are_kept_and_shown_as_a_thread(plugin: Plugin) -> None:
    task = create(plugin, "x")
    update(plugin, task, comment="first")
    update(plugin, task, comment="second")
    (thread,) = plugin.call("task/get", {"id": task["id"]})["attachments"]
    assert thread["kind"] == "comment-thread"
    assert [comment["text"] for comment in thread["metadata"]["comments"]] == ["first", "second"]


def test_next_is_the_most_urgent_ready_task_and_the_oldest_of_those(plugin: Plugin) -> None:
    assert plugin.call("task/next") is None
    for title, priority in (("low", 1), ("high", 3), ("high too", 3), ("none", None)):
        create(plugin, title, priority=priority)
    create(plugin, "critical but blocked", priority=4, status="blocked")
    order = []
    while task := plugin.call("task/next", {}):
        order.append(task["title"])
        plugin.call("task/status", {"id": task["id"], "status": "done"})
    assert order == ["high", "high too", "low", "none"]


def test_a_deleted_parent_leaves_its_children_without_one(plugin: Plugin) -> None:
    parent = create(plugin, "parent")
    child = create(plugin, "child", parent=parent["id"])
    plugin.call("task/delete", {"id": parent["id"]})
    assert "parent" not in plugin.call("task/get", {"id": child["id"]})


def test_the_schema_declares_what_is_served(plugin: Plugin) -> None:
    schema = plugin.call("task/schema")
    hints = {hint["native_status"]: hint for hint in schema["status_dispatch_hints"]}
    assert hints["In Review"]["maps_to"] == "in-progress"
    assert hints["In Review"]["dispatch_label"] == "code-review"
    assert set(hints) == set(schema["native_status_values"])
    assert {field["key"]: field["type"] for field in schema["custom_fields"]} == {
        "spec": "string",
        "story_points": "number",
        "due": "date",
        "flagged": "bool",
        "risk": "enum",
    }
    flags = ("watch", "create", "delete", "pagination")
    assert [schema[f"supports_{flag}"] for flag in flags] == [True] * 4


@pytest.fixture
def varied(plugin: Plugin) -> dict[str, Task]:
    """Three tasks that differ in everything a filter can ask for, in the order a, b, c."""
    document = {"id": "1", "kind": "document", "uri": "file:///a"}
    link = {"id": "2", "kind": "url", "uri": "https://example.com"}
    return {
        "a": create(plugin, "a", labels=["x", "y"], assignee="kim", attachments=[document]),
        "b": create(plugin, "b", labels=["y"], assignee="lee", native_status="In Review"),
        "c": create(plugin, "c", labels=["x"], status="done", attachments=[link, document]),
    }


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, "abc"),
        ({"kind": ["task", "issue"]}, "abc"),
        ({"status": ["ready", "done"]}, "ac"),
        ({"status": []}, "abc"),
        ({"native_status": "In Review"}, "b"),
        ({"native_status": "in review"}, ""),
        ({"dispatch_label": "code-review"}, "b"),
        ({"dispatch_label": "implement"}, "a"),
        ({"dispatch_label": "unheard of"}, ""),
        ({"assignee": ["kim", "lee"]}, "ab"),
        ({"assignee": ["nobody"]}, ""),
        ({"labels_any": ["x", "y"]}, "abc"),
        ({"labels_any": ["y", "z"]}, "ab"),
        ({"labels_all": ["x", "y"]}, "a"),
        ({"labels_all": ["x", "z"]}, ""),
        ({"labels_any": ["y"], "labels_all": ["x"]}, "a"),
        ({"has_attachment_kind": "document"}, "ac"),
        ({"has_attachment_kind": "url"}, "c"),
        ({"updated_since": "2001-01-01T00:00:00Z"}, "abc"),
        ({"updated_since": "2999-01-01T00:00:00+14:00"}, ""),
        ({"limit": 2}, "ab"),
        ({"limit": 0}, "a"),
        ({"limit": 4_000_000_000}, "abc"),
        ({"status": ["ready"], "assignee": ["lee"]}, ""),
    ],
)
@pytest.mark.usefixtures("varied")
def test_a_filter_finds_what_it_says(plugin: Plugin, query: Task, titles: str) -> None:
    for params in (query, {"filter": query}):
        found = plugin.call("task/list", params)["subjects"]
        assert "".join(task["title"] for task in found) == titles


def test_updated_since_compares_times_and_not_texts(
    plugin: Plugin, varied: dict[str, Task]
) -> None:
    last = varied["c"]["updated_at"]
    found = {
        zone: len(every_task(plugin, updated_since=last.replace("Z", zone)))
        for zone in ("Z", "000+00:00", "001Z", "-01:00")
    }
    assert found == {"Z": 1, "000+00:00": 1, "001Z": 0, "-01:00": 0}
    assert len(every_task(plugin, updated_since=last.replace("Z", "+01:00"))) == 3


@pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"])
def test_a_time_without_a_meaning_is_refused(plugin: Plugin, since: str) -> None:
    refusal = refused(plugin, "task/list", {"updated_since": since})
    assert refusal.code == -32602
    assert "updated_since" in str(refusal.data)


@pytest.mark.parametrize("cursor", ["nonsense", "after-", "after--1", "after-1 OR 1=1", "0" * 30])
def test_a_cursor_that_list_did_not_give_is_refused_by_name(plugin: Plugin, cursor: str) -> None:
    refusal = refused(plugin, "task/list", {"cursor": cursor})
    assert refusal.data["issues"][0]["path"] == "cursor"


def test_pages_hold_every_task_once_while_another_process_inserts(
    plugin: Plugin, tmp_path: Path
) -> None:
    before = [create(plugin, f"before {n}")["id"] for n in range(40)]
    with served(TASKS, tmp_path) as other:
        page = plugin.call("task/list", {"limit": 7})
        found = [task["id"] for task in page["subjects"]]
        while cursor := page.get("next_cursor"):
            create(other, "meanwhile")
            update(other, {"id": found[0]}, comment="touched")
            page = plugin.call("task/list", {"limit": 20, "cursor": cursor})
            found += [task["id"] for task in page["subjects"]]
    assert len(set(found)) == len(found)
    assert found[:40] == before
    assert len(found) > 40


def test_a_page_ends_before_a_frame_grows_too_large_for_the_host(plugin: Plugin) -> None:
    for n in range(6):
        create(plugin, f"large {n}", description="x" * 1_000_000)
    page = plugin.call("task/list")
    assert len(page["subjects"]) < 6
    assert len(every_task(plugin)) == 6
