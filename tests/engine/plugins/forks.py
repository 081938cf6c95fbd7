"""A plugin that forks in every place where its code runs; the child comes back in every way."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, field_serializer, field_validator

from animus_routes import App, Context, Depends

AT = os.environ.get("AT", "")
HOW = os.environ.get("HOW", "returns")
ASYNC_LIFE = os.environ.get("ASYNC_LIFE")
ME = os.getpid()


def note(text: str) -> None:
    who = "parent" if os.getpid() == ME else "child"
    with Path("noted").open("a") as out:
        out.write(f"{who}: {text}\n")


def fork(place: str) -> str:
    """Fork here, if that is asked for; the parent waits until the child has ended."""
    if place != AT or os.getpid() != ME:
        return "not here"
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        note(f"a child ended with {os.waitstatus_to_exitcode(status)}")
        return "the parent"
    signal.alarm(20)  # if it does not end as it should
    if HOW == "slowly":
        time.sleep(0.1)
    if HOW == "raises":
        raise ValueError("in the child")
    if HOW == "exits":
        sys.exit(3)
    if HOW == "exits with a text":
        sys.exit("a text")
    if HOW == "forks again":
        grandchild = os.fork()
        if grandchild:
            os.waitpid(grandchild, 0)
        else:
            signal.alarm(20)  # a child does not inherit one
    return "the child"


async def async_life() -> AsyncIterator[dict[str, str]]:
    fork("lifespan enters")
    yield {}
    note("lifespan left")
    fork("lifespan exits")


def life() -> Iterator[dict[str, str]]:
    fork("lifespan enters")
    yield {}
    note("lifespan left")
    fork("lifespan exits")


app = App(
    kind="custom",
    name="animus-custom-forks",
    version="0.1.0",
    description="Forks",
    lifespan=async_life if ASYNC_LIFE else life,
)


@app.on_initialize
def hook() -> None:
    fork("hook")


@app.on_initialize
async def async_hook() -> None:
    fork("async hook")


@app.middleware
def around(ctx: Context, call_next: Callable[..., Any]) -> Any:
    fork("middleware")
    try:
        return call_next()
    finally:
        note("middleware after")
        fork("middleware after")


def plain_dependency() -> str:
    return fork("dependency")


def held() -> Iterator[str]:
    fork("generator dependency")
    try:
        yield ""
    finally:
        note("dependency left")
        fork("clean-up")


async def async_held() -> AsyncIterator[str]:
    fork("async dependency")
    try:
        yield ""
    finally:
        note("dependency left")
        fork("async clean-up")


Plain = Annotated[str, Depends(plain_dependency)]
Held = Annotated[str, Depends(held)]
AsyncHeld = Annotated[str, Depends(async_held)]


@app.exception_handler(LookupError)
def handled(ctx: Context, error: LookupError) -> str:
    fork("exception handler")
    return "handled"


class Asked(BaseModel):
    text: str = ""

    @field_validator("text")
    @classmethod
    def validated(cls, text: str) -> str:
        fork("validator")
        return text


class Answered(BaseModel):
    text: str

    @field_serializer("text")
    def written(self, text: str) -> str:
        fork("serializer")
        return text


@app.method("x/inline")
def inline(plain: Plain, held: Held) -> str:
    return fork("inline")


@app.method("x/late")
def late() -> str:
    time.sleep(0.1)
    return fork("late")


@app.method("x/model")
def model(asked: Asked) -> Answered:
    return Answered(text=asked.text)


@app.method("x/pool", concurrent=True)
def pool(held: Held) -> str:
    return fork("pool")


@app.method("x/pool_model", concurrent=True)
def pool_model() -> Answered:
    return Answered(text="")


@app.method("x/stream", notification="x/item")
def stream(held: Held) -> Iterator[str]:
    try:
        fork("stream")
        yield "a"
        fork("stream goes on")
        yield "b"
    finally:
        note("stream left")


@app.method("x/async")
async def asynchronous(held: AsyncHeld) -> str:
    return fork("async")


@app.method("x/awaits")
async def awaits(held: AsyncHeld) -> str:
    """The child hands over to the event loop, where others of its parent's calls are ready."""
    found = fork("awaits")
    await asyncio.sleep(0)
    note("awaited")
    return found


@app.method("x/other")
async def other() -> str:
    for _ in range(20):
        note("other step")
        await asyncio.sleep(0)
    return "done"


@app.method("x/astream", notification="x/item")
async def astream(held: AsyncHeld) -> AsyncIterator[str]:
    try:
        fork("async stream")
        yield "a"
        fork("async stream goes on")
        yield "b"
    finally:
        note("stream left")


@app.method("x/raises")
def raises() -> str:
    raise LookupError("as asked")


@app.notification("x/told")
def told() -> None:
    fork("notification")


@app.health
def healthy() -> None:
    fork("health")


def work() -> None:
    Path("worked").write_text("worked")


@app.method("x/multiprocessing")
def with_multiprocessing() -> int | None:
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(10)
    return child.exitcode


@app.method("x/thread_forks")
def thread_forks() -> str:
    """In a thread of the author's own, which ends in the child as it does anywhere."""
    found: list[int] = []

    def run() -> None:
        pid = os.fork()
        if pid:
            found.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    thread = threading.Thread(target=run)
    thread.start()
    with contextlib.suppress(RuntimeError):
        thread.join(10)
    return str(found)


if __name__ == "__main__":
    app.run()
