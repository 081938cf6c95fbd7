"""What an example keeps is made when it is first used: not by a ping, wherever that starts it."""

import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from example_host import EXAMPLES, refused, served


class Keeping(NamedTuple):
    """An example that keeps something, the variable that says where, and a call that needs it."""

    example: str
    variable: str
    method: str
    params: dict[str, Any]
    form: str = "{}"  # of the variable's value, around a path

    def __str__(self) -> str:
        return self.example


SCOPE: Final = {"scope_kind": "project", "project_id": "p"}
EVENT: Final = {
    "schema": "animus.daemon.event.v1",
    "id": "e",
    "seq": 1,
    "timestamp": "2026-01-01T00:00:00Z",
    "event_type": "x",
    "data": {},
}
URL: Final = "sqlite:///{}"
RUN: Final = {
    "run_id": "r",
    "phase_id": "p",
    "workflow_id": "w",
    "workflow_ref": "x",
    "started_at": "2026-01-01T00:00:00Z",
}
KEEPING: Final = [
    Keeping("tasks_sqlite", "ANIMUS_TASKS_DB", "task/list", {}),
    Keeping("journal_sqlite", "ANIMUS_JOURNAL_DB", "journal/load", {"workflow_id": "w"}),
    Keeping("logs_sqlite", "ANIMUS_LOGS_DB", "log_storage/query", {}),
    Keeping("memory_sqlite", "ANIMUS_MEMORY_DB", "memory/get", {"scope": SCOPE, "key": "k"}),
    Keeping("notifier_apprise", "ANIMUS_NOTIFIER_DB", "notifier/notify", {"event": EVENT}),
    Keeping("queue_sql", "ANIMUS_QUEUE_URL", "queue/stats", {}, URL),
    Keeping("durable_sql", "ANIMUS_DURABLE_URL", "durable/begin_workflow_run", RUN, URL),
    Keeping("conversations_sql", "ANIMUS_CONVERSATIONS_URL", "conversation/list", {}, URL),
    Keeping("channel_webhook", "ANIMUS_CHANNEL_DB", "", {}),
    Keeping("trigger_cron", "CRON_STATE", "", {}),
    Keeping("trigger_files", "WATCHED_FILES_STATE", "", {}),
]
# What these keep has no variable of its own.
BELOW: Final = [Keeping("runner_local", "", "", {}), Keeping("provider_openai", "", "", {})]
FOLDER: Final = Keeping("environment_local", "ANIMUS_LOCAL_ENVIRONMENTS", "", {})
each = pytest.mark.parametrize("keeping", KEEPING, ids=str)


def command(keeping: Keeping) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{keeping.example}.py")]


def placed(keeping: Keeping, place: Path) -> dict[str, str]:
    return {keeping.variable: keeping.form.format(place)}


@each
def test_a_ping_leaves_nothing_behind(keeping: Keeping, tmp_path: Path) -> None:
    place = tmp_path / ("kept" if keeping.form == URL else "deep/kept")
    with served(command(keeping), tmp_path, env=placed(keeping, place)) as plugin:
        assert plugin.call("$/ping") == {}
        assert plugin.call("health/check")["status"] == "healthy"
        if keeping.example == "notifier_apprise":
            assert plugin.call("notifier/flush", {}) == {"lifecycle_events": []}
        assert list(tmp_path.iterdir()) == []
        if keeping.method:
            plugin.call(keeping.method, keeping.params)
            assert place.is_file()
            assert plugin.call("health/check")["status"] == "healthy"


@pytest.mark.parametrize("keeping", [*KEEPING, FOLDER], ids=str)
def test_a_folder_that_cannot_be_written_degrades_health(keeping: Keeping, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    place = file / "kept"
    with served(command(keeping), tmp_path, env=placed(keeping, place)) as plugin:
        found = plugin.call("health/check")
        reason = f"{place} cannot be made: {file} is no folder to write into"
        assert (found["status"], found["last_error"]) == ("degraded", reason)
        if keeping.method:
            error = refused(plugin, keeping.method, keeping.params)
            assert str(file) in error.message, error.message
            assert not error.message.startswith("internal error")


@pytest.mark.parametrize("keeping", [*KEEPING, *BELOW, FOLDER], ids=str)
def test_without_a_variable_it_is_the_projects_folder_that_stays_clean(
    keeping: Keeping, tmp_path: Path
) -> None:
    with served(command(keeping), tmp_path, env={"HOME": str(tmp_path)}) as plugin:
        assert plugin.call("$/ping") == {}
        assert plugin.call("health/check")["status"] == "healthy"
    assert list(tmp_path.iterdir()) == []


# The journal is that of the nearest folder above that has one.
NEAR: Final = [found for found in KEEPING if found.example != "journal_sqlite"]


@pytest.mark.parametrize("keeping", [*NEAR, *BELOW], ids=str)
def test_a_project_that_nothing_can_be_made_in_is_served_and_unwell(
    keeping: Keeping, tmp_path: Path
) -> None:
    (tmp_path / ".animus").write_text("no folder")
    with served(command(keeping), tmp_path) as plugin:
        found = plugin.call("health/check")
        assert (found["status"], "cannot be made" in found["last_error"]) == ("degraded", True)
        if keeping.method:
            error = refused(plugin, keeping.method, keeping.params)
            assert str(tmp_path / ".animus") in error.message, error.message
            assert not error.message.startswith("internal error")


@each
def test_a_file_that_is_no_database_is_named(keeping: Keeping, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.write_text("no database " * 100)
    with served(command(keeping), tmp_path, env=placed(keeping, place)) as plugin:
        found = plugin.call("health/check")
        assert (found["status"], str(place) in found["last_error"]) == ("unhealthy", True), found
        if keeping.method:
            error = refused(plugin, keeping.method, keeping.params)
            assert str(place) in error.message, error.message
