import importlib.util
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from croniter import croniter
from example_host import EXAMPLES, refused, served

from animus_routes.host import Plugin, PluginTimeoutError
from animus_routes.structs.plugin import TriggerWatchParams

CRON = [sys.executable, str(EXAMPLES / "trigger_cron.py")]
EVERY_SECOND = {"cron": "* * * * * *"}
NEVER = {"cron": "0 0 1 1 *"}


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(CRON, tmp_path) as plugin:
        yield plugin


def watch(plugin: Plugin, cursor: str | None = None, **triggers: dict[str, Any]) -> None:
    listed = [{"id": name, "config": config} for name, config in triggers.items()]
    params = {"triggers": listed, **({"cursor": cursor} if cursor else {})}
    assert plugin.call("trigger/watch", params) == {"watching": True}


def event(plugin: Plugin, timeout_s: float = 10) -> dict[str, Any]:
    params: dict[str, Any] = plugin.next_notification("trigger/event", timeout_s).params
    return params


def ago(**parts: float) -> str:
    return (datetime.now(UTC) - timedelta(**parts)).strftime("%Y-%m-%dT%H:%M:%SZ")


def state(project: Path) -> dict[str, str]:
    with closing(sqlite3.connect(project / ".animus" / "trigger-cron.sqlite3")) as db:
        return dict(db.execute("SELECT trigger_id, until FROM cron_ticks"))


def remember(project: Path, **until: str) -> None:
    """What 0.1.0 left behind."""
    file = project / ".animus" / "trigger-cron.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(until))


def test_ticks_come_on_time_in_order_each_with_its_own_id(plugin: Plugin) -> None:
    watch(plugin, secondly={**EVERY_SECOND, "missed": "all"})
    found = [event(plugin) for _ in range(3)]
    arrived = datetime.now(UTC)
    times = [datetime.fromisoformat(e["payload"]["scheduled_at"]) for e in found]
    assert [b - a for a, b in pairwise(times)] == [timedelta(seconds=1)] * 2
    assert timedelta(0) <= arrived - times[-1] < timedelta(seconds=5)
    for e in found:
        assert e["event_id"] == f"secondly@{e['payload']['scheduled_at']}"
        assert e["trigger_id"] == "secondly"
        assert e["payload"]["kind"] == "cron_tick"
        assert set(e) == {"event_id", "trigger_id", "payload"}


def test_an_acknowledged_tick_does_not_come_again_and_another_does(tmp_path: Path) -> None:
    with served(CRON, tmp_path) as plugin:
        watch(plugin, secondly={**EVERY_SECOND, "missed": "all"})
        first, second = event(plugin), event(plugin)
        plugin.notify("trigger/ack", {"event_id": first["event_id"], "status": "queued"})
        shutdown = {"event_id": second["event_id"], "status": "shutdown"}
        assert plugin.call("trigger/ack", shutdown)["acked"] is False
        plugin.kill()
    assert state(tmp_path)["secondly"] >= second["payload"]["scheduled_at"]
    with served(CRON, tmp_path) as plugin:
        watch(plugin, secondly={**EVERY_SECOND, "missed": "all"})
        assert event(plugin)["event_id"] == second["event_id"]


@pytest.mark.parametrize("missed", ["last", "all", "none"])
def test_a_tick_is_owed_whatever_was_acknowledged_after_it(tmp_path: Path, missed: str) -> None:
    with served(CRON, tmp_path) as plugin:
        watch(plugin, secondly={**EVERY_SECOND, "missed": missed}, other=NEVER)
        first, second, third = (event(plugin) for _ in range(3))
        for taken in (first, third):
            accepted = plugin.call("trigger/ack", {"event_id": taken["event_id"]})
            assert accepted["acked"] is True
        plugin.kill()
    with served(CRON, tmp_path) as plugin:
        watch(plugin, other=NEVER)  # whose it is not
        with pytest.raises(PluginTimeoutError):
            event(plugin, 0.2)
    with served(CRON, tmp_path) as plugin:
        watch(plugin, secondly={**EVERY_SECOND, "missed": missed})
        assert event(plugin) == second


def test_an_acknowledgement_is_also_taken_as_a_request(plugin: Plugin) -> None:
    watch(plugin, secondly=EVERY_SECOND)
    event_id = event(plugin)["event_id"]
    assert plugin.call("trigger/ack", {"event_id": event_id}) == {
        "event_id": event_id,
        "acked": True,
    }
    stranger = {"event_id": "other@2026-01-01T00:00:00Z", "status": "queued"}
    assert plugin.call("trigger/ack", stranger)["acked"] is False
    assert plugin.call("trigger/ack", {"event_id": "nothing"})["acked"] is False


@pytest.mark.parametrize(("missed", "count"), [("last", 1), ("all", 3), ("none", 0)])
def test_ticks_that_passed_while_nothing_ran_come_once(
    tmp_path: Path, missed: str, count: int
) -> None:
    half_an_hour_off = (datetime.now(UTC).minute + 30) % 60
    hourly = {"cron": f"{half_an_hour_off} * * * *", "missed": missed}
    remember(tmp_path, hourly=ago(hours=3))
    with served(CRON, tmp_path) as plugin:
        watch(plugin, hourly=hourly, secondly=EVERY_SECOND)
        found: list[dict[str, Any]] = []
        while not found or found[-1]["trigger_id"] == "hourly":
            found.append(event(plugin))
        late = [e for e in found if e["trigger_id"] == "hourly"]
        times = [e["payload"]["scheduled_at"] for e in late]
        assert len(late) == count
        assert times == sorted(times)
        for e in late:
            assert e["payload"]["late"] is True
            plugin.call("trigger/ack", {"event_id": e["event_id"], "status": "queued"})
    with served(CRON, tmp_path) as plugin:
        watch(plugin, hourly=hourly, secondly=EVERY_SECOND)
        assert event(plugin)["trigger_id"] == "secondly"


def test_a_year_of_missed_seconds_is_caught_up_with_the_newest_thousand(tmp_path: Path) -> None:
    remember(tmp_path, secondly=ago(days=365))
    with served(CRON, tmp_path) as plugin:
        watch(plugin, secondly={**EVERY_SECOND, "missed": "all"})
        times = [event(plugin)["payload"]["scheduled_at"] for _ in range(1000)]
    assert times == sorted(times)
    first, last = (datetime.fromisoformat(times[i]) for i in (0, -1))
    assert last - first == timedelta(seconds=999)


def test_a_cursor_of_the_host_is_over_what_is_remembered(tmp_path: Path) -> None:
    remember(tmp_path, minutely=ago(seconds=0))
    with served(CRON, tmp_path) as plugin:
        watch(plugin, cursor=ago(minutes=2), minutely={"cron": "* * * * *"})
        assert event(plugin)["trigger_id"] == "minutely"


def test_a_trigger_that_is_new_starts_now_and_is_remembered(tmp_path: Path) -> None:
    with served(CRON, tmp_path) as plugin:
        watch(plugin, yearly=NEVER)
        with pytest.raises(PluginTimeoutError):
            event(plugin, 0.2)
    assert datetime.now(UTC) - datetime.fromisoformat(state(tmp_path)["yearly"]) < timedelta(
        seconds=30
    )


def test_a_host_that_names_no_triggers_leaves_them_to_the_environment(tmp_path: Path) -> None:
    env = {
        "CRON_TRIGGERS": json.dumps({"secondly": EVERY_SECOND}),
        "CRON_STATE": str(tmp_path / "elsewhere.json"),
    }
    with served(CRON, tmp_path, env=env) as plugin:
        assert plugin.call("trigger/watch", {}) == {"watching": True}
        assert event(plugin)["trigger_id"] == "secondly"
    assert (tmp_path / "elsewhere.sqlite3").is_file()
    assert not (tmp_path / ".animus").exists()


def test_a_watch_for_nothing_is_quiet_and_ends_with_the_host(plugin: Plugin) -> None:
    assert plugin.call("trigger/watch", {}) == {"watching": True}
    assert plugin.call("$/ping") == {}
    assert plugin.shutdown() == 0
    assert "no triggers" in plugin.stderr_text()


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    with served(CRON, tmp_path_factory.mktemp("idle")) as plugin:
        yield plugin


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"cron": "61 * * * *"}, "61"),
        ({"cron": "0 0 30 2 *"}, "date"),
        ({"cron": "0 0 0 1 1 * 2100"}, "five fields"),
        ({"cron": "* * * * *", "timezone": "Mars/Base"}, "Mars"),
        ({"cron": "* * * * *", "timezone": "../../etc"}, "etc"),
        ({"cron": "* * * * *", "zone": "UTC"}, "unknown field"),
        ({}, "cron"),
    ],
)
def test_a_plan_that_cannot_be_followed_refuses_the_watch(
    idle: Plugin, config: dict[str, Any], said: str
) -> None:
    good = {"id": "good", "config": {"cron": "* * * * *"}}
    params = {"triggers": [good, {"id": "x", "config": config}]}
    error = refused(idle, "trigger/watch", params)
    assert (error.code, error.data["category"]) == (-32602, "invalid_request")
    assert error.message.startswith("trigger 'x': ")
    assert said in error.message


@pytest.mark.parametrize("cursor", [17, "9999-12-31T23:59:59Z"])
def test_a_cursor_from_which_nothing_can_go_on_refuses_the_watch(idle: Plugin, cursor: Any) -> None:
    params = {"cursor": cursor, "triggers": [{"id": "x", "config": EVERY_SECOND}]}
    assert refused(idle, "trigger/watch", params).code == -32602


def test_the_schema_says_what_the_plugin_does(idle: Plugin) -> None:
    assert idle.call("trigger/schema") == {
        "kinds": ["cron_tick"],
        "supports_resume": True,
        "supports_dedup": True,
        "supports_ack": True,
    }


@pytest.fixture(scope="module")
def cron() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trigger_cron", CRON[1])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def berlin(cron: ModuleType, expression: str, start: str, count: int) -> list[str]:
    plan = cron.Plan(expression, "Europe/Berlin")
    ticks = cron.ticks(plan, datetime.fromisoformat(start))
    return [next(ticks).strftime("%m-%d %H:%M") for _ in range(count)]


@pytest.mark.parametrize(
    ("expression", "start", "utc"),
    [
        ("30 2 * * *", "2026-03-28T00:00Z", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("30 2 * * *", "2026-10-24T00:00Z", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("30 * * * *", "2026-10-25T00:00Z", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
        ("0 30 2 * * *", "2026-10-24T00:00Z", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("@daily", "2026-03-28T00:00Z", ["03-28 23:00", "03-29 22:00", "03-30 22:00"]),
    ],
)
def test_a_time_zone_changes_its_clocks(
    cron: ModuleType, expression: str, start: str, utc: list[str]
) -> None:
    assert berlin(cron, expression, start, 3) == utc


def test_a_tick_is_due_at_its_own_moment_and_only_once(cron: ModuleType) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = cron.Schedule("x", cron.Plan("*/2 * * * * *"), start)
    assert schedule.due(start + timedelta(seconds=1)) == []
    assert schedule.due(start + timedelta(seconds=2)) == [start + timedelta(seconds=2)]
    assert schedule.due(start + timedelta(seconds=3)) == []


@pytest.mark.parametrize("known", [False, True])
def test_the_next_tick_of_a_trigger_is_looked_for_once(
    cron: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Also when there are more plans than are remembered."""
    configs = {f"t{minute}": {"cron": f"{minute} 3 1 1 *"} for minute in range(60)}
    if known:
        remember(tmp_path, **dict.fromkeys(configs, ago(minutes=1)))
    monkeypatch.setattr(cron, "next_tick", lru_cache(16)(cron.next_tick.__wrapped__))
    looked: list[str] = []

    def counted(expression: str, *args: Any, **options: Any) -> Any:
        looked.append(expression)
        return croniter(expression, *args, **options)

    monkeypatch.setattr(cron, "croniter", counted)
    state = cron.Kept(tmp_path / ".animus" / "trigger-cron.sqlite3")
    ctx = SimpleNamespace(state=state, wait=lambda _seconds: True)
    assert list(cron.watch(TriggerWatchParams(config=configs), ctx)) == []
    assert len(looked) == len(configs)
    state.outbox.close()
    state.database.close()


def test_ten_thousand_triggers_start_and_rest(tmp_path: Path) -> None:
    plans = {f"t{n}": {"cron": f"{n % 60} {n // 60 % 24} * * *"} for n in range(10_000)}
    with served(CRON, tmp_path) as plugin:
        soon = {"soon": {"cron": "* * * * * *"}}
        assert plugin.call("trigger/watch", {"config": {**plans, **soon}}) == {"watching": True}
        assert event(plugin)["trigger_id"] == "soon"
    assert len(state(tmp_path)) == 10_001
