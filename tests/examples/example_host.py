"""Serve an example the way a host does, for the tests of this folder."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
TASKS = [sys.executable, str(EXAMPLES / "tasks_sqlite.py")]
TOOLS = [sys.executable, str(EXAMPLES / "tools_custom.py")]
REQUIREMENTS = EXAMPLES / "data" / "protocol-requirements.csv"
# The host clears the environment; this stands for an installed package, and for the next Python,
# where what is deprecated today fails.
INSTALLED = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::DeprecationWarning:__main__"}

Task = dict[str, Any]
KilledCall = Callable[[dict[str, Any]], int]


@contextmanager
def served(
    command: list[str],
    cwd: Path,
    *,
    env: Mapping[str, str] | None = None,
    init_extensions: Mapping[str, Any] | None = None,
) -> Iterator[Plugin]:
    with Plugin.start(command, cwd=cwd, env={**INSTALLED, **(env or {})}) as plugin:
        plugin.initialize(init_extensions)
        yield plugin


def run(command: list[str], cwd: Path, env: Mapping[str, str] = INSTALLED) -> tuple[int, str, str]:
    """A command's exit code, stdout and stderr."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout, done.stderr


@contextmanager
def killed_calls(name: str) -> Iterator[KilledCall]:
    """Makes calls of an example that kill themselves; see `killed_calls.py`. Gives exit statuses."""
    program = [sys.executable, str(Path(__file__).with_name("killed_calls.py")), name]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        cases, statuses = one.stdin, one.stdout

        def call(case: dict[str, Any]) -> int:
            print(json.dumps(case), file=cases, flush=True)
            return int(statuses.readline())

        yield call
        cases.close()


def imported(cwd: Path, file: str, text: str) -> tuple[int, str, str]:
    (cwd / file).write_text(text, "utf-8")
    return run([*TASKS, "import", file], cwd)


def every_task(plugin: Plugin, **query: Any) -> list[Task]:
    """All pages of a list."""
    found: list[Task] = []
    while True:
        page = plugin.call("task/list", query)
        found += page["subjects"]
        if "next_cursor" not in page:
            return found
        query["cursor"] = page["next_cursor"]


def create(plugin: Plugin, title: str, **fields: Any) -> Task:
    created: Task = plugin.call("task/create", {"title": title, **fields})
    return created


def update(plugin: Plugin, task: Task, **patch: Any) -> Task:
    updated: Task = plugin.call("task/update", {"id": task["id"], "patch": patch})
    return updated


def refused(plugin: Plugin, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as refusal:
        plugin.call(method, params)
    return refusal.value
