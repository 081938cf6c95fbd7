"""Every end of the process: within its bound, without a traceback, without losing finished work."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import msgspec
import pytest
from engine_host import (
    HANDSHAKE,
    INSTALLED,
    PROBE,
    SEEN_S,
    WAIT_S,
    conversation,
    error_of,
    frame,
    ping_s,
    probe,
    reply_error,
)

from animus_routes.engine.exit import END_FORCE_S
from animus_routes.host import Plugin, host_environment

BUSY: dict[str, tuple[str, Any] | None] = {
    "idle": None,
    "sleeping": ("x/sleep", {"s": 20}),
    "spinning": ("x/spin", {"s": 20}),
    "hanging": ("x/hang", None),
    "in C": ("x/usleep", {"s": 20}),
    "deaf": ("x/deaf", None),
    "stubborn": ("x/stubborn", None),
    "waiting": ("x/wait", None),
    "cleaning up": ("x/slow_clean_up", None),
    "in a thread": ("x/pool_hang", None),
    "async": ("x/async", {"s": 20}),
    "streaming": ("x/endless", None),
}
# What cannot be interrupted is ended by force, and the exit code says so.
FORCED = {"deaf", "stubborn"}
ENDS: dict[str, Callable[[Plugin], object]] = {
    "end of input": lambda plugin: plugin.close_stdin(),
    "exit": lambda plugin: plugin.notify("exit"),
    "SIGTERM": lambda plugin: os.kill(plugin.pid, signal.SIGTERM),
    "SIGHUP": lambda plugin: os.kill(plugin.pid, signal.SIGHUP),
    "SIGINT": lambda plugin: os.kill(plugin.pid, signal.SIGINT),
}


@contextmanager
def busy_probes(kinds: Iterable[str]) -> Iterator[dict[str, Plugin]]:
    """One probe for each way to be busy, all at work."""
    with ExitStack() as stack:
        plugins = {busy: stack.enter_context(probe()) for busy in kinds}
        for busy, plugin in plugins.items():
            work = BUSY[busy]
            if work is not None:
                plugin.request(*work)
            ping_s(plugin)
        yield plugins


@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends_in_time_whatever_it_does(end: str) -> None:
    with busy_probes(BUSY) as plugins:
        codes, took_s = {}, {}
        for busy, plugin in plugins.items():
            start = time.monotonic()
            ENDS[end](plugin)
            codes[busy] = plugin.wait(WAIT_S)
            took_s[busy] = time.monotonic() - start
            assert took_s[busy] < SEEN_S, busy
    for busy, plugin in plugins.items():
        # On a busy machine the time may be over before the last step is done.
        cut_off = busy in FORCED or (codes[busy] == 1 and took_s[busy] >= END_FORCE_S)
        assert (busy, codes[busy]) == (busy, 1 if cut_off else 0)
        assert "Traceback" not in plugin.stderr_text()
        assert plugin.protocol_errors == []
        if busy not in FORCED:
            assert "lifespan left" in plugin.stderr_text()


def test_the_end_lets_finally_blocks_run_and_trips_what_waits() -> None:
    with probe() as plugin:
        for method in ("x/endless", "x/async", "x/async_clean_up", "x/wait"):
            plugin.request(method, {"s": 20} if method == "x/async" else None)
        ping_s(plugin)
        plugin.close_stdin()
        assert plugin.wait(WAIT_S) == 0
        plugin.kill()
        noted = ("endless finally", "async finally", "async cleaned up", "waited True True")
        for text in (*noted, "lifespan left"):
            assert text in plugin.stderr_text()


def test_requests_that_the_end_of_input_follows_are_all_answered() -> None:
    sent = b"".join(frame(n, "x/echo", {"n": n}) for n in range(1, 2001))
    sent += b"".join(frame(n, "x/async", {"s": 0.02}) for n in range(3001, 3021))
    sent += b"".join(frame(n, "x/pool", {"s": 0.01}) for n in range(4001, 4005))
    sent += frame(5001, "x/rows", {"n": 50}) + frame(6001, "x/sleep", {"s": 0.02})
    code, frames, errors = conversation(HANDSHAKE + sent)
    results = {one["id"]: one.get("result") for one in frames if "id" in one}
    assert code == 0
    assert [results[n] for n in range(1, 2001)] == [{"n": n} for n in range(1, 2001)]
    assert all(results[n] == "slept" for n in (*range(3001, 3021), 6001))
    assert all(isinstance(results[n], int) for n in range(4001, 4005))
    assert sum(one.get("method") == "x/row" for one in frames) == 50
    assert 5001 in results
    assert "Traceback" not in errors


def test_finished_answers_behind_a_hanging_handler_are_not_lost() -> None:
    sent = b"".join(frame(n, "x/echo", {"n": n}) for n in range(1, 21)) + frame(21, "x/hang")
    _, frames, _ = conversation(HANDSHAKE + sent)
    assert [one["id"] for one in frames] == [90_001, *range(1, 22)]
    assert frames[-1]["error"]["code"] == -32002


def test_what_follows_an_exit_is_not_begun() -> None:
    sent = frame(1, "x/echo", {}) + frame(None, "exit") + frame(2, "x/sleep", {"s": 0}) * 30
    _, frames, errors = conversation(HANDSHAKE + sent)
    assert [one["id"] for one in frames] == [90_001, 1]
    assert "slept" not in errors


def test_exit_as_a_request_is_answered() -> None:
    with probe() as plugin:
        assert plugin.call("exit", timeout_s=WAIT_S) == {}
        assert plugin.wait(WAIT_S) == 0


def test_exit_before_the_handshake_ends_it() -> None:
    assert conversation(frame(None, "exit"))[0] == 0
    assert conversation(b"")[0] == 0


def test_a_signal_drops_the_requests_that_are_not_begun() -> None:
    with probe() as plugin:
        for _ in range(100):
            plugin.request("x/sleep", {"s": 0.02})
        ping_s(plugin)
        os.kill(plugin.pid, signal.SIGTERM)
        assert plugin.wait(SEEN_S) == 0


# A host that goes away ------------------------------------------------------------------------------


@contextmanager
def piped() -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A probe whose host decides when its pipes are read and closed."""
    process = subprocess.Popen(
        PROBE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=host_environment((), INSTALLED),
    )
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin
    assert stdout
    assert stderr
    try:
        yield process, stdin, stdout
        assert b"Traceback" not in stderr.read()
    finally:
        process.kill()
        process.wait()
        for pipe in (stdin, stdout, stderr):
            pipe.close()


def send(stdin: IO[bytes], data: bytes) -> None:
    stdin.write(data)
    stdin.flush()


def ends_in_time(process: subprocess.Popen[bytes]) -> bool:
    start = time.monotonic()
    process.wait(WAIT_S)
    return time.monotonic() - start < SEEN_S


@pytest.mark.parametrize("work", [b"", frame(1, "x/flood"), frame(1, "x/sleep", {"s": 0.05})])
def test_a_closed_stdout_ends_the_process_silently(work: bytes) -> None:
    with piped() as (process, stdin, stdout):
        send(stdin, HANDSHAKE)
        assert b"90001" in stdout.readline()
        stdout.close()
        send(stdin, work + frame(2, "$/ping"))  # the first write finds it out
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize("end", ["eof", "SIGTERM"])
@pytest.mark.parametrize("method", ["x/flood", "x/result"])
def test_a_host_that_does_not_read_holds_no_end_up(end: str, method: str) -> None:
    """More is on its way than the pipe takes, so writers block."""
    with piped() as (process, stdin, stdout):
        send(stdin, HANDSHAKE + frame(1, method, {"what": "fits"}))
        stdout.read(200)
        if end == "eof":
            stdin.close()
        else:
            os.kill(process.pid, signal.SIGTERM)
        assert ends_in_time(process)


def unread(pipe: IO[bytes]) -> int:
    """How many bytes wait in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


def soon(fact: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not fact():
        assert time.monotonic() < deadline
        os.sched_yield()
    return True


def test_a_host_that_hangs_up_is_seen_while_every_thread_waits_for_it_to_read() -> None:
    """The stream's thread, the one that reads requests, and the standby with items to flush."""
    with piped() as (process, stdin, stdout):
        send(stdin, HANDSHAKE + frame(1, "x/flood", {}))
        full = fcntl.fcntl(stdout, fcntl.F_GETPIPE_SZ)
        assert soon(lambda: unread(stdout) >= full - select.PIPE_BUF)
        send(stdin, frame(2, "$/ping"))
        assert soon(lambda: unread(stdin) == 0)
        stdin.close()
        assert ends_in_time(process)


def test_a_host_that_closes_its_end_and_reads_at_leisure_gets_every_answer() -> None:
    """More is unread and unanswered than the pipes hold, and answers often wait for room."""
    count = 5000
    sent = HANDSHAKE + b"".join(frame(n, "x/sized", {"size": 5000}) for n in range(count))
    with piped() as (process, stdin, stdout):

        def ask() -> None:
            stdin.write(sent)
            stdin.close()

        asking = threading.Thread(target=ask)
        asking.start()
        answers = [msgspec.json.decode(line)["id"] for line in stdout]
        asking.join(WAIT_S)
        assert answers == [90_001, *range(count)]
        assert process.wait(WAIT_S) == 0


HOST = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(sys.stdin.buffer.read())
child.stdin.flush()
print(child.pid, child.stdout.readline() and "", flush=True)
child.wait()
"""


@pytest.mark.parametrize("work", [b"", frame(1, "x/sleep", {"s": 20}), frame(1, "x/endless")])
def test_a_killed_host_takes_its_plugin_with_it(work: bytes) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, *PROBE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=host_environment((), INSTALLED),
    )
    assert host.stdin
    assert host.stdout
    assert host.stderr
    try:
        host.stdin.write(HANDSHAKE + work)
        host.stdin.close()
        pid = int(host.stdout.readline())
        plugin = os.pidfd_open(pid)
        host.kill()
        host.wait()
        poller = select.poll()
        poller.register(plugin, select.POLLIN)
        assert poller.poll(SEEN_S * 1000), "the plugin outlives its host"
        os.close(plugin)
        # The plugin shares the host's stderr: its end is the end of that.
        assert b"Traceback" not in host.stderr.read()
    finally:
        host.kill()
        host.wait()
        host.stdout.close()
        host.stderr.close()


def test_no_thread_tears_the_last_frame() -> None:
    """A flood until the end: the last line is a whole one."""
    for _ in range(3):
        process = subprocess.Popen(
            PROBE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=host_environment((), INSTALLED),
        )
        out, _ = process.communicate(
            HANDSHAKE + frame(1, "x/flood") + frame(2, "x/flood") + frame(None, "exit"),
            timeout=WAIT_S,
        )
        assert out.endswith(b"\n")
        assert all(msgspec.json.decode(line) for line in out.splitlines())


# Shutdown -------------------------------------------------------------------------------------------

HOST_SHUTDOWN_S = 2.0


def shut_down_in_time(plugin: Plugin) -> None:
    assert plugin.call("shutdown", timeout_s=HOST_SHUTDOWN_S) == {}


def test_shutdown_waits_for_work_and_leaves_the_lifespan_once() -> None:
    with probe() as plugin:
        ids = [plugin.request("x/async", {"s": 0.1}), plugin.request("x/pool", {"s": 0.1})]
        watch = plugin.request("x/endless")
        shut_down_in_time(plugin)
        assert [plugin.reply(one, WAIT_S) for one in ids] == ["slept", 1]
        assert reply_error(plugin, watch).code == -32002
        assert error_of(plugin, "x/echo", {}).code == -32600
        assert error_of(plugin, "x/async", {"s": 0}).code == -32600
        assert ping_s(plugin) < WAIT_S
        shut_down_in_time(plugin)
        plugin.notify("exit")
        assert plugin.wait(SEEN_S) == 0
        plugin.kill()
        assert plugin.stderr_text().count("lifespan left") == 1


def test_shutdown_is_answered_in_time_under_a_stuck_handler() -> None:
    kinds = [one for one in BUSY if one not in {"idle", "async", "streaming"}]
    with busy_probes(kinds) as plugins:
        asked = {busy: plugin.request("shutdown") for busy, plugin in plugins.items()}
        start = time.monotonic()
        for busy, plugin in plugins.items():
            left = HOST_SHUTDOWN_S - (time.monotonic() - start)
            assert plugin.reply(asked[busy], max(left, 0.0)) == {}, busy
        for plugin in plugins.values():
            assert error_of(plugin, "x/async", {"s": 0}).code == -32600
            plugin.notify("exit")
            plugin.wait(SEEN_S)
    assert not any("Traceback" in plugin.stderr_text() for plugin in plugins.values())


def test_shutdown_is_answered_in_time_when_the_lifespan_hangs() -> None:
    with probe(SLOW_LIFESPAN="1") as plugin:
        shut_down_in_time(plugin)
        plugin.notify("exit")
        assert plugin.wait(SEEN_S) == 0


def test_a_lifespan_that_hangs_holds_no_end_up() -> None:
    with probe(SLOW_LIFESPAN="1") as plugin:
        plugin.close_stdin()
        assert plugin.wait(SEEN_S) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_the_parent_ignores_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with probe() as plugin:
            os.kill(plugin.pid, number)
            ping_s(plugin)
            assert plugin.call("x/echo", {"a": 1}, timeout_s=WAIT_S) == {"a": 1}
    finally:
        signal.signal(number, before)
