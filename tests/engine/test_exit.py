"""A process that has served ends as Python programs do, and within its bound whatever is used up."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_host import INSTALLED, PLUGINS, SEEN_S, WAIT_S, ping_s

from animus_routes import RpcError
from animus_routes.host import Plugin, host_environment

KEEPER = [sys.executable, str(PLUGINS / "keeper.py")]
ENDS: dict[str, Callable[[Plugin], object]] = {
    "shutdown": lambda plugin: plugin.shutdown(),
    "exit": lambda plugin: plugin.notify("exit"),
    "the end of input": lambda plugin: plugin.close_stdin(),
    "SIGTERM": lambda plugin: os.kill(plugin.pid, signal.SIGTERM),
    "SIGINT": lambda plugin: os.kill(plugin.pid, signal.SIGINT),
    "SIGHUP": lambda plugin: os.kill(plugin.pid, signal.SIGHUP),
}
HANDLERS = ("x/keep", "x/async", "x/pool", "x/stream", "x/astream")


@contextmanager
def keeper(folder: Path, command: list[str] = KEEPER) -> Iterator[Plugin]:
    plugin = Plugin.start(command, cwd=folder, env=INSTALLED)
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def ended(plugin: Plugin, end: str = "the end of input") -> int:
    """The exit code; the end is seen within its bound."""
    start = time.monotonic()
    ENDS[end](plugin)
    code = plugin.wait(WAIT_S)
    # `shutdown` is the whole sequence of a host.
    assert end == "shutdown" or time.monotonic() - start < SEEN_S
    return code


def assert_kept(folder: Path, rows: list[str]) -> None:
    assert (folder / "rows.csv").read_text().split() == rows
    assert (folder / "packed.gz").stat().st_size > 0
    assert (folder / "log.txt").read_text().split() == rows
    assert list(folder.glob("scratch-*")) == []
    for name in ("hook", "finalized", "after"):
        assert (folder / name).exists(), name


@pytest.mark.parametrize("end", ENDS)
def test_after_each_end_what_is_open_is_flushed_and_exit_code_runs(
    tmp_path: Path, end: str
) -> None:
    with keeper(tmp_path) as plugin:
        for name in HANDLERS:
            plugin.call(name, {"row": name}, timeout_s=WAIT_S)
        assert ended(plugin, end) == 0
    assert_kept(tmp_path, list(HANDLERS))


@pytest.mark.parametrize("handler", HANDLERS)
def test_idle_threads_of_one_sort_alone_hold_nothing(tmp_path: Path, handler: str) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call(handler, {"row": "pear"}, timeout_s=WAIT_S)
        assert ended(plugin) == 0
    assert_kept(tmp_path, ["pear"])


def test_a_task_that_runs_in_the_background_is_cancelled_and_cleans_up(tmp_path: Path) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/background", {"row": "cleaned"}, timeout_s=WAIT_S)
        assert ended(plugin) == 0
    assert (tmp_path / "rows.csv").read_text().split() == ["cleaned"]


@pytest.mark.parametrize("guard", ["x/alarm", "x/later_alarm"])
def test_a_signal_handler_of_the_authors_holds_nothing(tmp_path: Path, guard: str) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call(guard, timeout_s=WAIT_S)
        plugin.call("x/keep", {"row": "pear"}, timeout_s=WAIT_S)
        assert ended(plugin) == 0
    assert (tmp_path / "rows.csv").read_text().split() == ["pear"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_more_signals_change_nothing_about_an_end_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/keep", {"row": "pear"}, timeout_s=WAIT_S)
        process = os.pidfd_open(plugin.pid)
        try:
            while not select.select([process], [], [], 0.0005)[0]:
                os.kill(plugin.pid, number)
        finally:
            os.close(process)
        assert plugin.wait(WAIT_S) == 0
        assert "Traceback" not in plugin.stderr_text()
    assert (tmp_path / "rows.csv").read_text().split() == ["pear"]


def test_a_thread_that_ends_is_waited_for(tmp_path: Path) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/thread", {"seconds": 0.05}, timeout_s=WAIT_S)
        assert ended(plugin) == 0
    assert (tmp_path / "rows.csv").read_text().split() == ["from", "a", "thread"]


@pytest.mark.parametrize("end", ["exit", "the end of input", "SIGTERM"])
@pytest.mark.parametrize("what", ["x/thread", "x/hang_at_exit", "x/hang_in_destructor"])
def test_pythons_own_exit_is_bounded_whatever_hangs_in_it(
    tmp_path: Path, end: str, what: str
) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call(what, {"seconds": 60} if what == "x/thread" else None, timeout_s=WAIT_S)
        code = ended(plugin, end)
    # A destructor holds the interpreter's last steps, where no code can be chosen any more.
    assert code == (1 if what == "x/hang_in_destructor" else 0)


def test_a_profile_is_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cProfile", "-o", "profile.out", KEEPER[1]]
    with keeper(tmp_path, command) as plugin:
        assert ended(plugin) == 0
    assert (tmp_path / "profile.out").stat().st_size > 0


def test_an_exit_code_that_tells_of_a_failure_stays(tmp_path: Path) -> None:
    file = tmp_path / "watches.py"
    file.write_text(
        "from animus_routes import App\n"
        "OUT = open('out.txt', 'w')\n"
        "app = App(kind='trigger_backend', name='w', version='0.1.0', description='w')\n"
        "@app.method('trigger/watch')\n"
        "def watch():\n"
        "    yield {'event_id': '1', 'trigger_id': 't', 'kind': 'k', 'payload': {},\n"
        "           'occurred_at': '2026-01-01T00:00:00Z'}\n"
        "    OUT.write('kept')\n"
        "    raise OSError('gone')\n"
        "@app.method('trigger/schema')\n"
        "def schema():\n"
        "    return {'kind': 'k', 'version': '1'}\n"
        "app.run()\n"
    )
    plugin = Plugin.start([sys.executable, str(file)], cwd=tmp_path, env=INSTALLED)
    try:
        plugin.initialize()
        plugin.request("trigger/watch", {})
        assert plugin.wait(WAIT_S) == 1
    finally:
        plugin.kill()
    assert (tmp_path / "out.txt").read_text() == "kept"


# What holds the interpreter --------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["exit", "the end of input", "SIGTERM"])
@pytest.mark.parametrize("what", ["x/hold_in_pool", "x/hold_when_interrupted"])
def test_what_holds_the_interpreter_once_the_end_has_begun_is_ended(
    tmp_path: Path, end: str, what: str
) -> None:
    with keeper(tmp_path) as plugin:
        plugin.request(what)
        plugin.next_notification("x/begun", timeout_s=WAIT_S)
        ended(plugin, end)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_what_holds_the_interpreter_and_looks_for_signals(
    tmp_path: Path, number: signal.Signals
) -> None:
    with keeper(tmp_path) as plugin:
        plugin.request("x/match")
        begun(plugin)
        ended(plugin, number.name)


def begun(plugin: Plugin) -> None:
    """Wait until it computes: it has used a tenth of a second more than now."""
    start = _ticks(plugin.pid)
    deadline = time.monotonic() + WAIT_S
    while _ticks(plugin.pid) < start + os.sysconf("SC_CLK_TCK") // 10:
        assert time.monotonic() < deadline
        os.sched_yield()


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# What is used up -------------------------------------------------------------------------------------

BUSY = (None, "x/hang", "x/hang_in_pool", "x/hang_async")


@pytest.mark.parametrize("end", ["exit", "the end of input", "SIGTERM"])
@pytest.mark.parametrize("used_up", ["threads", "descriptors", "threads and descriptors"])
def test_the_end_needs_no_new_thread_and_no_new_descriptor(
    tmp_path: Path, end: str, used_up: str
) -> None:
    for busy in BUSY:
        with keeper(tmp_path) as plugin:
            if busy in BUSY[2:]:  # what runs them has to be there
                plugin.request(busy)
                ping_s(plugin)
            if "threads" in used_up:
                plugin.call("x/no_room", {"spare_mib": 5}, timeout_s=WAIT_S)
            if "descriptors" in used_up:
                plugin.call("x/no_files", timeout_s=WAIT_S)
            if busy == "x/hang":
                plugin.request(busy)
            ping_s(plugin)
            assert ended(plugin, end) in (0, 1), busy
            assert plugin.protocol_errors == []


def test_what_needs_a_thread_that_is_not_to_be_had_is_answered(tmp_path: Path) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/no_room", {"spare_mib": 5}, timeout_s=WAIT_S)
        for _ in range(3):
            for name in ("x/pool", "x/async", "x/stream"):
                with pytest.raises(RpcError) as caught:
                    plugin.call(name, {"row": "a"}, timeout_s=WAIT_S)
                assert caught.value.code == -32603
        assert plugin.call("x/keep", {"row": "a"}, timeout_s=WAIT_S) == "kept"


def test_what_needs_a_descriptor_that_is_not_to_be_had_is_answered(tmp_path: Path) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/no_files", timeout_s=WAIT_S)
        slow = plugin.request("x/hang")
        for _ in range(20):
            ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": slow})
        with pytest.raises(RpcError) as caught:
            plugin.reply(slow, WAIT_S)
        assert caught.value.code == -32002
        for name in ("x/pool", "x/async", "x/stream", "x/unknown"):
            with pytest.raises(RpcError):
                plugin.call(name, {"row": "a"}, timeout_s=WAIT_S)
        plugin.close_stdin()
        assert plugin.wait(WAIT_S) in (0, 1)


@pytest.mark.parametrize("end", ["exit", "the end of input", "SIGTERM"])
@pytest.mark.parametrize("asked", [None, "$/ping", "x/keep", "x/pool", "x/async"])
def test_a_plugin_without_memory_ends(tmp_path: Path, end: str, asked: str | None) -> None:
    with keeper(tmp_path) as plugin:
        plugin.call("x/async", {"row": "a"}, timeout_s=WAIT_S)
        plugin.call("x/pool", {"row": "a"}, timeout_s=WAIT_S)
        plugin.call("x/no_room", {"spare_mib": 5}, timeout_s=WAIT_S)
        plugin.request("x/use_all")
        if asked is not None:
            plugin.request(asked, {"row": "a"})
        assert ended(plugin, end) in (0, 1)
        assert plugin.protocol_errors == []


def test_a_command_ends_although_no_thread_can_be_started(tmp_path: Path) -> None:
    """`--manifest` under a limit that leaves no room for a stack."""
    file = tmp_path / "small.py"
    file.write_text(
        "import resource\n"
        "from animus_routes import App\n"
        "app = App(kind='custom', name='small', version='0.1.0', description='s')\n"
        "@app.method('x/hi')\n"
        "def hi(): return 'hi'\n"
        "app.manifest()\n"
        "import animus_routes.serving.launch\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 2**22, size + 2**22))\n"
        "app.run()\n"
    )
    done = subprocess.run(
        [sys.executable, str(file), "--manifest"],
        capture_output=True,
        timeout=WAIT_S,
        check=False,
        env=host_environment((), INSTALLED),
    )
    assert (done.returncode, b'"small"' in done.stdout) == (0, True), done.stderr
