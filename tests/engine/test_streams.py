"""Streams and other calls in parallel: one answer each, in its place, however they go."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from engine_host import INSTALLED, PLUGINS, WAIT_S, error_of, ping_s, reply_error, stderr_with

from animus_routes import RpcError
from animus_routes.host import Plugin

SOON_S = 0.9
CANCELLED, INTERNAL, NOT_FOUND = -32002, -32603, -32602
STREAMS = [sys.executable, str(PLUGINS / "streams.py")]


@contextmanager
def streams(seen: list[dict[str, Any]] | None = None) -> Iterator[Plugin]:
    """The plugin after its handshake; what it says from then on goes to `seen`."""
    frames: list[dict[str, Any]] = [] if seen is None else seen
    plugin = Plugin.start(
        STREAMS, env=INSTALLED, on_frame=lambda line: frames.append(msgspec.json.decode(line))
    )
    try:
        plugin.initialize()
        frames.clear()
        yield plugin
        assert plugin.protocol_errors == []
    finally:
        plugin.kill()


def watch(plugin: Plugin, how: str) -> int:
    return plugin.request("subject/watch", {"filter": {"native_filter": how}})


def watch_async(plugin: Plugin, how: str) -> int:
    return plugin.request("trigger/watch", {"config": {"how": how}})


# The acknowledgement --------------------------------------------------------------------------------


def test_the_acknowledgement_comes_first_whichever_thread_has_the_first_item() -> None:
    """Two threads each: in a hundred watches the one that came second overtook the first."""
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        ids = [watch(plugin, "two_threads") for _ in range(400)]
        for _ in range(2 * len(ids)):
            plugin.next_notification("subject/changed", WAIT_S)
        assert all(plugin.reply(one, WAIT_S) == {"watching": True} for one in ids)
    acked: set[Any] = set()
    for frame in seen:
        if "id" in frame:
            acked.add(frame["id"])
        elif frame["method"] == "subject/changed":
            assert frame["params"]["id"] in acked


@pytest.mark.parametrize("watched", [watch, watch_async])
def test_a_generator_that_fails_at_once_is_answered_with_its_error(watched: Any) -> None:
    with streams() as plugin:
        assert reply_error(plugin, watched(plugin, "fails_at_once")).code == INTERNAL
        assert "no upstream" in stderr_with(plugin, "no upstream")


def test_a_generator_that_fails_later_is_acknowledged_and_breaks() -> None:
    with streams() as plugin:
        assert plugin.reply(watch(plugin, "fails_late"), 0.35) == {"watching": True}
        assert "the stream of task/watch" not in plugin.stderr_text()
        assert "the upstream went" in stderr_with(plugin, "the upstream went")


def test_the_acknowledgement_waits_for_no_loop_that_is_blocked() -> None:
    with streams() as plugin:
        assert plugin.reply(watch_async(plugin, "blocks_the_loop"), SOON_S) == {"watching": True}


@pytest.mark.parametrize("watched", [watch, watch_async])
def test_a_generator_without_items_is_acknowledged_and_returns_nothing(watched: Any) -> None:
    with streams() as plugin:
        assert plugin.reply(watched(plugin, "no_items"), WAIT_S) == {"watching": True}


@pytest.mark.parametrize(
    ("method", "params"),
    [("x/late_items", {}), ("subject/watch", {"filter": {"native_filter": "fails_and_emits"}})],
)
def test_no_item_follows_an_answer_that_ends_the_stream(method: str, params: Any) -> None:
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        plugin.request(method, params)
        plugin.next_notification("x/emitted", WAIT_S)
    assert not [frame for frame in seen if frame.get("method") in ("x/item", "subject/changed")]


def test_a_shutdown_does_not_wait_for_a_stream_that_is_about_to_be_acknowledged() -> None:
    with streams() as plugin:
        watch(plugin, "fails_late")
        assert plugin.call("shutdown", timeout_s=SOON_S) == {}


# One answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["x/stuck", "x/stuck_emit", "x/stuck_async"])
def test_a_stream_whose_item_is_stuck_is_cancelled_at_once(method: str) -> None:
    with streams() as plugin:
        request = plugin.request(method)
        plugin.next_notification("x/item", WAIT_S)
        plugin.next_notification("x/item", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        with pytest.raises(RpcError) as caught:
            plugin.reply(request, SOON_S)
        assert caught.value.code == CANCELLED
        assert ping_s(plugin) < SOON_S
        assert plugin.call("task/list", timeout_s=SOON_S) is not None
        plugin.close_stdin()
        plugin.wait(2)


@pytest.mark.parametrize("method", ["x/wait", "x/items", "trigger/watch"])
def test_a_task_that_somebody_cancels_before_its_first_step_is_answered(method: str) -> None:
    with streams() as plugin:
        assert plugin.call("x/doom", timeout_s=WAIT_S) == "doomed"
        ids = [plugin.request(method, {"config": {"how": "no_items"}}) for _ in range(5)]
        assert {reply_error(plugin, one).code for one in ids} == {INTERNAL}
        assert plugin.call("x/spare", timeout_s=WAIT_S) == "spared"
        assert plugin.call("x/wait", timeout_s=WAIT_S) == "waited"
        assert "CancelledError" in plugin.stderr_text()


@pytest.mark.parametrize("method", ["task/get", "task/status"])
def test_what_an_exception_handler_returns_is_adapted_like_a_result(method: str) -> None:
    """None is "not found" here, as if the handler itself had returned it."""
    with streams() as plugin:
        for _ in range(5):  # more than the pool has threads
            assert error_of(plugin, method, {"id": "task:1"}).code == NOT_FOUND
        assert plugin.call("task/list", timeout_s=WAIT_S) is not None


# Bugs of cancelled calls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("x/bug_pool", "lost in x/bug_pool"),
        ("x/bug_async", "lost in x/bug_async"),
        ("x/bug_items", "lost in x/bug_items"),
        ("x/bug_goes_on", "generator ignored GeneratorExit"),
        ("x/bug_clean_up", "lost in x/bug_clean_up"),
    ],
)
def test_what_fails_after_a_cancellation_is_told_on_stderr(method: str, text: str) -> None:
    with streams() as plugin:
        request = plugin.request(method)
        plugin.next_notification("x/runs", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        assert "Traceback" in stderr_with(plugin, text)


@pytest.mark.parametrize("end", ["unwatch", "shutdown"])
def test_what_fails_when_a_watch_is_ended_is_told_on_stderr(end: str) -> None:
    with streams() as plugin:
        request = watch(plugin, "bug")
        plugin.next_notification("subject/changed", WAIT_S)
        if end == "unwatch":
            plugin.call("subject/unwatch", {"watch_id": str(request)}, timeout_s=WAIT_S)
            stderr_with(plugin, "lost in a watch")
        else:
            assert plugin.shutdown() == 0
            assert "lost in a watch" in plugin.stderr_text()


def test_an_ordinary_error_after_a_cancellation_is_one_line_on_stderr() -> None:
    with streams() as plugin:
        request = plugin.request("x/late_refusal")
        plugin.next_notification("x/runs", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        said = stderr_with(
            plugin, "x/late_refusal, after it was cancelled: not found: 'it' (-32602)"
        )
        assert "Traceback" not in said


def test_a_cancellation_itself_is_no_bug() -> None:
    with streams() as plugin:
        request = plugin.request("x/no_bug")
        plugin.next_notification("x/runs", WAIT_S)
        plugin.notify("$/cancelRequest", {"id": request})
        assert reply_error(plugin, request).code == CANCELLED
        assert plugin.call("x/wait", timeout_s=WAIT_S) == "waited"
        assert plugin.shutdown() == 0
        assert "Traceback" not in plugin.stderr_text()


# Names ----------------------------------------------------------------------------------------------


def ended(plugin: Plugin, seen: list[dict[str, Any]], opened: bytes, name: bytes) -> list[Any]:
    """Open a watch by each id, unwatch by the name: the ids that still send."""
    frame = b'{"jsonrpc":"2.0","id":%b,"method":"subject/watch"}\n'
    ids = opened.split()
    plugin.send_raw(b"".join(frame % one for one in ids))
    for _ in range(2 * len(ids)):
        plugin.next_notification("subject/changed", WAIT_S)
    unwatch = b'{"jsonrpc":"2.0","id":"un","method":"subject/unwatch","params":{%b}}\n'
    plugin.send_raw(unwatch % name)
    for _ in range(10):
        ping_s(plugin)
    place = len(seen)
    plugin.call("x/wait", timeout_s=WAIT_S)
    return sorted(
        {one["params"]["id"] for one in seen[place:] if one.get("method") == "subject/changed"},
        key=repr,
    )


@pytest.mark.parametrize(
    ("opened", "name", "left"),
    [
        (rb'"caf\u00e9"', '"watch_id":"café"'.encode(), []),
        ('"café"'.encode(), rb'"watch_id":"caf\u00e9"', []),
        (rb'"a\/b"', b'"watch_id":"a/b"', []),
        (rb'"say\"hi\""', rb'"watch_id":"say\u0022hi\u0022"', []),
        (b'"\\"quoted\\""', b'"watch_id":"quoted"', ['"quoted"']),
        (b"700", b'"watch_id":"700"', []),
        (b"700", b'"watch_id":700', []),
        (b'700 "700"', b'"watch_id":"700"', [700]),
        (b'"700" 700', b'"watch_id":700', ["700"]),
        (b'"None"', b"", ["None"]),
        (b'"None"', b'"watch_id":null', ["None"]),
        (b'"True"', b'"watch_id":true', ["True"]),
        (b'"[]"', b'"watch_id":[]', ["[]"]),
    ],
)
def test_a_watch_is_ended_by_its_id_as_a_value(opened: bytes, name: bytes, left: list[Any]) -> None:
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        assert ended(plugin, seen, opened, name) == left


def test_a_run_whose_session_is_called_none_is_not_ended_by_a_cancellation_without_one() -> None:
    with streams() as plugin:
        params = {"prompt": "p", "cwd": "/", "session_id": "None"}
        run = plugin.request("agent/run", params)
        ping_s(plugin)
        assert error_of(plugin, "agent/cancel", {}).code == -32602
        assert plugin.call("agent/cancel", {"session_id": "None"}, timeout_s=WAIT_S)["cancelled"]
        assert reply_error(plugin, run).code == CANCELLED


# What is too large ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["app", "ctx", "progress"])
def test_a_notification_that_ends_the_link_is_not_sent_and_its_author_told(how: str) -> None:
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        said = plugin.call("x/tell", {"how": how, "size": 9_000_000}, timeout_s=WAIT_S)
        assert "hosts end the link above 8388608" in said
        assert plugin.call("x/tell", {"how": how, "size": 1_000_000}, timeout_s=WAIT_S) == "told"
    assert len([frame for frame in seen if "method" in frame]) == 1


def test_a_log_line_that_is_not_utf_8_is_a_readable_entry() -> None:
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        assert plugin.call("x/tell", {"how": "surrogate", "size": 1}, timeout_s=WAIT_S) == "told"
    (entry,) = [frame for frame in seen if frame.get("method") == "log/entry"]
    assert "\ufffd" in entry["params"]["message"]


@pytest.mark.parametrize("how", ["log", "fields"])
def test_a_log_line_that_cannot_be_an_entry_stays_on_stderr_and_breaks_no_call(how: str) -> None:
    seen: list[dict[str, Any]] = []
    with streams(seen) as plugin:
        params = {"how": how, "size": 9_000_000}
        assert plugin.call("x/tell", params, timeout_s=WAIT_S) == "told"
        stderr_with(plugin, "a log entry was not sent to the host")
    assert not [frame for frame in seen if frame.get("method") == "log/entry"]
