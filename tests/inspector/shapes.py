"""A plugin for the page's tests: params of every shape, calls that take their time, streams, stderr."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec

from animus_routes import App, Context, NotFound

app = App(kind="custom", name="animus-custom-shapes", version="1.0.0", description="Shapes")


class Point(msgspec.Struct):
    x: float
    y: float = 0.0


class Shape(msgspec.Struct):
    name: str
    colour: Literal["red", "green"] = "red"
    points: list[Point] = []
    tags: dict[str, str] = {}


@app.tool()
def draw(
    shape: Shape, scale: int, note: str | None = None, *, solid: bool = False
) -> dict[str, Any]:
    """Draw a `shape`.

    Args:
        shape: What is drawn.
        scale: How large.
        note: Written below it.
        solid: Whether it is filled.
    """
    return {"shape": msgspec.to_builtins(shape), "scale": scale, "note": note, "solid": solid}


@app.method("shape/refuse")
def refuse() -> None:
    raise NotFound("shape 'round'")


@app.method("shape/wait")
def wait(ctx: Context) -> str:
    print("waiting for paint", file=sys.stderr, flush=True)
    return "cancelled" if ctx.wait(20) else "dry"


@app.method("shape/big")
def big(size: int) -> str:
    return "x" * size


@app.method("shape/count", notification="shape/counted")
async def count(upto: int, *, forever: bool = False) -> AsyncIterator[dict[str, int]]:
    for number in range(upto):
        yield {"number": number}
    if forever:
        await asyncio.sleep(20)


@app.method("shape/die")
def die() -> None:
    os._exit(3)


if __name__ == "__main__":
    app.run()
