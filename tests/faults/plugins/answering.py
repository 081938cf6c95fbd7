"""An app whose every answer is known from its params, served as WAY says: plain, pool or async."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from itertools import count
from typing import Any, Final

from animus_routes import App, NotFound

WAY: Final = os.environ.get("WAY", "plain")
MOST_ROWS: Final = 50
LONGEST_MS: Final = 20
FOREVER_S: Final = 60.0

app = App(
    kind="custom",
    name="animus-custom-answering",
    version="0.1.0",
    description="Every answer is known from the params",
    env_required=[{"name": "WAY", "description": "plain, pool or async"}],
)


def asynchronous(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def called(*values: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return function(*values, **named)

    return called


def method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a plain function in the way that is asked for."""

    def registered(function: Callable[..., Any]) -> Callable[..., Any]:
        app.method(name, concurrent=WAY == "pool")(
            asynchronous(function) if WAY == "async" else function
        )
        return function

    return registered


@method("x/add")
def add(a: int, b: int = 0) -> int:
    return a + b


@method("x/join")
def join(words: list[str], by: str = " ") -> str:
    return by.join(words)


@method("x/refuse")
def refuse(id: str) -> str:
    raise NotFound(f"'{id}'")


@method("x/bug")
def bug() -> str:
    raise ValueError("a bug of the author's")


def milliseconds(ms: int) -> float:
    return min(max(ms, 0), LONGEST_MS) / 1000


def rows(n: int) -> range:
    return range(min(n, MOST_ROWS))


if WAY == "async":

    @app.method("x/slow")
    async def slow_async(ms: int) -> int:
        await asyncio.sleep(milliseconds(ms))
        return ms

    @app.method("x/rows", notification="x/row")
    async def rows_async(n: int) -> AsyncIterator[int]:
        for number in rows(n):
            yield number
            await asyncio.sleep(0)

    @app.method("x/hang")
    async def hang_async() -> None:
        await asyncio.sleep(FOREVER_S)

    @app.method("x/endless", notification="x/row")
    async def endless_async() -> AsyncIterator[int]:
        for number in count():
            yield number
            await asyncio.sleep(0)

else:

    @app.method("x/slow", concurrent=WAY == "pool")
    def slow(ms: int) -> int:
        time.sleep(milliseconds(ms))
        return ms

    @app.method("x/rows", notification="x/row")
    def rows_plain(n: int) -> Iterator[int]:
        yield from rows(n)

    @app.method("x/hang", concurrent=WAY == "pool")
    def hang() -> None:
        time.sleep(FOREVER_S)

    @app.method("x/endless", notification="x/row")
    def endless() -> Iterator[int]:
        yield from count()
