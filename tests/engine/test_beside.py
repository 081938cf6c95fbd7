"""What runs beside the reading thread, and in which order things leave."""

import os
import random
import time

import msgspec
import pytest
from engine_host import (
    GREETING,
    HANDSHAKE,
    WAIT_S,
    conversation,
    frame,
    ping_s,
    probe,
    switches,
)

from animus_routes import RpcError
from animus_routes.host import Plugin

SLACK_S = 0.4


def test_plain_handlers_run_one_at_a_time_on_the_main_thread() -> None:
    with probe() as plugin:
        ids = [plugin.request("x/sleep", {"s": 0.05}) for _ in range(4)]
        start = time.monotonic()
        assert plugin.call("x/ident", timeout_s=WAIT_S) == {"main": True}
        assert time.monotonic() - start > 0.15
        assert [plugin.reply(one, WAIT_S) for one in ids] == ["slept"] * 4


def test_the_pool_runs_at_most_its_size_at_once() -> None:
    with probe() as plugin:
        size = (os.cpu_count() or 2) + 2
        ids = [plugin.request("x/pool", {"s": 0.1}) for _ in range(size * 3)]
        assert max(plugin.reply(one, WAIT_S) for one in ids) == size


def test_a_free_place_in_the_pool_is_used_at_once() -> None:
    with probe() as plugin:
        for _ in range(20):
            plugin.call("x/flag", {"name": "a"}, timeout_s=WAIT_S)
        plugin.request("x/pool_hang")
        for _ in range(50):
            plugin.call("x/flag", {"name": "a"}, timeout_s=WAIT_S)


def test_async_handlers_overlap_also_while_a_plain_one_is_slow() -> None:
    with probe() as plugin:
        slow = plugin.request("x/sleep", {"s": 20})
        start = time.monotonic()
        ids = [plugin.request("x/async", {"s": 0.2}) for _ in range(50)]
        assert [plugin.reply(one, WAIT_S) for one in ids] == ["slept"] * 50
        assert time.monotonic() - start < 3.0
        assert b"%d" % slow not in plugin.unclaimed_ids


def test_streams_hold_nothing_up() -> None:
    with probe() as plugin:
        for _ in range(3):
            plugin.request("x/endless")
        assert plugin.call("x/echo", {"a": 1}, timeout_s=WAIT_S) == {"a": 1}
        assert plugin.call("x/async", {"s": 0}, timeout_s=WAIT_S) == "slept"


def test_what_was_asked_before_a_stream_is_answered_before_its_first_item() -> None:
    """All of it in one chunk, whose last request is slow."""
    data = HANDSHAKE + frame(1, "x/echo", {}) + frame(2, "x/rows", {"n": 3})
    _, frames, _ = conversation(data + frame(3, "x/sleep", {"s": 0.1}))
    assert [one.get("id") for one in frames] == [90_001, 1, None, None, None, 2, 3]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_call_is_heard_in_the_order_it_speaks_and_of_progress_only_on_demand(
    accepted: bool,
) -> None:
    greeting = {**GREETING, "capabilities": {"progress": accepted}}
    data = frame(0, "initialize", greeting) + frame(None, "initialized")
    _, frames, _ = conversation(data + frame(1, "x/mixed"))
    one = ["x/row", "x/row", "x/note", *(["$/progress"] if accepted else [])]
    assert [said.get("method") for said in frames] == [None, *one, *one, *one, None]
    shown = [said["params"] for said in frames if said.get("method") == "$/progress"]
    assert shown == [{"id": 1, "value": number} for number in range(3) if accepted]


def test_every_notification_of_a_run_comes_before_its_reply() -> None:
    frames: list[dict[str, object]] = []
    with probe() as plugin:
        plugin._inbox._on_frame = lambda line: frames.append(msgspec.json.decode(line))
        for method in ("x/rows", "x/async_rows"):
            request = plugin.request(method, {"n": 20})
            plugin.reply(request, WAIT_S)
        request = plugin.request("x/notify_sleep", {"s": 0.05})
        assert plugin.reply(request, WAIT_S) == "done"
    kinds = [one.get("method", "reply") for one in frames]
    assert kinds == [*["x/row"] * 20, "reply"] * 2 + ["x/first", "x/second", "reply"]


def test_a_hundred_thousand_events_arrive_in_order_past_a_host_that_pauses() -> None:
    count = 100_000
    with probe() as plugin:
        gate = plugin._inbox._changed
        with gate:  # the reader stands still: the pipe fills, the source waits
            request = plugin.request("x/rows", {"n": count})
            gate.wait_for(lambda: False, 0.3)
        plugin.reply(request, 60)
        assert [one.params["event"] for one in plugin.notifications] == list(range(count))


def test_a_slow_streams_events_and_the_tail_of_a_burst_come_at_once() -> None:
    with probe() as plugin:
        start = time.monotonic()
        plugin.request("x/burst")
        for expected in (1, 2, 3):
            event = plugin.next_notification("x/row", WAIT_S).params["event"]
            assert event == expected
        assert time.monotonic() - start < SLACK_S


def test_an_idle_plugin_has_no_timer() -> None:
    with probe() as plugin:
        plugin.call("x/async", {"s": 0}, timeout_s=WAIT_S)
        plugin.call("x/pool", {"s": 0}, timeout_s=WAIT_S)
        plugin.call("x/rows", {"n": 5}, timeout_s=WAIT_S)
        changed = plugin._inbox._changed
        with changed:
            changed.wait_for(lambda: False, 1.0)  # it parks 0.2 s after the last request
        before = switches(plugin.pid)
        with changed:
            changed.wait_for(lambda: False, 2.0)
        assert switches(plugin.pid) == before
        assert ping_s(plugin) < SLACK_S


def outcome(plugin: Plugin, request: int) -> str:
    try:
        plugin.reply(request, WAIT_S)
    except RpcError as error:
        return "cancelled" if error.code == -32002 else str(error)
    return "result"


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_doubled_or_torn_under_random_load(seed: int) -> None:
    seeded = random.Random(seed)
    expected: dict[int, set[str]] = {}
    methods = ["x/sleep", "x/spin", "x/async", "x/pool", "x/echo", "$/ping"]
    with probe() as plugin:
        data = bytearray()
        for number in range(1, 1001):
            method = seeded.choice(methods)
            data += frame(number, method, {"s": seeded.choice([0, 0, 0, 0.001, 0.006, 0.02])})
            expected[number] = {"result"}
            if seeded.random() < 0.2:
                target = number - seeded.randrange(4)
                data += frame(None, "$/cancelRequest", {"id": target})
                expected.setdefault(target, set()).add("cancelled")
        start = 0
        while start < len(data):
            end = start + seeded.choice([1, 7, 100, 3000])
            plugin.send_raw(bytes(data[start:end]))
            start = end
        for number in range(1, 1001):
            assert outcome(plugin, number) in expected[number]
        ping_s(plugin)
        assert plugin.unclaimed_ids == []
        assert plugin.protocol_errors == []
