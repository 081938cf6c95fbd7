"""`animus-routes dev`: the plugin starts anew on every change, and its host loses nothing."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin

BOUND_S = 30
ROUTES = [sys.executable, "-m", "animus_routes"]
EDITS = int(os.environ.get("ANIMUS_DEV_EDITS", "12"))  # `make edits`: a hundred
IN_FLIGHT = 40

PLUGIN = """
import os, sys
from collections.abc import Iterator
from animus_routes import App, Context
from animus_routes.engine.stderr import settle

VERSION = 0
app = App(kind="custom", name="animus-custom-edited", version="1.0.0", description="Under test")

@app.method("edited/echo")
def echo(n: int = 0) -> dict:
    return {"n": n, "version": VERSION, "pid": os.getpid()}

@app.notification("edited/noted")
def noted(n: int) -> None:
    with open("noted", "a") as file:
        file.write(f"{n}\\n")

@app.method("edited/hang", concurrent=True)
def hang(ctx: Context) -> dict:
    ctx.notify("edited/hanging", {"pid": os.getpid()})
    while not ctx.cancelled:
        ctx.wait(60)
    return {}

@app.method("edited/linger", concurrent=True)
def linger(ctx: Context) -> dict:
    ctx.notify("edited/lingering", {})
    ctx.wait(0.3)
    return {"version": VERSION}

@app.method("edited/die")
def die(code: int = 3) -> dict:
    print("the disk is on fire", file=sys.stderr)
    settle(10)  # what stderr has not passed on is lost when a process dies
    os._exit(code)

@app.method("edited/write")
def write() -> dict:
    for name in ("data.sqlite3", "data.sqlite3-wal", ".cache.py", "__pycache__/x.py", "notes.json"):
        os.makedirs("__pycache__", exist_ok=True)
        with open(name, "a") as file:
            file.write("x")
    return {"pid": os.getpid()}

if __name__ == "__main__":
    app.run()
"""
BROKEN = "def broken(:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edited.py").write_text(PLUGIN)
    return tmp_path


def edit(folder: Path, version: int, *, broken: bool = False, name: str = "edited.py") -> None:
    """Save as editors do: a new file in the place of the old one."""
    text = (BROKEN if broken else "") + PLUGIN.replace("VERSION = 0", f"VERSION = {version}")
    (folder / "saved").write_text(text)
    (folder / "saved").rename(folder / name)


@contextmanager
def developed(
    folder: Path, target: str = "edited.py", *options: str, **more: Any
) -> Iterator[Plugin]:
    command = [*ROUTES, "dev", target, *options]
    with Plugin.start(command, cwd=folder, **more) as plugin:
        yield plugin


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BOUND_S
    while not found():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.02)


def error_of(plugin: Plugin, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as refusal:
        plugin.call(method, params)
    return refusal.value


def version(plugin: Plugin) -> int:
    try:
        return int(plugin.call("edited/echo")["version"])
    except RpcError:
        return -1


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Load:
    """A host that pipelines requests with ids of their own, and counts the answers."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.versions: list[int] = []
        self.reasons: set[str] = set()
        self.sent = 1000
        self._stop = threading.Event()
        self._room = threading.Semaphore(IN_FLIGHT)

    def take(self, line: bytes) -> None:
        frame = json.loads(line)
        if frame.get("id", 0) > 1000:
            self.answers[frame["id"]] += 1
            self._room.release()
            if "result" in frame:
                assert frame["result"]["n"] == frame["id"]
                self.versions.append(frame["result"]["version"])
            else:
                assert frame["error"]["code"] == -32603, frame
                self.reasons.add(frame["error"]["message"])

    def start(self, plugin: Plugin) -> None:
        self._thread = threading.Thread(target=self._send, args=[plugin], daemon=True)
        self._thread.start()

    def is_at(self, version: int) -> bool:
        return self.versions[-1:] == [version]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(BOUND_S)

    def _send(self, plugin: Plugin) -> None:
        while not self._stop.is_set():
            if self._room.acquire(timeout=0.1):
                self.sent += 1
                request = {"jsonrpc": "2.0", "id": self.sent, "method": "edited/echo"}
                frame = {**request, "params": {"n": self.sent}}
                plugin.send_raw(json.dumps(frame).encode() + b"\n")
                if self.sent % 10 == 0:
                    plugin.notify("edited/noted", {"n": self.sent})


def test_no_frame_is_lost_or_doubled_while_files_are_edited(folder: Path) -> None:
    load = Load()
    with developed(folder, on_frame=load.take, stderr=None) as plugin:
        plugin.initialize()
        load.start(plugin)
        for number in range(1, EDITS + 1):
            broken = number % 5 == 0 and number < EDITS
            if broken:
                load.reasons.clear()
            edit(folder, number, broken=broken)
            if broken:
                until(lambda: any("SyntaxError" in r for r in load.reasons), f"edit {number}")
            else:
                until(partial(load.is_at, number), f"edit {number}")
        load.stop()
        until(lambda: len(load.answers) == load.sent - 1000, "every request is answered")
        assert plugin.call("edited/echo")["version"] == EDITS, "what was noted before is done"
    noted = [*map(int, (folder / "noted").read_text().split())]
    assert noted == [n for n in range(1001, load.sent + 1) if n % 10 == 0], "in order, once"
    assert set(load.answers.values()) == {1}
    assert load.versions == sorted(load.versions)
    assert plugin.protocol_errors == []


def test_what_is_under_way_is_told_and_what_comes_meanwhile_waits(folder: Path) -> None:
    with developed(folder) as plugin:
        plugin.initialize()
        hanging, lingering = plugin.request("edited/hang"), plugin.request("edited/linger")
        plugin.next_notification("edited/hanging", BOUND_S)
        plugin.next_notification("edited/lingering", BOUND_S)
        edit(folder, 1)
        until(lambda: "restarted, because" in plugin.stderr_text(), "the restart")
        waiting = [plugin.request("edited/echo", {"n": n}) for n in range(20)]
        assert plugin.reply(lingering) == {"version": 0}, "it had the time to finish"
        with pytest.raises(RpcError) as refusal:
            plugin.reply(hanging)
        assert refusal.value.code == -32603
        told = "edited/hang was not finished: restarted, because edited.py changed"
        assert refusal.value.message == told
        assert refusal.value.data == {"category": "unavailable"}
        found = [plugin.reply(one) for one in waiting]
        assert [(one["n"], one["version"]) for one in found] == [(n, 1) for n in range(20)]


def test_a_crash_waits_for_a_change_and_says_why(folder: Path) -> None:
    with developed(folder) as plugin:
        plugin.initialize()
        died = error_of(plugin, "edited/die")
        assert died.code == -32603
        assert "the plugin ended with exit code 3: the disk is on fire" in died.message
        later = error_of(plugin, "edited/echo")
        assert "the disk is on fire; it is started again when a file changes" in later.message
        assert plugin.call("$/ping") == {}
        health = plugin.call("health/check")
        assert (health["status"], "on fire" in health["last_error"]) == ("unhealthy", True)
        plugin.send_raw(b"garbage\n")
        with pytest.raises(RpcError, match="not JSON"):
            plugin.reply(None)
        edit(folder, 1, broken=True)
        until(lambda: "SyntaxError" in error_of(plugin, "edited/echo").message, "the broken file")
        assert "SyntaxError" in plugin.stderr_text()
        edit(folder, 2)
        until(lambda: version(plugin) == 2, "the file is mended")


CUT = """
import json, os, sys, time
VERSION = 0
for line in sys.stdin:
    frame = json.loads(line)
    if "id" in frame:
        answer = {"jsonrpc": "2.0", "id": frame["id"], "result": {"version": VERSION}}
        print(json.dumps(answer), flush=True)
    if frame.get("method") == "cut/pipe":
        os.close(frame["params"]["number"])
        time.sleep(600)
"""


@pytest.mark.parametrize(("number", "name"), [(0, "stdin"), (1, "stdout")])
def test_a_plugin_that_closes_a_pipe_and_lives_on_has_crashed(
    folder: Path, number: int, name: str
) -> None:
    (folder / "cut.py").write_text(CUT)
    with developed(folder, f"{sys.executable} cut.py") as plugin:
        plugin.request("initialize")
        plugin.reply(1)
        plugin.call("cut/pipe", {"number": number})
        why = f"the plugin has closed its {name}, and has not ended"
        for _ in range(2):
            assert why in error_of(plugin, "edited/echo").message
        (folder / "cut.py").write_text(CUT.replace("VERSION = 0", "VERSION = 11"))
        until(lambda: version(plugin) == 11, "it is started again")


def test_a_killed_one_leaves_nothing_of_a_plugin_that_hangs(folder: Path) -> None:
    hanging = "import os, time\nprint(f'is {os.getpid()}.', file=__import__('sys').stderr)\n"
    (folder / "edited.py").write_text(f"{hanging}time.sleep(600)\n")
    with developed(folder) as plugin:
        until(lambda: "." in plugin.stderr_text().partition("is ")[2], "it has started")
        pid = int(plugin.stderr_text().partition("is ")[2].partition(".")[0])
        plugin.kill()
    until(lambda: is_gone(pid), "its end")


def test_a_plugin_that_cannot_start_says_why_and_is_asked_again(folder: Path) -> None:
    edit(folder, 1, broken=True)
    with developed(folder) as plugin:
        with pytest.raises(RpcError, match=r"cannot be imported: SyntaxError: .*edited.py:1"):
            plugin.initialize()
        edit(folder, 2)
        until(lambda: "restarted, because edited.py" in plugin.stderr_text(), "the restart")
        plugin.initialize()
        assert version(plugin) == 2


def test_a_new_method_is_served_and_its_author_told_that_hosts_do_not_know(folder: Path) -> None:
    with developed(folder) as plugin:
        plugin.initialize()
        text = PLUGIN.replace(
            "if __name__",
            '@app.method("edited/new")\ndef new() -> dict:\n    return {"is": "new"}\n\nif __name__',
        )
        (folder / "edited.py").write_text(text)
        until(lambda: "the host learns this only when" in plugin.stderr_text(), "the new method")
        assert plugin.call("edited/new") == {"is": "new"}
        assert "capabilities.methods" in plugin.stderr_text()


def test_siblings_count_and_what_a_plugin_writes_does_not(folder: Path) -> None:
    (folder / ".venv").mkdir()
    with developed(folder, "edited:app", "--watch", "words.txt") as plugin:
        plugin.initialize()
        pid = plugin.call("edited/write")["pid"]
        (folder / ".venv" / "installed.py").write_text("")
        for name in ("helper.py", "words.txt"):
            assert plugin.call("edited/write")["pid"] == pid
            (folder / name).write_text("x = 1")
            until(lambda: version(plugin) == 0 and plugin.call("edited/echo")["pid"] != pid, name)  # noqa: B023
            pid = plugin.call("edited/echo")["pid"]
        assert plugin.stderr_text().count("restarted, because") == 2


WATCHES = """
import os
from collections.abc import Iterator
from animus_routes import App, Context
from animus_routes.structs.subject import Subject
from animus_routes.structs.log_storage import LogQuery

app = App(kinds=["subject_backend", "log_storage_backend"], name="animus-subject-watched",
          version="1.0.0", description="Under test", subject_kinds=["task"])

@app.method("subject/list")
def list_tasks() -> list[Subject]:
    return []

@app.method("subject/get")
def get(id: str) -> None:
    return None

@app.method("subject/watch")
def watch(ctx: Context) -> Iterator[dict]:
    while True:
        yield {"id": f"task:{os.getpid()}", "change_kind": "created",
               "subject": Subject(id=f"task:{os.getpid()}", kind="task", title="t")}
        ctx.wait(0.05)

@app.method("log_storage/store")
def store(entries: list) -> None:
    return None

@app.method("log_storage/tail")
def tail(ctx: Context, query: LogQuery) -> Iterator[dict]:
    ctx.wait(60)
    yield from ()

if __name__ == "__main__":
    app.run()
"""


def test_watches_begin_again_and_other_streams_are_told(folder: Path) -> None:
    (folder / "watched.py").write_text(WATCHES)

    def subject() -> str:
        params = plugin.next_notification("subject/changed", BOUND_S).params
        assert params["id"] in {watch, second}
        return f"{params['id']} {params['event']['id']}"

    with developed(folder, "watched.py") as plugin:
        plugin.initialize()
        watch, second = plugin.request("subject/watch"), plugin.request("task/watch")
        tail = plugin.request("log_storage/tail", {"follow": True})
        assert [plugin.reply(one) for one in (watch, second, tail)]
        first = subject().split()[1]
        plugin.notify("subject/unwatch", {"watch_id": str(second)})
        (folder / "watched.py").write_text(WATCHES + "\n")
        until(lambda: subject() not in {f"{watch} {first}", f"{second} {first}"}, "a new watch")
        told = plugin.next_notification("log_storage/event", BOUND_S).params
        assert told == {
            "id": tail,
            "error": "log_storage/tail has ended: restarted, because watched.py changed",
        }
        found = {subject().split()[0] for _ in range(10)}
        assert found == {str(watch)}, "the other one was over"
        plugin.call("$/ping")
    assert plugin.protocol_errors == []


AGENT = """
from collections.abc import Iterator
from animus_routes import App, Context
from animus_routes.structs.provider import AgentRunRequest

app = App(kind="provider", name="animus-provider-edited", version="1.0.0", description="Under test")

@app.method("agent/run")
def run(request: AgentRunRequest, ctx: Context) -> Iterator[str]:
    yield "begun"
    ctx.wait(60)
    yield "too late"

if __name__ == "__main__":
    app.run()
"""


def test_a_run_that_a_restart_ends_is_not_run_again(folder: Path) -> None:
    """A host runs a prompt again for an error whose code it takes for a dying process."""
    (folder / "agent.py").write_text(AGENT)
    with developed(folder, "agent.py") as plugin:
        plugin.initialize()
        run = plugin.request("agent/run", {"prompt": "p", "cwd": str(folder)})
        assert plugin.next_notification("agent/output", BOUND_S).params["text"] == "begun"
        (folder / "agent.py").write_text(AGENT + "\n")
        with pytest.raises(RpcError) as refusal:
            plugin.reply(run)
        assert refusal.value.code == -32603
        assert "agent/run was not finished: restarted" in refusal.value.message
        assert plugin.next_notification("agent/error").params["recoverable"] is False


PLAIN = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("a banner", flush=True)
for line in sys.stdin:
    frame = json.loads(line)
    if frame.get("method") == "exit":
        break
    if "id" in frame:
        print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": {"version": 1}}), flush=True)
        print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": "twice"}), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["exit", "end of input", "SIGTERM", "SIGINT", "shutdown"])
def test_it_ends_with_its_host_and_leaves_no_process(folder: Path, how: str) -> None:
    (folder / "plain.py").write_text(PLAIN)
    targets = {"edited.py": 0, f"{sys.executable} plain.py": 1}  # the second has to be killed
    plugins = {name: Plugin.start([*ROUTES, "dev", name], cwd=folder) for name in targets}
    below: list[int] = []
    try:
        for plugin in plugins.values():
            plugin.request("initialize", {"protocol_version": "1.0.0"})
        for plugin in plugins.values():
            with suppress(RpcError):
                plugin.reply(1)
            below += children(plugin.pid)
            end(plugin, how)
        assert {name: plugin.wait(BOUND_S) for name, plugin in plugins.items()} == targets
        assert len(below) == 2
        assert all(is_gone(child) for child in below)
    finally:
        for plugin in plugins.values():
            plugin.kill()
    assert [plugin.protocol_errors for plugin in plugins.values()] == [[], []]


def end(plugin: Plugin, how: str) -> None:
    if how == "exit":
        plugin.notify("exit")
    elif how == "end of input":
        plugin.close_stdin()
    elif how == "shutdown":
        plugin.shutdown()
    else:
        os.kill(plugin.pid, getattr(signal, how))


def test_a_killed_one_leaves_no_process(folder: Path) -> None:
    plugin = Plugin.start([*ROUTES, "dev", "edited.py"], cwd=folder)
    plugin.initialize()
    plugin.request("edited/hang")
    pid = plugin.next_notification("edited/hanging", BOUND_S).params["pid"]
    plugin.kill()
    until(lambda: is_gone(pid), "the plugin ends at the end of its input")


def test_of_any_program_only_frames_get_through(folder: Path) -> None:
    (folder / "plain.py").write_text(PLAIN)
    frames = [{"jsonrpc": "2.0", "id": n, "method": "a/b"} for n in range(5)]
    sent = "".join(json.dumps(frame) + "\n" for frame in frames)
    done = subprocess.run(
        [*ROUTES, "dev", f"{sys.executable} plain.py"],
        cwd=folder, input=sent, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [0, 1, 2, 3, 4]
    assert "on stdout, and no frame: a banner" in done.stderr
    assert "an answer to 0, which nobody waits for" in done.stderr


def test_another_program_starts_anew_when_its_file_changes(folder: Path) -> None:
    (folder / "plain.py").write_text(PLAIN)
    with developed(folder, f"{sys.executable} plain.py") as plugin:
        plugin.request("initialize", {"protocol_version": "1.0.0"})
        plugin.reply(1)
        (folder / "plain.py").write_text(PLAIN.replace('"version": 1', '"version": 2'))
        until(lambda: plugin.call("a/b") == {"version": 2}, "the new version")


def test_shutdown_is_answered_while_there_is_no_plugin(folder: Path) -> None:
    with developed(folder) as plugin:
        plugin.initialize()
        error_of(plugin, "edited/die")
        assert plugin.call("shutdown") == {}
        plugin.notify("exit")
        assert plugin.wait(BOUND_S) == 3


def test_the_manifest_is_the_plugins(folder: Path) -> None:
    done = subprocess.run(
        [*ROUTES, "dev", "edited.py", "--manifest"],
        cwd=folder, capture_output=True, timeout=BOUND_S, check=True, env={},
    )  # fmt: skip
    assert json.loads(done.stdout)["name"] == "animus-custom-edited"


def test_other_arguments_are_the_plugins(folder: Path) -> None:
    """Daemons start workflow runners with a command line."""
    (folder / "runner.py").write_text("import sys; print(sys.argv[1:])")
    done = subprocess.run(
        [*ROUTES, "dev", "runner.py", "execute", "--task-id", "T"],
        cwd=folder, capture_output=True, text=True, timeout=BOUND_S, check=True,
    )  # fmt: skip
    assert done.stdout == "['execute', '--task-id', 'T']\n"
    done = subprocess.run(
        [*ROUTES, "dev", "runner.py", "--wacth", "x"],
        cwd=folder, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "unrecognized arguments: --wacth" in done.stderr


def test_without_watchfiles_the_extra_is_named(folder: Path) -> None:
    code = "import sys; sys.modules['watchfiles'] = None; sys.argv[0] = 'x'; from animus_routes.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "dev", "edited.py"],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "animus-routes with its extra `watch`" in done.stderr


def test_wrong_usage_and_a_terminal_are_told(folder: Path) -> None:
    control, terminal = pty.openpty()
    try:
        for target, said in (
            ("none.py", "none.py is not there"),
            ("edited.py", "animus-routes shell"),
        ):
            done = subprocess.run(
                [*ROUTES, "dev", target],
                cwd=folder, stdin=terminal, capture_output=True, text=True, timeout=BOUND_S, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stdout) == (2, "")
            assert said in done.stderr
    finally:
        os.close(control)
        os.close(terminal)
