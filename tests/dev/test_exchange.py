"""Who is owed what, while processes come and go: lines in, lines out."""

import json
from typing import Any

import pytest

from animus_routes.dev.exchange import Exchange, State
from animus_routes.dev.streams import Streams

STREAMS = Streams()


class Between:
    """An exchange whose both sides are lists."""

    def __init__(self) -> None:
        self.host: list[Any] = []
        self.plugin: list[Any] = []
        self.said: list[str] = []
        self.exchange = Exchange(
            lambda data: self.host.append(json.loads(data)),
            lambda data: self.plugin.append(json.loads(data)),
            self.said.append,
            STREAMS,
        )

    def asks(self, request_id: Any, method: str, **params: Any) -> None:
        frame: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
        self.exchange.from_host(json.dumps({**frame, "params": params}).encode())

    def tells(self, method: str, **params: Any) -> None:
        frame = {"jsonrpc": "2.0", "method": method, "params": params}
        self.exchange.from_host(json.dumps(frame).encode())

    def answers(self, request_id: Any, result: Any = None, **error: Any) -> None:
        body = {"error": error} if error else {"result": result}
        frame = {"jsonrpc": "2.0", "id": request_id, **body}
        self.exchange.from_plugin(json.dumps(frame).encode())

    def take(self) -> list[tuple[Any, str]]:
        """What has come to the plugin since: ids and methods."""
        found = [(frame.get("id"), frame["method"]) for frame in self.plugin]
        self.plugin.clear()
        return found

    def told(self) -> list[Any]:
        """What has come to the host since: ids, and a result or an error's message."""
        found = [
            (one["id"], one["error"]["message"] if "error" in one else one["result"])
            if "id" in one
            else (one["method"], one["params"])
            for one in self.host
        ]
        self.host.clear()
        return found

    def restart(self) -> None:
        self.exchange.leave("because")
        self.answers("animus-routes dev", {})
        self.exchange.gone("because")
        self.exchange.started()


@pytest.fixture
def wire() -> Between:
    """Behind a handshake."""
    between = Between()
    between.exchange.started()
    between.asks(1, "initialize")
    between.answers(1, {"capabilities": {}})
    between.tells("initialized")
    between.take()
    between.told()
    return between


def test_a_new_process_is_greeted_before_it_gets_anything(wire: Between) -> None:
    wire.exchange.leave("because")
    wire.asks(2, "a/b")
    wire.tells("trigger/ack", event_id="e")
    wire.asks(3, "a/b")
    assert wire.take() == [("animus-routes dev", "shutdown")]
    wire.exchange.gone("because")
    wire.exchange.started()
    assert wire.take() == [(1, "initialize")]
    wire.asks(4, "a/b")
    assert wire.take() == []
    wire.answers(1, {"capabilities": {}})
    expected = [(None, "initialized"), (2, "a/b"), (None, "trigger/ack"), (3, "a/b"), (4, "a/b")]
    assert wire.take() == expected
    assert wire.told() == [], "the host has its greeting"


def test_what_is_answered_in_time_is_no_error(wire: Between) -> None:
    for number in (2, 3, 4, 5):
        wire.asks(number, "a/b")
    wire.exchange.leave("because")
    wire.answers(2, "done")
    wire.answers(3, code=-32602, message="no", data=None)
    wire.answers(4, code=-32002, message="cancelled")
    wire.exchange.gone("because")
    unfinished = "a/b was not finished: because"
    assert wire.told() == [(2, "done"), (3, "no"), (4, unfinished), (5, unfinished)]


def test_the_hosts_own_cancellation_keeps_its_code(wire: Between) -> None:
    wire.asks(2, "a/b")
    wire.tells("$/cancelRequest", id=2)
    wire.answers(2, code=-32002, message="cancelled")
    assert wire.told() == [(2, "cancelled")]


def test_each_request_of_an_id_gets_an_answer(wire: Between) -> None:
    for request_id in (2, 2, "2", 2.0, None):
        wire.asks(request_id, "a/b")
    wire.answers(2, code=-32600, message="under way")
    wire.exchange.gone("because")
    assert [one for one, _ in wire.told()] == [2, 2, "2", 2.0, None]


def test_an_answer_that_nobody_waits_for_goes_nowhere(wire: Between) -> None:
    wire.asks(2, "a/b")
    wire.answers(2, 1)
    wire.answers(2, 2)
    wire.exchange.from_plugin(b'{"jsonrpc":"2.0","id":7,"method":"host/ask"}')
    wire.exchange.from_plugin(b"printed")
    wire.exchange.from_plugin(b'{"jsonrpc":"2.0","method":"bad \xff"}')
    assert wire.told() == [(2, 1)]
    assert len(wire.said) == 4


def test_a_watch_that_was_not_acknowledged_is_asked_for_again(wire: Between) -> None:
    wire.asks(2, "a/b")
    wire.asks(3, "subject/watch")
    wire.restart()
    wire.answers(1, {"capabilities": {}})
    assert wire.take()[-2:] == [(None, "initialized"), (3, "subject/watch")]
    wire.answers(3, {"watching": True})
    assert wire.told() == [(2, "a/b was not finished: because"), (3, {"watching": True})]


@pytest.mark.parametrize(
    ("method", "stop"),
    [
        ("subject/watch", {"watch_id": "3"}),
        ("task/watch", {"watch_id": 3}),
        ("subject/watch", {"id": 3}),
        ("trigger/watch", {"id": 3}),
    ],
)
def test_a_watch_begins_again_until_it_is_stopped(
    wire: Between, method: str, stop: dict[str, Any]
) -> None:
    wire.asks(3, method)
    wire.answers(3, {"watching": True})
    wire.told()
    for _ in range(2):
        wire.restart()
        wire.answers(1, {"capabilities": {}})
        assert wire.take()[-1] == (3, method)
        wire.answers(3, {"watching": True})
    assert wire.told() == [], "it was acknowledged once"
    wire.exchange.gone("crashed")
    wire.tells("subject/unwatch" if "watch_id" in stop else "$/cancelRequest", **stop)
    wire.exchange.started()
    wire.answers(1, {"capabilities": {}})
    assert (3, method) not in wire.take()


def test_a_stream_whose_end_hosts_know_is_told(wire: Between) -> None:
    wire.asks(3, "log_storage/tail")
    wire.answers(3, {"tailing": True})
    wire.take()
    wire.restart()
    wire.answers(1, {"capabilities": {}})
    assert (3, "log_storage/tail") not in wire.take()
    told = {"id": 3, "error": "log_storage/tail has ended: because"}
    assert wire.told() == [(3, {"tailing": True}), ("log_storage/event", told)]


def test_without_a_process_everything_is_answered_here(wire: Between) -> None:
    wire.asks(2, "a/b")
    wire.exchange.gone("it crashed")
    wire.exchange.stay_down()
    wire.asks(3, "a/b")
    wire.asks(4, "$/ping")
    wire.asks(5, "health/check")
    wire.tells("trigger/ack", event_id="e")
    wire.exchange.from_host(b"{")
    wire.asks(6, "shutdown")
    assert wire.told() == [
        (2, "a/b was not finished: it crashed"),
        (3, "it crashed"),
        (4, {}),
        (5, {"status": "unhealthy", "last_error": "it crashed"}),
        (None, "the frame is not JSON"),
        (6, {}),
    ]
    wire.exchange.started()
    wire.answers(1, {"capabilities": {}})
    assert wire.take()[-1] == (None, "trigger/ack")
    assert wire.exchange.state is State.UP


def test_signs_of_life_do_not_wait_for_a_restart(wire: Between) -> None:
    wire.exchange.leave("because")
    wire.asks(2, "a/b")
    wire.asks(3, "$/ping")
    wire.asks(4, "health/check")
    assert wire.told() == [(3, {}), (4, {"status": "degraded", "last_error": "because"})]


def test_a_greeting_that_is_refused_is_the_reason(wire: Between) -> None:
    wire.restart()
    wire.asks(2, "a/b")
    wire.answers(1, code=-32603, message="SyntaxError")
    assert wire.exchange.refused == "SyntaxError"
    wire.exchange.gone("SyntaxError")
    wire.exchange.stay_down()
    assert wire.told() == [(2, "SyntaxError")]


def test_a_first_greeting_goes_to_the_process_that_can_answer_it() -> None:
    wire = Between()
    wire.exchange.started()
    wire.asks(1, "initialize")
    wire.restart()
    assert wire.take()[-1] == (1, "initialize")
    wire.answers(1, {})
    assert wire.told() == [(1, {})]


def test_a_host_that_did_not_wait_for_the_greeting_is_greeted_whole_by_the_next_process() -> None:
    between = Between()
    between.exchange.started()
    between.asks(1, "initialize")
    between.tells("initialized")
    between.asks(2, "a/b")
    assert [method for _, method in between.take()] == ["initialize", "initialized", "a/b"]
    between.restart()
    assert [method for _, method in between.take()] == ["shutdown", "initialize", "initialized"]
    between.restart()  # and that one did not answer either
    assert [method for _, method in between.take()] == ["shutdown", "initialize", "initialized"]
    between.answers(1, {})
    between.restart()
    between.answers(1, {})
    assert [method for _, method in between.take()] == ["shutdown", "initialize", "initialized"]
    assert [about for about, _ in between.told()] == [2, 1]
