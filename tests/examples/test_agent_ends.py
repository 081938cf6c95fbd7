"""Providers of agents: whatever ends a run, nothing below it is left."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_fixtures import CODEX, GEMINI, HELLO, SESSION, WAIT_S, Kind, Provider, each

from animus_routes.batteries._processes import processes
from animus_routes.host import PluginProcess


@pytest.fixture
def provider(tmp_path: Path, kind: Kind) -> Iterator[Provider]:
    with Provider(kind, tmp_path).served() as provider:
        yield provider


def below(pid: int) -> set[int]:
    """Every process below another one."""
    table = processes()
    found, more = {pid}, True
    while more:
        next_ones = {n for n, seen in table.items() if seen.parent in found and not seen.ended}
        more = bool(next_ones - found)
        found |= next_ones
    return found - {pid}


def running(pids: set[int]) -> set[int]:
    table = processes()
    return {pid for pid in pids if pid in table and not table[pid].ended}


def gone(pids: set[int]) -> set[int]:
    """What is left of them after a while; nothing as soon as it is nothing."""
    until = time.monotonic() + WAIT_S
    while (left := running(pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


@contextmanager
def under_way(provider: Provider, case: str, **params: Any) -> Iterator[tuple[int, set[int]]]:
    """A run that has said something: its id, and every process below the plugin, its tool too."""
    request = provider.start(case, **params)
    provider.plugin.next_notification("agent/output", WAIT_S)
    pids = below(provider.plugin.pid)
    if provider.tool.exists():
        assert int(provider.tool.read_text("utf-8")) in pids
    yield request, pids
    assert gone(pids) == set()


def bring(plugin: PluginProcess, end: str) -> None:
    """End a plugin, in one of the ways that there are."""
    if end == "shutdown":
        plugin.call("shutdown")
        return
    if end == "end of input":
        plugin.close_stdin()
    elif end == "exit":
        plugin.notify("exit")
    else:
        os.kill(plugin.pid, signal.Signals[end])
    plugin.wait(WAIT_S)


@each
def test_a_cancelled_run_leaves_nothing(provider: Provider) -> None:
    for name in ("control-1", SESSION):  # the host's name for it, and the one that was learned
        with under_way(provider, "tool-runs") as (request, _):
            answer = provider.plugin.call("agent/cancel", {"session_id": name})
            assert answer == {"session_id": name, "cancelled": True}
            assert provider.failure(request).code == -32002
        assert provider.items()[-1]["message"] == "cancelled"
        provider.forget()
    assert provider.run("plain")["output"] == HELLO


@pytest.mark.parametrize("kind", [CODEX], ids=str)
def test_one_that_does_not_hear_is_killed_after_its_patience(provider: Provider) -> None:
    with under_way(provider, "deaf") as (request, _):
        asked = time.monotonic()
        provider.plugin.call("agent/cancel", {"session_id": "control-1"})
        provider.failure(request)
    assert time.monotonic() - asked >= 2


@each
def test_a_run_whose_time_is_over_leaves_nothing(provider: Provider) -> None:
    with under_way(provider, "polite", timeout_secs=2) as (request, _):
        failed = provider.failure(request)
    assert failed.data["category"] == "timeout"
    assert failed.data["session_id"] == SESSION
    told = provider.items()[-1]
    assert (told["method"], told["recoverable"]) == ("error", False)
    assert "ran for longer than 2 s" in told["message"]


@pytest.mark.parametrize("kind", [GEMINI], ids=str)
def test_a_cancelled_run_that_says_success_is_cancelled(provider: Provider) -> None:
    """On a SIGTERM, Gemini CLI ends with a line that says success, and exit code 0."""
    with under_way(provider, "polite") as (request, _):
        provider.plugin.call("agent/cancel", {"session_id": "control-1"})
        assert provider.failure(request).code == -32002


@pytest.mark.parametrize("kind", [CODEX], ids=str)
@pytest.mark.parametrize("end", ["end of input", "exit", "shutdown", "SIGTERM"])
def test_files_of_a_run_are_gone_with_the_plugin(provider: Provider, end: str) -> None:
    plugin = provider.plugin
    with under_way(provider, "deaf", response_schema={"type": "object"}):
        assert len([*provider.temporary.rglob("schema.json")]) == 1
        bring(plugin, end)
    assert [*provider.temporary.rglob("schema.json")] == []


@pytest.mark.parametrize("kind", [CODEX], ids=str)
@pytest.mark.parametrize("end", ["end of input", "exit", "shutdown", "SIGTERM", "SIGKILL"])
def test_the_end_of_the_plugin_leaves_nothing(provider: Provider, end: str) -> None:
    plugin = provider.plugin
    with under_way(provider, "deaf") as (_, pids):
        assert provider.tool.exists()
        bring(plugin, end)
        assert gone(pids) == set()


@pytest.mark.parametrize("kind", [CODEX], ids=str)
def test_runs_at_once_are_each_their_own(provider: Provider) -> None:
    count = 12
    requests = [
        provider.start("plain", control_session_id=f"control-{n}", env={"RUN": str(n)})
        for n in range(count)
    ]
    for request in requests:
        assert provider.plugin.reply(request, WAIT_S)["output"] == HELLO
