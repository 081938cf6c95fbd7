"""`Depends`: made per request, shared, overridden, cleaned up after the reply."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from making import custom_app, refused

from animus_routes import (
    Context,
    Depends,
)
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


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


class Store:
    name = "the store"


def the_name(ctx: Context[Store]) -> str:
    return ctx.state.name


def test_a_context_may_name_the_type_of_its_state() -> None:
    app = custom_app(lifespan=store_lifespan)

    @app.method("x/plain")
    def plain(ctx: Context[Store]) -> str:
        return ctx.state.name

    @app.method("x/annotated")
    def annotated(own: Annotated[Context[Store], "any note"], a: int) -> list[Any]:
        return [own.state.name, a]

    @app.method("x/optional")
    def optional(ctx: Context[Store | None] | None = None) -> bool:
        return ctx is not None and ctx.state is not None

    @app.method("x/depends")
    def depends(name: Annotated[str, Depends(the_name)]) -> str:
        return name

    @app.method("x/bare")
    def bare(ctx: Context) -> str:
        return str(ctx.state.name)

    with TestClient(app) as client:
        assert client.call("x/plain") == "the store"
        assert client.call("x/annotated", {"a": 1}) == ["the store", 1]
        assert client.call("x/optional") is True
        assert client.call("x/depends") == "the store"
        assert client.call("x/bare") == "the store"


def store_lifespan(ctx: Context[Store | None]) -> Iterator[Store]:
    assert ctx.state is None
    yield Store()


def test_a_context_for_type_checkers_alone_may_name_its_state_too() -> None:
    app = custom_app(lifespan=store_lifespan)
    names: dict[str, Any] = {"Store": Store}
    code = "def handler(c: 'Context[Store]', items: 'Sequence[int]'): return c.state.name"
    exec(code, names)
    app.method("x/do")(names["handler"])
    with TestClient(app) as client:
        assert client.call("x/do", {"items": [1]}) == "the store"


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


AsyncDatabase = Annotated[str, Depends(async_database)]


def test_async_dependencies_are_made_once_per_request() -> None:
    app = custom_app()

    @app.method("x/do")
    async def handler(
        db: AsyncDatabase, again: AsyncDatabase, value: Annotated[str, Depends(async_value)]
    ) -> bool:
        return db == again

    with TestClient(app) as client:
        assert client.call("x/do") is True
        assert LOG == ["open", "close"]
        client.call("x/do")
    assert LOG == ["open", "close"] * 2


def failing() -> Iterator[str]:
    try:
        yield "value"
    finally:
        raise OSError("not closed")


async def failing_async() -> AsyncIterator[str]:
    try:
        yield "value"
    finally:
        raise OSError("not closed")


@pytest.mark.parametrize("dependency", [failing, failing_async])
def test_a_clean_up_that_fails_is_logged_and_the_answer_stays(
    dependency: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    @app.method("x/do")
    async def handler(value: Any) -> str:
        return str(value)

    handler.__annotations__["value"] = Annotated[str, Depends(dependency)]
    with TestClient(app) as client:
        assert client.call("x/do") == "value"
    assert "clean-up failed after x/do" in capfd.readouterr().err


@pytest.mark.parametrize("dependency", [database, async_database])
def test_the_handlers_own_exception_is_no_failed_clean_up(
    dependency: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    app = custom_app()

    @app.method("x/do")
    async def handler(db: Any) -> None:
        raise ValueError("boom")

    handler.__annotations__["db"] = Annotated[str, Depends(dependency)]
    with TestClient(app) as client:
        assert refused(client, "x/do").code == -32603
    assert "clean-up" not in capfd.readouterr().err


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


def test_an_async_override_of_a_plain_dependency_is_told() -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(db: Database) -> str:
        return db

    async def fake() -> str:
        return "fake"

    with TestClient(app) as client:
        client.dependency_overrides[database] = fake
        error = refused(client, "x/do")
    assert "fake' is async, but 'database', which it replaces, is not" in str(error.__cause__)


def test_a_plain_override_of_an_async_dependency_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    app = custom_app()

    @app.method("x/do")
    async def handler(db: AsyncDatabase) -> str:
        return db

    with TestClient(app) as client:
        monkeypatch.setitem(client.dependency_overrides, async_database, lambda: "fake")
        assert client.call("x/do") == "fake"


def base() -> str:
    return "real"


def middle(found: Annotated[str, Depends(base)]) -> str:
    return found


def top(found: Annotated[str, Depends(middle)]) -> str:
    return found


def fake_top(found: Annotated[str, Depends(middle)]) -> str:
    return f"fake {found}"


def fakest_top(found: Annotated[str, Depends(middle)]) -> str:
    return f"fakest {found}"


def fake_base() -> str:
    return "base"


OVERRIDES: list[tuple[dict[Any, Any], str]] = [
    ({top: fake_top}, "fake real"),
    ({base: fake_base}, "base"),
    ({top: fake_top, base: fake_base}, "fake base"),
    ({top: fake_top, fake_top: fakest_top}, "fakest real"),
    ({base: fake_base, middle: base}, "base"),
]


@pytest.mark.parametrize(("overrides", "given"), OVERRIDES)
def test_an_override_holds_however_the_threads_take_turns(
    monkeypatch: pytest.MonkeyPatch, overrides: dict[Any, Any], given: str
) -> None:
    app = custom_app(concurrency=8)

    @app.method("x/pool")
    def in_the_pool(found: Annotated[str, Depends(top)]) -> str:
        return found

    @app.method("x/async")
    async def on_the_loop(found: Annotated[str, Depends(top)]) -> str:
        return found

    interval = sys.getswitchinterval()
    with TestClient(app) as client:
        for function, fake in overrides.items():
            monkeypatch.setitem(client.dependency_overrides, function, fake)
        try:
            sys.setswitchinterval(1e-6)
            asked = [client.request(method) for _ in range(40) for method in ("x/pool", "x/async")]
            assert {client.reply(request_id) for request_id in asked} == {given}
        finally:
            sys.setswitchinterval(interval)


def asks_for_itself(found: Annotated[str, Depends(top)]) -> str:
    return found


def test_an_override_of_what_it_asks_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = custom_app()

    @app.method("x/do")
    def handler(found: Annotated[str, Depends(top)]) -> str:
        return found

    with TestClient(app) as client:
        monkeypatch.setitem(client.dependency_overrides, top, asks_for_itself)
        cause = str(refused(client, "x/do").__cause__)
    assert "'asks_for_itself' depends on 'top', which it replaces" in cause


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
    assert "ended without yielding a value" in told
