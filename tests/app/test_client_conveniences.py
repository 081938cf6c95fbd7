"""What makes a test shorter: the state, a fake in its place, `async with`, overrides that are checked."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import msgspec
import pytest
from making import custom_app

from animus_routes import App, ConfigurationError, Context, Depends, Env
from animus_routes.testing import ClientStarter, TestClient


class Settings(msgspec.Struct):
    token: Annotated[str, Env("CONVENIENCES_TOKEN")]


def opened() -> str:
    return "real"


def inner() -> str:
    return "real inside"


def outer(inside: Annotated[str, Depends(inner)]) -> str:
    return f"outer of {inside}"


def checked() -> str:
    return "fine"


def kept_app(entered: list[str]) -> App:
    def lifespan() -> Iterator[dict[str, int]]:
        entered.append("entered")
        yield {"count": 0}
        entered.append("left")

    app = custom_app(lifespan=lifespan, settings=Settings)

    @app.method("x/add")
    def add(ctx: Context[dict[str, int]]) -> int:
        ctx.state["count"] += 1
        return ctx.state["count"]

    @app.method("x/token")
    def token(settings: Settings) -> str:
        return settings.token

    @app.method("x/deps")
    def deps(one: Annotated[str, Depends(opened)], two: Annotated[str, Depends(outer)]) -> str:
        return f"{one}, {two}"

    @app.health
    def health(found: Annotated[str, Depends(checked)]) -> str | None:
        return None if found == "fine" else found

    return app


def test_the_state_is_there_to_be_looked_at() -> None:
    entered: list[str] = []
    client = TestClient(kept_app(entered))
    before: object = client.state
    assert before is None
    with client:
        client.call("x/add")
        assert client.state == {"count": 1}
    assert entered == ["entered", "left"]


@pytest.mark.parametrize("state", [{"count": 41}, None])
def test_a_state_of_the_test_s_own_leaves_the_lifespan_out(state: Any) -> None:
    entered: list[str] = []
    with TestClient(kept_app(entered), state=state) as client:
        assert client.state is state
        if state:
            assert client.call("x/add") == 42
    assert entered == []


def test_settings_of_the_test_s_own_need_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVENIENCES_TOKEN", raising=False)
    with TestClient(kept_app([]), settings=Settings(token="fake")) as client:
        assert client.call("x/token") == "fake"
        assert client.call("health/check")["status"] == "healthy"


def test_the_fixture_takes_both_and_has_a_type(animus_client: ClientStarter) -> None:
    client = animus_client(kept_app([]), state={"count": 1}, settings=Settings(token="fake"))
    assert (client.call("x/add"), client.call("x/token")) == (2, "fake")


def async_app() -> tuple[App, list[int]]:
    threads: list[int] = []

    async def lifespan() -> AsyncIterator[asyncio.Event]:
        threads.append(threading.get_ident())
        yield asyncio.Event()

    app = custom_app(lifespan=lifespan)

    @app.method("x/plain")
    def plain() -> int:
        return threading.get_ident()

    @app.method("x/wait")
    async def wait(ctx: Context[asyncio.Event]) -> str:
        await ctx.state.wait()
        return "set"

    @app.method("x/set")
    async def set_it(ctx: Context[asyncio.Event]) -> None:
        ctx.state.set()

    return app, threads


def test_an_async_test_uses_async_with_and_its_calls_run_side_by_side() -> None:
    app, threads = async_app()

    async def scenario() -> None:
        async with TestClient(app) as client:
            waiting = asyncio.create_task(client.acall("x/wait"))
            ids = {await client.acall("x/plain") for _ in range(5)}
            assert len(ids) == 1
            assert threading.get_ident() not in {*ids, *threads}
            await client.acall("x/set")
            assert await waiting == "set"
        with pytest.raises(RuntimeError, match="open the client first"):
            await client.acall("x/plain")

    asyncio.run(scenario())


def test_an_async_client_whose_handshake_fails_leaves_nothing() -> None:
    def lifespan() -> Iterator[None]:
        if threading.get_ident():
            raise LookupError("no database")
        yield

    async def scenario() -> None:
        async with TestClient(custom_app(lifespan=lifespan)):
            pass

    before = threading.active_count()
    with pytest.raises(Exception, match="no database"):
        asyncio.run(scenario())
    assert threading.active_count() <= before + 1


def test_dependencies_of_handlers_hooks_and_dependencies_can_be_replaced() -> None:
    with TestClient(kept_app([]), state=None, settings=Settings("t")) as client:
        client.dependency_overrides[opened] = lambda: "fake"
        client.dependency_overrides[inner] = lambda: "fake inside"
        client.dependency_overrides[checked] = lambda: "not fine"
        assert client.call("x/deps") == "fake, outer of fake inside"
        assert client.call("health/check")["last_error"] == "not fine"
        del client.dependency_overrides[opened]
        assert client.call("x/deps") == "real, outer of fake inside"
        assert set(client.dependency_overrides) == {inner, checked}
        client.dependency_overrides.clear()
        assert client.app.dependency_overrides == {}


def test_what_stands_in_may_be_replaced_in_its_turn_with_what_it_needs() -> None:
    def fake(inside: Annotated[str, Depends(deeper)]) -> str:
        return f"fake of {inside}"

    with TestClient(kept_app([]), state=None, settings=Settings("t")) as client:
        client.dependency_overrides[opened] = fake
        client.dependency_overrides[deeper] = lambda: "a fake"
        assert client.call("x/deps") == "fake of a fake, outer of real inside"


def deeper() -> str:
    return "deeper"


def openend() -> str:
    return "a typing error"


@pytest.mark.parametrize(
    ("function", "replacement", "told"),
    [
        (openend, lambda: "x", r"unknown dependency 'openend'; did you mean 'opened'\?"),
        (kept_app, lambda: "x", r"'kept_app'; Depends\(...\) of this app names 'opened', 'outer'"),
        ("opened", lambda: "x", "unknown dependency"),
        (opened, "fake", "'opened' is replaced by a str: give a function that returns it"),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_what_replaces_nothing_is_refused(
    function: Any, replacement: Any, told: str, early: bool
) -> None:
    app = kept_app([])
    if early:
        app.dependency_overrides[function] = replacement
        with pytest.raises(ConfigurationError, match=told), TestClient(app):
            pass
        return
    with TestClient(app, state=None, settings=Settings("t")) as client:
        with pytest.raises(ConfigurationError, match=told):
            client.dependency_overrides[function] = replacement
        assert app.dependency_overrides == {}
