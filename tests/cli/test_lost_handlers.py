"""Handlers are never lost without a word: a file that runs twice, an app that nobody runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BOUND_S = 30
APP = """
from animus_routes import App, Router

app = App(kind="custom", name="animus-custom-lost", version="0.1.0", description="Under test")
router = Router()
app.include(router)
"""
OTHER = """
other = App(kind="custom", name="animus-custom-other", version="0.1.0", description="Under test")
"""
OWN = """
@app.method("x/own")
def own() -> str:
    return "own"
"""
RUN = """
if __name__ == "__main__":
    app.run()
"""
HANDLERS = """
from {module} import {what}


@{what}.{use}
def hi() -> str:
    return "hi"
"""
TWICE = f"{APP}{OTHER}import {{handlers}}\n{OWN}{RUN}"


def run(folder: Path, *command: str, stdin: str | None = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env={"PATH": os.defpath},
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("app", 'method("x/hi")'),
        ("router", 'method("x/hi")'),
        ("other", 'method("x/hi")'),
        ("app", "on_initialize"),
        ("app", "health"),
    ],
)
@pytest.mark.parametrize("flags", [("--manifest",), ()])
def test_what_a_second_run_of_the_file_took_is_told(
    tmp_path: Path, what: str, use: str, flags: tuple[str, ...]
) -> None:
    handlers = HANDLERS.format(module="plugin", what=what, use=use)
    write(tmp_path, {"plugin.py": TWICE.format(handlers="handlers"), "handlers.py": handlers})
    done = run(tmp_path, "plugin.py", *flags)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ran as `__main__` and again as `plugin`" in done.stderr
    assert "plugin.py:" in done.stderr
    assert "handlers.py:5)" in done.stderr
    assert "x/own" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "package.plugin", "--manifest"],
        ["package/plugin.py", "--manifest"],
        ["-m", "animus_routes", "manifest", "package/plugin.py:app"],
        ["-m", "animus_routes", "routes", "package/plugin.py:app"],
    ],
)
def test_it_is_told_in_packages_and_on_every_way_to_start(
    tmp_path: Path, command: list[str]
) -> None:
    handlers = HANDLERS.format(module="package.plugin", what="app", use='method("x/hi")')
    start = "import os, sys\nsys.path.insert(0, os.getcwd())\n"
    source = start + TWICE.format(handlers="package.more")
    more = "import package.handlers\n"
    files = {"__init__.py": "", "plugin.py": source, "more.py": more, "handlers.py": handlers}
    write(tmp_path, {f"package/{name}": text for name, text in files.items()})
    done = run(tmp_path, *command)
    assert done.returncode == 1
    assert "and again as `package.plugin`" in done.stderr
    assert "'x/hi'" in done.stderr


def test_a_second_run_that_takes_nothing_is_left_alone(tmp_path: Path) -> None:
    handlers = "import plugin\n"
    write(tmp_path, {"plugin.py": TWICE.format(handlers="handlers"), "handlers.py": handlers})
    done = run(tmp_path, "plugin.py", "--manifest")
    assert "x/own" in json.loads(done.stdout)["capabilities"], done.stderr


def test_apps_of_one_factory_are_no_twins(tmp_path: Path) -> None:
    indented = APP.replace("\n", "\n    ")
    factory = f"def made():{indented}return app\n"
    program = """
from factory import made

app, other = made(), made()


@other.method("x/other")
def other_one() -> None: ...

app.run()
"""
    write(tmp_path, {"factory.py": factory, "plugin.py": program})
    done = run(tmp_path, "plugin.py", "--manifest")
    assert json.loads(done.stdout)["name"] == "animus-custom-lost", done.stderr


NEVER = "was never run: its file has to call run()"


def test_a_host_is_told_of_an_app_that_is_never_run(tmp_path: Path) -> None:
    write(tmp_path, {"plugin.py": APP + OWN})
    done = run(tmp_path, "plugin.py", "--manifest")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert f"plugin.py:4: animus-custom-lost {NEVER}" in line
    done = run(tmp_path, "plugin.py")
    assert (done.returncode, done.stdout) == (0, "")
    assert NEVER in done.stderr


@pytest.mark.parametrize(
    ("rest", "flags", "code", "said"),
    [
        ("print(app.manifest()['name'])", ("--manifest",), 0, ""),
        ("print(app.name)", ("--list",), 0, ""),
        ("print(app.name); raise SystemExit(3)", (), 3, NEVER),
        ("print(app.name); raise ValueError('its own')", (), 1, "ValueError: its own"),
    ],
)
def test_a_program_that_is_no_plugin_is_left_alone(
    tmp_path: Path, rest: str, flags: tuple[str, ...], code: int, said: str
) -> None:
    write(tmp_path, {"plugin.py": APP + OWN, "tool.py": f"from plugin import app\n{rest}\n"})
    done = run(tmp_path, "tool.py", *flags)
    assert (done.returncode, done.stdout) == (code, "animus-custom-lost\n")
    assert said in done.stderr
    assert (NEVER in done.stderr) == (said == NEVER)


def test_exit_hooks_run_where_an_app_is_never_run(tmp_path: Path) -> None:
    hook = "import atexit\natexit.register(print, 'bye')\n"
    write(tmp_path, {"plugin.py": f"{hook}{APP}{OWN}print('printed')\n"})
    done = run(tmp_path, "plugin.py", "--manifest")
    assert (done.returncode, done.stdout) == (1, "printed\nbye\n")
