import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from example_host import TASKS, every_task, served

ROUNDS = 6
PIPELINED = 120


@pytest.mark.parametrize("seed", [11, 4711])
def test_a_kill_at_any_moment_loses_nothing_that_was_answered(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    answered: dict[str, str] = {}
    for turn in range(ROUNDS):
        with served(TASKS, tmp_path) as plugin:
            kept = {task["id"]: task["title"] for task in every_task(plugin)}
            assert answered.items() <= kept.items()
            requests = [
                plugin.request("task/create", {"title": f"{turn}.{n}"}) for n in range(PIPELINED)
            ]
            for request in requests[: moments.randrange(1, PIPELINED)]:
                task = plugin.reply(request)
                answered[task["id"]] = task["title"]
            plugin.kill()
    with closing(sqlite3.connect(tmp_path / ".animus" / "tasks.sqlite3")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = dict(db.execute("SELECT id, title FROM tasks").fetchall())
        logged = {row[0] for row in db.execute("SELECT id FROM changes").fetchall()}
    assert answered.items() <= stored.items()
    assert logged == stored.keys()


def test_a_kill_while_a_second_process_writes_stops_neither(tmp_path: Path) -> None:
    with served(TASKS, tmp_path) as survivor:
        with served(TASKS, tmp_path) as victim:
            for n in range(20):
                victim.request("task/create", {"title": f"victim {n}"})
            survivor.call("task/create", {"title": "survivor"})
            victim.kill()
        survivor.call("task/create", {"title": "after"}, timeout_s=5)
        titles = [task["title"] for task in every_task(survivor)]
    assert titles[-1] == "after"
    assert "survivor" in titles
