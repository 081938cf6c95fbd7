"""Apps to build, and the files that are built from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from animus_routes.host import Plugin, PluginProcess

BOUND_S = 60
ROUTES = [sys.executable, "-m", "animus_routes"]
NAME = "animus-subject-built"

APP = f"""
from animus_routes import App
from animus_routes.structs.subject import Subject

app = App(
    kind="subject_backend",
    name="{NAME}",
    version="1.0.0",
    description="It's built: 100% \\\\ \\"quoted\\" and \\u00fcn\\u00efcode",
    subject_kinds=["task"],
    env_required=[{{"name": "BUILT_TOKEN", "sensitive": True}}],
)


@app.method("subject/list")
def tasks() -> list[Subject]:
    return [Subject(id="task:1", kind="task", title={{title}})]


@app.method("subject/get")
def task(id: str) -> Subject | None:
    return next((found for found in tasks() if found.id in {{id, f"task:{{id}}"}}), None)
"""
RUN = """

if __name__ == "__main__":
    app.run()
"""


def app_with(title: str = '"hello"', before: str = "", *, run: bool = True) -> str:
    """The text of an app whose only task has a title, an expression."""
    return before + APP.replace("{title}", title) + (RUN if run else "")


def command(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `animus-routes` in a folder."""
    return subprocess.run(
        [*ROUTES, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env=env or {"PATH": os.environ["PATH"], "HOME": str(folder)},
    )


def build(folder: Path, *arguments: str) -> Path:
    """Build an app, and return the file."""
    done = command(folder, "build", *arguments)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def refused(folder: Path, *arguments: str) -> str:
    """Why an app is not built."""
    done = command(folder, "build", *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    return done.stderr


def started(file: Path, cwd: Path, env: dict[str, str] | None = None) -> PluginProcess:
    """The plugin process of a built file, with nothing in its environment but what is given."""
    return Plugin.start(["/usr/bin/env", "-i", *_settings(env), str(file)], cwd=cwd)


def _settings(env: dict[str, str] | None) -> list[str]:
    return [f"{name}={value}" for name, value in (env or {}).items()]


def title_of(file: Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """The title of its only task, asked for as a host does."""
    with started(file, cwd, env) as plugin:
        plugin.initialize()
        title: str = plugin.call("task/list")["subjects"][0]["title"]
    assert plugin.protocol_errors == []
    return title


def answers(
    file: Path, cwd: Path, *methods: str, env: dict[str, str] | None = None
) -> tuple[list[Any], str, int]:
    """The answers to requests, stderr, and the exit code."""
    frames = [{"jsonrpc": "2.0", "id": i, "method": m} for i, m in enumerate(methods, 1)]
    done = subprocess.run(
        [str(file)],
        cwd=cwd,
        env=env or {},
        input="".join(json.dumps(frame) + "\n" for frame in frames),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode
