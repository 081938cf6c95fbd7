"""Recorded sessions of examples, replayed with no difference."""

import json
import sys
from pathlib import Path

from chat_endpoint import chat_endpoint
from example_host import EXAMPLES, INSTALLED, TASKS, create, every_task, run, update

from animus_routes.host import Plugin

ROUTES = [sys.executable, "-m", "animus_routes"]
OPENAI = [sys.executable, str(EXAMPLES / "provider_openai.py")]
SEEN = ("--ignore", "**.created_at", "--ignore", "**.updated_at", "--ignore", "**.fetched_at")


def recorded(file: Path, command: list[str], cwd: Path, env: dict[str, str]) -> Plugin:
    return Plugin.start(
        [*ROUTES, "record", "-o", str(file), "--", *command], cwd=cwd, env={**INSTALLED, **env}
    )


def test_a_session_of_tasks_is_replayed_with_no_difference(tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    file = tmp_path / "tasks.jsonl"
    with recorded(file, TASKS, project, {}) as plugin:
        plugin.initialize({"project_binding": {"project_root": str(project), "repo_scope": "x"}})
        watch = plugin.request("subject/watch")
        plugin.reply(watch)
        tasks = [create(plugin, f"task {n}", priority="high") for n in range(5)]
        for task in tasks:
            assert plugin.next_notification("subject/changed").params["event"]["id"] == task["id"]
        requests = [plugin.request("task/get", {"id": task["id"]}) for task in tasks]
        assert [plugin.reply(one)["id"] for one in requests] == [task["id"] for task in tasks]
        update(plugin, tasks[0], status="done", labels_add=["a"])
        plugin.next_notification("subject/changed")
        plugin.call("task/delete", {"id": tasks[1]["id"]})
        plugin.next_notification("subject/changed")
        assert len(every_task(plugin)) == 4
        plugin.notify("subject/unwatch", {"watch_id": str(watch)})
    known = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    replay = [*ROUTES, "replay", str(file), str(EXAMPLES / "tasks_sqlite.py")]
    code, told, errors = run([*replay, *SEEN, "--anew", "result.id"], tmp_path)
    assert (code, errors) == (0, "")
    assert told == "16 answers, 7 notifications: nothing differs\n"
    assert {path: path.read_bytes() for path in known} == known, "the recorded project was touched"

    code, told, _ = run([*replay, *SEEN, "--copy", str(project), "--timeout", "1"], tmp_path)
    assert code == 1, "it began with an empty database"
    assert "task/create, id " in told


def test_a_stream_of_a_provider_is_replayed_with_no_difference(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    secret = "sk-not-for-the-file"
    words = ["Hel", "lo", ", world"]
    with chat_endpoint() as endpoint:
        env = {"OPENAI_BASE_URL": endpoint.base, "OPENAI_API_KEY": secret, "OPENAI_MODEL": "m"}

        def answer() -> None:
            exchange = endpoint.next()
            assert exchange.headers["authorization"] == f"Bearer {secret}"
            for word in words:
                exchange.say(word)
            exchange.end()

        with recorded(file, OPENAI, tmp_path, env) as plugin:
            plugin.initialize()
            params = {"prompt": f"use {secret}", "cwd": str(tmp_path), "control_session_id": "c"}
            request = plugin.request("agent/run", params)
            answer()
            assert plugin.reply(request)["output"] == "Hello, world"
        text = file.read_text()
        assert secret not in text
        assert [word for word in words if json.dumps(word) not in text] == []

        given = [f"--env={name}={value}" for name, value in env.items()]
        replay = [*ROUTES, "replay", str(file), str(EXAMPLES / "provider_openai.py")]
        options = ["--ignore", "result.duration_ms", *given]
        done = Replaying([*replay, *options], tmp_path)
        answer()
        assert done.result() == (0, "3 answers, 3 notifications: nothing differs\n", "")

        words[1] = "p"
        done = Replaying([*replay, *options], tmp_path)
        answer()
        code, told, _ = done.result()
        assert code == 1
        assert 'agent, notification 2:\n  - params.text: "lo"\n  + params.text: "p"\n' in told
        assert '  + result.output: "Help, world"\n' in told


class Replaying:
    """A replay on a thread, while the endpoint answers."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1)
        self._done = self._pool.submit(run, command, cwd)

    def result(self) -> tuple[int, str, str]:
        self._pool.shutdown()
        return self._done.result()
