"""The wire stays live whatever a handler does, and a cancelled request is answered once."""

import sys

import pytest
from engine_host import (
    INSTALLED,
    PLUGINS,
    PROBE,
    SEEN_S,
    WAIT_S,
    error_of,
    frame,
    ping_s,
    probe,
    reply_error,
    stderr_with,
)

from animus_routes.engine.turn import gil_enabled
from animus_routes.host import Plugin

CANCELLED = -32002
# Pings take under 11 ms on an idle machine; a handler that holds them up takes 20 s.
PING_S = 1.0
HOLDERS = [
    ("x/sleep", {"s": 20}),
    ("x/spin", {"s": 20}),
    ("x/hang", None),
    ("x/usleep", {"s": 20}),
    ("x/stubborn", None),
    ("x/slow_clean_up", None),
    ("x/pool_hang", None),
]


@pytest.mark.parametrize(("method", "params"), HOLDERS)
def test_a_ping_is_answered_while_a_handler_is_busy(method: str, params: object) -> None:
    with probe() as plugin:
        plugin.request(method, params)
        assert max(ping_s(plugin) for _ in range(20)) < PING_S


def test_pings_do_not_starve_under_forty_handlers_in_a_row() -> None:
    with probe() as plugin:
        ids = [plugin.request("x/sleep", {"s": 0.008}) for _ in range(40)]
        pings = [ping_s(plugin) for _ in range(10)]
        assert min(pings) < 0.1
        assert ids[-1] is not None
        assert [plugin.reply(one, WAIT_S) for one in ids] == ["slept"] * 40


@pytest.mark.parametrize("pretended", [(), ("pretended",)])
def test_without_a_gil_answers_leave_in_order_and_none_is_lost(pretended: tuple[str, ...]) -> None:
    """The wire is not taken over there: a ping waits for the handler before it."""
    taken_over = not pretended and gil_enabled()
    command = [sys.executable, str(PLUGINS / "no_gil.py"), *pretended]
    plugin = Plugin.start(command, env=INSTALLED)
    try:
        plugin.initialize()
        asked = frame(1001, *(("x/wait", {"s": 20}) if taken_over else ("x/sleep", {"s": 0.1})))
        plugin.send_raw(asked + frame(1002, "$/ping") + frame(1003, "x/async", {"s": 0}))
        if taken_over:  # until then the handler goes on
            assert plugin.reply(1002, WAIT_S) == {}
            assert plugin.reply(1003, WAIT_S) == "slept"
            plugin.notify("$/cancelRequest", {"id": 1001})
            assert reply_error(plugin, 1001).code == CANCELLED
        else:
            assert plugin.reply(1002, WAIT_S) == {}
            assert b"1001" in plugin.unclaimed_ids  # its answer came before
            assert plugin.reply(1001, WAIT_S) == "slept"
            assert plugin.reply(1003, WAIT_S) == "slept"
    finally:
        plugin.kill()


def test_a_running_handler_is_cancelled_once_and_its_result_is_dropped() -> None:
    with probe() as plugin:
        request = plugin.request("x/sleep", {"s": 0.3})
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        plugin.notify("$/cancelRequest", {"id": request})
        assert plugin.call("x/seen", timeout_s=WAIT_S) == ["slept 0.3"]
        assert plugin.unclaimed_ids == []


def test_a_cancelled_handler_sees_it_and_sends_nothing_more() -> None:
    with probe() as plugin:
        request = plugin.request("x/wait")
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        assert plugin.call("x/seen", timeout_s=WAIT_S) == ["waited True True"]
        assert plugin.notifications == []


def test_a_handler_that_declares_no_context_leaves_the_one_before_alone() -> None:
    with probe() as plugin:
        assert plugin.call("x/wait", {"s": 0}, timeout_s=WAIT_S) == "waited"
        request = plugin.request("x/sleep", {"s": 0.2})
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        assert plugin.call("x/wait", {"s": 0}, timeout_s=WAIT_S) == "waited"


def test_a_request_that_waits_its_turn_is_cancelled_before_it_runs() -> None:
    with probe() as plugin:
        first = plugin.request("x/sleep", {"s": 0.3})
        second = plugin.request("x/sleep", {"s": 0.0})
        plugin.notify("$/cancelRequest", {"id": second})
        assert reply_error(plugin, second).code == CANCELLED
        assert plugin.reply(first, WAIT_S) == "slept"
        assert plugin.call("x/seen", timeout_s=WAIT_S) == ["slept 0.3"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("x/async", {"s": 20}),
        ("x/pool_wait", None),
        ("x/pool_hang", None),
        ("x/endless", None),
        ("x/rows", {"n": 9, "s": 5}),
    ],
)
def test_calls_beside_the_reading_thread_are_cancelled(method: str, params: object) -> None:
    with probe() as plugin:
        request = plugin.request(method, params)
        ping_s(plugin)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        ping_s(plugin)
        assert plugin.unclaimed_ids == []


def test_nothing_of_a_stream_follows_its_cancellation() -> None:
    frames: list[bytes] = []
    plugin = Plugin.start(PROBE, env=INSTALLED, on_frame=frames.append)
    try:
        plugin.initialize()
        request = plugin.request("x/flood")
        plugin.next_notification("x/row", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        for _ in range(3):
            ping_s(plugin)
        answer = next(i for i, one in enumerate(frames) if b"cancelled" in one)
        assert not any(b"x/row" in one for one in frames[answer:])
    finally:
        plugin.kill()


@pytest.mark.parametrize(
    ("method", "word"), [("x/endless", "endless finally"), ("x/async_rows", "async rows finally")]
)
def test_the_finally_block_of_a_cancelled_stream_runs(method: str, word: str) -> None:
    with probe() as plugin:
        request = plugin.request(method, {"n": 100_000} if "async" in method else None)
        plugin.next_notification("x/row", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        stderr_with(plugin, f"noted: {word}")


def test_a_second_cancellation_does_not_cut_the_clean_up_of_the_first_off() -> None:
    with probe() as plugin:
        request = plugin.request("x/async_clean_up")
        plugin.call("x/async", {"s": 0}, timeout_s=WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        stderr_with(plugin, "noted: async clean-up")
        plugin.notify("$/cancelRequest", {"id": request})
        stderr_with(plugin, "noted: async cleaned up")


def test_one_and_its_text_and_its_float_are_three_ids() -> None:
    with probe() as plugin:
        for name in (b"1", b'"1"', b"1.0"):
            plugin.send_raw(frame(name, "x/async", {"s": 20}))
        plugin.notify("$/cancelRequest", {"id": "1"})
        assert reply_error(plugin, b'"1"').code == CANCELLED
        plugin.send_raw(b'{"method":"$/cancelRequest","params":{"id":1.0}}\n')
        assert reply_error(plugin, b"1.0").code == CANCELLED
        ping_s(plugin)
        assert plugin.unclaimed_ids == []
        plugin.notify("$/cancelRequest", {"id": 1})
        assert reply_error(plugin, b"1").code == CANCELLED


def test_an_id_that_is_under_way_is_refused_until_it_is_answered() -> None:
    with probe() as plugin:
        plugin.send_raw(frame(500, "x/async", {"s": 20}) * 2)
        assert reply_error(plugin, 500).code == -32600
        plugin.notify("$/cancelRequest", {"id": 500})
        assert reply_error(plugin, 500).code == CANCELLED
        plugin.send_raw(frame(500, "x/async", {"s": 0}))
        assert plugin.reply(500, WAIT_S) == "slept"


@pytest.mark.parametrize("target", [b"{}", b"[]", b"true", b"1e400", b'"\\ud800"', b'"\xff"'])
def test_a_cancellation_of_nonsense_does_nothing(target: bytes) -> None:
    with probe() as plugin:
        plugin.send_raw(b'{"method":"$/cancelRequest","params":{"id":' + target + b"}}\n")
        ping_s(plugin)
        # A frame that is no JSON at all is refused; no request is touched in either case.
        assert plugin.unclaimed_ids in ([], [b"null"])


def test_a_health_check_is_answered_degraded_while_a_handler_hangs() -> None:
    with probe() as plugin:
        plugin.request("x/hang")
        found = plugin.call("health/check", timeout_s=2.0)
        assert found["status"] in {"healthy", "degraded"}


def test_a_slow_health_check_is_answered_before_the_host_gives_up() -> None:
    with probe(SLOW_HEALTH="1") as plugin:
        assert plugin.call("health/check", timeout_s=1.2 + SEEN_S)["status"] == "degraded"
        second = plugin.request("health/check")
        assert plugin.reply(second, 1.2 + SEEN_S)["status"] == "degraded"
        assert ping_s(plugin) < PING_S


def test_an_alarm_of_the_author_that_comes_late_ends_nothing() -> None:
    with probe() as plugin:
        assert plugin.call("x/alarm", timeout_s=WAIT_S) == "set"
        assert plugin.call("x/sleep", {"s": 0.0}, timeout_s=WAIT_S) == "slept"
        plugin.request("x/alarm")
        assert error_of(plugin, "x/sleep", {"s": 10}).code == -32603
        assert ping_s(plugin) < PING_S


def test_a_signal_that_is_no_end_ends_nothing() -> None:
    with probe() as plugin:
        assert plugin.call("x/slow_alarm", {"s": 0.2}, timeout_s=WAIT_S) == "slept"
        assert plugin.call("x/seen", timeout_s=WAIT_S) == ["rang"]
