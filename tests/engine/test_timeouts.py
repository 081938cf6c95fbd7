"""`@app.method(..., timeout_s=)`: the host gets its answer in time, and the call is cancelled."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from animus_routes import App, ConfigurationError, Context, RpcError, Timeout
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLUGIN = """
import sys, threading
from animus_routes import App, Context

app = App(kind="custom", name="slow", version="1.0.0", description="d")

@app.method("x/slow", timeout_s=0.2)
def slow(ctx: Context):
    ended = ctx.wait(20)
    print("cancelled", ended, threading.current_thread() is threading.main_thread(), file=sys.stderr)
    return "late"

@app.method("x/quick", timeout_s=20)
def quick():
    return "in time"

if __name__ == "__main__":
    app.run()
"""


def test_a_plain_handler_of_the_main_thread_is_answered_in_time_and_told(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(PLUGIN)
    with Plugin.start([sys.executable, str(tmp_path / "slow.py")]) as plugin:
        plugin.initialize()
        with pytest.raises(RpcError) as caught:
            plugin.call("x/slow", timeout_s=10)
        assert (caught.value.code, caught.value.message) == (
            -32603,
            "x/slow took longer than 0.2 s",
        )
        assert caught.value.data == {"category": "timeout"}
        assert plugin.call("x/quick") == "in time"
        assert plugin.unclaimed_ids == []
    assert "cancelled True True\n" in plugin.stderr_text()


def custom() -> App:
    return App(kind="custom", name="slow", version="1.0.0", description="d", concurrency=2)


def test_a_handler_on_a_thread_is_answered_in_time_and_told() -> None:
    app, ended = custom(), threading.Event()

    @app.method("x/slow", timeout_s=0.05)
    def slow(ctx: Context) -> str:
        if ctx.wait(20):
            ended.set()
        return "late"

    with TestClient(app) as client:
        with pytest.raises(Timeout, match="x/slow took longer than"):
            client.call("x/slow")
        assert ended.wait(5)


def test_an_async_handler_is_answered_in_time_and_cancelled() -> None:
    app, ended = custom(), threading.Event()

    @app.method("x/slow", timeout_s=0.05)
    async def slow() -> str:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            ended.set()
            raise
        return "late"

    with TestClient(app) as client:
        with pytest.raises(Timeout, match="x/slow took longer than"):
            client.call("x/slow")
        assert ended.wait(5)


def test_a_stream_ends_when_its_time_is_over() -> None:
    app, ended = custom(), threading.Event()

    @app.method("x/count", notification="x/counted", timeout_s=0.2)
    def count(ctx: Context) -> Iterator[int]:
        try:
            yield 1
            ctx.wait(20)
        finally:
            ended.set()

    with TestClient(app) as client:
        stream = client.stream("x/count")
        assert next(stream)["event"] == 1
        with pytest.raises(Timeout):
            next(stream)
        assert ended.wait(5)


@pytest.mark.parametrize("as_async", [False, True])
def test_what_is_done_in_time_is_the_result(*, as_async: bool) -> None:
    app = custom()

    def quick() -> int:
        return 1

    async def quick_async() -> int:
        return 1

    function: Callable[..., Any] = quick_async if as_async else quick
    app.method("x/quick", timeout_s=20)(function)
    with TestClient(app) as client:
        assert [client.call("x/quick"), client.call("x/quick")] == [1, 1]


@pytest.mark.parametrize("limit", [0, -1, "5", True])
def test_a_limit_that_is_none_is_told(limit: Any) -> None:
    app = custom()
    app.method("x/do", timeout_s=limit)(lambda: None)
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    (problem,) = caught.value.problems
    assert problem.endswith(f"'x/do': timeout_s={limit!r} is not a number of seconds above 0")
