"""Routers, objects, notifications, several apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from making import custom_app, full_app, refused

from animus_routes import (
    Context,
    Router,
)
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class ShopError(Exception):
    pass


def noting(name: str) -> Callable[..., Any]:
    def middleware(ctx: Context, call_next: Callable[..., Any]) -> Any:
        LOG.append(f"{name} before {ctx.method}")
        try:
            return call_next(ctx)
        finally:
            LOG.append(f"{name} after")

    return middleware


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
