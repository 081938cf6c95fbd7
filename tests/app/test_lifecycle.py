"""Lifespan, handshake and health: what runs around all the calls."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app

from animus_routes import (
    App,
    Context,
    Depends,
    InvalidRequest,
    RpcError,
    Unavailable,
)
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


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
        if not LOG:
            raise OSError("no database at s3cret")
        yield

    client = TestClient(custom_app(lifespan=lifespan))
    with pytest.raises(RpcError) as caught:
        client.__enter__()
    assert caught.value.code == -32603
    error_id = caught.value.data["error_id"]
    assert caught.value.message == (
        f"the plugin cannot start, its lifespan failed: error {error_id}: "
        "OSError: no database at s3cret"
    )
    assert isinstance(caught.value.__cause__, OSError)
    assert f"error {error_id} in its lifespan\n" in capfd.readouterr().err


def test_a_lifespan_that_fails_to_end_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    def lifespan() -> Iterator[None]:
        yield
        raise OSError("cannot close")

    with TestClient(custom_app(lifespan=lifespan)):
        pass
    assert "OSError: cannot close" in capfd.readouterr().err


def test_a_lifespan_without_a_yield_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def lifespan() -> Any:
        return LOG.copy()

    with pytest.raises(RpcError):
        TestClient(custom_app(lifespan=lifespan)).__enter__()
    assert "has no `yield`" in capfd.readouterr().err


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
    assert seen == ["1.2.0", ("animus-routes-test", {"a": 1}), "animus-routes-test"]


def test_on_initialize_may_refuse() -> None:
    app = custom_app()

    @app.on_initialize
    def refuse() -> None:
        raise InvalidRequest("not this host")

    with pytest.raises(RpcError, match="not this host") as caught:
        TestClient(app).__enter__()
    assert caught.value.code == -32602


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


def test_a_bug_in_a_health_check_is_unhealthy() -> None:
    app = custom_app()

    @app.health
    def check(ctx: Context) -> None:
        raise KeyError("s3cret")

    with TestClient(app) as client:
        found = client.call("health/check")
    assert found["status"] == "unhealthy"
    assert found["last_error"].startswith("internal error ")


def opened() -> Iterator[str]:
    LOG.append("open")
    try:
        yield "it"
    except RpcError:
        LOG.append("refused")
        raise
    finally:
        LOG.append("closed")


@pytest.mark.parametrize("refusing", [False, True])
def test_what_a_hook_depends_on_is_closed_after_the_hooks(*, refusing: bool) -> None:
    app = custom_app()

    @app.on_initialize
    def hook(it: Annotated[str, Depends(opened)]) -> None:
        LOG.append(it)
        if refusing:
            raise RpcError(-32603, "not here")

    with suppress(RpcError), TestClient(app):
        LOG.append("served")
    ends = ["refused", "closed"] if refusing else ["closed", "served"]
    assert ["open", "it", *ends] == LOG


def test_a_health_check_may_log_before_the_handshake() -> None:
    app = custom_app(log_entries=True)

    @app.health
    def check(ctx: Context) -> None:
        ctx.log("info", "looking")

    client = TestClient(app)
    client._open = True  # a host may ask before it has shaken hands
    assert client.call("health/check")["status"] == "healthy"
