"""What issues_linear and issues_jira make of limits, outages, torn answers and silence."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import jira_server
import linear_server
import pytest
from example_apps import example
from example_host import EXAMPLES, refused, served
from tracker_faults import Fault, answer, silent, torn, written

from animus_routes import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RpcError,
    Unavailable,
)
from animus_routes.host import Plugin


class Tracker(NamedTuple):
    """A system on the loopback, and the example that is connected to it."""

    kind: str
    server: Callable[[], AbstractContextManager[Any]]
    token: str
    env: dict[str, str]
    url: str
    one: Callable[[Any], object]

    def __str__(self) -> str:
        return self.kind


def one_issue(workspace: Any) -> None:
    workspace.issue(workspace.team("ENG"), "there")


LINEAR = Tracker(
    "linear",
    linear_server.linear,
    linear_server.TOKEN,
    {"LINEAR_API_TOKEN": linear_server.TOKEN, "LINEAR_TIMEOUT_S": "5"},
    "LINEAR_API_URL",
    one_issue,
)
JIRA = Tracker(
    "jira",
    jira_server.jira,
    jira_server.TOKEN,
    {
        "JIRA_API_TOKEN": jira_server.TOKEN,
        "JIRA_EMAIL": jira_server.EMAIL,
        "JIRA_PROJECTS": "ENG",
        "JIRA_TIMEOUT_S": "5",
    },
    "JIRA_URL",
    lambda site: site.issue("ENG", "there"),
)
both = pytest.mark.parametrize("tracker", [LINEAR, JIRA], ids=str)


@contextmanager
def connected(tracker: Tracker) -> Iterator[tuple[Any, Plugin]]:
    """Each case has a process of its own: after an outage it keeps quiet for a while."""
    command = [sys.executable, str(EXAMPLES / f"issues_{tracker.kind}.py")]
    with tracker.server() as system:
        tracker.one(system)
        env = {**tracker.env, tracker.url: system.url}
        with served(command, Path(), env=env) as plugin:
            yield system, plugin
            assert tracker.token not in written(plugin)


def limited(code: str = "RATELIMITED") -> Fault:
    """Linear's answer over a limit: not 429, and two budgets with an end each."""
    extensions = {"code": code, "type": "ratelimited", "statusCode": 400}
    body = {"errors": [{"message": "Rate limit exceeded", "extensions": extensions}]}
    return answer(400, body, **linear_server.headers(remaining=0, reset_s=600))


def in_a_minute() -> str:
    return (datetime.now(UTC) + timedelta(seconds=600)).isoformat()


REFUSED: list[tuple[Tracker, Callable[[], Fault], str, int, tuple[int, int] | None]] = [
    (LINEAR, limited, "quota_exceeded", -32603, (590, 601)),
    (
        LINEAR,
        lambda: answer(429, {"errors": []}, **{"retry-after": "7"}),
        "quota_exceeded",
        -32603,
        (7, 7),
    ),
    (JIRA, lambda: answer(429, b"", **{"retry-after": "7"}), "quota_exceeded", -32603, (7, 7)),
    (
        JIRA,
        lambda: answer(
            429, b"", **{"x-ratelimit-remaining": "0", "x-ratelimit-reset": in_a_minute()}
        ),
        "quota_exceeded",
        -32603,
        (590, 601),
    ),
    (JIRA, lambda: answer(503, b"", **{"retry-after": "9"}), "unavailable", -32603, (9, 9)),
]


@pytest.mark.parametrize(("tracker", "fault", "category", "code", "wait_s"), REFUSED)
def test_a_limit_says_when_to_come_back_and_nothing_is_asked_until_then(
    tracker: Tracker,
    fault: Callable[[], Fault],
    category: str,
    code: int,
    wait_s: tuple[int, int],
) -> None:
    with connected(tracker) as (system, plugin):
        system.faults.append(fault())
        error = refused(plugin, f"{tracker.kind}/list", {})
        assert (error.code, error.data["category"]) == (code, category)
        assert wait_s[0] <= error.data["retry_after_s"] <= wait_s[1]
        assert f"; retry in {error.data['retry_after_s']} s" in error.message
        asked = len(system.asked)
        for method in ("list", "get", "next", "update", "create"):
            params = {"id": "ENG-1", "title": "x", "patch": {"title": "x"}}
            again = refused(plugin, f"{tracker.kind}/{method}", params)
            assert again.data["category"] == category
        health = plugin.call("health/check")
        assert (health["status"], "retry in" in health["last_error"]) == ("degraded", True)
        assert len(system.asked) == asked


OUTAGES: list[tuple[Fault, str]] = [
    (answer(502, b"<html><h1>Bad gateway</h1></html>"), "answered 502"),
    (torn, "cannot be reached"),
    (answer(200, b"<html>Log in</html>"), "something else"),
    (answer(200, {"data": {"issue": 3}, "id": 3}), "something else"),
    (answer(200, b""), "something else"),
]


@both
def test_an_outage_is_told_and_goes_by(tracker: Tracker) -> None:
    with connected(tracker) as (system, plugin):
        for fault, said in OUTAGES:
            system.faults.append(fault)
            error = refused(plugin, f"{tracker.kind}/get", {"id": "ENG-1"})
            assert (error.code, error.data["category"]) == (-32603, "unavailable")
            assert said in error.message
            assert until_answered(plugin, tracker)["title"] == "there"
        system.faults.append(OUTAGES[0][0])
        health = plugin.call("health/check")
        assert (health["status"], "answered 502" in health["last_error"]) == ("degraded", True)


def until_answered(plugin: Plugin, tracker: Tracker) -> Any:
    """Calls when the error says so; the pause is a second or two."""
    for _ in range(5):
        answered = plugin.request(f"{tracker.kind}/get", {"id": "ENG-1"})
        try:
            return plugin.reply(answered)
        except Exception as error:  # noqa: BLE001 - the last one is the test's failure
            time.sleep(getattr(error, "data", {}).get("retry_after_s", 1))
    raise AssertionError("it did not go by")


@both
def test_silence_is_told_in_time_and_ping_is_answered_meanwhile(tracker: Tracker) -> None:
    over = threading.Event()
    name = f"{tracker.kind.upper()}_TIMEOUT_S"
    with connected(tracker._replace(env={**tracker.env, name: "3"})) as (system, plugin):
        until_answered(plugin, tracker)
        system.faults.append(silent(over))
        waiting = plugin.request(f"{tracker.kind}/get", {"id": "ENG-1"})
        assert plugin.call("$/ping") == {}
        with pytest.raises(Exception, match="did not answer in time") as caught:
            plugin.reply(waiting)
        over.set()
        assert getattr(caught.value, "data", {})["category"] == "unavailable"


@both
def test_a_wrong_token_is_denied_and_never_shown(tracker: Tracker) -> None:
    name = "LINEAR_API_TOKEN" if tracker is LINEAR else "JIRA_API_TOKEN"
    wrong = "lin_api_wrong-and-secret"
    other = tracker._replace(env={**tracker.env, name: wrong}, token=wrong)
    with connected(other) as (system, plugin):
        error = refused(plugin, f"{tracker.kind}/list", {})
        assert (error.code, error.data["category"]) == (-32600, "permission_denied")
        assert wrong not in error.message
        assert plugin.call("health/check")["status"] == "unhealthy"
        assert system.unauthorized == 2


@both
def test_without_settings_it_starts_and_names_them(tracker: Tracker) -> None:
    other = tracker._replace(env={})
    with connected(other) as (_, plugin):
        error = refused(plugin, f"{tracker.kind}/list", {})
        wanted = "LINEAR_API_TOKEN" if tracker is LINEAR else "JIRA_PROJECTS"
        assert (error.data["category"], wanted in error.message) == ("unavailable", True)
        health = plugin.call("health/check")
        assert (health["status"], wanted in health["last_error"]) == ("unhealthy", True)


@both
def test_a_status_map_that_makes_no_sense_is_named_by_the_call(tracker: Tracker) -> None:
    name = f"{tracker.kind.upper()}_STATUS_MAP"
    with connected(tracker._replace(env={**tracker.env, name: '{"QA": "nearly"}'})) as (_, plugin):
        message = refused(plugin, f"{tracker.kind}/list", {}).message
        assert name in message


def errors(message: str, data: Any = None, **extensions: Any) -> bytes:
    body = {"data": data, "errors": [{"message": message, "extensions": extensions}]}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (errors("Entity not found: Issue", code="INPUT_ERROR"), NotFound, "Entity not found"),
        (errors("no", code="INPUT_ERROR"), InvalidRequest, "Linear says: no"),
        (errors("no", type="invalid input"), InvalidRequest, "Linear says: no"),
        (errors("no", code="FORBIDDEN"), PermissionDenied, "Linear says: no"),
        (errors("no", code="INTERNAL_SERVER_ERROR"), Unavailable, "Linear says: no"),
        (errors("no", code="SOMETHING_NEW"), Unavailable, "Linear says: no"),
        (errors("no", code=7, type=[]), Unavailable, "Linear says: no"),
        (errors("slow down", type="ratelimited"), QuotaExceeded, "slow down"),
        (
            errors("internal", code="INPUT_ERROR", userPresentableMessage="Say a title"),
            InvalidRequest,
            "Say a title",
        ),
        (errors("half of it", {"issue": None}), Unavailable, "half of it"),
    ],
)
def test_errors_come_with_status_200_too(text: bytes, kind: type[RpcError], said: str) -> None:
    error = example("issues_linear").refusal(200, {}, text)
    assert type(error) is kind
    assert said in error.message


@pytest.mark.parametrize(("requests_s", "complexity_s"), [(60, 600), (600, 60)])
def test_over_a_limit_the_later_of_two_budgets_counts(requests_s: int, complexity_s: int) -> None:
    told = {"x-ratelimit-requests-remaining": "0", "x-ratelimit-complexity-remaining": "9"}
    for name, wait_s in (("requests", requests_s), ("complexity", complexity_s)):
        told[f"x-ratelimit-{name}-reset"] = str(int((time.time() + wait_s) * 1000))
    refusal = example("issues_linear").refusal
    error = refusal(400, told, errors("slow down", code="RATELIMITED"))
    assert 590 <= error.data["retry_after_s"] <= 601
    error = refusal(400, {**told, "retry-after": "7"}, errors("no", code="RATELIMITED"))
    assert error.data["retry_after_s"] == 7


def test_pages_that_do_not_go_on_are_an_error_and_no_loop() -> None:
    def repeated(handler: Any) -> bool:
        """Every page has another one after it, which is the same."""
        handler.linear.asked.append(handler.body["operationName"])
        ends = {"hasNextPage": True, "endCursor": "always"}
        handler.send(200, {"data": {"workflowStates": {"nodes": [], "pageInfo": ends}}})
        return True

    with connected(LINEAR) as (system, plugin):
        system.faults.extend([repeated] * 5)
        error = refused(plugin, "linear/schema", {})
        assert "pages do not go on" in error.message
        assert system.asked == ["States", "States"]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"errors": 3}', b'{"data": {}}', b"\xff", b"{"])
def test_what_is_no_error_is_none(text: bytes) -> None:
    assert example("issues_linear").refusal(200, {}, text) is None


def test_a_creation_whose_answer_is_lost_is_found() -> None:
    def lost(handler: Any) -> bool:
        """It is done, and the answer does not arrive."""
        handler.linear.answer(handler.body)
        return torn(handler)

    with connected(LINEAR) as (system, plugin):
        system.faults.extend([lambda _: False, lost])
        made = plugin.call("linear/create", {"title": "once"})
        assert made["id"] == "linear:ENG-2"
        assert [issue["title"] for issue in system.issues] == ["there", "once"]
        system.faults.extend([lambda _: False, torn])
        error = refused(plugin, "linear/create", {"title": "not at all"})
        assert error.data["category"] == "unavailable"
        assert len(system.issues) == 2


def test_what_was_created_at_jira_is_no_error_if_it_cannot_be_read() -> None:
    with connected(JIRA) as (system, plugin):
        for number, status in enumerate((404, 403, 503), 2):
            system.faults.extend([lambda _: False, answer(status, b"")])
            made = plugin.call("jira/create", {"title": "once", "labels": ["l"]})
            wanted = (f"jira:ENG-{number}", "once", ["l"])
            assert (made["id"], made["title"], made["labels"]) == wanted
        assert len(system.issues) == 4
        assert "ENG-4 was created, and then" in written(plugin)


def test_what_was_created_at_linear_is_no_error_if_it_cannot_be_read_on() -> None:
    with connected(LINEAR) as (system, plugin):
        names = [system.label(f"l{number}")["name"] for number in range(20)]
        gone = answer(200, errors("Entity not found: Issue"))
        system.faults.extend([*[lambda _: False] * 3, gone])
        made = plugin.call("linear/create", {"title": "once", "labels": names})
        assert (made["id"], len(made["labels"])) == ("linear:ENG-2", 15)
        assert system.asked[-1] == "Create"
        assert "ENG-2 was created, and then" in written(plugin)


def test_what_linear_did_not_do_is_an_error() -> None:
    with connected(LINEAR) as (system, plugin):
        for name, method, params in (
            ("issueDelete", "delete", {}),
            ("commentCreate", "update", {"patch": {"comment": "x"}}),
            ("issueUpdate", "update", {"patch": {"title": "x"}}),
        ):
            undone = answer(200, {"data": {name: {"success": False, "issue": None}}})
            until_answered(plugin, LINEAR)
            system.faults.extend([lambda _: False, undone])
            error = refused(plugin, f"linear/{method}", {"id": "ENG-1", **params})
            assert (error.data["category"], "did not do it" in error.message) == (
                "unavailable",
                True,
            ), name
            assert not system.faults
