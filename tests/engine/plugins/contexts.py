"""A plugin that notes in which task and with which context variables its code runs."""

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar, Token
from decimal import getcontext, localcontext
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, field_serializer, field_validator

from animus_routes import App, Context, Depends

USER: ContextVar[str] = ContextVar("user", default="nobody")
TENANT: ContextVar[str] = ContextVar("tenant", default="none")
ODD: ContextVar[object] = ContextVar("odd")
FORM = os.environ.get("LIFESPAN", "generator")
MIDDLEWARE = os.environ.get("MIDDLEWARE", "")


class Incomparable:
    """As an array is: it cannot be asked whether it equals another."""

    def __eq__(self, _other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = object.__hash__


def note(text: str) -> None:
    with Path("noted").open("a") as out:
        out.write(text + "\n")


def same(task: asyncio.Task[Any] | None) -> str:
    return "the same task" if asyncio.current_task() is task else "another task"


class Held:
    """What belongs to a task, and to its context."""

    async def __aenter__(self) -> dict[str, str]:
        self.task = asyncio.current_task()
        self.token: Token[str] = TENANT.set("acme")
        ODD.set(Incomparable())
        if FORM == "failing":
            raise ValueError("cannot be entered")
        if FORM == "hanging":
            try:
                await asyncio.sleep(60)
            finally:
                note("given up in " + same(self.task))
        return {}

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        TENANT.reset(self.token)
        note("left in " + same(self.task))


async def generator() -> AsyncIterator[dict[str, str]]:
    async with Held() as state:
        yield state


def plain() -> Iterator[dict[str, str]]:
    token = TENANT.set("acme")
    ODD.set(Incomparable())
    yield {}
    TENANT.reset(token)
    note("left in the same task")


async def task_group() -> AsyncIterator[dict[str, str]]:
    async with asyncio.TaskGroup() as group, asyncio.timeout(60), Held() as state:
        task = group.create_task(asyncio.sleep(60))
        yield state
        task.cancel()


FORMS: dict[str, Callable[..., Any]] = {
    "generator": generator,
    "manager": contextlib.asynccontextmanager(generator),
    "object": Held,
    "failing": Held,
    "hanging": Held,
    "task group": task_group,
    "plain": plain,
    "plain manager": contextlib.contextmanager(plain),
}

app = App(
    kind="custom",
    name="animus-custom-contexts",
    version="0.1.0",
    description="Contexts",
    lifespan=FORMS[FORM],
)


# Who sets and who sees -------------------------------------------------------------------------------


def set_user(ctx: Context, place: str) -> None:
    """In each place of a request: does this one ask for it to be set here?"""
    given = ctx.params or {}
    if given.get("at") == place:
        USER.set(given["user"])


async def held() -> AsyncIterator[None]:
    async with Held():
        yield
        note("dependency sees " + USER.get())


def signed_in(ctx: Context) -> Iterator[str]:
    token = USER.set(USER.get())
    set_user(ctx, "dependency")
    yield USER.get()
    note("clean-up sees " + USER.get())
    USER.reset(token)


if MIDDLEWARE == "plain":

    @app.middleware
    def around(ctx: Context, call_next: Callable[..., Any]) -> Any:
        set_user(ctx, "middleware")
        try:
            return call_next()
        finally:
            note("middleware sees " + USER.get())

elif MIDDLEWARE == "async":

    @app.middleware
    async def around_async(ctx: Context, call_next: Callable[..., Any]) -> Any:
        set_user(ctx, "middleware")
        try:
            return await call_next()
        finally:
            note("middleware sees " + USER.get())


@app.exception_handler(LookupError)
def missing(ctx: Context, error: LookupError) -> list[str]:
    return seen()


def seen() -> list[str]:
    return [USER.get(), TENANT.get()]


Name = Annotated[str, Depends(signed_in)]
Hold = Annotated[None, Depends(held)]


def answer(ctx: Context) -> list[str]:
    set_user(ctx, "handler")
    if (ctx.params or {}).get("at") == "exception":
        USER.set(ctx.params["user"])
        raise LookupError("as asked")
    return seen()


class Asked(BaseModel):
    at: str = ""
    user: str = ""

    @field_validator("user")
    @classmethod
    def validated(cls, user: str) -> str:
        if user.startswith("validated"):
            USER.set(user)
        return user


class Answered(BaseModel):
    what: list[str]

    @field_serializer("what")
    def written(self, what: list[str]) -> list[str]:
        return [*what, USER.get()]


if MIDDLEWARE != "async":

    @app.method("x/plain")
    def x_plain(ctx: Context, name: Name) -> list[str]:
        return answer(ctx)

    @app.method("x/bare")
    def x_bare(at: str = "", user: str = "") -> list[str]:
        if at == "handler":
            USER.set(user)
        if at == "exception":
            USER.set(user)
            raise LookupError("as asked")
        return seen()

    @app.method("x/model")
    def x_model(asked: Asked) -> Answered:
        return Answered(what=seen())

    @app.method("x/pool", concurrent=True)
    def x_pool(ctx: Context, name: Name) -> list[str]:
        return answer(ctx)

    @app.method("x/stream", notification="x/step")
    def x_stream(ctx: Context, name: Name) -> Generator[list[str], None, list[str]]:
        yield []
        return answer(ctx)


@app.method("x/async")
async def x_async(ctx: Context, name: Name, hold: Hold) -> list[str]:
    await asyncio.sleep(0)
    return answer(ctx)


def run_to_the_end(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            return await function(*args, **kwargs)

        return asyncio.run(run())

    return wrapper


@app.method("x/wrapped")
@run_to_the_end
async def x_wrapped(ctx: Context, name: Name) -> list[str]:
    return answer(ctx)


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        set_user(kwargs.get("ctx") or args[0], "decorator")
        return function(*args, **kwargs)

    return wrapper


@app.method("x/passed")
@passed_on
async def x_passed(ctx: Context, name: Name) -> list[str]:
    return answer(ctx)


@app.method("x/raises")
async def x_raises(ctx: Context, hold: Hold) -> None:
    raise LookupError("as asked")


@app.method("x/hangs")
async def x_hangs(ctx: Context, hold: Hold) -> None:
    ctx.notify("x/begun")
    await asyncio.sleep(60)


@app.method("x/items", notification="x/item")
async def x_items(ctx: Context, name: Name, hold: Hold) -> AsyncIterator[list[str]]:
    yield answer(ctx)


@app.method("x/clear")
async def clear() -> str:
    """What careless code does."""
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    return "cleared"


@app.notification("x/told")
async def told(user: str) -> None:
    USER.set(user)


if MIDDLEWARE != "async":

    @app.notification("x/told_plain")
    def told_plain(user: str) -> None:
        USER.set(user)

    @app.method("x/precision")
    def precision(digits: int = 0) -> int:
        if digits:
            getcontext().prec = digits
        with localcontext() as here:
            return here.prec

    @app.method("x/odd")
    def odd() -> str:
        """The variable's new value cannot be compared with what it was."""
        ODD.set(Incomparable())
        USER.set("odd")
        return USER.get()


@app.health
async def check() -> None:
    USER.set("the health check")


async def opened() -> AsyncIterator[asyncio.Task[Any] | None]:
    task = asyncio.current_task()
    yield task
    note("hook's dependency left in " + same(task))


@app.on_initialize
async def hook(task: Annotated[Any, Depends(opened)]) -> None:
    note("hook in " + same(task))


if __name__ == "__main__":
    app.run()
