"""`animus-routes shell`: in a real terminal, and with lines from a pipe."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animus_routes.dev.completing import completions
from animus_routes.dev.knowing import Knowledge
from animus_routes.dev.shell import COMMANDS

BOUND_S = 30
ROUTES = [sys.executable, "-m", "animus_routes"]
CONTROLLED = """import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

PLUGIN = """
import os, sys
from collections.abc import Iterator
from animus_routes import App, Context, NotFound
from animus_routes.structs.subject import Subject, SubjectFilter

app = App(kinds=["subject_backend", "custom"], name="animus-subject-typed", version="1.0.0",
          description="Under test", subject_kinds=["task"], env_required=["TYPED_TOKEN"])

@app.method("subject/list")
def list_tasks(filter: SubjectFilter) -> list[Subject]:
    return [Subject(id="task:1", kind="task", title=f"pid {os.getpid()}")]

@app.method("subject/get")
def get_task(id: str) -> Subject:
    raise NotFound(f"subject '{id}'")

@app.method("typed/say")
def say(ctx: Context, words: str = "", loudly: bool = False) -> dict:
    print(f"said {words}", file=sys.stderr)
    ctx.notify("typed/said", {"words": words})
    return {"words": words.upper() if loudly else words, "token": os.environ.get("TYPED_TOKEN")}

@app.method("typed/hang", concurrent=True)
def hang(ctx: Context) -> dict:
    ctx.notify("typed/hanging", {})
    while not ctx.cancelled:
        ctx.wait(60)
    return {}

@app.method("typed/later")
def later(ctx: Context) -> dict:
    import threading, time
    def wait() -> None:
        for _ in range(3000):
            if os.path.exists("now"):
                return ctx.notify("typed/late", {})
            time.sleep(0.01)
    threading.Thread(target=wait, daemon=True).start()
    return {}

@app.method("typed/stray")
def stray() -> dict:
    from animus_routes.engine.wire import _claimed
    os.write(_claimed[0][1], b"stray\\n")
    return {"after": "stray"}

@app.method("typed/die")
def die() -> dict:
    os._exit(4)

if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "typed.py").write_text(PLUGIN)
    return tmp_path


def script(folder: Path, lines: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ROUTES, "shell", "typed.py", *options],
        cwd=folder, input=lines, capture_output=True, text=True, timeout=BOUND_S, check=False,
        env={"PATH": os.defpath, **env},
    )  # fmt: skip


def test_lines_from_a_pipe_bring_results_on_stdout(folder: Path) -> None:
    lines = """
        # a comment
        task/list status:=["ready", "done"] limit:=5
        typed/say words="two words" loudly:=true
        typed/say {"words": "as JSON"}
        .notify trigger/ack event_id=1
        .restart
        $/ping"""
    done = script(folder, lines, TYPED_TOKEN="t")
    assert done.returncode == 0, done.stderr
    decoder, text, found = json.JSONDecoder(), done.stdout, list[Any]()
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        found.append(value)
        text = text.lstrip()[end:]
    assert found[0]["subjects"][0]["id"] == "task:1"
    assert found[1:] == [
        {"words": "TWO WORDS", "token": "t"},
        {"words": "as JSON", "token": "t"},
        {},
    ]
    assert "| said two words\n" in done.stderr
    assert '* typed/said {"words": "two words"}\n' in done.stderr
    assert re.search(r"^\(\d+\.\d ms\)$", done.stderr, re.MULTILINE)
    started = re.findall(r"animus-subject-typed 1.0.0, process (\d+)", done.stderr)
    assert len(set(started)) == 2


def test_what_fails_in_a_script_is_told_and_the_rest_is_done(folder: Path) -> None:
    lines = """task/get id=task:9
        task/get {"id": 1
        task/get "half
        .metods
        typed/stray
        .raw not a frame
        typed/die
        $/ping
        .restart
        $/ping
        .exit
        typed/die
    """
    done = script(folder, lines)
    assert done.returncode == 1
    assert done.stdout.split() == ["{", '"after":', '"stray"', "}", "{}"]
    for said in (
        "error -32602: not found: subject 'task:9'",
        '"category": "not_found"',
        "the params are not JSON",
        "No closing quotation",
        "unknown command '.metods'; did you mean '.methods'?",
        "is not a frame",
        "exited with code 4",
        "the plugin does not run: .restart starts it",
    ):
        assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_reads_no_more_ends_the_shell_without_a_traceback(folder: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    try:
        done = subprocess.run(
            [*ROUTES, "shell", "typed.py"],
            cwd=folder,
            input="typed/say words=a\ntyped/say words=b\n",
            stdout=sink,
            stderr=subprocess.PIPE,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    finally:
        os.close(sink)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "| said a" in done.stderr
    assert "said b" not in done.stderr


def test_a_call_of_a_script_is_not_waited_for_for_ever(folder: Path) -> None:
    done = script(folder, "typed/hang\n$/ping\n", "--timeout", "0.5")
    assert (done.returncode, done.stdout) == (1, "{}\n")
    assert "typed/hang: nothing came within" in done.stderr


def test_a_plugin_that_does_not_start_and_wrong_usage(folder: Path) -> None:
    text = (folder / "typed.py").read_text()
    (folder / "typed.py").write_text(text + "raise ImportError('no such thing')\n")
    done = script(folder, "$/ping\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ImportError: no such thing" in done.stderr
    for arguments, said in (
        (["none.py"], "none.py is not there"),
        (["typed.py", "--env", "x"], "--env x"),
        (["typed.py", "--env", "=x"], "--env =x"),
    ):
        wrong = subprocess.run(
            [*ROUTES, "shell", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=BOUND_S, check=False,
        )  # fmt: skip
        assert wrong.returncode == 2
        assert said in wrong.stderr


class Typist:
    """A person at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.control, terminal = pty.openpty()
        self.seen = ""
        env = {
            "PATH": os.defpath,
            "TERM": "dumb",
            "XDG_STATE_HOME": str(folder / "state"),
            "INPUTRC": os.devnull,
        }
        command = [sys.executable, "-c", CONTROLLED, *ROUTES, "shell", "typed.py"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal, env=env,
            start_new_session=True,
        )  # fmt: skip
        os.close(terminal)

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self.control, text.encode())

    def sees(self, text: str) -> None:
        assert self._comes(text, BOUND_S), f"{text!r} in {self.seen!r}"

    def is_asked(self) -> None:
        """The prompt is the last that is there: keys are read by whoever shows it."""
        deadline = time.monotonic() + BOUND_S
        while not self.seen.endswith("> "):
            assert time.monotonic() < deadline, f"a prompt at the end of {self.seen!r}"
            self._reads()

    def interrupts(self) -> None:
        """Press Ctrl-C until there is a prompt: one that comes before readline reads is not seen."""
        presses = 0
        while presses == 0 or not self._comes("> ", 1):
            assert presses < BOUND_S, f"a prompt in {self.seen!r}"
            self.type("\x03")
            presses += 1

    def _comes(self, text: str, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while text not in self.seen:
            if time.monotonic() > deadline:
                return False
            self._reads()
        return True

    def _reads(self) -> None:
        if select.select([self.control], [], [], 0.1)[0]:
            self.seen += os.read(self.control, 65536).decode()

    def knows(self, method: str, params: str) -> None:
        """An app's own types are known a little later than the rest."""
        deadline = time.monotonic() + BOUND_S
        while params not in self.seen:
            assert time.monotonic() < deadline, f"{params} of {method}"
            self.type(f".methods {method}\r$/ping\r")
            self.sees("{}")
        self.sees("> ")

    def ends(self) -> int:
        return self.process.wait(BOUND_S)


@pytest.fixture
def typist(folder: Path) -> Iterator[Typist]:
    one = Typist(folder)
    try:
        one.sees("animus-subject-typed 1.0.0, process")
        one.sees("> ")
        assert "readline" not in one.seen, "its settings are known"
        yield one
    finally:
        one.process.kill()
        one.process.wait()
        os.close(one.control)


def test_a_person_completes_calls_cancels_and_is_remembered(typist: Typist, folder: Path) -> None:
    typist.knows("typed/say", "words= loudly=")
    typist.type("typed/sa\t")
    typist.sees("typed/say ")
    typist.type("wor\t")
    typist.sees("words=")
    typist.type("hello\r")
    typist.sees('"words": "hello"')
    typist.sees("| said hello")
    typist.sees('* typed/said {"words": "hello"}')
    typist.sees(" ms)")
    typist.sees("> ")

    typist.type("typed/hang\r")
    typist.sees("* typed/hanging")
    typist.type("\x03")
    typist.sees("cancelling; Ctrl-C again")
    typist.sees("error -32002: cancelled")
    typist.sees("> ")
    typist.type("half a line")
    typist.sees("half a line")
    typist.interrupts()
    typist.type("$/ping\r")
    typist.sees("{}")

    typist.type(".methods typed/say\r")
    typist.sees("typed/say")
    typist.type("\x10\x10\r")  # the line before the last one
    typist.sees("{}")
    typist.is_asked()  # before that, Ctrl-D is not the end of the input
    typist.type("\x04")
    assert typist.ends() == 0
    history = folder / "state" / "animus-routes" / "history"
    assert "typed/say words=hello" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_what_comes_while_somebody_types_leaves_the_line(typist: Typist, folder: Path) -> None:
    typist.type("typed/later\r")
    typist.sees("{}")
    typist.sees("> ")
    typist.type("half a li")
    typist.sees("half a li")
    (folder / "now").touch()
    typist.sees("* typed/late")
    typist.sees("> half a li")
    typist.type("\x15$/ping\r")
    typist.sees("{}")


KNOWN = Knowledge(
    {
        "plugin_kind": "subject_backend",
        "plugin_kinds": ["custom"],
        "capabilities": ["subject_kind:task"],
    },
    {
        "capabilities": {
            "methods": ["task/list", "task/status", "config_write"],
            "mcp_tools": [
                {
                    "name": "search",
                    "input_schema": {
                        "type": "object",
                        "properties": {"pattern": {"type": "string"}, "all": {"type": "boolean"}},
                    },
                }
            ],
        }
    },
)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("task/s", ["task/status "]),
        ("se", ["search "]),
        ("config", []),
        (".he", [".help "]),
        ("$", ["$/ping "]),
        ("task/status ", ["id=", "status="]),
        ("task/status id=1 s", ["status="]),
        ("task/status status=in", ["status=in-progress "]),
        ("search pattern=x ", ["all:="]),
        ("search all:=t", ["all:=true "]),
        (".notify task/l", ["task/list "]),
        (".methods task/l", ["task/list"]),
        (".raw x", []),
        ("unknown/method x", []),
    ],
)
def test_what_may_come_next_is_known(line: str, found: list[str]) -> None:
    word = "" if line.endswith(" ") else line.split()[-1]
    assert completions(line, word, KNOWN, COMMANDS) == found


def test_without_a_plugin_only_commands_are_known() -> None:
    assert completions("t", "t", None, COMMANDS) == []
    assert completions(".res", ".res", None, COMMANDS) == [".restart "]


def test_a_killed_one_leaves_nothing_of_a_plugin_that_hangs(folder: Path) -> None:
    text = (folder / "typed.py").read_text()
    hanging = """
if "--manifest" not in sys.argv:
    import time
    print(f"is {os.getpid()}.", file=sys.stderr, flush=True)
    time.sleep(600)
"""
    (folder / "typed.py").write_text(text.replace("\n\nif __name__", f"\n{hanging}\nif __name__"))
    shell = subprocess.Popen(
        [*ROUTES, "shell", "typed.py"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    late = threading.Timer(BOUND_S, shell.kill)
    late.start()
    with shell:
        assert shell.stderr is not None
        said = next(line for line in shell.stderr if b"is " in line and b"." in line)
        pid = int(said.partition(b"is ")[2].partition(b".")[0])
        os.kill(pid, 0)
        shell.kill()
    late.cancel()
    deadline = time.monotonic() + BOUND_S
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "its end"
