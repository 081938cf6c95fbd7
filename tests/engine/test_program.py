"""Whose stdout is it: a plugin's belongs to the wire from its import of `App` on, others keep theirs."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from engine_host import INSTALLED, WAIT_S

from animus_routes.host import host_environment

APP = """
app = App(kind="custom", name="animus-custom-x", version="0.1.0", description="x")

@app.method("x/nothing")
def nothing() -> None: ...

"""
IMPORT = "from animus_routes import App\n"
NOISE = """
import os, subprocess
print("buffered")
print("flushed", flush=True)
os.write(1, b"descriptor\\n")
subprocess.run(["echo", "child"], check=True)
"""
WORDS = ("buffered", "flushed", "descriptor", "child")
GUARD = 'if __name__ == "__main__":\n'


def run(folder: Path, files: dict[str, str], *command: str, data: str = "") -> tuple[str, str]:
    """Run Python with files, stdin a pipe: stdout and stderr."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, *command],
        input=data,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        cwd=folder,
        env=host_environment(
            (), {**INSTALLED, "PYTHONPATH": f"{folder}:{INSTALLED['PYTHONPATH']}"}
        ),
    )
    return done.stdout, done.stderr


PACKAGE = {
    "acme/__init__.py": "",
    "acme/noisy.py": NOISE,
    "acme/plugin.py": f"{IMPORT}from . import noisy\n{APP}\ndef main() -> None:\n    app.run()\n",
    "acme/__main__.py": "from .plugin import main\n\nmain()\n",
}
SCRIPT = "import re, sys\nfrom acme.{module} import {name}\n" + GUARD + "    sys.exit({call}())\n"
PLUGINS: dict[str, tuple[dict[str, str], list[str]]] = {
    "a script": ({"p.py": f"{IMPORT}{NOISE}{APP}{GUARD}    app.run()\n"}, ["p.py"]),
    "a script with a main function": (
        {"p.py": f"{IMPORT}{NOISE}{APP}\ndef go():\n    app.run()\n\n{GUARD}    go()\n"},
        ["p.py"],
    ),
    "a module": (PACKAGE, ["-m", "acme"]),
    "a console script": (
        {**PACKAGE, "bin/x": SCRIPT.format(module="plugin", name="main", call="main")},
        ["bin/x"],
    ),
    "a console script that names the method": (
        {**PACKAGE, "bin/x": SCRIPT.format(module="plugin", name="app", call="app.run")},
        ["bin/x"],
    ),
    "a console script in another module": (
        {
            **PACKAGE,
            "acme/cli.py": "from acme.plugin import app\n\ndef start():\n    app.run()\n",
            "bin/x": SCRIPT.format(module="cli", name="start", call="start"),
        },
        ["bin/x"],
    ),
    "a main function that imports late": (
        {
            **PACKAGE,
            "acme/cli.py": "def main():\n    from acme.plugin import app\n    app.run()\n",
            "bin/x": SCRIPT.format(module="cli", name="main", call="main"),
        },
        ["bin/x"],
    ),
    "an imported module": (
        {**PACKAGE, "p.py": f"import acme.plugin\n{GUARD}    acme.plugin.main()\n"},
        ["p.py"],
    ),
    "a script under a profiler": (
        {"p.py": f"{IMPORT}{NOISE}{APP}{GUARD}    app.run()\n"},
        ["-m", "cProfile", "-o", "profile", "p.py"],
    ),
    "a program text": (PACKAGE, ["-c", "from acme.plugin import app; app.run()"]),
}


@pytest.mark.parametrize("how", PLUGINS)
def test_the_imports_of_a_plugin_print_on_stderr(tmp_path: Path, how: str) -> None:
    files, command = PLUGINS[how]
    if command[0] != "-c":
        out, said = run(tmp_path, files, *command, "--manifest")
        assert msgspec.json.decode(out)["name"] == "animus-custom-x"
        assert all(word in said for word in WORDS)
    out, said = run(tmp_path, files, *command, data='{"id":1,"method":"$/ping"}\n')
    assert out == '{"jsonrpc":"2.0","id":1,"result":{}}\n'
    assert all(word in said for word in WORDS)


REPORT = f"{IMPORT}import subprocess, sys\n{APP}print('report:', app.name)\n"
REPORT += "subprocess.run(['echo', 'child'], check=True)\nprint('read', sys.stdin.read())\n"
TEST_FILE = f"""
import unittest
{IMPORT}
{APP}
class Test(unittest.TestCase):
    def test(self):
        print("report: animus-custom-x")

{GUARD}    unittest.main()
"""
OTHERS: dict[str, tuple[dict[str, str], list[str], str]] = {
    "a report": ({"r.py": REPORT}, ["r.py"], "data"),
    "a report of a plugin": (
        {
            **PACKAGE,
            "acme/noisy.py": "",
            "r.py": REPORT.replace(APP, "from acme.plugin import app\n"),
        },
        ["r.py"],
        "data",
    ),
    "a test file": ({"t.py": TEST_FILE}, ["t.py"], ""),
    "a test file of a plugin": (
        {
            **PACKAGE,
            "acme/noisy.py": "",
            "t.py": TEST_FILE.replace(APP, "from acme.plugin import app\n"),
        },
        ["t.py"],
        "",
    ),
    "a program from stdin": ({}, ["-"], f"{IMPORT}{APP}print('report:', app.name)\n"),
    "a program text": ({}, ["-c", f"{IMPORT}{APP}print('report:', app.name)"], "data"),
}


@pytest.mark.parametrize("how", OTHERS)
def test_a_program_that_is_no_plugin_keeps_its_stdin_and_stdout(tmp_path: Path, how: str) -> None:
    files, command, data = OTHERS[how]
    out, _ = run(tmp_path, files, *command, data=data)
    assert "report: animus-custom-x" in out
    if "report" in how:
        assert "read data" in out
