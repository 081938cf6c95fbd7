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


SCOPE: Final = {"scope_kind": "project", "project_id": "p"}
EVENT: Final = {
    "schema": "animus.daemon.event.v1",
    "id": "e",
    "seq": 1,
    "timestamp": "2026-01-01T00:00:00Z",
    "event_type": "x",
    "data": {},
}
KEEPING: Final = [
    Keeping("tasks_sqlite", "ANIMUS_TASKS_DB", "task/list", {}),
    Keeping("journal_sqlite", "ANIMUS_JOURNAL_DB", "journal/load", {"workflow_id": "w"}),
    Keeping("logs_sqlite", "ANIMUS_LOGS_DB", "log_storage/query", {}),
    Keeping("memory_sqlite", "ANIMUS_MEMORY_DB", "memory/get", {"scope": SCOPE, "key": "k"}),
    Keeping("notifier_apprise", "ANIMUS_NOTIFIER_DB", "notifier/notify", {"event": EVENT}),
    Keeping("channel_webhook", "ANIMUS_CHANNEL_DB", "", {}),
    Keeping("trigger_cron", "CRON_STATE", "", {}),
    Keeping("trigger_files", "WATCHED_FILES_STATE", "", {}),
]
each = pytest.mark.parametrize("keeping", KEEPING, ids=[found.example for found in KEEPING])


def command(keeping: Keeping) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{keeping.example}.py")]


@each
def test_a_ping_leaves_nothing_behind(keeping: Keeping, tmp_path: Path) -> None:
    place = tmp_path / "deep" / "kept"
    with served(command(keeping), tmp_path, env={keeping.variable: str(place)}) as plugin:
        assert plugin.call("$/ping") == {}
        assert plugin.call("health/check")["status"] == "healthy"
        if keeping.example == "notifier_apprise":
            assert plugin.call("notifier/flush", {}) == {"lifecycle_events": []}
        assert list(tmp_path.iterdir()) == []
        if keeping.method:
            plugin.call(keeping.method, keeping.params)
            assert place.is_file()
            assert plugin.call("health/check")["status"] == "healthy"


@each
def test_a_folder_that_cannot_be_written_degrades_health(keeping: Keeping, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    place = file / "kept"
    with served(command(keeping), tmp_path, env={keeping.variable: str(place)}) as plugin:
        found = plugin.call("health/check")
        reason = f"{place} cannot be made: {file} is no folder to write into"
        assert (found["status"], found["last_error"]) == ("degraded", reason)
        if keeping.method:
            error = refused(plugin, keeping.method, keeping.params)
            assert str(file) in error.message
            assert not error.message.startswith("internal error")
