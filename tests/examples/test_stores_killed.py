"""kill -9 between any two statements: nothing that was answered is lost, nothing is half done."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from example_apps import example_app
from example_host import EXAMPLES, ROOT
from sql_databases import postgres

from animus_routes.testing import TestClient

# Answers calls in one process after another, each of which is killed before its n-th statement.
PROGRAM: Final = """
import json, os, signal, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from importlib import import_module
from animus_routes.testing import TestClient
from animus_routes.batteries.sqlite import SQLite
from animus_routes.batteries._postgresql import PostgreSQL

app = import_module(sys.argv[3]).app
bound = {"project_binding": {"project_root": os.getcwd(), "repo_scope": "s"}}
calls = json.loads(sys.argv[4])

def dying(link, after):
    left = [after]
    for name in ("execute", "execute_each", "begin", "commit"):
        def counted(self, *args, _usual=getattr(link, name), **more):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return _usual(self, *args, **more)
        setattr(link, name, counted)

after = 0
while True:
    ends, begins = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends)
        for link in (SQLite, PostgreSQL):
            dying(link, after)
        with TestClient(app, init_extensions=bound) as client:
            for method, params in calls:
                answer = client.call(method, params)
                os.write(begins, (json.dumps([after, method, answer]) + "\\n").encode())
        os._exit(0)
    os.close(begins)
    with open(ends) as answers:
        sys.stderr.write(answers.read())
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    after += 1
"""
VARIABLES: Final = {
    "queue_sql": "ANIMUS_QUEUE",
    "durable_sql": "ANIMUS_DURABLE",
    "conversations_sql": "ANIMUS_CONVERSATIONS",
}
Answer = tuple[int, str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Of every process of one store, and of this one."""
    monkeypatch.chdir(tmp_path)
    found = {f"{prefix}_NAME": tmp_path.name for prefix in VARIABLES.values()}
    if request.param == "postgresql":
        found |= {f"{prefix}_URL": server for prefix in VARIABLES.values()}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def killed(example: str, environment: dict[str, str], calls: list[Any]) -> list[Answer]:
    """What was answered by processes that were killed before each of their statements."""
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLES), str(ROOT), example, json.dumps(calls)]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("[")]
    return [tuple(json.loads(line)) for line in lines]


def opened(example: str) -> TestClient:
    bound = {"project_binding": {"project_root": str(Path.cwd()), "repo_scope": "s"}}
    return TestClient(example_app(example), init_extensions=bound)


def dispatch(subject: str) -> dict[str, Any]:
    task = {"kind": "animus.task", "id": subject}
    at = "2026-01-01T00:00:00Z"
    return {"subject": task, "workflow_ref": "w", "trigger_source": "t", "requested_at": at}


def test_a_queue(environment: dict[str, str]) -> None:
    calls = [
        ["queue/enqueue", {"subject_dispatch": dispatch("once")}],
        ["queue/lease", {"max": 1}],
    ]
    answers = killed("queue_sql", environment, calls)
    added = [answer for _, method, answer in answers if method == "queue/enqueue"]
    leased = [answer["leased"] for _, method, answer in answers if method == "queue/lease"]
    with opened("queue_sql") as queue:
        found = queue.call("queue/list")
        # Added once, whoever was told so; leased at most once, and if so it is assigned.
        assert len({answer["entry_id"] for answer in added}) == 1
        assert len(found["entries"]) == found["stats"]["total"] == 1
        assert found["entries"][0]["entry_id"] == added[0]["entry_id"]
        assert found["stats"]["assigned"] == 1
        assert sum(map(len, leased)) <= 1
        done = {"entry_id": added[0]["entry_id"], "status": "completed"}
        assert queue.call("queue/completion", done)["changed"] is True
        assert queue.call("queue/stats")["total"] == 0


def test_a_durable_store(environment: dict[str, str]) -> None:
    run = {"run_id": "r", "phase_id": "p"}
    step = {**run, "step_name": "s", "idempotency_key": "k"}
    calls = [
        ["durable/begin_workflow_run", {**run, "inputs": {}}],
        ["durable/begin_step", step],
    ]
    answers = killed("durable_sql", environment, calls)
    epochs = [answer["epoch"] for _, method, answer in answers if method.endswith("_run")]
    assert epochs == sorted(set(epochs))
    begun = [answer for _, method, answer in answers if method == "durable/begin_step"]
    assert len({answer["step_id"] for answer in begun}) == 1
    assert sum(answer["status"] == "new" for answer in begun) <= 1
    with opened("durable_sql") as store:
        (flying,) = store.call("durable/recover_in_flight", {"since_epoch": 0})["in_flight"]
        (held,) = flying["replay_state"]["reservations"]
        assert held["step_id"] == begun[0]["step_id"]
    commit = [["durable/commit_step", {"step_id": held["step_id"], "outcome": "success"}]]
    assert {answer["ack"] for _, _, answer in killed("durable_sql", environment, commit)} == {True}
    with opened("durable_sql") as store:
        assert store.call("durable/recover_in_flight", {"since_epoch": 0}) == {"in_flight": []}
        found = store.call("durable/query_run", run)
        assert (found["status"], len(found["steps"])) == ("success", 1)


def test_a_conversation(environment: dict[str, str]) -> None:
    scope = {"repo_scope": Path.cwd().name}
    with opened("conversations_sql") as chats:
        chats.call("conversation/create", {**scope, "id": "c"})
        for seq in range(3):
            message = {"seq": seq, "role": "user", "content": "", "recorded_at": ""}
            chats.call("conversation/append_message", {**scope, "id": "c", "message": message})
    answers = killed(
        "conversations_sql", environment, [["conversation/delete", {**scope, "id": "c"}]]
    )
    assert len(answers) == 1
    with opened("conversations_sql") as chats:
        assert chats.call("conversation/list", scope) == {"conversations": []}
        meta = chats.call("conversation/create", {**scope, "id": "c"})["meta"]
        assert meta["message_count"] == 0
        assert chats.call("conversation/load_messages", {**scope, "id": "c"}) == {"messages": []}
