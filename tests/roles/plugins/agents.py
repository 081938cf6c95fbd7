"""A provider whose runs count until they are told to stop; STYLE says how its handler is written."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from animus_routes import App, Context
from animus_routes.engine.stderr import log
from animus_routes.structs.provider import AgentRunRequest

app = App(kind="provider", name="agents", version="1.0.0", description="Agents that count")


def counted(request: AgentRunRequest) -> range:
    return range(int(request.prompt))


def generator(request: AgentRunRequest, ctx: Context) -> Iterator[str]:
    try:
        for number in counted(request):
            yield f"{number} "
        while not ctx.wait(0.01) and request.extra.get("hold"):
            pass
    finally:
        log(f"closed {request.extra.get('control_session_id')}")


def function(request: AgentRunRequest, ctx: Context) -> None:
    for number in counted(request):
        ctx.emit(f"{number} ")
    while not ctx.wait(0.01) and request.extra.get("hold"):
        pass
    log(f"closed {request.extra.get('control_session_id')}")


async def async_generator(request: AgentRunRequest) -> AsyncIterator[str]:
    try:
        for number in counted(request):
            yield f"{number} "
        if request.extra.get("hold"):
            await asyncio.Event().wait()
    finally:
        log(f"closed {request.extra.get('control_session_id')}")


async def coroutine(request: AgentRunRequest, ctx: Context) -> None:
    try:
        for number in counted(request):
            ctx.emit(f"{number} ")
        if request.extra.get("hold"):
            await asyncio.Event().wait()
    finally:
        log(f"closed {request.extra.get('control_session_id')}")


STYLES: dict[str, Callable[..., Any]] = {
    "generator": generator,
    "function": function,
    "async generator": async_generator,
    "coroutine": coroutine,
}

if __name__ == "__main__":
    app.method("agent/run")(STYLES[os.environ["STYLE"]])
    app.run()
