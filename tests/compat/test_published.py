"""A plugin written for the class-based SDK runs once the name of its package is replaced.

`published/` has one for each of the ten roles, in the SDK's own terms, each a process here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from animus_routes import RpcError
from animus_routes.compat import PluginKind
from animus_routes.host import PluginProcess

HERE = Path(__file__).resolve().parent / "published"
ROOT = HERE.parents[2]
INSTALLED = {"PYTHONPATH": str(ROOT)}
TIME = "2026-01-01T00:00:00Z"
SCOPE = {"project_id": "p"}
DISPATCH = {
    "subject": {"id": "task:1", "kind": "task"},
    "requested_at": TIME,
    "trigger_source": "manual",
    "workflow_ref": "standard",
}
PHASE = dict.fromkeys(
    [
        "execution_cwd",
        "phase_id",
        "subject_description",
        "subject_id",
        "subject_title",
        "workflow_id",
        "workflow_ref",
    ],
    "x",
)
ENTRY = {"id": "1", "level": "info", "message": "m", "source": "daemon", "target": "t", "ts": TIME}
EVENT = {"id": "1", "event_type": "a", "schema": "s", "timestamp": TIME, "data": None}
STEP = {"run_id": "r", "phase_id": "p"}


def command(kind: str, folder: Path) -> list[str]:
    source = (HERE / f"{kind}.txt").read_text("utf-8")
    assert "animus_plugin_sdk" in source
    path = folder / f"{kind}.py"
    path.write_text(source.replace("animus_plugin_sdk", "animus_routes.compat"), "utf-8")
    return [sys.executable, str(path)]


def subjects(plugin: PluginProcess) -> None:
    page = plugin.call("subject/list", {"filter": {"kind": ["other"], "limit": 5}})
    (note,) = page["subjects"]
    assert (note["kind"], note["description"], note["labels"]) == ("note", None, [])
    assert min(note["created_at"], page["fetched_at"]) > "2026"
    got = plugin.call("note/get", {"id": "note:1", "odd": 1})
    assert got["extra"] == {"id": "note:1", "odd": 1}
    with pytest.raises(RpcError, match="note:9") as error:
        plugin.call("note/get", {"id": "note:9"})
    assert error.value.data["category"] == "not_found"
    created = plugin.call("note/create", {"title": "bread", "body": "a body", "kind": "other"})
    assert (created["status"], created["created_at"]) == ("done", TIME)
    update = {"id": "note:2", "patch": {"priority": "p1"}}
    assert plugin.call("note/update", update)["title"] == "p1"
    assert plugin.call("note/delete", {"id": "note:2", "why": "x"}) == {"ok": True}
    assert plugin.call("note/schema")["supports_pagination"] is True
    health = plugin.call("health/check")
    assert (health["status"], health["last_error"][:4]) == ("degraded", "slow")
    with pytest.raises(RpcError) as error:
        plugin.call("subject/watch", {})
    assert error.value.code == -32001


def provider(plugin: PluginProcess) -> None:
    run = {"prompt": "hi", "cwd": "/", "session_id": "s1", "approvals": True}
    answer = plugin.call("agent/run", run)
    assert answer["output"] == "HI"
    assert (answer["session_id"], answer["backend"], answer["metadata"]) == ("s2", "", {"a": 1})
    for what in ("thinking", "toolCall", "output"):
        said = plugin.next_notification()
        assert (said.method, said.params["session_id"]) == (f"agent/{what}", "s1")
    assert plugin.call("agent/resume", run)["output"] == "again"
    request = plugin.request("agent/run", {**run, "prompt": "wait"})
    plugin.next_notification("agent/output")
    assert plugin.call("agent/cancel", {"session_id": "s1"})["cancelled"] is True
    with pytest.raises(RpcError) as error:
        plugin.reply(request)
    assert error.value.code == -32002


def triggers(plugin: PluginProcess) -> None:
    plugin.call("trigger/ack", {"event_id": "e0", "status": "queued", "more": 1})
    assert plugin.call("trigger/watch", {"cursor": None}) == {"watching": True}
    first, second, third = (plugin.next_notification("trigger/event").params for _ in range(3))
    assert first == {"event_id": "e1"}
    assert (second["event_id"], second["payload"]) == ("e2", {"n": 2})
    assert third["payload"] == [{"event_id": "e0", "status": "queued"}]
    assert plugin.call("trigger/ack", {"event_id": "e1"}) == {"event_id": "e1", "acked": True}
    with pytest.raises(RpcError) as error:
        plugin.call("trigger/watch", {"cursor": "broken"})
    assert error.value.code == -32603


def logs(plugin: PluginProcess) -> None:
    batch = [ENTRY, {**ENTRY, "id": "2", "fields": {"a": 1}}]
    assert plugin.call("log_storage/store", {"entries": batch}) == {"stored": 2}
    assert [e["id"] for e in plugin.call("log_storage/query", {"limit": 1})["entries"]] == ["1"]
    assert plugin.call("log_storage/tail", {}) == {"tailing": True}
    assert plugin.next_notification().params["entry"]["fields"] == {"a": 1}


def transport(plugin: PluginProcess) -> None:
    config = {"control_socket_path": "c", "project_root": "p", "bind_addr": "127.0.0.1:7"}
    assert plugin.call("transport/start", config)["bound_addr"] == "127.0.0.1:7"
    assert plugin.call("transport/schema")["kinds"] == ["http"]
    plugin.call("transport/shutdown")


def queue(plugin: PluginProcess) -> None:
    added = plugin.call("queue/enqueue", {"subject_dispatch": DISPATCH})
    assert (added["enqueued"], added["entry_id"]) == (True, "e0")
    assert plugin.call("queue/lease", {"max": 3})["leased"][0]["subject_id"] == "task:1"
    assert plugin.call("queue/stats", {"odd": 1})["pending"] == 1
    assert plugin.call("queue/list", {})["total"] == 1
    for verb in ("hold", "release", "drop", "mark_assigned", "completion"):
        changed = plugin.call(f"queue/{verb}", {"entry_id": "e0", "status": "completed"})
        assert changed["changed"] is True
    assert plugin.call("queue/reorder", {"entry_ids": ["e0"]})["reordered_count"] == 1
    with pytest.raises(RpcError) as error:
        plugin.call("queue/release_pending", {"entry_id": "e0", "reason": "r"})
    assert error.value.code == -32001


def runner(plugin: PluginProcess) -> None:
    assert plugin.call("workflow/execute", {"workflow_id": "w7"})["workflow_id"] == "w7"
    phase = {**PHASE, "phase_attempt": 1, "model_override": "failed"}
    assert plugin.call("workflow/run_phase", phase)["phase_status"] == "failed"


def durable(plugin: PluginProcess) -> None:
    assert plugin.call("durable/begin_workflow_run", STEP)["epoch"] == 1
    step = {**STEP, "step_name": "s", "idempotency_key": "k"}
    assert plugin.call("durable/begin_step", step)["step_id"] == "s"
    assert plugin.call("durable/commit_step", {"step_id": "s", "outcome": "success"})["ack"] is True
    assert plugin.call("durable/abandon_step", {"step_id": "s"})["ack"] is True
    assert plugin.call("durable/recover_in_flight", {"since_epoch": 0}) == {"in_flight": []}
    assert plugin.call("durable/query_run", STEP)["status"] == "running"


def memory(plugin: PluginProcess) -> None:
    assert plugin.call("memory/put", {"scope": SCOPE, "key": "k", "value": None})["ack"] is True
    assert plugin.call("memory/get", {"scope": SCOPE, "key": "k"})["found"] is True
    query = {"scope": SCOPE, "query": "q", "top_k": 3}
    assert plugin.call("memory/query", query) == {"results": []}
    assert plugin.call("memory/list_scopes", {}) == {"scopes": [], "next_cursor": None}
    assert plugin.call("memory/delete_scope", {"scope": SCOPE})["ack"] is True


def notifier(plugin: PluginProcess) -> None:
    assert plugin.call("notifier/notify", {"event": EVENT})["accepted"] is True
    assert plugin.call("notifier/flush", {}) == {"lifecycle_events": []}


ROLES: dict[str, Callable[[PluginProcess], None]] = {
    "subject_backend": subjects,
    "provider": provider,
    "trigger_backend": triggers,
    "log_storage_backend": logs,
    "transport_backend": transport,
    "queue": queue,
    "workflow_runner": runner,
    "durable_store": durable,
    "memory_store": memory,
    "notifier": notifier,
}


def test_there_is_one_for_every_role() -> None:
    assert set(ROLES) == PluginKind.ALL - {"task_backend", "custom"}
    assert {path.stem for path in HERE.glob("*.txt")} == set(ROLES)


@pytest.mark.parametrize("kind", ROLES)
def test_a_plugin_of_the_sdk_s_runs_after_search_and_replace(kind: str, tmp_path: Path) -> None:
    with PluginProcess.start(command(kind, tmp_path), env=INSTALLED) as plugin:
        plugin.initialize()
        ROLES[kind](plugin)
        assert plugin.protocol_errors == []


@pytest.mark.parametrize("arguments", [["--manifest"], ["--verbose", "-m"], ["x", "--manifest"]])
def test_the_manifest_flag_may_stand_anywhere(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*command("notifier", tmp_path), *arguments],
        env=INSTALLED,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b'"name":"animus-notifier-bell"' in done.stdout


def test_arguments_that_nobody_knows_are_ignored(tmp_path: Path) -> None:
    given = [*command("notifier", tmp_path), "--verbose", "yes"]
    with PluginProcess.start(given, env=INSTALLED) as plugin:
        plugin.initialize()
        notifier(plugin)
