"""Streams of every sort, and what goes wrong before, in and after them."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, field_serializer

from animus_routes import App, Context, Depends, NotFound
from animus_routes.structs.plugin import TriggerWatchParams

app = App(
    kinds=["subject_backend", "provider", "trigger_backend"],
    name="animus-subject-streams",
    version="0.1.0",
    description="Streams",
    subject_kinds=["task"],
    concurrency=2,
    log_entries=True,
    exit_on_broken_stream=False,
)
CHANGE = {"kind": "task", "id": "task:1", "change": "updated"}


class GoneError(Exception):
    """What the exception handler below answers with None."""


@app.exception_handler(GoneError)
def gone(_ctx: Context, _error: GoneError) -> None:
    return None


@app.method("subject/list")
def listed() -> list[Any]:
    return []


@app.method("subject/get")
def get(id: str) -> Any:
    raise GoneError(id)


@app.method("subject/status")
async def status(id: str) -> Any:
    raise GoneError(id)


@app.method("agent/run")
def run(ctx: Context) -> str:
    ctx.wait(60)
    return "ran"


@app.method("subject/watch")
def watch(ctx: Context, filter: dict[str, Any] | None = None) -> Any:
    """How the watch goes comes in its filter."""
    how: str = (filter or {}).get("native_filter") or "ticks"
    return WATCHES[how](ctx)


def ticks(ctx: Context) -> Iterator[Any]:
    while not ctx.wait(0.01):
        yield CHANGE


def two_threads(ctx: Context) -> None:
    """Both send their first item at the same moment, and the function is over."""
    start = threading.Barrier(2)

    def emit() -> None:
        start.wait()
        ctx.emit(CHANGE)

    for _ in range(2):
        threading.Thread(target=emit).start()


def fails_at_once(_ctx: Context) -> Iterator[Any]:
    yield from ()
    raise OSError("no upstream")


def fails_and_emits(ctx: Context) -> None:
    """The thread emits when the error is the answer already."""

    def emit() -> None:
        failed.wait(5)
        time.sleep(0.05)
        ctx.emit(CHANGE)
        app.notify("x/emitted")

    failed = threading.Event()
    threading.Thread(target=emit).start()
    try:
        raise OSError("no upstream")
    finally:
        failed.set()


def bug(ctx: Context) -> Iterator[Any]:
    try:
        while not ctx.wait(0.01):
            yield CHANGE
    finally:
        raise ValueError("lost in a watch")


def fails_late(ctx: Context) -> Iterator[Any]:
    ctx.wait(0.4)
    yield from ()
    raise OSError("the upstream went")


def no_items(_ctx: Context) -> Generator[Any, None, str]:
    yield from ()
    return "not the answer"


WATCHES: dict[str, Any] = {
    "ticks": ticks,
    "two_threads": two_threads,
    "fails_at_once": fails_at_once,
    "fails_and_emits": fails_and_emits,
    "bug": bug,
    "fails_late": fails_late,
    "no_items": no_items,
}


@app.method("trigger/watch")
async def watch_async(params: TriggerWatchParams) -> AsyncIterator[Any]:
    how: str = (params.config or {})["how"]
    if how == "fails_at_once":
        await asyncio.sleep(0)
        raise OSError("no upstream")
    if how == "blocks_the_loop":
        time.sleep(1)  # noqa: ASYNC251 - that is what authors do
        yield {"event_id": "1"}


# Items that take long to become JSON ----------------------------------------------------------------


class Item(BaseModel):
    seconds: float

    @field_serializer("seconds")
    def written(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds


@app.method("x/stuck", notification="x/item", extra=True)
def stuck() -> Iterator[Item]:
    yield Item(seconds=0)
    yield Item(seconds=0)
    yield Item(seconds=20)


@app.method("x/stuck_emit", notification="x/item", extra=True)
def stuck_emit(ctx: Context) -> None:
    for seconds in (0, 0, 20):
        ctx.emit(Item(seconds=seconds))


@app.method("x/stuck_async", notification="x/item", extra=True)
async def stuck_async() -> AsyncIterator[Item]:
    yield Item(seconds=0)
    yield Item(seconds=0)
    yield Item(seconds=20)


# Items after the answer -----------------------------------------------------------------------------


@app.method("x/late_items", notification="x/item", extra=True)
def late_items(ctx: Context) -> str:
    def emit() -> None:
        time.sleep(0.1)
        ctx.emit("late")
        app.notify("x/emitted")

    threading.Thread(target=emit).start()
    return "answered"


# Tasks that somebody else cancels -------------------------------------------------------------------


LOOPS: list[asyncio.AbstractEventLoop] = []


@app.method("x/doom", extra=True)
async def doom() -> str:
    """From now on tasks are cancelled before their first step."""

    def doomed(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Any:
        task = asyncio.Task(work, loop=loop, **options)
        task.cancel()
        return task

    LOOPS.append(asyncio.get_running_loop())
    LOOPS[0].set_task_factory(doomed)
    return "doomed"


@app.method("x/spare", extra=True)
def spare() -> str:
    LOOPS[0].set_task_factory(None)
    return "spared"


@app.method("x/wait", extra=True)
async def wait() -> str:
    await asyncio.sleep(0.2)
    return "waited"


@app.method("x/items", notification="x/item", extra=True)
async def items() -> AsyncIterator[int]:
    for number in range(3):
        await asyncio.sleep(0.1)
        yield number


# Bugs after a cancellation --------------------------------------------------------------------------


@app.method("x/bug_pool", extra=True)
def bug_pool(ctx: Context) -> str:
    try:
        app.notify("x/runs")
        ctx.wait(20)
    finally:
        raise ValueError("lost in x/bug_pool")


@app.method("x/late_refusal", extra=True)
def late_refusal(ctx: Context) -> str:
    app.notify("x/runs")
    ctx.wait(20)
    raise NotFound("'it'")


@app.method("x/bug_async", extra=True)
async def bug_async() -> str:
    try:
        app.notify("x/runs")
        await asyncio.sleep(20)
    finally:
        raise ValueError("lost in x/bug_async")


@app.method("x/bug_items", notification="x/item", extra=True)
def bug_items(ctx: Context) -> Iterator[int]:
    try:
        app.notify("x/runs")
        while not ctx.wait(0.01):
            yield 1
    finally:
        raise ValueError("lost in x/bug_items")


@app.method("x/bug_goes_on", notification="x/item", extra=True)
def bug_goes_on() -> Iterator[int]:
    app.notify("x/runs")
    while True:
        try:
            time.sleep(0.01)
            yield 1
        except GeneratorExit:
            yield 2


def broken_clean_up() -> Iterator[str]:
    yield "value"
    raise ValueError("lost in x/bug_clean_up")


@app.method("x/bug_clean_up", extra=True)
def bug_clean_up(ctx: Context, value: Annotated[str, Depends(broken_clean_up)]) -> str:
    app.notify("x/runs")
    ctx.wait(20)
    return value


@app.method("x/no_bug", extra=True)
async def no_bug() -> None:
    app.notify("x/runs")
    await asyncio.sleep(20)


# What is too large ----------------------------------------------------------------------------------


@app.method("x/tell", extra=True)
def tell(how: str, size: int, ctx: Context) -> str:
    say: Any = {
        "app": lambda text: app.notify("x/told", {"text": text}),
        "ctx": lambda text: ctx.notify("x/told", {"text": text}),
        "progress": lambda text: ctx.notify("$/progress", {"id": 1, "value": text}),
        "log": lambda text: ctx.log("info", text),
        "fields": lambda text: ctx.log("info", "large", text=text),
        "surrogate": lambda _text: ctx.log("info", "half \ud800"),
    }[how]
    try:
        say("y" * size)
    except ValueError as error:
        return str(error)
    return "told"


if __name__ == "__main__":
    app.run()
