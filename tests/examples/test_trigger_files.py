import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served

from animus_routes import RpcError
from animus_routes.host import Plugin, PluginTimeoutError

FILES = [sys.executable, str(EXAMPLES / "trigger_files.py")]
DOCS = {"docs": {"paths": ["docs"], "patterns": ["*.md"], "debounce_ms": 50}}
QUIET_S = 0.3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "old.md").write_text("old")
    return tmp_path


@pytest.fixture
def plugin(project: Path) -> Iterator[Plugin]:
    with served(FILES, project) as plugin:
        yield plugin


def write(file: Path, text: str) -> None:
    """At once: a half-written file would be two changes."""
    beside = file.with_suffix(".tmp")
    beside.write_text(text)
    beside.replace(file)


def watch(
    plugin: Plugin, triggers: dict[str, dict[str, Any]] = DOCS, cursor: str | None = None
) -> None:
    listed = [{"id": name, "config": config} for name, config in triggers.items()]
    params = {"triggers": listed, **({"cursor": cursor} if cursor else {})}
    assert plugin.call("trigger/watch", params) == {"watching": True}


def event(plugin: Plugin, timeout_s: float = 10) -> dict[str, Any]:
    params: dict[str, Any] = plugin.next_notification("trigger/event", timeout_s).params
    return params


def change(plugin: Plugin) -> tuple[str, str]:
    payload = event(plugin)["payload"]
    return payload["change"], payload["path"]


def quiet(plugin: Plugin) -> bool:
    with pytest.raises(PluginTimeoutError):
        event(plugin, QUIET_S)
    return True


def ack(plugin: Plugin, found: dict[str, Any], status: str = "queued") -> bool:
    params = {"event_id": found["event_id"], "status": status}
    acked: bool = plugin.call("trigger/ack", params)["acked"]
    return acked


def test_a_name_that_is_not_utf8_is_a_file_like_any_other(project: Path) -> None:
    odd, other = (
        Path(os.fsdecode(os.fsencode(project) + b"/docs/bad" + byte + b".md"))
        for byte in (b"\xff", b"\xfe")
    )
    odd.write_text("x")
    shown = "docs/bad\ufffd.md"
    with served(FILES, project) as plugin:
        watch(plugin)
        write(odd, "changed")
        first = event(plugin)
        assert (first["payload"]["change"], first["payload"]["path"]) == ("modified", shown)
        assert ack(plugin, first)
        write(other, "x")
        second = event(plugin)
        assert (second["payload"]["change"], second["payload"]["path"]) == ("created", shown)
        assert second["event_id"] != first["event_id"]
    odd.unlink()
    with served(FILES, project) as plugin:
        watch(plugin)
        assert sorted([change(plugin), change(plugin)]) == [("created", shown), ("deleted", shown)]


def test_a_file_is_created_modified_and_deleted(plugin: Plugin, project: Path) -> None:
    watch(plugin)
    new = project / "docs" / "new.md"
    write(new, "1")
    created = event(plugin)
    assert set(created) == {"event_id", "trigger_id", "payload"}
    assert created["trigger_id"] == "docs"
    assert created["payload"] == {
        "kind": "file_changed",
        "path": "docs/new.md",
        "change": "created",
        "root": str(project.resolve()),
    }
    write(new, "two")
    modified = event(plugin)
    assert modified["payload"]["change"] == "modified"
    new.unlink()
    deleted = event(plugin)
    assert deleted["payload"]["change"] == "deleted"
    assert len({e["event_id"] for e in (created, modified, deleted)}) == 3


def test_what_was_there_before_the_first_watch_is_no_news(plugin: Plugin, project: Path) -> None:
    watch(plugin)
    (project / "docs" / "deep").mkdir()
    write(project / "docs" / "deep" / "new.md", "1")
    assert change(plugin) == ("created", "docs/deep/new.md")


def test_only_what_the_patterns_name_and_nothing_ignored_is_reported(
    plugin: Plugin, project: Path
) -> None:
    watch(plugin)
    write(project / "docs" / "x.txt", "other")
    (project / "docs" / ".git").mkdir()
    write(project / "docs" / ".git" / "x.md", "ignored")
    (project / "other.md").write_text("elsewhere")
    (project / "docs" / "folder.md").mkdir()
    write(project / "docs" / "last.md", "1")
    assert change(plugin) == ("created", "docs/last.md")
    assert quiet(plugin)


def test_each_trigger_has_its_own_events(plugin: Plugin, project: Path) -> None:
    watch(plugin, {**DOCS, "all": {"patterns": ["*.md", "*.json"], "debounce_ms": 50}})
    write(project / "docs" / "x.md", "1")
    found = [event(plugin), event(plugin)]
    # In either order: each trigger looks for itself, also at the very moment of the change.
    assert {e["trigger_id"] for e in found} == {"docs", "all"}
    assert len({e["event_id"] for e in found}) == 2
    assert quiet(plugin)  # the plugin's own state is no news


def test_what_happened_while_nothing_ran_is_found(project: Path) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        plugin.call("$/ping")
    write(project / "docs" / "new.md", "1")
    (project / "docs" / "old.md").unlink()
    with served(FILES, project) as plugin:
        watch(plugin)
        found = [event(plugin), event(plugin)]
        assert [(e["payload"]["change"], e["payload"]["path"]) for e in found] == [
            ("created", "docs/new.md"),
            ("deleted", "docs/old.md"),
        ]
        assert all(ack(plugin, e) for e in found)
    with served(FILES, project) as plugin:
        watch(plugin)
        write(project / "docs" / "last.md", "1")
        assert change(plugin) == ("created", "docs/last.md")


@pytest.mark.parametrize("status", ["queued", "unmatched", "shutdown", None])
def test_what_the_host_did_not_take_comes_again_with_the_same_id(
    project: Path, status: str | None
) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        write(project / "docs" / "a.md", "1")
        first = event(plugin)
        if status is not None:
            assert ack(plugin, first, status) is (status != "shutdown")
        plugin.kill()
    write(project / "docs" / "b.md", "1")
    with served(FILES, project) as plugin:
        watch(plugin)
        again = event(plugin)
    taken = status in {"queued", "unmatched"}
    assert (again["event_id"] == first["event_id"]) is not taken
    assert again["payload"]["path"] == ("docs/b.md" if taken else "docs/a.md")


def test_a_change_is_owed_whatever_became_of_its_file(project: Path) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        write(project / "docs" / "a.md", "1")
        created = event(plugin)
        write(project / "docs" / "a.md", "22")
        modified = event(plugin)
        assert ack(plugin, modified) is True
        plugin.kill()
    (project / "docs" / "a.md").unlink()
    with served(FILES, project) as plugin:
        watch(plugin)
        assert event(plugin) == created
        assert change(plugin) == ("deleted", "docs/a.md")


def test_an_acknowledgement_is_taken_as_a_notification_too(project: Path) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        write(project / "docs" / "a.md", "1")
        found = event(plugin)
        plugin.notify("trigger/ack", {"event_id": found["event_id"], "status": "queued"})
        assert ack(plugin, found) is False  # once is enough
        assert ack(plugin, {"event_id": "docs:unknown"}) is False
    with closing(sqlite3.connect(project / ".animus" / "trigger-files.sqlite3")) as db:
        rows = db.execute("SELECT path FROM watched_files WHERE trigger_id = 'docs' ORDER BY path")
        assert [path for (path,) in rows] == ["docs/a.md", "docs/old.md"]


def test_a_trigger_that_watches_something_else_now_starts_afresh(project: Path) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        plugin.call("$/ping")
    (project / "more").mkdir()
    (project / "more" / "x.md").write_text("1")
    with served(FILES, project) as plugin:
        watch(plugin, {"docs": {**DOCS["docs"], "paths": ["docs", "more"]}})
        write(project / "docs" / "new.md", "1")
        assert change(plugin) == ("created", "docs/new.md")


def test_a_cursor_makes_news_of_what_changed_after_it(plugin: Plugin, project: Path) -> None:
    write(project / "docs" / "young.md", "1")
    os.utime(project / "docs" / "old.md", (1_000_000_000, 1_000_000_000))
    watch(plugin, cursor="2020-01-01T00:00:00Z")
    assert change(plugin) == ("modified", "docs/young.md")
    assert quiet(plugin)


def test_a_burst_of_files_loses_none(plugin: Plugin, project: Path) -> None:
    watch(plugin)
    expected = {f"docs/{n:03}.md" for n in range(300)}
    for path in expected:
        write(project / path, "1")
    found = [event(plugin) for _ in expected]
    assert {e["payload"]["path"] for e in found} == expected
    assert len({e["event_id"] for e in found}) == 300


def test_a_host_that_names_no_triggers_leaves_them_to_the_environment(project: Path) -> None:
    env = {"WATCHED_FILES": json.dumps(DOCS), "WATCHED_FILES_STATE": str(project / "s" / "x.json")}
    with served(FILES, project, env=env) as plugin:
        assert plugin.call("trigger/watch", {}) == {"watching": True}
        write(project / "docs" / "new.md", "1")
        assert event(plugin)["trigger_id"] == "docs"
    assert (project / "s" / "x.sqlite3").is_file()


@pytest.mark.parametrize(
    "params",
    [
        {"triggers": [{"id": "x", "config": {"paths": []}}]},
        {"triggers": [{"id": "x", "config": {"pathes": ["docs"]}}]},
        {"triggers": [{"id": "x", "config": "docs"}]},
        {"cursor": "yesterday"},
        {"cursor": 7},
    ],
)
def test_what_cannot_be_understood_refuses_the_watch(
    plugin: Plugin, params: dict[str, Any]
) -> None:
    error = refused(plugin, "trigger/watch", params)
    assert (error.code, error.data["category"]) == (-32602, "invalid_request")


def test_a_watch_for_nothing_is_quiet_and_ends_with_the_host(plugin: Plugin) -> None:
    assert plugin.call("trigger/watch", {}) == {"watching": True}
    assert plugin.call("trigger/schema")["supports_ack"] is True
    assert plugin.shutdown() == 0
    assert "no triggers" in plugin.stderr_text()


def test_a_folder_that_disappears_ends_the_process_and_the_next_one_goes_on(project: Path) -> None:
    with served(FILES, project) as plugin:
        watch(plugin)
        shutil.rmtree(project / "docs")
        plugin.wait(10)
        assert "is not there" in plugin.stderr_text()
    with served(FILES, project) as plugin:
        with pytest.raises(RpcError, match="is not there"):
            watch(plugin)
        assert plugin.wait(10) == 1
    (project / "docs").mkdir()
    write(project / "docs" / "back.md", "1")
    with served(FILES, project) as plugin:
        watch(plugin)
        assert change(plugin) == ("created", "docs/back.md")
        assert change(plugin) == ("deleted", "docs/old.md")


def test_a_folder_tells_of_every_file_that_comes_or_goes_with_it(
    plugin: Plugin, project: Path, tmp_path: Path
) -> None:
    watch(plugin)
    made = tmp_path / "made" / "deep"
    made.mkdir(parents=True)
    for name in ("a.md", "b.md", "c.txt"):
        write(made / name, name)
    (tmp_path / "made").rename(project / "docs" / "moved")
    came = [event(plugin)["payload"] for _ in range(2)]
    paths = ["docs/moved/deep/a.md", "docs/moved/deep/b.md"]
    assert [(change["path"], change["change"]) for change in came] == [
        (p, "created") for p in paths
    ]
    shutil.rmtree(project / "docs" / "moved")
    gone = [event(plugin)["payload"] for _ in range(2)]
    assert [(change["path"], change["change"]) for change in gone] == [
        (p, "deleted") for p in paths
    ]


def test_what_0_1_0_remembered_is_taken_over(project: Path) -> None:
    config = {"paths": ["docs"], "patterns": ["*.md"], "ignore": [], "debounce_ms": 50}
    known = {"docs": {"config": config, "files": {"docs/gone.md": "1-1-1-1"}}}
    before = project / ".animus" / "trigger-files.json"
    before.parent.mkdir(exist_ok=True)
    before.write_text(json.dumps(known))
    with served(FILES, project) as plugin:
        watch(plugin, {"docs": config})
        found = {event(plugin)["payload"]["change"] for _ in range(2)}
    assert found == {"created", "deleted"}
