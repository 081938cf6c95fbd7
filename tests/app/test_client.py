"""The test client itself, and the context as handlers see it."""

from __future__ import annotations

import _thread
import asyncio
import gc
import itertools
import os
import re
import weakref
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, full_app, subject

from animus_routes import ConfigurationError, Context, Depends, NotFound, RpcError
from animus_routes.testing import Notification, TestClient

if TYPE_CHECKING:
    from collections.abc import Generator

    from animus_routes import App


@pytest.fixture
def app() -> App:
    app = custom_app()

    @app.method("x/echo")
    def echo(params: dict[str, Any]) -> dict[str, Any]:
        return params

    @app.method("x/count", notification="x/number")
    def count(to: int, ctx: Context) -> Generator[int, None, str]:
        yield from range(to)
        return "counted"

    @app.method("x/forever", notification="x/number")
    def forever(ctx: Context) -> Iterator[int]:
        try:
            yield 0
            while not ctx.wait(60):
                yield 1
        finally:
            ctx.app.notes.append("finally")  # type: ignore[attr-defined]

    @app.method("x/tell")
    async def tell(ctx: Context, again: int = 1) -> int:
        for number in range(again):
            ctx.notify("x/told", {"number": number})
            ctx.progress({"done": number})
            await asyncio.sleep(0)
        return again

    app.notes = []  # type: ignore[attr-defined]
    return app


def test_a_call_goes_through_json(app: App) -> None:
    with TestClient(app) as client:
        assert client.call("x/echo", {"a": (1, 2)}) == {"a": [1, 2]}


def test_calls_work_in_async_tests(app: App) -> None:
    async def several(client: TestClient) -> list[Any]:
        return list(await asyncio.gather(*(client.acall("x/tell", {"again": n}) for n in (1, 2))))

    with TestClient(app) as client:
        assert asyncio.run(several(client)) == [1, 2]


def test_notifications_are_collected_in_order(app: App) -> None:
    with TestClient(app) as client:
        client.call("x/tell", {"again": 2})
        request_id = client._last_id
        assert client.next_notification("x/told", after=1).params == {"number": 1}
        assert client.notifications == [
            Notification("x/told", {"number": 0}),
            Notification("$/progress", {"id": request_id, "value": {"done": 0}}),
            Notification("x/told", {"number": 1}),
            Notification("$/progress", {"id": request_id, "value": {"done": 1}}),
        ]


def test_a_stream_gives_its_items_and_then_its_result(app: App) -> None:
    with TestClient(app) as client:
        stream = client.stream("x/count", {"to": 3})
        assert [item["event"] for item in stream] == [0, 1, 2]
        assert stream.result == "counted"
        assert stream.result == "counted"


def test_two_streams_keep_their_items_apart(app: App) -> None:
    with TestClient(app) as client:
        first, second = client.stream("x/count", {"to": 2}), client.stream("x/count", {"to": 3})
        assert [item["event"] for item in second] == [0, 1, 2]
        assert [item["event"] for item in first] == [0, 1]


def test_a_stream_is_cancelled_at_the_end_of_its_block(app: App) -> None:
    with TestClient(app) as client:
        with client.stream("x/forever") as stream:
            assert next(stream)["event"] == 0
        with pytest.raises(RpcError) as caught:
            list(stream)
    assert caught.value.code == -32002
    assert app.notes == ["finally"]  # type: ignore[attr-defined]


def test_a_refused_stream_says_why(app: App) -> None:
    with TestClient(app) as client, pytest.raises(RpcError, match="to: Field required"):
        next(client.stream("x/count"))


def test_what_does_not_come_is_told_with_what_did(app: App) -> None:
    with TestClient(app, timeout_s=0.02) as client:
        client.call("x/tell")
        with pytest.raises(TimeoutError, match=r"no notification x/other within 0.02 s.*x/told"):
            client.next_notification("x/other")
        with pytest.raises(TimeoutError, match="no answer to request 99"):
            client.reply(99)
        with client.stream("x/forever") as stream:
            next(stream)
            with pytest.raises(TimeoutError, match="no next item of x/forever"):
                next(stream)


def test_a_client_that_is_not_open_says_so(app: App) -> None:
    with pytest.raises(RuntimeError, match="with TestClient"):
        TestClient(app).call("x/echo")


def resources() -> tuple[int, int]:
    """Threads and file descriptors of this process."""
    return _thread._count(), len(os.listdir("/dev/fd"))  # noqa: PTH208


def left_over(before: tuple[int, int]) -> bool:
    return any(now > then for now, then in zip(resources(), before, strict=True))


def test_a_client_leaves_no_thread_and_no_descriptor_behind() -> None:
    """A test suite opens hundreds of them."""
    app = custom_app()
    ended: list[str] = []

    @app.method("x/async")
    async def on_the_loop() -> None:
        async def background() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("background")

        app.kept = asyncio.create_task(background())  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    @app.method("x/pool", concurrent=True)
    def on_the_pool() -> None:
        """Nothing."""

    before = resources()
    for _ in range(20):
        with TestClient(app) as client:
            client.call("x/async")
            client.call("x/pool")
    deadline = monotonic() + 5
    while left_over(before) and monotonic() < deadline:
        os.sched_yield()
    assert not left_over(before)
    assert len(ended) == 20


FAILURES = {"x/value": ValueError, "x/key": KeyError, "x/async": OSError, "x/stream": TypeError}


def failing_app() -> App:
    app = custom_app(concurrency=2)

    def failing(kind: type[Exception]) -> Any:
        def fail() -> None:
            raise kind("failed")

        return fail

    app.method("x/value")(failing(ValueError))
    app.method("x/key", concurrent=True)(failing(KeyError))

    @app.method("x/async")
    async def later() -> None:
        raise OSError("failed")

    @app.method("x/stream", notification="x/item")
    def stream() -> Iterator[int]:
        yield from failing(TypeError)()

    @app.method("x/refuse")
    def refuse() -> None:
        raise NotFound("gone")

    @app.method("x/unwritable")
    def unwritable() -> Any:
        return {1: object()}

    @app.notification("x/told")
    def told() -> None:
        raise RuntimeError("nobody asked")

    return app


@pytest.mark.parametrize("order", list(itertools.permutations(FAILURES))[::5])
def test_the_cause_is_that_of_the_request_that_is_asked_for(order: tuple[str, ...]) -> None:
    with TestClient(failing_app()) as client:
        asked = {method: client.request(method) for method in order}
        client.notify("x/told")
        unwritable, refused = client.request("x/unwritable"), client.request("x/refuse")
        client.notify("x/told")
        for method in sorted(asked):
            with pytest.raises(RpcError) as caught:
                client.reply(asked[method])
            assert type(caught.value.__cause__) is FAILURES[method]
        with pytest.raises(RpcError) as caught:
            client.reply(unwritable)
        assert "written as JSON" in str(caught.value.__cause__)
        with pytest.raises(NotFound) as missing:
            client.reply(refused)
        assert missing.value.__cause__ is None


def test_an_error_that_no_code_of_the_authors_raised_has_no_cause() -> None:
    with TestClient(failing_app()) as client:
        with pytest.raises(RpcError):
            client.call("x/value")
        with pytest.raises(RpcError) as caught:
            client.call("x/unknown")
        assert caught.value.__cause__ is None


def test_an_app_with_problems_is_refused_at_once() -> None:
    app = custom_app()
    app.method("initialize")(lambda: None)
    with pytest.raises(ConfigurationError, match="on_initialize"):
        TestClient(app)


def test_a_result_that_no_host_can_decode_is_refused() -> None:
    app = full_app()
    app.method("subject/next")(lambda: subject("1", status="open"))
    with TestClient(app) as client, pytest.raises(TypeError, match=r"\$\.status"):
        client.call("task/next")
    with TestClient(app, check_results=False) as client:
        assert client.call("task/next")["status"] == "open"


def test_the_context_knows_its_request_and_session() -> None:
    app = custom_app(lifespan=lambda: iter(["state"]))

    @app.method("x/do")
    def handler(request: Context) -> dict[str, Any]:
        return {
            "id": request.id,
            "method": request.method,
            "kind": request.kind,
            "params": request.params,
            "actor": request.actor,
            "state": request.state,
            "host": request.host["name"],
            "root": request.project_root,
            "scope": request.repo_scope,
            "cancelled": request.cancelled or request.wait(0),
        }

    binding = {"project_root": "/p", "repo_scope": "s"}
    with TestClient(app, init_extensions={"project_binding": binding}) as client:
        actor = {"user_id": "ada"}
        assert client.call("x/do", {"actor": actor}) == {
            "id": client._last_id,
            "method": "x/do",
            "kind": None,
            "params": {"actor": actor},
            "actor": actor,
            "state": "state",
            "host": "animus-routes-test",
            "root": "/p",
            "scope": "s",
            "cancelled": False,
        }


def test_the_context_shows_what_is_documented_and_nothing_else() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(ctx: Context) -> list[str]:
        return [name for name in dir(ctx) if not name.startswith("_")]

    with TestClient(app) as client:
        shown = client.call("x/do")
    assert Context.__doc__ is not None
    assert shown == sorted(set(re.findall(r"`([a-z_]+)`", Context.__doc__)))


def opened(ctx: Context) -> Iterator[str]:
    yield ctx.method


def test_a_context_goes_with_its_request() -> None:
    """No circle of references holds it until the garbage collector comes by."""
    app = custom_app()
    made: list[weakref.ref[Context]] = []

    def handler(ctx: Context, it: Annotated[str, Depends(opened)]) -> None:
        made.append(weakref.ref(ctx))

    async def handler_async(ctx: Context, it: Annotated[str, Depends(opened)]) -> None:
        made.append(weakref.ref(ctx))

    app.method("x/inline")(handler)
    app.method("x/pool", concurrent=True)(handler)
    app.method("x/async")(handler_async)
    gc.disable()
    try:
        with TestClient(app) as client:
            for method in ("x/inline", "x/pool", "x/async"):
                client.call(method)
                client.wait(lambda: made[-1]() is None, f"end of the context of {method}")
    finally:
        gc.enable()
    assert len(made) == 3


@pytest.mark.parametrize("binding", [None, "odd", {"project_root": ""}])
def test_the_working_directory_stands_in_for_a_missing_root(binding: Any) -> None:
    from pathlib import Path

    app = custom_app()

    @app.method("x/do")
    def handler(ctx: Context) -> list[Any]:
        return [ctx.project_root, ctx.repo_scope, ctx.actor]

    with TestClient(app, init_extensions={"project_binding": binding}) as client:
        assert client.call("x/do", {"actor": "odd"}) == [str(Path.cwd()), None, None]


def test_log_writes_one_line_and_knows_its_levels(capfd: pytest.CaptureFixture[str]) -> None:
    app = custom_app()
    loud: Any = "loud"

    @app.method("x/do")
    def handler(ctx: Context) -> None:
        ctx.log("info", "done", count=3, name="a b")
        ctx.log(loud, "hello")

    with TestClient(app) as client:
        client.call("x/do")
    told = capfd.readouterr().err
    assert "x/do: done count=3 name='a b'\n" in told
    assert (
        "ctx.log: the level is one of trace, debug, info, warn, error, warning, not 'loud'" in told
    )
    assert " INFO  x/do: hello\n" in told


def test_warning_is_another_spelling_of_warn(capfd: pytest.CaptureFixture[str]) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(ctx: Context) -> None:
        ctx.log("warning", "low on disk")

    with TestClient(app) as client:
        client.call("x/do")
    assert " WARN  x/do: low on disk\n" in capfd.readouterr().err


def test_a_notification_over_the_hosts_cap_is_refused_to_its_author() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(ctx: Context) -> None:
        with pytest.raises(ValueError, match="bytes"):
            ctx.notify("x/big", {"text": "x" * (9 << 20)})

    with TestClient(app) as client:
        client.call("x/do")
        assert client.notifications == []


def test_the_fixture_starts_and_ends_clients(animus_client: Any, app: App) -> None:
    client = animus_client(app)
    assert client.call("x/echo", {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("animus", "animus"),
        ({"command": "/bin/animus"}, "/bin/animus"),
        ({"path": "/bin/animus"}, "/bin/animus"),
        (None, None),
        ({"other": 1}, None),
        (5, None),
    ],
)
def test_the_hosts_memory_server_is_named_in_either_form(given: Any, command: str | None) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(ctx: Context) -> list[Any]:
        return [ctx.memory_mcp_command, ctx.project_binding]

    extensions = {"memory_mcp_stdio_command": given, "project_binding": {"project_root": "/p"}}
    with TestClient(app, init_extensions=extensions) as client:
        assert client.call("x/do") == [command, {"project_root": "/p"}]
