"""A blocking call in an async function is seen: on stderr, with its line, and in the health."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from engine_host import INSTALLED, PLUGINS, WAIT_S, ping_s, stderr_with, switches

from animus_routes.engine import watch
from animus_routes.host import Plugin

FILE = PLUGINS / "blocked.py"
BLOCKED = [sys.executable, str(FILE)]
LINE = 1 + next(
    number for number, line in enumerate(FILE.read_text().splitlines()) if "line that" in line
)
LINES = f"(?:{LINE - 1}|{LINE})"  # it looks for the file in the line before
SAID = rf"the event loop has been blocked for \d+\.\d s by {re.escape(str(FILE))}:{LINES} in block"


@contextmanager
def started(**env: str) -> Iterator[Plugin]:
    with Plugin.start(BLOCKED, env={**INSTALLED, **env}) as plugin:
        plugin.initialize()
        yield plugin


def health(plugin: Plugin) -> dict[str, Any]:
    found: dict[str, Any] = plugin.call("health/check", timeout_s=WAIT_S)
    return found


@pytest.mark.parametrize("method", ["x/block", "x/background"])
@pytest.mark.parametrize("how", ["", "quick"])
def test_what_blocks_the_loop_is_told_with_its_line(tmp_path: Path, method: str, how: str) -> None:
    free = tmp_path / "free"
    with started(HOW=how) as plugin:
        assert health(plugin)["status"] == "healthy"
        request = plugin.request(method, {"until": str(free)})
        text = stderr_with(plugin, "the event loop has been blocked")
        assert re.search(f"animus-routes: {SAID}: until it ends no async function runs; ", text)
        found = health(plugin)
        assert found["status"] == "degraded"
        assert re.fullmatch(SAID, found["last_error"])
        assert plugin.call("x/plain") == "plain"
        ping_s(plugin)
        free.touch()
        assert plugin.reply(request, WAIT_S) in {"free", "started"}
        stderr_with(plugin, "animus-routes: the event loop runs again, after ")
        assert health(plugin)["status"] == "healthy"
        assert plugin.stderr_text().count("has been blocked") == 1


def test_a_lifespan_that_blocks_the_loop_is_told(tmp_path: Path) -> None:
    free = tmp_path / "free"
    env = {**INSTALLED, "HOW": "lifespan", "UNTIL": str(free)}
    with Plugin.start(BLOCKED, env=env) as plugin:
        greeting = {"protocol_version": "1.1.0", "host_info": {"name": "animus", "version": "1"}}
        request = plugin.request("initialize", greeting)
        assert re.search(SAID, stderr_with(plugin, "has been blocked"))
        free.touch()
        assert plugin.reply(request, WAIT_S)["plugin_info"]["name"] == "blocked"


def test_an_async_health_check_that_takes_long_is_answered_in_its_place() -> None:
    with started(HOW="health") as plugin:
        found = health(plugin)
        assert found["status"] == "degraded"
        slow = r"a handler of health/check has been running for 1\.\d s"
        assert re.fullmatch(slow, found["last_error"])
        assert plugin.call("x/wait", {"seconds": 0}) == "waited"


def test_a_health_check_that_a_blocked_loop_holds_up_is_answered(tmp_path: Path) -> None:
    free = tmp_path / "free"
    with started(HOW="quick") as plugin:
        request = plugin.request("x/block", {"until": str(free)})
        found = health(plugin)
        assert found["status"] == "degraded"
        assert re.fullmatch(rf"{SAID}|a handler of health/check has been .*", found["last_error"])
        free.touch()
        assert plugin.reply(request, WAIT_S) == "free"
        # The check itself may have come through the loop a moment before that is seen.
        deadline = monotonic() + WAIT_S
        while health(plugin)["status"] != "healthy":
            assert monotonic() < deadline


def test_a_loop_that_waits_is_not_blocked() -> None:
    with started() as plugin:
        assert plugin.call("x/wait", {"seconds": 2.5}) == "waited"
        assert health(plugin)["status"] == "healthy"
        assert "event loop" not in plugin.stderr_text()


def test_nobody_looks_at_a_loop_that_only_keeps_a_lifespan() -> None:
    with started() as plugin:
        assert plugin.call("x/wait", {"seconds": 0}) == "waited"
        changed = plugin._inbox._changed
        with changed:
            changed.wait_for(lambda: False, 1.5)  # it parks soon after the last request
            before = switches(plugin.pid)
            changed.wait_for(lambda: False, 2.0)
        assert switches(plugin.pid) == before


def test_a_plugin_with_a_blocked_loop_ends_in_time(tmp_path: Path) -> None:
    with started() as plugin:
        plugin.request("x/block", {"until": str(tmp_path / "never")})
        stderr_with(plugin, "has been blocked")
        start = monotonic()
        plugin.close_stdin()
        plugin.wait(WAIT_S)
        assert monotonic() - start < WAIT_S


@pytest.mark.parametrize(("seen_free", "began"), [(100.0, 100.0), (100.25, 100.375)])
def test_the_time_counts_from_when_it_began_and_not_from_when_it_was_found(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    seen_free: float,
    began: float,
) -> None:
    clock, asked = [100.0], list[Any]()
    monkeypatch.setattr(watch, "monotonic", lambda: clock[0])
    monkeypatch.setattr(watch, "start_thread", lambda _: None)
    monkeypatch.setattr(watch, "_waits", lambda _: clock[0] == seen_free)
    loop: Any = SimpleNamespace(call_soon_threadsafe=asked.append)
    eye: Any = watch.Watch(loop, get_ident(), lambda: True)
    while not eye.reason:
        clock[0] += watch.GLANCE_S
        eye._look()
    since_s = clock[0] - began
    assert 1.0 <= since_s < 1.0 + watch.GLANCE_S
    assert eye.reason.startswith(f"the event loop has been blocked for {since_s:.1f} s by ")
    (alive,) = asked
    clock[0] += 0.5
    alive()
    assert f"the event loop runs again, after {since_s + 0.5:.1f} s" in capfd.readouterr().err
