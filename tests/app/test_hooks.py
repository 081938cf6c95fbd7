"""What runs around handlers: dependencies, lifespan, initialize, health, errors, middleware."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, full_app, refused

from animus_routes import (
    App,
    Context,
    Depends,
    InvalidRequest,
    NotFound,
    Router,
    RpcError,
    Unavailable,
    errors,
)
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


# Dependencies -------------------------------------------------------------------------------------


def settings(ctx: Context) -> str:
    LOG.append("settings")
    return f"settings of {ctx.method}"


def database(given: Annotated[str, Depends(settings)]) -> Iterator[str]:
    LOG.append("open")
    try:
        yield f"database with {given}"
    except ValueError as error:
        LOG.append(f"saw {error}")
        raise
    finally:
        LOG.append("close")


Database = Annotated[str, Depends(database)]


def test_dependencies_nest_are_made_once_and_closed_after_the_reply() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(
        a: int, db: Database, again: Database, given: Annotated[str, Depends(settings)]
    ) -> list[Any]:
        LOG.append("handler")
        return [a, db, again == db, given]

    with TestClient(app) as client:
        answer = client.call("x/do", {"a": 1})
        assert LOG == ["settings", "open", "handler", "close"]
        client.call("x/do", {"a": 1})
    assert answer == [1, "database with settings of x/do", True, "settings of x/do"]
    assert LOG.count("settings") == 2


def test_a_dependency_sees_the_handlers_exception() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(db: Database) -> None:
        raise ValueError("boom")

    with TestClient(app) as client:
        assert refused(client, "x/do").code == -32603
    assert LOG == ["settings", "open", "saw boom", "close"]


async def async_database() -> AsyncIterator[str]:
    LOG.append("open")
    yield "database"
    LOG.append("close")


async def async_value(db: Annotated[str, Depends(async_database)]) -> str:
    await asyncio.sleep(0)
    return f"value of {db}"


def test_async_dependencies_serve_async_handlers() -> None:
    app = custom_app()

    @app.method("x/do")
    async def handler(value: Annotated[str, Depends(async_value)], db: Database) -> list[str]:
        return [value, db]

    with TestClient(app) as client:
        assert client.call("x/do") == ["value of database", "database with settings of x/do"]
    assert LOG == ["open", "settings", "open", "close", "close"]


@contextmanager
def managed() -> Iterator[str]:
    LOG.append("in")
    yield "managed"
    LOG.append("out")


class Settings:
    def __init__(self, ctx: Context) -> None:
        self.name = ctx.method


def test_a_context_manager_function_and_a_class_are_dependencies_too() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(
        value: Annotated[str, Depends(managed)], settings: Annotated[Settings, Depends(Settings)]
    ) -> list[str]:
        return [value, settings.name]

    with TestClient(app) as client:
        assert client.call("x/do") == ["managed", "x/do"]
    assert LOG == ["in", "out"]


def test_dependencies_are_overridden_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(db: Database) -> str:
        return db

    with TestClient(app) as client:
        monkeypatch.setitem(client.dependency_overrides, database, lambda: "fake")
        assert client.call("x/do") == "fake"
    assert LOG == []


def test_a_dependency_that_yields_twice_or_never_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def twice() -> Iterator[int]:
        yield 1
        yield 2

    def never() -> Iterator[int]:
        yield from ()

    app = custom_app()

    def takes_twice(value: Any) -> int:
        return int(value)

    def takes_never(value: Any) -> int:
        return int(value)

    takes_twice.__annotations__["value"] = Annotated[int, Depends(twice)]
    takes_never.__annotations__["value"] = Annotated[int, Depends(never)]
    app.method("x/twice")(takes_twice)
    app.method("x/never")(takes_never)
    with TestClient(app) as client:
        assert client.call("x/twice") == 1
        assert refused(client, "x/never").code == -32603
    told = capfd.readouterr().err
    assert "yielded a second time" in told
    assert "ended without a yield" in told


# Lifespan -----------------------------------------------------------------------------------------


def plain_lifespan() -> Iterator[str]:
    LOG.append("start")
    yield "state"
    LOG.append("stop")


def lifespan_with_app(app: App) -> Iterator[str]:
    LOG.append("start")
    yield f"state of {app.name}"
    LOG.append("stop")


def lifespan_with_context(ctx: Context) -> Iterator[str]:
    LOG.append("start")
    yield f"state at {ctx.project_root}"
    LOG.append("stop")


async def async_lifespan() -> AsyncIterator[str]:
    LOG.append("start")
    yield "state"
    LOG.append("stop")


@pytest.mark.parametrize(
    ("lifespan", "state"),
    [
        (plain_lifespan, "state"),
        (contextmanager(plain_lifespan), "state"),
        (async_lifespan, "state"),
        (asynccontextmanager(async_lifespan), "state"),
        (lifespan_with_app, "state of animus-custom-test"),
        (contextmanager(lifespan_with_app), "state of animus-custom-test"),
        (lifespan_with_context, "state at /project"),
    ],
)
def test_a_lifespan_of_any_form_is_entered_and_left_once(
    lifespan: Callable[..., Any], state: str
) -> None:
    app = custom_app(lifespan=lifespan)

    @app.method("x/do")
    def handler(ctx: Context) -> Any:
        return ctx.state

    binding = {"project_binding": {"project_root": "/project"}}
    with TestClient(app, init_extensions=binding) as client:
        assert client.call("x/do") == state
        assert LOG == ["start"]
    assert LOG == ["start", "stop"]


def test_a_lifespan_that_fails_to_start_fails_initialize(capfd: pytest.CaptureFixture[str]) -> None:
    def lifespan() -> Iterator[None]:
        raise OSError("no database at s3cret")
        yield

    client = TestClient(custom_app(lifespan=lifespan))
    with pytest.raises(RpcError) as caught:
        client.__enter__()
    assert caught.value.code == -32603
    assert "s3cret" not in str(caught.value)
    assert "OSError: no database at s3cret" in capfd.readouterr().err


def test_a_lifespan_that_fails_to_end_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    def lifespan() -> Iterator[None]:
        yield
        raise OSError("cannot close")

    with TestClient(custom_app(lifespan=lifespan)):
        pass
    assert "OSError: cannot close" in capfd.readouterr().err


def test_a_lifespan_without_a_yield_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def lifespan() -> None: ...

    with pytest.raises(RpcError):
        TestClient(custom_app(lifespan=lifespan)).__enter__()
    assert "has no `yield`" in capfd.readouterr().err


# Initialize ---------------------------------------------------------------------------------------


def test_on_initialize_sees_the_greeting_whole_by_field_and_with_a_context() -> None:
    app = custom_app()
    seen: list[Any] = []

    @app.on_initialize
    def whole(params: dict[str, Any]) -> None:
        seen.append(params["protocol_version"])

    @app.on_initialize
    def fields(host_info: dict[str, Any], init_extensions: dict[str, Any]) -> None:
        seen.append((host_info["name"], init_extensions))

    @app.on_initialize
    async def context(ctx: Context) -> None:
        await asyncio.sleep(0)
        seen.append(ctx.host["name"])

    with TestClient(app, init_extensions={"a": 1}):
        pass
    assert seen == ["1.1.0", ("animus-routes-test", {"a": 1}), "animus-routes-test"]


def test_on_initialize_may_refuse() -> None:
    app = custom_app()

    @app.on_initialize
    def refuse() -> None:
        raise InvalidRequest("not this host")

    with pytest.raises(RpcError, match="not this host") as caught:
        TestClient(app).__enter__()
    assert caught.value.code == -32602


# Health -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, {"status": "healthy"}),
        (True, {"status": "healthy"}),
        (False, {"status": "unhealthy"}),
        ("slow disk", {"status": "degraded", "last_error": "slow disk"}),
        ({"status": "degraded", "uptime_ms": 5}, {"status": "degraded", "uptime_ms": 5}),
        (Unavailable("no disk"), {"status": "unhealthy", "last_error": "no disk"}),
    ],
)
@pytest.mark.parametrize("as_async", [False, True])
def test_health_takes_every_form_of_answer(returned: Any, expected: Any, as_async: bool) -> None:
    app = custom_app()

    def check() -> Any:
        if isinstance(returned, Exception):
            raise returned
        return returned

    async def check_async() -> Any:
        return check()

    app.health(check_async if as_async else check)
    with TestClient(app) as client:
        found = client.call("health/check")
    assert {**found, **expected} == found
    assert found["uptime_ms"] >= 0


def test_a_bug_in_a_health_check_is_unhealthy_and_keeps_its_internals() -> None:
    app = custom_app()

    @app.health
    def check(ctx: Context) -> None:
        raise KeyError("s3cret")

    with TestClient(app) as client:
        found = client.call("health/check")
    assert found["status"] == "unhealthy"
    assert "s3cret" not in found["last_error"]


# Errors -------------------------------------------------------------------------------------------


class ShopError(Exception):
    pass


class SoldOutError(ShopError):
    pass


@pytest.mark.parametrize("as_async", [False, True])
def test_exception_handlers_are_found_by_mro(as_async: bool) -> None:
    app = custom_app()

    @app.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> RpcError:
        return NotFound(f"{ctx.method}: {error}")

    @app.exception_handler(SoldOutError)
    def on_sold_out(ctx: Context, error: SoldOutError) -> dict[str, str]:
        return {"sold_out": str(error)}

    @app.exception_handler(LookupError)
    def on_lookup(ctx: Context, error: LookupError) -> None:
        raise Unavailable("later")

    raised = {"shop": ShopError("a"), "sold": SoldOutError("b"), "key": KeyError("c")}

    def fail(which: str) -> None:
        raise raised[which]

    async def fail_async(which: str) -> None:
        raise raised[which]

    app.method("x/do")(fail_async if as_async else fail)
    with TestClient(app) as client:
        error = refused(client, "x/do", {"which": "shop"})
        assert (error.code, error.message) == (-32602, "not found: x/do: a")
        assert client.call("x/do", {"which": "sold"}) == {"sold_out": "b"}
        assert refused(client, "x/do", {"which": "key"}).data == {"category": "unavailable"}


@pytest.mark.parametrize("bug", [ValueError("s3cret"), KeyError("s3cret"), TypeError("s3cret")])
def test_a_bug_says_nothing_of_its_inside(
    bug: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(a: int) -> None:
        raise bug

    with TestClient(app) as client:
        error = refused(client, "x/do", {"a": 1})
    assert (error.code, error.message) == (-32603, "internal error")
    assert error.data.keys() == {"category", "error_id"}
    assert error.__cause__ is bug
    told = capfd.readouterr().err
    assert error.data["error_id"] in told
    assert "s3cret" in told


def test_a_validation_error_inside_a_handler_is_a_bug() -> None:
    import msgspec
    from pydantic import TypeAdapter

    app = custom_app()

    @app.method("x/pydantic")
    def with_pydantic() -> None:
        TypeAdapter(int).validate_python("a")

    @app.method("x/msgspec")
    def with_msgspec() -> None:
        msgspec.convert("a", int)

    with TestClient(app) as client:
        assert refused(client, "x/pydantic").code == -32603
        assert refused(client, "x/msgspec").code == -32603


NAMED = [
    (errors.NotFound, -32602, "not_found", "not found: why"),
    (errors.InvalidRequest, -32602, "invalid_request", "why"),
    (errors.PermissionDenied, -32600, "permission_denied", "permission denied: why"),
    (errors.Unavailable, -32603, "unavailable", "backend unavailable: why"),
    (errors.NotSupported, -32001, "not_supported", "why"),
    (errors.QuotaExceeded, -32603, "quota_exceeded", "quota exceeded: why"),
    (errors.AddressInUse, -32603, "address_in_use", "address in use: why"),
    (errors.ModelNotSupported, -32602, "model_not_supported", "model not supported: why"),
    (errors.SessionStartFailed, -32603, "session_start_failed", "session start failed: why"),
    (errors.RunFailed, -32603, "run_failed", "agent run failed: why"),
    (errors.Cancelled, -32002, "cancelled", "why"),
    (errors.Timeout, -32603, "timeout", "why"),
    (errors.Other, -32603, "other", "why"),
]


@pytest.mark.parametrize(("kind", "code", "category", "message"), NAMED)
def test_a_named_error_has_its_code_category_and_prefix(
    kind: type[errors.NamedError], code: int, category: str, message: str
) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise kind("why", {"retry": True, "category": "mine"})

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message) == (code, message)
    assert error.data == {"category": category, "retry": True}


def test_every_named_error_is_in_the_table() -> None:
    assert {row[0] for row in NAMED} == set(errors.NamedError.__subclasses__())


def test_a_named_error_without_words_still_says_something() -> None:
    assert all(str(kind()).split(" (")[0] for kind, *_ in NAMED)


def test_an_error_of_the_authors_own_goes_out_as_it_is() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler() -> None:
        raise RpcError(-32650, "mine", [1, {"a": None}])

    with TestClient(app) as client:
        error = refused(client, "x/do")
    assert (error.code, error.message, error.data) == (-32650, "mine", [1, {"a": None}])


# Middleware ---------------------------------------------------------------------------------------


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


def test_cancelling_reaches_an_async_handler_through_plain_middleware() -> None:
    app = custom_app()
    app.middleware(noting("outer"))
    ended: list[str] = []

    @app.method("x/do")
    async def handler(ctx: Context) -> None:
        ctx.notify("x/started")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            ctx.cancel()
            raise

    with TestClient(app) as client:
        request_id = client.request("x/do")
        client.next_notification("x/started")
        client.cancel(request_id)
        with pytest.raises(RpcError) as caught:
            client.reply(request_id)
        assert caught.value.code == -32002
    assert ended == ["cancelled"]


# Routers, objects, notifications ------------------------------------------------------------------


def test_a_router_brings_everything_it_collected() -> None:
    router = Router()
    router.middleware(noting("router"))
    router.health(lambda: "from the router")

    @router.method("x/do")
    def handler() -> str:
        raise ShopError("closed")

    @router.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> str:
        return str(error)

    app = custom_app()
    app.include(router)
    with TestClient(app) as client:
        assert client.call("x/do") == "closed"
        assert client.call("health/check")["last_error"] == "from the router"
    assert LOG[0] == "router before x/do"


class Tasks:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def list(self, params, ctx):  # type: ignore[no-untyped-def] # noqa: ANN001
        self.seen.append((params, ctx.kind))
        return []

    async def get(self, id: str) -> dict[str, Any]:
        return {"id": id, "kind": "task", "title": "t"}

    def health(self) -> str:
        return "checked"


def test_an_objects_methods_serve_the_roles_verbs() -> None:
    from making import subject_app

    tasks = Tasks()
    app = subject_app()
    app.include(tasks)
    with TestClient(app) as client:
        client.call("task/list", {"limit": 1})
        assert client.call("task/get", {"id": "a"})["id"] == "a"
        assert client.call("health/check")["last_error"] == "checked"
    assert tasks.seen == [({"limit": 1, "kind": ["task"]}, "task")]


def test_a_notification_from_the_host_is_handled_and_never_answered() -> None:
    app = custom_app()
    seen: list[int] = []

    @app.notification("x/hint")
    def on_hint(level: int) -> str:
        seen.append(level)
        return "nobody hears this"

    with TestClient(app) as client:
        client.notify("x/hint", {"level": 3})
        client.notify("x/hint", {"level": "bad"})
        client.notify("x/unknown")
        assert client.notifications == []
        assert client._wire.replies == {}
        assert "x/hint" not in client.initialize_result["capabilities"]["methods"]
    assert seen == [3]


def test_several_apps_live_in_one_process() -> None:
    first, second = full_app(name="first"), full_app(name="second")
    first.method("subject/next")(lambda: None)
    with TestClient(first) as one, TestClient(second) as two:
        assert one.initialize_result["plugin_info"]["name"] == "first"
        assert two.initialize_result["plugin_info"]["name"] == "second"
        assert one.call("task/next") is None
        assert refused(two, "task/next").code == -32001
