"""A working directory that is gone, before the start or while a plugin runs, breaks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND_S = 30
ROUTES = [sys.executable, "-m", "animus_routes"]

PLUGIN = """
import os

from animus_routes import App, Context
{imports}

app = App(kind="custom", name="animus-custom-gone", version="0.1.0", description="Under test")


@app.method("x/root")
def root(ctx: Context) -> str:
    return ctx.project_root


@app.method("x/bug")
def bug() -> None:
    raise ValueError("a bug")


if __name__ == "__main__":
    app.run()
"""
RUNNER = """
from animus_routes import App

app = App(kind="workflow_runner", name="animus-runner-gone", version="0.1.0", description="Runs")


@app.method("workflow/execute")
def execute(params: dict) -> dict:
    return {"workflow_id": "w", "success": True}


@app.method("workflow/run_phase")
def run_phase(params: dict) -> None:
    return None


app.run()
"""


@pytest.fixture(params=["", "import pydantic"], ids=["plain", "pydantic"])
def plugin(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN.format(imports=request.param))
    return str(file)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """This process, and what it starts, in a folder that is removed."""
    before = Path.cwd()
    folder.mkdir()
    os.chdir(folder)
    try:
        folder.rmdir()
        yield
    finally:
        os.chdir(before)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env={"PATH": os.defpath},
    )


def test_the_manifest_is_printed(plugin: str, tmp_path: Path) -> None:
    with inside(tmp_path / "gone"):
        for command in ([sys.executable, plugin, "--manifest"], [*ROUTES, "manifest", plugin]):
            done = run(*command)
            assert json.loads(done.stdout)["name"] == "animus-custom-gone", done.stderr


def test_methods_are_listed_and_called(plugin: str, tmp_path: Path) -> None:
    with inside(tmp_path / "gone"):
        done = run(*ROUTES, "routes", plugin)
        assert (done.returncode, done.stderr) == (0, "")
        done = run(*ROUTES, "call", plugin, "x/root")
        assert done.stdout == '"."\n', done.stderr


def test_what_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    with inside(tmp_path / "gone"):
        for target in ("plugin.py", "folder/plugin.py", "plugin:app", "json:app"):
            done = run(*ROUTES, "manifest", target)
            assert done.returncode == 1
            assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "which app?" in run(*ROUTES, "manifest").stderr


def test_problems_keep_the_place_of_their_handler(tmp_path: Path) -> None:
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN.format(imports="").replace("x/bug", "$/bug"))
    with inside(tmp_path / "gone"):
        done = run(*ROUTES, "manifest", str(file))
    assert f"  {file}:15: " in done.stderr


@pytest.mark.parametrize("bound", [True, False], ids=["bound", "unbound"])
def test_it_is_served(plugin: str, tmp_path: Path, *, bound: bool) -> None:
    binding = {"project_binding": {"project_root": str(tmp_path)}} if bound else None
    with inside(tmp_path / "gone"), Plugin.start([sys.executable, plugin]) as served:
        served.initialize(binding)
        assert served.call("x/root") == (str(tmp_path) if bound else ".")
        with pytest.raises(RpcError):
            served.call("x/bug")
        assert served.shutdown() == 0
    assert "ValueError: a bug" in served.stderr_text()


def test_the_folder_may_go_while_it_is_served(plugin: str, tmp_path: Path) -> None:
    folder = tmp_path / "going"
    folder.mkdir()
    with Plugin.start([sys.executable, plugin], cwd=folder) as served:
        served.initialize()
        assert served.call("x/root") == str(folder)
        folder.rmdir()
        assert served.call("x/root") == "."
        with pytest.raises(RpcError):
            served.call("x/bug")


def test_a_workflow_is_executed_for_a_root_that_is_named_in_full(tmp_path: Path) -> None:
    file = tmp_path / "runner.py"
    file.write_text(RUNNER)
    command = [sys.executable, str(file), "execute", "--task-id", "t", "--project-root"]
    with inside(tmp_path / "gone"):
        done = run(*command, str(tmp_path))
        assert json.loads(done.stdout)["success"], done.stderr
        done = run(*command, ".")
    assert done.returncode == 2
    assert "has to be an absolute path" in done.stderr
