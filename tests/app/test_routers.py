"""Routers, objects, notifications, several apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from making import custom_app, full_app, refused

from animus_routes import (
    App,
    ConfigurationError,
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


def test_what_is_added_to_a_router_after_its_include_is_served() -> None:
    app, outer, inner = custom_app(), Router(), Router()
    app.include(outer)
    outer.include(inner)

    @inner.method("x/late")
    def late() -> str:
        raise ShopError("closed")

    @inner.exception_handler(ShopError)
    def on_shop(ctx: Context, error: ShopError) -> str:
        return str(error)

    inner.middleware(noting("late"))
    inner.health(lambda: "late")
    outer.on_initialize(lambda: LOG.append("hook"))
    with TestClient(app) as client:
        assert client.call("x/late") == "closed"
        assert client.call("health/check")["last_error"] == "late"
    assert LOG[:2] == ["hook", "late before x/late"]


def test_what_is_added_to_a_router_after_the_first_check_is_served() -> None:
    app, router = custom_app(), Router()
    app.include(router)
    app.check()
    router.method("x/late")(lambda: 1)
    with TestClient(app) as client:
        assert client.call("x/late") == 1


def test_a_router_that_is_reached_by_two_ways_is_served_once() -> None:
    app, left, right, shared = custom_app(), Router(), Router(), Router()
    shared.middleware(noting("shared"))
    shared.method("x/do")(lambda: 1)
    for router in (left, right):
        router.include(shared)
        app.include(router)
    shared.include(left)
    shared.method("x/late")(lambda: 2)
    with TestClient(app) as client:
        assert client.call("x/do") == 1
        assert client.call("x/late") == 2
    assert LOG.count("shared before x/do") == 1


def nothing() -> str:
    return ""


def problems(app: App) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    return caught.value.problems


def test_a_router_that_is_included_twice_is_told_once_with_both_places() -> None:
    app, router = custom_app(), Router()
    router.method("x/do")(lambda: 1)
    router.method("x/other")(lambda: 1)
    app.include(router)
    app.include(router)
    (problem,) = problems(app)
    first, second = (line.partition(" ")[0] for line in (problem.rpartition("at ")[2], problem))
    assert "this router is included twice" in problem
    assert int(first.rpartition(":")[2]) + 1 == int(second.rstrip(":").rpartition(":")[2])
    assert first.startswith("tests/app/test_routers.py:")


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ({"lifespan": noting, "env_required": ["TOKEN"]}, "env_required, lifespan"),
        ({"concurrency": 4, "log_format": "json"}, "concurrency, log_format"),
        ({"kinds": ["queue"]}, "kinds"),
    ],
)
def test_an_app_that_is_included_says_what_would_be_lost(
    options: dict[str, Any], lost: str
) -> None:
    app, other = custom_app(), custom_app(**options)
    other.method("queue/list")(nothing)
    app.include(other)
    (problem,) = problems(app)
    assert problem.startswith("tests/app/test_routers.py:")
    assert f"would lose its {lost}: write them in the App that includes it" in problem


def test_an_app_of_another_kind_that_is_included_is_one_line() -> None:
    app, other = full_app(), custom_app()
    other.method("x/do")(lambda: 1)
    app.include(other)
    (problem,) = problems(app)
    assert "would lose its kinds" in problem


def test_an_app_that_is_included_twice_says_so_and_what_it_loses_once() -> None:
    app, other = custom_app(), custom_app(env_required=["TOKEN"])
    app.include(other)
    app.include(other)
    assert ["lose" in problem for problem in problems(app)] == [False, True]


def test_an_app_that_loses_nothing_is_taken_in() -> None:
    app, other = custom_app(env_required=["TOKEN", "KEY"]), custom_app(env_required=["KEY"])
    app.include(other)
    other.method("x/do")(lambda: 1)
    with TestClient(app) as client:
        assert client.call("x/do") == 1
