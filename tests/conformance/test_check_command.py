"""`animus-routes check`: what it prints, for whom, and its exit codes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from conformance_runs import PLAIN, ROOT

from animus_routes.conformance import Options, Verdict
from animus_routes.conformance.bench import Bench
from animus_routes.conformance.candidate import candidate
from animus_routes.conformance.checks import Case, Check
from animus_routes.conformance.running import result_of

QUICK = ("-k", "start.")


def run(*arguments: str, cwd: Path = ROOT) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "animus_routes", "check", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_plugin_that_works_is_told_check_by_check() -> None:
    code, out, err = run(str(PLAIN), *QUICK)
    assert (code, err) == (0, "")
    assert "PASS  start.manifest  --manifest prints one JSON document" in out
    assert out.endswith("PASS\n")


def test_what_failed_is_told_with_its_source_and_the_frames_that_prove_it(tmp_path: Path) -> None:
    file = tmp_path / "named.py"
    text = PLAIN.read_text("utf-8").replace('"version": "1.0.0"', '"version": "1"')
    file.write_text(text, "utf-8")
    code, out, _ = run(str(file), "-k", "fields")
    assert code == 1
    assert "FAIL  start.fields" in out
    assert "its version is 1, no semver" in out
    assert "source: host 1.1 and 2.4" in out
    assert out.endswith("FAIL: start.fields\n")


def test_the_frames_of_every_check_are_shown_on_request() -> None:
    _, out, _ = run(str(PLAIN), "-k", "lifecycle.ping", "--frames")
    assert '-> {"jsonrpc":"2.0","id":' in out
    assert '<- {"jsonrpc": "2.0", "id": ' in out


def test_a_program_reads_json(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    code, out, _ = run(str(PLAIN), *QUICK, "--json", "--junit", str(junit))
    report = json.loads(out)
    assert (code, report["schema"]) == (0, "animus-routes.check.v1")
    assert report["manifest"]["name"] == "animus-subject-plain"
    assert {result["verdict"] for result in report["results"]} <= {"PASS", "SKIP"}
    suite = ET.parse(junit).getroot()
    assert suite.get("tests") == str(len(report["results"]))
    assert suite.get("failures") == "0"
    assert [case.get("name") for case in suite] == [r["id"][6:] for r in report["results"]]


def test_the_checks_are_listed_with_and_without_a_plugin() -> None:
    code, table, _ = run("--list")
    assert code == 0
    assert "start.handshake" in table
    code, listed, _ = run(str(PLAIN), "--list", "-k", "lifecycle.gate")
    assert (code, listed.split()[0]) == (0, "lifecycle.gate")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no/such",), "no/such is not there"),
        (("no_such_command --x",), "there is no command no_such_command"),
        ((str(PLAIN), "-k", "nothing-like-it"), "no check of"),
        ((str(PLAIN), "--kind", "subject"), "did you mean 'subject_backend'?"),
        ((str(PLAIN), "--copy", "/no/such"), "there is no folder /no/such"),
        ((str(PLAIN), "--env", "X"), "write NAME=VALUE"),
        ((str(PLAIN), "--env", "=x"), "write NAME=VALUE"),
        (("--no-such-option",), "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_two(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_an_app_is_found_by_its_name_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from animus_routes import App\n"
        'app = App(kind="custom", name="mine", version="1.0.0", description="d")\n'
        '@app.method("mine/hello")\n'
        "def hello() -> str:\n"
        '    return "hello"\n',
        "utf-8",
    )
    code, out, err = run("mine:app", *QUICK, cwd=tmp_path)
    assert (code, err) == (0, ""), out
    (tmp_path / "pyproject.toml").write_text('[tool.animus-routes]\napp = "mine:app"\n', "utf-8")
    assert run(*QUICK, cwd=tmp_path)[0] == 0


def test_a_command_line_in_any_language_is_started_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plain.py").symlink_to(PLAIN)
    code, out, _ = run(f"{sys.executable} plain.py", *QUICK, cwd=tmp_path)
    assert code == 0, out


def test_progress_is_shown_on_a_terminal_alone(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "animus_routes", "check", str(PLAIN), "-k", "lifecycle.ping"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
            check=False,
        )
        shown = os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert b"1/1 lifecycle.ping" in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\x1b" not in done.stdout


def test_an_id_without_its_prefix_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    seeded = '{"7": {"id": "7", "kind": KIND, "title": "bare", "status": "ready", "priority": 1}}'
    text = PLAIN.read_text("utf-8").replace("tasks: dict[str, Any] = {}", f"tasks: Any = {seeded}")
    text = text.replace(
        "        self.last = 0\n",
        '        self.last = 0\n        self.tasks["7"].update(created_at=now(), updated_at=now())\n',
    )
    file.write_text(text, "utf-8")
    code, out, _ = run(str(file), "-k", "subject-ids")
    assert code == 0, out
    assert "warning: ids such as 7 have no <kind>: prefix" in out
    assert "control socket" in out


def test_what_a_chosen_check_is_skipped_for_is_told(tmp_path: Path) -> None:
    file = tmp_path / "tools.py"
    text = PLAIN.read_text("utf-8")
    file.write_text(
        text.replace('"streaming": True,', '"streaming": True, "mcp_tools": 7,'), "utf-8"
    )
    code, out, err = run(str(file), "-k", "lifecycle.ping")
    assert (code, err) == (1, "")
    assert "skipped: start.handshake failed" in out
    assert out.endswith("FAIL: start.handshake\n")


def test_a_check_that_stumbles_fails_with_what_it_stumbled_over() -> None:
    def stumbles(_bench: Bench) -> None:
        raise KeyError("leased")

    check = Check("x.y", "title", "source", stumbles)
    with Bench(candidate(str(PLAIN)), Options()) as bench:
        result = result_of(bench, Case(check), {})
    assert result.verdict is Verdict.FAIL
    assert result.reason == "what it answers cannot be read: KeyError: 'leased'"
