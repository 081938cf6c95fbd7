"""Serves single calls of an example, each in a child that kills itself at one of its steps.

A line of JSON on stdin is a call: `project`, `env`, `method`, `params`, and `step`, counted from 1
over every statement, the begin and the commit among them, and what follows the commit. The line that
answers it is the child's exit status: -9 if it got so far.
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from example_apps import example, example_app

from animus_routes.batteries._postgresql import PostgreSQL
from animus_routes.testing import TestClient

app = example_app(sys.argv[1])
example(sys.argv[1]).FOLD_EVERY = 1  # the queue's: the same statements each time
LONGEST_S = 20
steps_left: list[None] = []


def step() -> None:
    if steps_left:
        steps_left.pop()
        if not steps_left:
            os.kill(os.getpid(), signal.SIGKILL)


def stepping(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def stepped(*values: Any, **named: Any) -> Any:
        step()
        answer = function(*values, **named)
        if after:
            step()
        return answer

    return stepped


class Stepping(sqlite3.Connection):
    """What an example sends to a file, but for what it says of its own connection."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if not sql.startswith("PRAGMA"):
            step()
        cursor = super().execute(sql, *values)
        if sql == "COMMIT":
            step()
        return cursor

    def executemany(self, *values: Any) -> sqlite3.Cursor:
        step()
        return super().executemany(*values)


connect: Callable[..., sqlite3.Connection] = sqlite3.connect
setattr(sqlite3, "connect", partial(connect, factory=Stepping))  # noqa: B010 - it has overloads
for name in ("begin", "execute", "execute_each", "commit"):
    setattr(PostgreSQL, name, stepping(getattr(PostgreSQL, name), after=name == "commit"))


def serve(case: dict[str, Any]) -> None:
    signal.alarm(LONGEST_S)
    os.environ.update(case["env"])
    os.chdir(case["project"])
    binding = {"project_binding": {"project_root": case["project"], "repo_scope": "scope"}}
    with TestClient(app, init_extensions=binding) as client:
        steps_left.extend([None] * case["step"])
        client.call(case["method"], case["params"])


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                serve(json.loads(line))
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
