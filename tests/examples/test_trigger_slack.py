import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served
from slack_endpoint import TOKEN, WAIT_S, Workspace, workspace

from animus_routes.host import Plugin, PluginTimeoutError

SLACK = [sys.executable, str(EXAMPLES / "trigger_slack.py")]
BOT = "UBOT"
TS = "1795662390.000100"
Fields = dict[str, Any]
NUMBERS = count(100)


@pytest.fixture
def slack() -> Iterator[Workspace]:
    with workspace() as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Plugin, Any]]:
    """A plugin that is connected, for what leaves it as it was."""
    triggers = '{"ask": {}, "all": {"on": ["message"], "channels": ["C1", "C2"]}}'
    env = {"SLACK_TRIGGERS": triggers, "SLACK_FILTER_CHANNELS": "C1, C3, D1"}
    with workspace() as found, opened(tmp_path_factory.mktemp("slack"), found, **env) as plugin:
        watch(plugin)
        yield found, plugin, found.socket()


def opened(project: Path, slack: Workspace, **env: str) -> Any:
    mine = {
        "SLACK_APP_TOKEN": TOKEN,
        "SLACK_API_BASE": slack.base,
        "SLACK_PING_S": "2",
    }  # 8 s of silence end a connection
    return served(SLACK, project, env={**mine, **env})


def watch(plugin: Plugin, **params: Any) -> int:
    request = plugin.request("trigger/watch", params)
    assert plugin.reply(request) == {"watching": True}
    return request


def event(plugin: Plugin, timeout_s: float = 15) -> Fields:
    params: Fields = plugin.next_notification("trigger/event", timeout_s).params
    return params


def quiet(plugin: Plugin) -> bool:
    with pytest.raises(PluginTimeoutError):
        event(plugin, 0.3)
    return True


def until_told(plugin: Plugin, word: str) -> str:
    """The status, once the health says a word."""
    end = time.monotonic() + WAIT_S
    while word not in (health := plugin.call("health/check")).get("last_error", ""):
        assert time.monotonic() < end, health
    status: str = health["status"]
    return status


def mention(ts: str = TS, **fields: Any) -> Fields:
    """What Slack tells of one."""
    said = {"type": "app_mention", "user": "U1", "text": f"<@{BOT}> go", "ts": ts, "channel": "C1"}
    bot = {"enterprise_id": None, "team_id": "T1", "user_id": BOT, "is_bot": True}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": f"Ev{ts}{fields.get('type', '')}",
        "authorizations": [bot],
        "event": {**said, "event_ts": ts, **fields},
    }


def message(ts: str = TS, **fields: Any) -> Fields:
    return mention(ts, **{"type": "message", "text": "hi", "channel_type": "channel", **fields})


def test_a_mention_is_told_confirmed_and_told_once(slack: Workspace, tmp_path: Path) -> None:
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        socket = slack.socket()
        sent = mention(thread_ts="1.000001")
        assert slack.deliver(socket, sent) == 1
        found = event(plugin)
        assert found == {
            "event_id": f"slack:T1/C1/{TS}",
            "action_hint": "create_task",
            "payload": {
                **sent["event"],
                "kind": "slack.mention",
                "team_id": "T1",
                "occurred_at": "2026-11-26T03:06:30.000100Z",
            },
        }
        assert slack.deliver(socket, sent) == 1  # a confirmation that was lost
        assert plugin.call("health/check")["status"] == "healthy"
        plugin.call("trigger/ack", {"event_id": found["event_id"], "status": "queued"})
        assert slack.deliver(socket, sent) == 1
        assert quiet(plugin)


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (message("1.000001"), ["@all"]),
        (message("2.000001", channel="C2"), []),
        (message("3.000001", channel="C3"), []),
        (mention("4.000001", channel="C3"), ["@ask"]),
        (message("5.000001", channel="D1", channel_type="im"), ["@ask"]),
        (message("6.000001", subtype="file_share"), ["@all"]),
        (message("7.000001", text=f"so <@{BOT}>?"), ["@ask"]),
        (mention("8.000001", bot_id="B1"), []),
        (message("9.000001", user=BOT), []),
        (message("10.000001", subtype="message_changed"), []),
        (message("11.000001", subtype="bot_message", user=None), []),
        (mention("12.000001", type="reaction_added"), []),
        ({"type": "event_callback"}, []),
        ({"team_id": "T1", "event": {"type": "message", "user": "U", "ts": "x", "channel": 1}}, []),
    ],
)
def test_what_people_say_starts_what_wants_it_and_all_is_confirmed(
    shared: tuple[Workspace, Plugin, Any], payload: Any, names: list[str]
) -> None:
    slack, plugin, socket = shared
    assert slack.deliver(socket, payload) == 1
    assert slack.deliver(socket, mention(f"{next(NUMBERS)}.99", channel="D1")) == 1
    for name in names:
        found = event(plugin)
        assert found["event_id"].endswith(name)
        assert found["trigger_id"] == name[1:]
        assert "action_hint" not in found
    assert event(plugin)["event_id"].endswith(".99@ask")


def test_a_mention_that_comes_as_a_message_too_is_one(
    shared: tuple[Workspace, Plugin, Any],
) -> None:
    slack, plugin, socket = shared
    for payload in (message("20.1", text=f"<@{BOT}> go"), mention("20.1"), message("21.1")):
        slack.deliver(socket, payload)
    assert [event(plugin)["event_id"] for _ in range(2)] == [
        "slack:T1/C1/20.1@ask",
        "slack:T1/C1/21.1@all",
    ]


def test_frames_that_nobody_understands_cost_nothing(shared: tuple[Workspace, Plugin, Any]) -> None:
    slack, plugin, socket = shared
    for text in ("nonsense", "[]", "{", "{}", '{"type": "events_api"}', '{"type": 1}', "[" * 5000):
        socket.send(text)
    socket.ping()
    slack.send(socket, {"command": "/x"}, "slash_commands")
    assert slack.deliver(socket, mention("30.1")) == 1
    assert event(plugin)["event_id"] == "slack:T1/C1/30.1@ask"


def test_what_was_confirmed_is_told_after_a_kill(slack: Workspace, tmp_path: Path) -> None:
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        socket = slack.socket()
        for n in range(5):
            assert slack.deliver(socket, mention(f"4{n}.1")) == 1
        first = event(plugin)["event_id"]
        assert plugin.call("trigger/ack", {"event_id": first, "status": "queued"})["acked"]
        plugin.kill()
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        assert slack.deliver(slack.socket(), mention("44.1")) == 1
        names = [event(plugin)["event_id"] for _ in range(4)]
        assert names == [f"slack:T1/C1/4{n}.1" for n in range(1, 5)]
        assert quiet(plugin)


def test_what_cannot_be_kept_is_not_confirmed_and_comes_again(
    slack: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / ".animus" / "data" / "animus-trigger-slack" / "messages.sqlite3"
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        socket = slack.socket()
        assert slack.deliver(socket, mention("60.1")) == 1
        with closing(sqlite3.connect(file)) as db:
            db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT raise(ABORT, 'full'); END"
            )
            assert not slack.send(socket, mention("60.2")).wait(0.5)
            db.execute("DROP TRIGGER full")
        assert slack.deliver(socket, mention("60.2")) == 1
        assert [event(plugin)["event_id"][-4:] for _ in range(2)] == ["60.1", "60.2"]


def test_a_connection_is_replaced_before_it_ends_and_after(
    slack: Workspace, tmp_path: Path
) -> None:
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        first = slack.socket()
        slack.disconnect(first, "warning")
        second = slack.socket()
        assert slack.deliver(second, mention("50.1")) == 1
        second.close()
        third = slack.socket()
        assert slack.deliver(third, mention("50.2")) == 1
        assert [event(plugin)["event_id"][-4:] for _ in range(2)] == ["50.1", "50.2"]
        assert len(slack.opened_at) == 3


def test_one_that_is_closed_again_and_again_is_asked_for_with_pauses(
    slack: Workspace, tmp_path: Path
) -> None:
    slack.hangs_up = True
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        for _ in range(2):
            slack.socket()
        slack.hangs_up = False
        assert slack.deliver(slack.socket(), mention()) == 1
        gaps = [b - a for a, b in zip(slack.opened_at, slack.opened_at[1:], strict=False)]
        assert gaps[1] >= 1.0


@pytest.mark.parametrize(
    ("answer", "at_least_s"),
    [
        ((429, {"Retry-After": "1"}, {"ok": False, "error": "ratelimited"}), 1.0),
        ((503, {}, {}), 0.0),
        ((429, {"Retry-After": "Thu, 26 Nov 2026 03:06:30 GMT"}, {"error": "ratelimited"}), 0.0),
        ((429, {"Retry-After": "soon"}, {"error": "ratelimited"}), 0.0),
        ((200, {}, {"ok": True}), 0.0),
        ((0, {}, {}), 0.0),
    ],
)
def test_a_refusal_that_may_pass_is_waited_out(
    slack: Workspace, tmp_path: Path, answer: Any, at_least_s: float
) -> None:
    slack.answers.put(answer)
    with opened(tmp_path, slack) as plugin:
        watch(plugin)
        assert slack.deliver(slack.socket(), mention()) == 1
        assert event(plugin)["event_id"].startswith("slack:")
        assert slack.opened_at[1] - slack.opened_at[0] >= at_least_s


@pytest.mark.parametrize("why", ["503", "refused"])
def test_why_an_address_leads_nowhere_is_told_and_the_next_one_is_tried(
    slack: Workspace, tmp_path: Path, why: str
) -> None:
    address = slack.address
    if why == "503":
        slack.refuses = 503
    else:
        slack.address = "ws://127.0.0.1:1"
    with opened(tmp_path, slack, SLACK_PING_S="0.2") as plugin:
        watch(plugin)
        assert until_told(plugin, why) == "degraded"
        slack.refuses, slack.address = None, address
        assert slack.deliver(slack.socket(), mention()) == 1
        assert plugin.call("health/check")["status"] == "healthy"


@pytest.mark.parametrize("problem", ["invalid_auth", "switched off"])
def test_what_asking_again_does_not_change_is_not_asked_again_and_unhealthy(
    slack: Workspace, tmp_path: Path, problem: str
) -> None:
    if problem == "invalid_auth":
        slack.answers.put((200, {}, {"ok": False, "error": problem}))
    with opened(tmp_path, slack) as plugin:
        plugin.request("trigger/watch", {})
        if problem != "invalid_auth":
            slack.disconnect(slack.socket(), "link_disabled")
        assert until_told(plugin, problem) == "unhealthy"
        assert plugin.next_notification("trigger/event", 15).params["error"]
        plugin.shutdown()
        assert problem in plugin.stderr_text()
        assert TOKEN not in plugin.stderr_text()
    assert len(slack.opened_at) == 1


def test_nobody_there_is_unhealthy_and_a_watch_that_ends_lets_go(
    slack: Workspace, tmp_path: Path
) -> None:
    with opened(tmp_path, slack, SLACK_API_BASE="http://127.0.0.1:1/api") as plugin:
        request = watch(plugin)
        assert until_told(plugin, "cannot be reached") == "degraded"
        plugin.notify("$/cancelRequest", {"id": request})
        plugin.shutdown()


def test_what_is_missing_or_cannot_be_understood_is_named(slack: Workspace, tmp_path: Path) -> None:
    with opened(tmp_path, slack, SLACK_APP_TOKEN="") as plugin:
        assert "SLACK_APP_TOKEN" in refused(plugin, "trigger/watch", {}).message
    with opened(tmp_path, slack, SLACK_TRIGGERS='{"a": {"on": ["shout"]}}') as plugin:
        assert "'shout'" in refused(plugin, "trigger/watch", {}).message
    assert slack.opened_at == []
    assert not (tmp_path / ".animus").exists()
