"""GitHub's issues while others are at work: pages, watches, webhooks, limits, outages."""

import http.client
import json
import random
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_apps import example
from example_host import refused, served
from github_calls import COMMAND, ids, listed, variables
from github_server import TOKEN, Answer, GitHub, error

from animus_routes.batteries.signatures import SCHEMES, signature
from animus_routes.host import Plugin

pytest_plugins = ["github_fixtures"]

WAIT_S = 20.0
MANY = 1000
SECRET = "It's a Secret to Everybody"


# Lists, while others change them ---------------------------------------------------------------------


class Others:
    """People who are at work between any two requests; `untouched` are issues that they leave alone."""

    def __init__(self, there: GitHub) -> None:
        self.there = there
        self.chance = random.Random(7)
        self.untouched = set(range(1, MANY + 1, 3))

    def __call__(self) -> None:
        for _ in range(self.chance.choice([0, 0, 8])):
            number = self.chance.randrange(1, MANY + 1)
            if number in self.untouched:
                continue
            act = self.chance.choice(["close", "open", "relabel", "delete", "add"])
            if act == "add":
                self.there.add(labels=["bug"])
            elif number not in self.there.repos["o/r"]:
                continue
            elif act == "delete":
                del self.there.repos["o/r"][number]
            elif act == "relabel":
                self.there.change(number, labels=self.chance.choice([["bug"], []]))
            else:
                self.there.change(number, state="closed" if act == "close" else "open")


@pytest.mark.parametrize("counted", [False, True], ids=["cursors", "page numbers"])
@pytest.mark.parametrize(
    "query", [{}, {"status": ["ready"], "labels_all": ["bug"], "limit": 37}], ids=["all", "some"]
)
def test_of_a_thousand_issues_none_is_lost_and_none_comes_twice(
    plugin: Plugin, there: GitHub, counted: bool, query: dict[str, Any]
) -> None:
    for number in range(MANY):
        there.add(labels=["bug"], same_second=number % 7 > 0)
    there.counted = counted
    there.between = others = Others(there)
    found = listed(plugin, **query)
    numbers = [int(name.partition("#")[2]) for name in ids(found)]
    assert len(numbers) == len(set(numbers))
    assert others.untouched - set(numbers) == set()
    assert MANY // 3 < len(numbers) <= len(there.repos["o/r"]) + MANY // 3


@pytest.mark.parametrize("counted", [False, True], ids=["cursors", "page numbers"])
def test_a_cursor_outlives_the_issues_that_it_has_passed(
    plugin: Plugin, there: GitHub, counted: bool
) -> None:
    for _ in range(250):
        there.add()
    there.counted = counted
    page = plugin.call("github/list", {"limit": 220, "status": ["ready"]})
    for number in range(1, 201):
        there.close(number)
    rest = {"cursor": page["next_cursor"], "status": ["ready"]}
    assert ids(listed(plugin, **rest)) == [f"o/r#{number}" for number in range(221, 251)]


def test_what_has_not_changed_costs_nothing_and_a_page_is_read_once(
    plugin: Plugin, there: GitHub
) -> None:
    for _ in range(150):
        there.add()
    listed(plugin)
    left, asked = there.left, len(there.asked)
    assert len(listed(plugin)) == 150
    assert there.left == left
    assert {one.status for one in there.asked[asked:]} == {304}


@pytest.mark.parametrize("cursor", ["", "x", "bnVsbA", "eyJyZXBvIjoieC95In0", "eyJyZXBvIjoxfQ"])
def test_a_cursor_of_another_list_is_refused(plugin: Plugin, cursor: str) -> None:
    assert refused(plugin, "github/list", {"cursor": cursor}).data["category"] == "invalid_request"


def test_a_long_way_to_a_match_is_gone_in_parts(plugin: Plugin, there: GitHub) -> None:
    for _ in range(MANY):
        there.add(
            same_second=True,
            pull_request=dict.fromkeys(("diff_url", "html_url", "patch_url", "url"), "x"),
        )
    there.add()
    assert ids(listed(plugin)) == ["o/r#1001"]


# Watches -------------------------------------------------------------------------------------------


def told(plugin: Plugin) -> tuple[Any, ...]:
    event = plugin.next_notification("subject/changed", WAIT_S).params["event"]
    more = (event.get("previous_native_status"), event.get("previous_dispatch_label"))
    return (event["id"].partition("#")[2], event["change_kind"], *more)


def until(ready: Callable[[], Any]) -> None:
    end = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_watch_tells_what_happens_and_asks_for_what_is_new(tmp_path: Path, there: GitHub) -> None:
    there.add()
    there.add(labels=["in review"])
    env = variables(there, POLL_S="0.05")
    with served(COMMAND, tmp_path, env=env) as plugin:
        plugin.call("subject/watch", {"kind": "github"})
        until(lambda: len(there.told("GET", "since=")) > 1)
        there.change(1, title="New title")
        assert told(plugin) == ("1", "updated", None, None)
        there.change(1, title="Of the same second", same_second=True)
        assert told(plugin) == ("1", "updated", None, None)
        there.change(2, labels=["in-progress"])
        assert told(plugin) == ("2", "dispatch-label-changed", "in review", "code-review")
        there.close(2)
        assert told(plugin) == ("2", "status-changed", "in-progress", None)
        there.add(pull_request=dict.fromkeys(("diff_url", "html_url", "patch_url", "url"), "x"))
        there.add()
        assert told(plugin) == ("4", "created", None, None)
        with there.lock:
            del there.repos["o/r"][1]
        assert told(plugin) == ("1", "deleted", None, None)
        plugin.shutdown()
        assert TOKEN not in plugin.stderr_text()
    unchanged = [one.status for one in there.told("GET", "since=")]
    assert unchanged.count(304) > 2


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def deliver(port: int, event: str, body: Any, *, secret: str = SECRET, id: str = "1") -> int:
    text = json.dumps(body, separators=(",", ":")).encode()
    headers = {
        "x-github-event": event,
        "x-github-delivery": id,
        "x-hub-signature-256": signature(SCHEMES["github"], secret, text),
        "content-type": "application/json",
    }
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as connection:
        connection.request("POST", "/", text, headers)
        return connection.getresponse().status


def test_a_webhook_makes_a_watch_ask_at_once(tmp_path: Path, there: GitHub) -> None:
    there.add()
    port = free_port()
    env = variables(there, WEBHOOK_SECRET=SECRET, WEBHOOK_PORT=str(port), POLL_S="3600")
    with served(COMMAND, tmp_path, env=env) as plugin:
        plugin.call("subject/watch")
        until(lambda: len(there.told("GET", "o/two")) == 2)
        there.close(1)
        assert deliver(port, "issues", {"action": "closed"}, secret="wrong") == 401
        assert len(there.told("GET", "o/two")) == 2
        assert deliver(port, "issues", {"action": "closed"}) == 200
        assert told(plugin) == ("1", "status-changed", "open", None)
        asked = len(there.asked)
        assert deliver(port, "issues", {"action": "closed"}) == 200  # sent again
        with there.lock:
            del there.repos["o/r"][1]
        assert deliver(port, "issues", {"action": "deleted"}, id="2") == 200
        assert told(plugin) == ("1", "deleted", None, None)
        assert len(there.asked) - asked <= 3
        with served(COMMAND, tmp_path, env=env) as second:
            second.call("subject/watch")
            until(lambda: "found by asking alone" in second.stderr_text())
        plugin.shutdown()
        assert SECRET not in plugin.stderr_text()


@pytest.mark.parametrize(
    ("body", "is_gone"),
    [
        (b'{"action":"deleted"}', True),
        (b'{ "action": "transferred" }', True),
        (b"payload=%7B%22action%22%3A%22deleted%22%7D", True),
        (b'{"action":"edited","issue":{"body":"\\"action\\":\\"deleted\\""}}', False),
        (b"payload=", False),
        (b"[1]", False),
        (b"\xff", False),
        (b"[" * 5000, False),
    ],
)
def test_a_delivery_says_whether_an_issue_is_gone(body: bytes, is_gone: bool) -> None:
    assert example("issues_github").is_gone(body) is is_gone


def test_what_the_host_changes_itself_is_told_at_once(tmp_path: Path, there: GitHub) -> None:
    with served(COMMAND, tmp_path, env=variables(there, POLL_S="3600")) as plugin:
        plugin.call("subject/watch")
        until(lambda: len(there.told("GET", "o/two")) == 2)
        plugin.call("github/create", {"title": "New"})
        assert told(plugin) == ("1", "created", None, None)
        plugin.call("github/status", {"id": "github:o/r#1", "status": "blocked"})
        assert told(plugin) == ("1", "status-changed", "open", None)


def test_a_port_without_a_secret_is_not_listened_on(tmp_path: Path, there: GitHub) -> None:
    port = free_port()
    with served(COMMAND, tmp_path, env=variables(there, WEBHOOK_PORT=str(port))) as plugin:
        plugin.call("subject/watch")
        until(lambda: "not listened on without a secret" in plugin.stderr_text())
        with pytest.raises(ConnectionRefusedError):
            deliver(port, "issues", {})


# Limits, outages, and what is never said -----------------------------------------------------------


def torn(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[{"id": ')


SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes"
REFUSALS: dict[str, tuple[Answer, str, int | None]] = {
    "primary": (
        error(
            403,
            "API rate limit exceeded for user ID 1.",
            headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "77"},
        ),
        "quota_exceeded",
        77,
    ),
    "secondary": (error(403, SECONDARY, headers={"retry-after": "41"}), "quota_exceeded", 41),
    "secondary without a time": (error(403, SECONDARY), "quota_exceeded", 60),
    "too many": (error(429, "Slow down", headers={"retry-after": "5"}), "quota_exceeded", 5),
    "down": (error(503, "Service unavailable"), "unavailable", 1),
    "torn": (Answer(200, raw=torn), "unavailable", 1),
    "gone away": (Answer(200, raw=lambda _: None), "unavailable", 1),
    "no rights": (error(403, "Resource not accessible by token"), "permission_denied", None),
    "bad token": (error(401, "Bad credentials"), "permission_denied", None),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_told_with_its_time_and_not_repeated(
    tmp_path: Path, there: GitHub, name: str
) -> None:
    answer, category, wait_s = REFUSALS[name]
    there.respond = lambda *_: answer
    with served(COMMAND, tmp_path, env=variables(there)) as plugin:
        problems = [refused(plugin, "github/list") for _ in range(5)]
        first = problems[0]
        assert (first.data["category"], first.data.get("retry_after_s")) == (category, wait_s)
        assert -32700 <= first.code <= -32600
        assert {problem.data["category"] for problem in problems} == {category}
        if wait_s is not None:
            assert len(there.asked) == 1
            assert "retry in" in plugin.call("health/check")["last_error"]
        plugin.shutdown()
        said = plugin.stderr_text() + "".join(problem.message for problem in problems)
        assert TOKEN not in said


def test_after_an_outage_it_goes_on(tmp_path: Path, there: GitHub) -> None:
    there.add()
    there.respond = lambda *_: error(502, "Bad gateway")
    with served(COMMAND, tmp_path, env=variables(there)) as plugin:
        assert refused(plugin, "github/list").data["retry_after_s"] == 1
        there.respond = lambda *_: None
        until(lambda: plugin.call("health/check")["status"] == "healthy")
        there.respond = lambda *_: error(502, "Bad gateway")
        health = plugin.call("health/check")
        assert (health["status"], "answered 502" in health["last_error"]) == ("degraded", True)
        there.respond = lambda *_: None
        until(lambda: plugin.call("health/check")["status"] == "healthy")
        assert ids(listed(plugin)) == ["o/r#1"]
        assert plugin.call("health/check")["status"] == "healthy"


def test_a_server_without_limits_is_healthy_if_its_issues_can_be_read(
    plugin: Plugin, there: GitHub
) -> None:
    def unlimited(_method: str, target: str, _body: Any) -> Answer | None:
        is_it = target == "/rate_limit"
        return error(404, "Rate limiting is not enabled.") if is_it else None

    there.respond = unlimited
    assert plugin.call("health/check")["status"] == "healthy"
    del there.repos["o/r"]
    assert plugin.call("health/check")["status"] == "unhealthy"


def test_while_github_hangs_the_wire_is_live_and_the_end_in_time(
    tmp_path: Path, there: GitHub
) -> None:
    def hang(connection: socket.socket) -> None:
        connection.settimeout(WAIT_S)
        connection.recv(1)

    there.respond = lambda *_: Answer(200, raw=hang)
    with served(COMMAND, tmp_path, env=variables(there)) as plugin:
        plugin.request("github/list")
        until(lambda: there.asked)
        assert plugin.call("$/ping") is not None
        assert plugin.call("github/schema")["kinds"] == ["github"]
        began = time.monotonic()
        plugin.close_stdin()
        plugin.wait(WAIT_S)
        assert time.monotonic() - began < WAIT_S


@pytest.mark.parametrize("token", ["ghp_line\nbreak", "ghp_ümlaut"])
def test_a_token_that_no_header_can_have_is_not_shown(
    tmp_path: Path, there: GitHub, token: str
) -> None:
    with served(COMMAND, tmp_path, env=variables(there, TOKEN=token)) as plugin:
        problem = refused(plugin, "github/list")
        plugin.shutdown()
        assert token not in problem.message + plugin.stderr_text()
        assert token[-5:] not in problem.message + plugin.stderr_text()


def test_a_line_break_behind_a_token_does_no_harm(tmp_path: Path, there: GitHub) -> None:
    with served(COMMAND, tmp_path, env=variables(there, TOKEN=f"{TOKEN}\n")) as plugin:
        assert listed(plugin) == []
