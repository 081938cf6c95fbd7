"""What an author's code does on the thread that reads: the wire stays live, each id has one answer."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from engine_host import (
    HANDSHAKE,
    INSTALLED,
    PLUGINS,
    SEEN_S,
    WAIT_S,
    conversation,
    frame,
    ping_s,
    reply_error,
    stderr_with,
)

from animus_routes import RpcError
from animus_routes.host import Plugin, PluginTimeoutError, host_environment

COMMAND = [sys.executable, str(PLUGINS / "slow.py")]
CANCELLED = -32002
INVALID_REQUEST = -32600
INTERNAL = -32603
PING_S = 1.0
MIB = 1024 * 1024
LARGE = {"n": 1_000_000}


@contextmanager
def slow() -> Iterator[Plugin]:
    plugin = Plugin.start(COMMAND, env=INSTALLED)
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def code_of(plugin: Plugin, request_id: object) -> int | None:
    """The code of the error that answers a request; None for a result."""
    try:
        plugin.reply(request_id, WAIT_S)
    except RpcError as error:
        return error.code
    return None


# Slow code that is not the handler ----------------------------------------------------------------

SLOW = ["x/report", "x/within", "x/handled", "x/checked"]


@pytest.mark.parametrize("method", SLOW)
def test_the_wire_is_live_whatever_of_the_authors_runs(method: str) -> None:
    with slow() as plugin:
        request = plugin.request(method, {"seconds": 60})
        assert max(ping_s(plugin) for _ in range(5)) < PING_S
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED


@pytest.mark.parametrize("method", SLOW)
def test_an_answer_that_was_slow_to_write_comes_whole_and_after_what_came_before(
    method: str,
) -> None:
    asked = frame(1, "x/size", {"text": "a"}) + frame(2, method, {"seconds": 0.1})
    asked += frame(3, "x/size", {"text": "abc"})
    code, frames, _ = conversation(HANDSHAKE + asked, COMMAND)
    assert [one["id"] for one in frames[1:]] == [1, 2, 3]
    assert all("result" in one for one in frames)
    assert code == 0


@pytest.mark.parametrize("how", ["exit", "the end of input", "SIGTERM"])
@pytest.mark.parametrize("method", [*SLOW, "x/untold"])
def test_the_end_is_bounded_while_an_answer_is_made(method: str, how: str) -> None:
    with slow() as plugin:
        plugin.request(method, {"seconds": 60})
        ping_s(plugin)
        began = time.monotonic()
        if how == "exit":
            plugin.notify("exit")
        elif how == "SIGTERM":
            os.kill(plugin.pid, signal.SIGTERM)
        else:
            plugin.close_stdin()
        plugin.wait(WAIT_S)
        assert time.monotonic() - began < SEEN_S


def test_a_slow_clean_up_of_a_health_check_is_answered_once() -> None:
    with slow() as plugin:
        assert plugin.call("health/check", timeout_s=WAIT_S)["status"] == "healthy"
        assert plugin.call("x/size", {"text": "a"}, timeout_s=WAIT_S) == 1
        assert plugin.unclaimed_ids == []


def test_what_kept_the_thread_busy_before_a_slow_handler_does_not_matter() -> None:
    """The standby rests; then one read brings much that is no handler's, and a slow handler."""
    last = frame(2, "x/sleep", {"s": 60})
    with slow() as plugin:
        plugin.call("x/sleep", {"s": 0.3}, timeout_s=WAIT_S)
        plugin.send_raw(b"x\n" * ((65_000 - len(last)) // 2) + last)
        stderr_with(plugin, "not JSON")
        plugin.notify("$/cancelRequest", {"id": 2})
        assert reply_error(plugin, 2).code == CANCELLED


# Ids ----------------------------------------------------------------------------------------------

WORK = ["x/sleep", "x/async", "x/pool", "x/items"]
HELD = ["x/hold", "x/async_hold", "x/pool_hold", "x/items_hold"]


@pytest.mark.parametrize("waits", [False, True])
def test_an_id_that_is_under_way_is_refused(waits: bool) -> None:
    with slow() as plugin:
        for first in HELD:
            for second in (*HELD, "health/check", "$/ping"):
                before = plugin.request("x/hold") if waits else None
                ping_s(plugin)
                plugin.send_raw(frame("same", first))
                ping_s(plugin)
                plugin.send_raw(frame("same", second))
                assert reply_error(plugin, "same").code == INVALID_REQUEST, (first, second)
                plugin.notify("$/cancelRequest", {"id": "same"})
                assert reply_error(plugin, "same").code == CANCELLED, (first, second)
                if before is not None:
                    plugin.notify("$/cancelRequest", {"id": before})
                    assert reply_error(plugin, before).code == CANCELLED
        ping_s(plugin)
        assert plugin.unclaimed_ids == []


def test_an_id_is_free_again_once_it_is_answered() -> None:
    with slow() as plugin:
        for method in WORK:
            plugin.send_raw(frame(77, method, {"s": 0}))
            plugin.reply(77, WAIT_S)
            if method == "x/items":
                plugin.notify("$/cancelRequest", {"id": 77})
        plugin.send_raw(frame(78, "x/sleep", {"s": 0.3}))
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": 78})
        assert reply_error(plugin, 78).code == CANCELLED
        plugin.send_raw(frame(78, "x/sleep", {"s": 0.3}))  # behind the one that is cancelled
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": 78})
        assert reply_error(plugin, 78).code == CANCELLED


# What waits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest_first", [False, True])
def test_cancelling_costs_the_same_however_much_waits(newest_first: bool) -> None:
    ids = list(range(1_000, 9_000))
    with slow() as plugin:
        plugin.request("x/sleep", {"s": 60})
        ping_s(plugin)
        plugin.send_raw(b"".join(frame(one, "x/size", {"text": ""}) for one in ids))
        order = reversed(ids) if newest_first else iter(ids)
        began = time.monotonic()
        plugin.send_raw(b"".join(frame(None, "$/cancelRequest", {"id": one}) for one in order))
        ping_s(plugin)
        assert time.monotonic() - began < 5
        assert {reply_error(plugin, one).code for one in ids} == {CANCELLED}


def test_many_slow_calls_in_a_row_look_at_what_waits_once() -> None:
    """With 9,000 behind them; looking at each of those 60 times takes more than a second."""
    with slow() as plugin:
        asked = frame(1_000, "x/sleep", {"s": 0.3})
        asked += b"".join(frame(one, "x/sleep", {"s": 0.012}) for one in range(1_001, 1_060))
        asked += b"".join(frame(one, "x/size", {"text": ""}) for one in range(2_000, 11_000))
        before = cpu_s(plugin.pid)
        plugin.send_raw(asked)
        for one in range(1_000, 1_060):
            plugin.reply(one, WAIT_S)
        assert plugin.reply(10_999, WAIT_S) == 0
        assert cpu_s(plugin.pid) - before < 1.0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / MIB


@pytest.mark.parametrize("method", ["x/size", "x/pool_size"])
@pytest.mark.parametrize(("count", "size"), [(64, MIB), (30_000, 1)])
def test_what_waits_is_bounded_and_answered(method: str, count: int, size: int) -> None:
    busy = "x/sleep" if method == "x/size" else "x/pool"
    with slow() as plugin:
        ids = [plugin.request(busy, {"s": 0.5}) for _ in range(1 if busy == "x/sleep" else 8)]
        ping_s(plugin)
        before, most = resident_mib(plugin.pid), 0.0
        lines = b"".join(
            frame(n, method, {"text": "x" * size}) for n in range(1_000, 1_000 + count)
        )
        rest = memoryview(lines)
        while rest:
            piece = rest[: 4 * MIB]
            plugin.send_raw(bytes(piece), timeout_s=WAIT_S)
            rest = rest[len(piece) :]
            most = max(most, resident_mib(plugin.pid))
        assert most - before < 48  # all of it would be 64
        assert {plugin.reply(n, WAIT_S) for n in range(1_000, 1_000 + count)} == {size}
        assert [plugin.reply(one, WAIT_S) for one in ids] == ["slept"] * len(ids)


@pytest.mark.parametrize(("busy", "waits"), [("x/sleep", "x/size"), ("x/pool", "x/pool_size")])
def test_a_host_that_sends_more_than_may_wait_has_to_wait(busy: str, waits: str) -> None:
    with slow() as plugin:
        for _ in range(1 if busy == "x/sleep" else 8):
            plugin.request(busy, {"s": 60})
        ping_s(plugin)
        asked = b"".join(frame(n, waits, {"text": "x" * MIB}) for n in range(1_000, 1_064))
        with pytest.raises(PluginTimeoutError):
            plugin.send_raw(asked, timeout_s=1.0)


@pytest.mark.parametrize("busy", ["x/sleep", "x/pool"])
def test_a_host_that_goes_away_is_seen_when_nothing_more_is_read(busy: str) -> None:
    waits = "x/size" if busy == "x/sleep" else "x/pool_size"
    with slow() as plugin:
        for _ in range(1 if busy == "x/sleep" else 8):
            plugin.request(busy, {"s": 60})
        ping_s(plugin)
        text = {"text": "x" * MIB}
        plugin.send_raw(b"".join(frame(n, waits, text) for n in range(1_000, 1_016)))
        began = time.monotonic()
        plugin.close_stdin()
        plugin.wait(WAIT_S)
        assert time.monotonic() - began < SEEN_S


# A host that reads nothing ------------------------------------------------------------------------


@contextmanager
def unread() -> Iterator[subprocess.Popen[bytes]]:
    """A plugin whose stdout nobody reads, after its handshake."""
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=host_environment((), INSTALLED),
    )
    try:
        write(process, HANDSHAKE)
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], WAIT_S)[0]
        yield process
    finally:
        process.kill()
        process.communicate()


def write(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)


@pytest.mark.parametrize("method", ["x/large", "x/pool_large"])
@pytest.mark.parametrize(
    "asked_before", [b"", frame(50, "$/ping"), frame(50, "x/sleep", {"s": 60})]
)
def test_exit_is_seen_by_a_plugin_whose_answers_nobody_reads(
    method: str, asked_before: bytes
) -> None:
    with unread() as process:
        write(process, b"".join(frame(n, method, LARGE) for n in range(1, 5)))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)  # it waits for room
        write(process, asked_before)
        write(process, frame(None, "exit"))
        process.wait(SEEN_S)


def test_a_host_that_reads_late_gets_everything() -> None:
    """Requests and pings that come while an answer waits for room are read ahead, and kept."""
    with unread() as process:
        write(process, b"".join(frame(n, "x/large", LARGE) for n in range(1, 5)))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        write(process, b"".join(frame(n, "x/size", {"text": "ab"}) for n in range(5, 500)))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        out, _ = process.communicate(timeout=WAIT_S)
        found = [msgspec.json.decode(line) for line in out.splitlines()]
        assert sorted(one["id"] for one in found) == [*range(1, 500), 90_001]
        assert {one["result"] for one in found if 5 <= one["id"] < 500} == {2}


# Alarms -------------------------------------------------------------------------------------------


def test_late_alarms_cost_no_request_its_answer() -> None:
    with slow() as plugin:
        bounds = [(0.001 * (n % 5) + 0.00005 * (n % 40), 0.001 * (n % 5)) for n in range(400)]
        ids = [plugin.request("x/bounded", {"bound": b or 0.0001, "work": w}) for b, w in bounds]
        codes = {code_of(plugin, one) for one in ids}
        assert codes <= {None, INTERNAL}
        assert plugin.unclaimed_ids == []
        ping_s(plugin)


def test_an_alarm_that_comes_after_its_handler_is_told() -> None:
    with slow() as plugin:
        assert plugin.call("x/bounded", {"bound": 0.1, "work": 0}, timeout_s=WAIT_S) == "done"
        stderr_with(plugin, "TimeoutError was raised outside a handler: too slow")


def test_an_alarm_stops_a_handler_that_is_always_sending() -> None:
    with slow() as plugin:
        request = plugin.request("x/bounded_talk", {"bound": 0.1})
        assert plugin.reply(request, WAIT_S) <= 1
        assert plugin.next_notification("x/said", timeout_s=WAIT_S).params == {"text": "x" * 1000}
