import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from example_host import (
    EXAMPLES,
    INSTALLED,
    ROOT,
    TASKS,
    create,
    every_task,
    refused,
    run,
    served,
    update,
)

from animus_routes.host import Plugin

DATABASE = Path(".animus") / "tasks.sqlite3"
NOT_FREE = "the database was not free within 0.5 s"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TASKS, tmp_path) as plugin:
        yield plugin


def test_the_manifest_needs_no_environment(tmp_path: Path) -> None:
    code, document, errors = run([*TASKS, "--manifest"], tmp_path, env=INSTALLED)
    manifest = json.loads(document)
    assert (code, errors) == (0, "")
    assert manifest["plugin_kind"] == "subject_backend"
    assert "subject_kind:task" in manifest["capabilities"]
    (variable,) = manifest["env_required"]
    assert (variable["name"], variable.get("required", False)) == ("ANIMUS_TASKS_DB", False)
    assert not (tmp_path / ".animus").exists()


def test_the_database_is_where_the_project_or_the_variable_says(tmp_path: Path) -> None:
    bound = tmp_path / "bound"
    bound.mkdir()
    extensions = {"project_binding": {"project_root": str(bound), "repo_scope": "x"}}
    with served(TASKS, tmp_path, init_extensions=extensions) as plugin:
        create(plugin, "x")
    with served(TASKS, tmp_path, env={"ANIMUS_TASKS_DB": str(tmp_path / "own" / "t.db")}) as plugin:
        create(plugin, "x")
    assert (bound / DATABASE).is_file()
    assert (tmp_path / "own" / "t.db").is_file()
    assert not (tmp_path / DATABASE).exists()


def test_a_database_of_a_newer_version_is_refused_when_it_is_used(
    plugin: Plugin, tmp_path: Path
) -> None:
    (tmp_path / DATABASE).parent.mkdir()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("PRAGMA user_version = 99")
    for method in ("task/list", "subject/watch"):
        refusal = refused(plugin, method)
        assert (refusal.code, refusal.data["category"]) == (-32603, "unavailable")
        assert "newer version" in refusal.message


def test_a_ping_and_a_health_check_leave_nothing_behind(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.call("$/ping") == {}
    assert plugin.call("health/check")["status"] == "healthy"
    assert list(tmp_path.iterdir()) == []
    assert plugin.call("task/list")["subjects"] == []
    assert (tmp_path / DATABASE).is_file()


def test_a_place_where_nothing_can_be_written_degrades_health(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "tasks.db"
    with served(TASKS, tmp_path, env={"ANIMUS_TASKS_DB": str(place)}) as plugin:
        found = plugin.call("health/check")
        refusal = refused(plugin, "task/list")
    reason = f"{place} cannot be made: {tmp_path / 'file'} is no folder to write into"
    assert (found["status"], found["last_error"]) == ("degraded", reason)
    assert (refusal.code, refusal.data["category"]) == (-32603, "unavailable")
    assert str(place.parent) in refusal.message


def test_tasks_are_found_with_and_without_the_prefix_of_their_ids(plugin: Plugin) -> None:
    first, second = create(plugin, "one"), create(plugin, "two", parent="1")
    assert (first["id"], second["parent"]) == ("task:1", "task:1")
    for typed in ("1", "task:1"):
        assert plugin.call("task/get", {"id": typed})["id"] == "task:1"
        assert plugin.call("task/status", {"id": typed, "status": "in_progress"})["id"] == "task:1"
        patch = {"comment": typed, "priority": "p1"}
        changed = plugin.call("task/update", {"id": typed, "patch": patch})
        assert (changed["id"], changed["priority"]) == ("task:1", 3)
    comments = plugin.call("task/get", {"id": "1"})["attachments"][0]["metadata"]["comments"]
    assert [comment["text"] for comment in comments] == ["1", "task:1"]
    assert update(plugin, second, parent=None).get("parent") is None
    assert plugin.call("task/delete", {"id": "2"}) == {"ok": True}
    assert [task["id"] for task in every_task(plugin)] == ["task:1"]
    assert refused(plugin, "task/get", {"id": "2"}).message == "not found: subject '2'"


def test_processes_that_start_together_share_one_new_database(tmp_path: Path) -> None:
    with (
        Plugin.start(TASKS, cwd=tmp_path, env=INSTALLED) as one,
        Plugin.start(TASKS, cwd=tmp_path, env=INSTALLED) as two,
    ):
        greeting = {
            "protocol_version": "1.1.0",
            "host_info": {"name": "test", "version": "1"},
            "capabilities": {},
        }
        waiting = [(plugin, plugin.request("initialize", greeting)) for plugin in (one, two)]
        for plugin, request in waiting:
            plugin.reply(request)
            plugin.notify("initialized")
        create(one, "from one")
        create(two, "from two")
        assert [task["title"] for task in every_task(one)] == ["from one", "from two"]


def test_health_reports_a_held_lock_as_degraded(plugin: Plugin, tmp_path: Path) -> None:
    create(plugin, "x")
    assert plugin.call("health/check")["status"] == "healthy"
    db = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    held = plugin.call("health/check")
    db.execute("ROLLBACK")
    db.close()
    assert (held["status"], held["last_error"]) == (
        "degraded",
        f"{tmp_path / DATABASE}: {NOT_FREE}",
    )
    assert plugin.call("health/check")["status"] == "healthy"


def test_health_reports_a_lost_database_as_unhealthy(plugin: Plugin, tmp_path: Path) -> None:
    create(plugin, "x")
    (tmp_path / DATABASE).rename(tmp_path / "moved.db")
    lost = plugin.call("health/check")
    assert (lost["status"], "has been removed" in lost["last_error"]) == ("unhealthy", True)


def test_health_reports_a_database_that_was_replaced_as_unhealthy(
    plugin: Plugin, tmp_path: Path
) -> None:
    create(plugin, "x")
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("VACUUM INTO ?", [str(copy)])
    copy.replace(tmp_path / DATABASE)
    replaced = plugin.call("health/check")
    assert (replaced["status"], "another file" in replaced["last_error"]) == ("unhealthy", True)


def test_a_database_that_cannot_be_written_now_is_unavailable(
    plugin: Plugin, tmp_path: Path
) -> None:
    assert plugin.call("task/list")["subjects"] == []
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute("DROP TABLE changes")
    refusal = refused(plugin, "task/create", {"title": "x"})
    assert (refusal.code, refusal.data["category"]) == (-32603, "unavailable")
    assert plugin.call("task/list")["subjects"] == []


def test_serving_imports_neither_pydantic_nor_the_importer(tmp_path: Path) -> None:
    probe = (
        "import sys, tasks_sqlite; print(sorted(m for m in sys.modules "
        "if m in {'pydantic', 'csv', 'argparse', 'asyncio', 'griffe', 'tasks_import'}))"
    )
    path = {"PYTHONPATH": f"{ROOT}:{EXAMPLES}"}
    code, output, errors = run([sys.executable, "-c", probe], tmp_path, path)
    assert (code, output.strip()) == (0, "[]"), errors
