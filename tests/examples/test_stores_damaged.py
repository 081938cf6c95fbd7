"""What is stored is no longer what was written: the caller is told so, and it is no bug."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from example_apps import example_app

from animus_routes import RpcError
from animus_routes.testing import TestClient

AT: Final = "2026-01-31T09:30:00Z"
OWN: Final = {"project_id": "p"}
CHAT: Final = {"repo_scope": "scope", "id": "c"}
STEP: Final = {"run_id": "r", "phase_id": "p", "step_name": "s", "idempotency_key": "k"}
TASK: Final = {"kind": "animus.task", "id": "T"}
DISPATCH: Final = {
    "subject": TASK,
    "workflow_ref": "w",
    "trigger_source": "t",
    "requested_at": AT,
}
DAEMON_EVENT: Final = {
    "schema": "animus.daemon.event.v1",
    "id": "e",
    "seq": 1,
    "data": {},
    "timestamp": AT,
    "event_type": "task-done",
}
# It has no tick of its own meanwhile.
CRON: Final = {"triggers": [{"id": "t", "config": {"cron": "0 0 1 1 *"}}]}
DOCS: Final = {"triggers": [{"id": "t", "config": {"paths": ["."]}}]}
MESSAGE: Final = {
    "schema": "animus.channel.v1",
    "scope": {"tenant_id": "t-1", "connection_id": "wa-1"},
    "message_id": "m",
    "peer_id": "+1555",
    "text": "Hi",
    "occurred_at": AT,
}
RUN: Final = {"run": {"workflow_id": "w", "status": "done", "blob": {}}}
NOT_UTF_8: Final = b'{"a": "\xff"}'

Call = tuple[str, Any]


def committed(client: TestClient) -> None:
    client.call("durable/begin_workflow_run", {"run_id": "r", "phase_id": "p", "inputs": {}})
    held = client.call("durable/begin_step", STEP)["step_id"]
    client.call("durable/commit_step", {"step_id": held, "outcome": "success", "output": {}})


def calls(*wanted: Call) -> Callable[[TestClient], None]:
    def call(client: TestClient) -> None:
        for method, params in wanted:
            client.call(method, params)

    return call


class Rows(NamedTuple):
    """Something in a database that is damaged, and the call that comes across it."""

    example: str
    store: Callable[[TestClient], None]
    damage: str
    call: Call


class Text(NamedTuple):
    """A file that is damaged, and the call that reads it."""

    example: str
    file: str
    call: Call


ROWS: Final = [
    Rows(
        "queue_sql",
        calls(("queue/enqueue", {"subject_dispatch": DISPATCH})),
        "UPDATE queue_entries SET dispatch = '{'",
        ("queue/list", {}),
    ),
    Rows(
        "durable_sql",
        committed,
        "UPDATE durable_steps SET output = '{'",
        ("durable/begin_step", STEP),
    ),
    Rows(
        "conversations_sql",
        calls(("conversation/create", CHAT)),
        "UPDATE conversations SET meta = '{'",
        ("conversation/load_meta", CHAT),
    ),
    Rows(
        "tasks_sqlite",
        calls(("task/create", {"title": "T"})),
        "UPDATE tasks SET document = json_set(document, '$.title', 5)",
        ("task/get", {"id": "task:1"}),
    ),
    Rows(
        "memory_sqlite",
        calls(("memory/put", {"scope": OWN, "key": "k", "value": "v"})),
        "UPDATE memories SET value = '{'",
        ("memory/get", {"scope": OWN, "key": "k"}),
    ),
    Rows(
        "journal_sqlite",
        calls(("journal/save", RUN)),
        "UPDATE runs SET run = '{'",
        ("journal/load", {"workflow_id": "w"}),
    ),
    Rows(
        "notifier_apprise",
        calls(("notifier/notify", {"event": DAEMON_EVENT})),
        "UPDATE outbox SET event = '{'",
        ("notifier/flush", None),
    ),
    Rows(
        "trigger_cron",
        calls(("trigger/watch", CRON)),
        "INSERT INTO outbox (id, event) VALUES ('x', '{')",
        ("trigger/watch", CRON),
    ),
    Rows(
        "trigger_files",
        calls(("trigger/watch", DOCS)),
        "UPDATE watched_triggers SET config = '{'",
        ("trigger/watch", DOCS),
    ),
]
TEXTS: Final = [
    Text("tasks_file", "data/animus-subject-tasks-file/tasks.json", ("task/list", {})),
    Text("channel_webhook", "channels.json", ("channel/receive", MESSAGE)),
    Text(
        "environment_local",
        "environments/local-714bd663fc4749b6bf5f301246bf7065/environment.json",
        ("environment/list", {}),
    ),
    Text(
        "runner_local",
        "local-runs/w/state.json",
        ("workflow/execute", {"workflow_id": "w", "workflow_ref": "w"}),
    ),
    Text(
        "provider_openai",
        "sessions/openai-s.json",
        ("agent/resume", {"session_id": "s", "prompt": "Go on", "model": "m", "cwd": "."}),
    ),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    animus = tmp_path / ".animus"
    animus.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMUS_APPRISE_URL", "json://127.0.0.1:9")
    monkeypatch.setenv("ANIMUS_LOCAL_ENVIRONMENTS", str(animus / "environments"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    return tmp_path


def served(example: str) -> TestClient:
    bound = {"project_binding": {"project_root": str(Path.cwd()), "repo_scope": "scope"}}
    return TestClient(example_app(example), init_extensions=bound)


def asked(client: TestClient, method: str, params: Any) -> None:
    if not method.endswith("/watch"):
        client.call(method, params)
        return
    with client.stream(method, params) as events:  # acknowledged before, if its store takes time
        next(events)


def refusal(example: str, call: Call) -> RpcError:
    """What a caller is told, which is a named error."""
    with served(example) as client, pytest.raises(RpcError) as caught:
        asked(client, *call)
    assert not isinstance(caught.value.data, dict) or "error_id" not in caught.value.data
    return caught.value


def damage(project: Path, *statements: str) -> None:
    (file,) = (project / ".animus").glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as db:
        db.create_function("placed", 2, lambda *_: "")
        db.create_function("spaced", 1, lambda _: "")
        for statement in statements:
            db.execute(statement)
        db.commit()


@pytest.mark.parametrize("rows", ROWS, ids=[rows.example for rows in ROWS])
def test_rows_that_are_damaged_are_named(rows: Rows, project: Path) -> None:
    with served(rows.example) as client:
        rows.store(client)
    damage(project, rows.damage)
    assert "damaged" in refusal(rows.example, rows.call).message


def test_a_schema_that_is_no_text_is_named(project: Path) -> None:
    with served("conversations_sql") as client:
        client.call("conversation/create", CHAT)
    damage(
        project,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = CAST(X'435245415445FFFE' AS TEXT) WHERE name = 'conversations'",
    )
    found = refusal("conversations_sql", ("conversation/load_meta", CHAT))
    assert "conversations.sqlite3: the database is damaged" in found.message


@pytest.mark.parametrize("text", TEXTS, ids=[text.example for text in TEXTS])
@pytest.mark.parametrize("content", [NOT_UTF_8, b"{", b'{"a":' + b"[" * 100_000])
def test_files_that_are_damaged_are_named(content: bytes, text: Text, project: Path) -> None:
    file = project / ".animus" / text.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    (project / ".animus" / "local-workflows").mkdir()
    workflow = json.dumps({"phases": [{"id": "one", "run": "true"}]})
    (project / ".animus" / "local-workflows" / "w.json").write_text(workflow)
    found = refusal(text.example, text.call)
    assert file.name in found.message or "session 's'" in found.message
