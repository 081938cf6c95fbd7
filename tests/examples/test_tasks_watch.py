from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_host import TASKS, create, imported, served, update

from animus_routes.host import Plugin, PluginTimeoutError


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TASKS, tmp_path) as plugin:
        yield plugin


def watch(plugin: Plugin, method: str = "subject/watch", params: Any = None) -> int:
    request = plugin.request(method, params)
    assert plugin.reply(request) == {"watching": True}
    return request


def event_of(plugin: Plugin, request: int) -> dict[str, Any]:
    params = plugin.next_notification("subject/changed").params
    assert params["id"] == request
    event: dict[str, Any] = params["event"]
    assert event["id"] == event["subject"]["id"]
    return event


def kinds(plugin: Plugin, request: int, count: int) -> list[str]:
    return [event_of(plugin, request)["change_kind"] for _ in range(count)]


@pytest.mark.parametrize("method", ["subject/watch", "task/watch"])
def test_a_watch_reports_what_this_process_changes(plugin: Plugin, method: str) -> None:
    create(plugin, "before the watch")
    request = watch(plugin, method)
    task = create(plugin, "x")
    assert event_of(plugin, request) == {"id": "task:2", "change_kind": "created", "subject": task}
    task = update(plugin, task, title="y")
    assert event_of(plugin, request) == {"id": "task:2", "change_kind": "updated", "subject": task}


def test_a_status_that_moves_comes_with_the_one_it_was(plugin: Plugin) -> None:
    task = create(plugin, "x", native_status="In Review")
    request = watch(plugin)
    plugin.call("task/status", {"id": task["id"], "status": "done"})
    event = event_of(plugin, request)
    assert event["change_kind"] == "status-changed"
    assert event["previous_native_status"] == "In Review"
    assert event["previous_dispatch_label"] == "code-review"
    assert event["subject"]["native_status"] == "Done"


def test_a_dispatch_label_that_moves_inside_a_bucket_has_its_own_kind(plugin: Plugin) -> None:
    task = create(plugin, "x", native_status="Backlog")
    request = watch(plugin)
    update(plugin, task, native_status="Todo")
    event = event_of(plugin, request)
    assert event["change_kind"] == "dispatch-label-changed"
    assert event["previous_dispatch_label"] == "triage"
    update(plugin, task, native_status="Cancelled")
    update(plugin, task, native_status="Duplicate")
    assert kinds(plugin, request, 2) == ["status-changed", "status-changed"]


def test_attachments_and_other_fields_are_told_apart(plugin: Plugin) -> None:
    task = create(plugin, "x")
    request = watch(plugin)
    document = {"id": "1", "kind": "document", "uri": "file:///spec.md"}
    update(plugin, task, attachments_add=[document])
    update(plugin, task, attachments_remove=["1"], title="y")
    update(plugin, task, comment="hello")
    plugin.call("task/delete", {"id": task["id"]})
    assert kinds(plugin, request, 5) == [
        "attachment-added",
        "attachment-removed",
        "updated",
        "attachment-added",
        "deleted",
    ]


def test_a_watch_reports_what_other_processes_change(plugin: Plugin, tmp_path: Path) -> None:
    request = watch(plugin)
    with served(TASKS, tmp_path) as other:
        task = create(other, "from another host")
        other.call("task/delete", {"id": task["id"]})
    assert kinds(plugin, request, 2) == ["created", "deleted"]
    imported(tmp_path, "todo.md", "- [ ] from a file\n")
    assert event_of(plugin, request)["subject"]["title"] == "from a file"


def test_a_watch_with_a_filter_reports_only_what_matches(plugin: Plugin) -> None:
    request = watch(plugin, params={"kind": "task", "filter": {"labels_any": ["mine"]}})
    create(plugin, "other")
    create(plugin, "mine", labels=["mine"])
    assert event_of(plugin, request)["subject"]["title"] == "mine"


def test_every_change_after_the_acknowledgement_is_reported_in_order(plugin: Plugin) -> None:
    request = watch(plugin)
    created = [create(plugin, str(n))["id"] for n in range(200)]
    assert [event_of(plugin, request)["id"] for _ in created] == created


def test_an_unwatch_ends_one_watch_and_leaves_the_other(plugin: Plugin) -> None:
    first, second = watch(plugin), watch(plugin)
    plugin.notify("subject/unwatch", {"watch_id": str(first)})
    create(plugin, "x")
    assert event_of(plugin, second)["change_kind"] == "created"
    with pytest.raises(PluginTimeoutError):
        plugin.next_notification("subject/changed", timeout_s=0.3)


def test_a_process_with_open_watches_still_ends_at_once(tmp_path: Path) -> None:
    with served(TASKS, tmp_path) as plugin:
        for _ in range(3):
            watch(plugin)
        plugin.close_stdin()
        assert plugin.wait(2) == 0
