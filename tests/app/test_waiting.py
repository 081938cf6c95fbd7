"""What waits ends with the request: `ctx.wait_for`, `ctx.on_cancel`; and `ctx.data_dir`."""

import asyncio
import multiprocessing
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from making import custom_app

from animus_routes import App, Cancelled, Context, RpcError, Timeout
from animus_routes.testing import TestClient

WAIT_S = 5.0


app_of = custom_app


SOURCES: dict[str, Any] = {
    "queue": queue.Queue,
    "lifo": queue.LifoQueue,
    "simple": queue.SimpleQueue,
    "event": threading.Event,
    "event of processes": multiprocessing.Event,
}


def streaming(source: Any, **options: Any) -> App:
    app = app_of()

    @app.method("x/follow", notification="x/item")
    def follow(ctx: Context) -> Iterator[Any]:
        while True:
            yield ctx.wait_for(source, **options)

    return app


@pytest.mark.parametrize("sort", ["queue", "lifo", "simple"])
def test_the_items_of_a_queue_are_what_is_waited_for(sort: str) -> None:
    source = SOURCES[sort]()
    with TestClient(streaming(source)) as client, client.stream("x/follow") as stream:
        for item in ("one", 2):
            source.put(item)
            assert next(stream)["event"] == item


def test_an_event_is_waited_for() -> None:
    source = threading.Event()
    with TestClient(streaming(source)) as client, client.stream("x/follow") as stream:
        source.set()
        assert next(stream)["event"] is True


@pytest.mark.parametrize("sort", SOURCES)
def test_a_wait_ends_with_its_request(sort: str) -> None:
    source, ended, begun = SOURCES[sort](), threading.Event(), threading.Event()
    app = app_of()

    @app.method("x/wait", concurrent=True)
    def wait(ctx: Context) -> None:
        begun.set()
        try:
            ctx.wait_for(source)
        except Cancelled:
            ended.set()
            raise

    with TestClient(app) as client:
        request = client.request("x/wait")
        assert begun.wait(WAIT_S)
        client.cancel(request)
        with pytest.raises(RpcError, match="cancelled"):
            client.reply(request)
        assert ended.wait(WAIT_S)


@pytest.mark.parametrize("sort", SOURCES)
def test_a_wait_can_be_bounded(sort: str) -> None:
    app = app_of()

    @app.method("x/wait")
    def wait(ctx: Context) -> None:
        ctx.wait_for(SOURCES[sort](), timeout_s=0.01)

    with TestClient(app) as client, pytest.raises(Timeout):
        client.call("x/wait")


@pytest.mark.parametrize("source", [3, asyncio.Queue(), asyncio.Event(), {}.values()])
def test_what_cannot_be_waited_for_is_refused(source: Any) -> None:
    app = app_of()

    @app.method("x/wait")
    def wait(ctx: Context) -> None:
        ctx.wait_for(source)

    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call("x/wait")
    assert "not a " in str(caught.value.__cause__)


def cancellable(*, late: bool) -> tuple[App, list[str], threading.Event]:
    app, told, begun = app_of(), list[str](), threading.Event()

    @app.method("x/block", concurrent=True)
    def block(ctx: Context) -> None:
        left = threading.Event()

        def fail() -> None:
            told.append("fails")
            raise OSError("it is gone")

        if late:
            begun.set()
            ctx.wait(WAIT_S)
        ctx.on_cancel(fail)
        ctx.on_cancel(lambda: told.append("taken back"))()
        ctx.on_cancel(lambda: told.append("told"))
        ctx.on_cancel(left.set)
        begun.set()
        told.append(f"left: {left.wait(WAIT_S)}")

    return app, told, begun


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_cancellation_calls_what_was_registered_before_and_after_it(
    late: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app, told, begun = cancellable(late=late)
    with TestClient(app) as client:
        request = client.request("x/block")
        assert begun.wait(WAIT_S)
        client.cancel(request)
        client.wait(lambda: not client.under_way(request), "end of the handler")
    taken_back = ["taken back"] if late else []  # too late for that
    assert told == ["fails", *taken_back, "told", "left: True"]
    assert "a function for the cancellation of x/block" in capfd.readouterr().err


def test_the_end_of_serving_is_a_cancellation() -> None:
    app, told, begun = cancellable(late=False)
    with TestClient(app) as client:
        client.request("x/block")
        assert begun.wait(WAIT_S)
    assert "told" in told


def test_a_folder_for_each_plugin_and_project_is_made_by_the_first_write(tmp_path: Path) -> None:
    app = app_of()

    @app.method("x/where")
    def where(ctx: Context) -> str:
        return str(ctx.data_dir)

    @app.method("x/read")
    def read(ctx: Context) -> list[bool]:
        file = ctx.data_dir / "a" / "b.txt"
        return [file.exists(), ctx.data_dir.is_dir(), any(ctx.data_dir.glob("*"))]

    @app.method("x/write")
    def write(ctx: Context, how: str) -> str:
        file = ctx.data_dir / how / "b.txt"
        if how == "text":
            file.write_text("kept", "utf-8")
        elif how == "bytes":
            file.write_bytes(b"kept")
        elif how == "append":
            with file.open("a", encoding="utf-8") as out:
                out.write("kept")
        elif how == "touch":
            file.touch()
        else:
            file.mkdir()
        return file.read_text("utf-8") if file.is_file() else "made"

    binding = {"project_binding": {"project_root": str(tmp_path)}}
    folder = tmp_path / ".animus" / "data" / "animus-custom-test"
    with TestClient(app, init_extensions=binding) as client:
        assert client.call("x/where") == str(folder)
        assert client.call("x/read") == [False, False, False]
        assert list(tmp_path.iterdir()) == []
        found = [client.call("x/write", {"how": h}) for h in ("text", "bytes", "append", "touch")]
        assert found == ["kept", "kept", "kept", ""]
        assert client.call("x/write", {"how": "folder"}) == "made"


def test_async_handlers_and_an_async_lifespan_share_one_loop() -> None:
    async def lifespan() -> AsyncIterator[asyncio.Queue[str]]:
        items: asyncio.Queue[str] = asyncio.Queue()
        await items.put("from the lifespan")
        yield items

    app = app_of(lifespan=lifespan)

    @app.method("x/take")
    async def take(ctx: Context[asyncio.Queue[str]]) -> str:
        return await ctx.state.get()

    @app.method("x/put")
    async def put(ctx: Context[asyncio.Queue[str]], text: str) -> None:
        await ctx.state.put(text)

    with TestClient(app) as client:
        assert client.call("x/take") == "from the lifespan"
        waiting = client.request("x/take")
        client.call("x/put", {"text": "from a handler"})
        assert client.reply(waiting) == "from a handler"


def test_a_wait_that_would_hold_up_the_loop_is_refused() -> None:
    app = app_of()

    @app.method("x/wait")
    async def wait(ctx: Context) -> None:
        ctx.wait_for(queue.Queue())

    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call("x/wait")
    assert "await a queue or an event of asyncio" in str(caught.value.__cause__)
