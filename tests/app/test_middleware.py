"""Middleware around every sort of handler."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from making import custom_app, refused

from animus_routes import (
    Context,
    RpcError,
    errors,
)
from animus_routes.handlers.scope import scope_of
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


def noting(name: str) -> Callable[..., Any]:
    def middleware(ctx: Context, call_next: Callable[..., Any]) -> Any:
        LOG.append(f"{name} before {ctx.method}")
        try:
            return call_next(ctx)
        finally:
            LOG.append(f"{name} after")

    return middleware


def test_plain_middleware_wraps_every_sort_of_handler_in_order() -> None:
    app = custom_app()
    app.middleware(noting("outer"))
    app.middleware(noting("inner"))

    @app.method("x/plain")
    def plain(a: int) -> int:
        return a

    @app.method("x/async")
    async def async_(a: int) -> int:
        await asyncio.sleep(0)
        return a

    @app.method("x/stream", notification="x/item")
    def stream(a: int) -> Iterator[int]:
        yield a

    @app.method("x/async_stream", notification="x/item")
    async def async_stream(a: int) -> AsyncIterator[int]:
        yield a

    with TestClient(app) as client:
        for method in ("x/plain", "x/async"):
            LOG.clear()
            assert client.call(method, {"a": 3}) == 3
            assert [
                f"outer before {method}",
                f"inner before {method}",
                "inner after",
                "outer after",
            ] == LOG
        for method in ("x/stream", "x/async_stream"):
            LOG.clear()
            assert [item["event"] for item in client.stream(method, {"a": 3})] == [3]
            assert LOG[0] == f"outer before {method}"


def test_middleware_may_answer_or_refuse_by_itself() -> None:
    app = custom_app()

    @app.middleware
    def guard(ctx: Context, call_next: Callable[..., Any]) -> Any:
        if ctx.params.get("who") == "nobody":
            raise errors.PermissionDenied("nobody may")
        return "cached" if ctx.params.get("who") == "cache" else call_next(ctx)

    @app.method("x/do")
    def handler(who: str) -> str:
        return who

    with TestClient(app) as client:
        assert client.call("x/do", {"who": "ada"}) == "ada"
        assert client.call("x/do", {"who": "cache"}) == "cached"
        assert refused(client, "x/do", {"who": "nobody"}).code == -32600


def test_async_middleware_wraps_async_handlers() -> None:
    app = custom_app()

    @app.middleware
    async def twice(ctx: Context, call_next: Callable[..., Any]) -> Any:
        return 2 * await call_next(ctx)

    @app.method("x/do")
    async def handler(a: int) -> int:
        return a

    with TestClient(app) as client:
        assert client.call("x/do", {"a": 4}) == 8


@pytest.mark.parametrize("late", [False, True])
def test_cancelling_reaches_an_async_handler_through_plain_middleware(
    late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the middleware's thread is about to wait for the handler."""
    app = custom_app()
    answered = Event()
    schedule = asyncio.run_coroutine_threadsafe

    def schedule_late(work: Any, loop: Any) -> Any:
        future = schedule(work, loop)
        assert answered.wait(5)
        return future

    if late:
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", schedule_late)
    app.middleware(noting("outer"))
    ended: list[str] = []

    @app.method("x/do")
    async def handler(ctx: Context) -> None:
        ctx.notify("x/started")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            scope_of(ctx).cancel()
            raise

    with TestClient(app) as client:
        request_id = client.request("x/do")
        client.next_notification("x/started")
        client.cancel(request_id)
        with pytest.raises(RpcError) as caught:
            client.reply(request_id)
        assert caught.value.code == -32002
        client.wait(lambda: ended, "cancelled handler")
        answered.set()
    assert ended == ["cancelled"]


def test_plain_middleware_bounds_no_number_of_async_calls() -> None:
    app = custom_app()
    app.middleware(noting("outer"))
    everybody = asyncio.Barrier(60)

    @app.method("x/do")
    async def handler() -> None:
        await everybody.wait()

    with TestClient(app) as client:
        for request_id in [client.request("x/do") for _ in range(60)]:
            assert client.reply(request_id) is None


def test_whatever_plain_middleware_raises_is_answered() -> None:
    app = custom_app()

    @app.middleware
    def stopping(ctx: Context, call_next: Callable[..., Any]) -> Any:
        raise StopIteration

    @app.method("x/do")
    async def handler() -> None:
        """Never called."""

    with TestClient(app) as client:
        assert refused(client, "x/do").code == -32603


def test_a_cancelled_call_is_not_begun_by_a_middleware_that_is_late() -> None:
    """Neither while the client is open nor when its loop is gone."""
    app = custom_app()
    answered, left, client_closed = Event(), Event(), Event()
    begun: list[str] = []

    @app.middleware
    def late(ctx: Context, call_next: Callable[..., Any]) -> Any:
        ctx.notify("x/started")
        try:
            for now in (answered, client_closed):
                assert now.wait(5)
                with suppress(CancelledError):
                    call_next(ctx)
        finally:
            left.set()

    @app.method("x/do")
    async def handler() -> None:
        begun.append("handler")

    with TestClient(app) as client:
        request_id = client.request("x/do")
        client.next_notification("x/started")
        client.cancel(request_id)
        with pytest.raises(RpcError, match="cancelled"):
            client.reply(request_id)
        client.wait(lambda: not client.under_way(request_id), "end of the call")
        answered.set()
    client_closed.set()
    assert left.wait(5)
    assert begun == []
