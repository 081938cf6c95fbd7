"""`pytest --animus-app TARGET`: a test for each check."""

import os
import subprocess
import sys
from pathlib import Path

from conformance_runs import PLAIN, ROOT


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_check_is_a_test_of_its_own(tmp_path: Path) -> None:
    code, out = run(tmp_path, "--animus-app", str(PLAIN), "-k", "start or accepts", "-rs", "-v")
    assert code == 0, out
    assert "plain.py::start.manifest PASSED" in out
    assert "plain.py::method.accepts:task/list PASSED" in out
    assert "task/create acts: it is tried with --allow-writes" in out


def test_what_acts_is_tried_in_a_copy(tmp_path: Path) -> None:
    code, out = run(
        tmp_path, "--animus-app", str(PLAIN), "--animus-copy", ".", "-k", "story.subjects", "-v"
    )
    assert code == 0, out
    assert "plain.py::story.subjects PASSED" in out


def test_a_failed_check_is_told_as_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    text = PLAIN.read_text("utf-8").replace('"version": "1.0.0"', '"version": "1"')
    file.write_text(text, "utf-8")
    (tmp_path / "test_own.py").write_text("def test_mine() -> None:\n    pass\n", "utf-8")
    code, out = run(tmp_path, "--animus-app", "broken.py", "-k", "fields or mine")
    assert code == 1
    assert "its version is 1, no semver" in out
    assert "source: host 1.1 and 2.4" in out
    assert "1 failed, 1 passed" in out
    assert "Traceback" not in out


def test_a_target_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    code, out = run(tmp_path, "--animus-app", "no/such")
    assert code == 4
    assert "--animus-app: no/such is not there" in out


def test_without_the_option_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n"
        "def test_own():\n"
        "    assert not [n for n in sys.modules if n.startswith('animus_routes.conformance')]\n",
        "utf-8",
    )
    assert run(tmp_path)[0] == 0
