import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served

from animus_routes.host import Plugin, PluginTimeoutError

TASKS = [sys.executable, str(EXAMPLES / "tasks_file.py")]
WAIT_S = 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".animus" / "data" / "animus-subject-tasks-file" / "tasks.json"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TASKS, tmp_path) as plugin:
        yield plugin


def create(plugin: Plugin, title: str, **fields: Any) -> str:
    made: dict[str, Any] = plugin.call("task/create", {"title": title, **fields})
    task_id: str = made["id"]
    return task_id


def edit(file: Path, tasks: dict[str, Any]) -> None:
    """As somebody else would."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name("edited")
    part.write_text(json.dumps(tasks), "utf-8")
    part.replace(file)


def told(plugin: Plugin, within_s: float = WAIT_S) -> tuple[str, str]:
    event = plugin.next_notification("subject/changed", within_s).params["event"]
    return event["id"], event["change_kind"]


def test_a_task_is_kept_changed_and_removed(plugin: Plugin, file: Path) -> None:
    assert plugin.call("health/check")["status"] == "healthy"
    assert not file.parent.exists()  # the first task makes it
    task_id = create(plugin, "Say hello", labels=["x"], priority="high")
    assert json.loads(file.read_text("utf-8"))[task_id]["priority"] == 3
    changed = plugin.call("task/update", {"id": task_id, "patch": {"status": "done"}})
    assert (changed["status"], changed["labels"]) == ("done", ["x"])
    assert plugin.call("task/get", {"id": task_id}) == changed
    plugin.call("task/delete", {"id": task_id})
    for method in ("task/get", "task/update", "task/delete"):
        error = refused(plugin, method, {"id": task_id, "patch": {}})
        assert (error.code, error.data["category"]) == (-32602, "not_found")


def test_what_is_asked_for_comes_in_pages(plugin: Plugin) -> None:
    wanted = {create(plugin, f"{n}", labels=["mine"]) for n in range(5)}
    create(plugin, "another")
    found: list[str] = []
    cursor = None
    while cursor is not None or not found:
        params = {"labels_all": ["mine"], "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = plugin.call("task/list", params)
        assert len(page["subjects"]) <= 2
        found += [task["id"] for task in page["subjects"]]
        cursor = page.get("next_cursor")
    assert sorted(wanted) == found


def test_a_host_hears_of_changes_that_somebody_else_makes(plugin: Plugin, file: Path) -> None:
    old = {"id": "task:1", "kind": "task", "title": "Say hello", "status": "ready"}
    first = {"task:1": old, "task:2": {**old, "id": "task:2"}}
    assert plugin.call("subject/watch", {}) == {"watching": True}
    for number in count():  # until the watch has begun to look
        edit(file, {**first, "task:0": {**old, "id": "task:0", "title": f"{number}"}})
        with suppress(PluginTimeoutError):
            told(plugin, 0.2)
            break
        assert number < 5 * WAIT_S
    edit(file, {"task:1": {**old, "status": "done"}, "task:3": {**old, "id": "task:3"}})
    wanted = {("task:1", "status-changed"), ("task:2", "deleted"), ("task:3", "created")}
    while wanted:
        wanted.discard(told(plugin))


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path, file: Path) -> None:
    def make(name: str) -> list[str]:
        with served(TASKS, tmp_path) as plugin:
            return [create(plugin, f"{name} {n}") for n in range(25)]

    with ThreadPoolExecutor(2) as pool:
        made = [task for some in pool.map(make, ("one", "other")) for task in some]
    assert sorted(json.loads(file.read_text("utf-8"))) == sorted(made)


def test_a_file_that_cannot_be_read_is_named_and_not_overwritten(
    plugin: Plugin, file: Path
) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('{"task:1": {"id": "task:1"', "utf-8")
    for method, params in (("task/list", {}), ("task/create", {"title": "x"})):
        assert "tasks.json" in str(refused(plugin, method, params))
    assert plugin.call("health/check")["status"] != "healthy"
    assert file.read_text("utf-8") == '{"task:1": {"id": "task:1"'


def test_the_file_may_be_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "some" / "where.json"
    with served(TASKS, tmp_path, env={"TASKS_FILE": str(elsewhere)}) as plugin:
        create(plugin, "Say hello")
    assert elsewhere.is_file()
    assert not (tmp_path / ".animus").exists()
