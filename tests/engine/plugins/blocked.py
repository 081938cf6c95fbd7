"""Async handlers, one of which blocks the loop until a file is there."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from animus_routes import App


async def lifespan() -> AsyncIterator[None]:
    if os.environ.get("HOW") == "lifespan":
        block(os.environ["UNTIL"])
    yield


app = App(
    kind="custom",
    name="blocked",
    version="1.0.0",
    description="Blocks its loop",
    lifespan=lifespan,
    env_required=[{"name": "HOW"}, {"name": "UNTIL"}],
)


def block(until: str) -> None:
    while not Path(until).exists():
        time.sleep(0.01)  # the line that blocks


@app.method("x/block")
async def blocks(until: str) -> str:
    block(until)
    return "free"


@app.method("x/background")
async def background(until: str) -> str:
    async def later() -> None:
        await asyncio.sleep(0)
        block(until)

    kept.append(asyncio.ensure_future(later()))
    return "started"


@app.method("x/wait")
async def waits(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "waited"


@app.method("x/plain")
def plain() -> str:
    return "plain"


kept: list[asyncio.Future[None]] = []

if os.environ.get("HOW") == "health":

    @app.health
    async def health() -> None:
        await asyncio.Event().wait()


if os.environ.get("HOW") == "quick":

    @app.health
    async def quick() -> None:
        return None


if __name__ == "__main__":
    app.run()
