"""Serves calls that run a command below themselves; their params say which one."""

import sys
from collections.abc import Iterator
from typing import Any

from animus_routes import App, Context
from animus_routes.batteries.children import Child, run

app = App(kind="custom", name="animus-children", version="1.0.0", description="Runs commands")


def started(ctx: Context, command: list[str], options: dict[str, Any]) -> Child:
    return run([sys.executable, *command], ctx, **options)


@app.method("x/inline")
@app.method("x/pool", concurrent=True)
def plain(ctx: Context, command: list[str], options: dict[str, Any], crash: bool = False) -> int:  # noqa: FBT002
    with started(ctx, command, options) as child:
        for found in child.json_lines():
            ctx.notify("x/found", found)
            if crash:
                raise LookupError("the handler fails")
        return child.wait()


@app.method("x/stream", notification="x/found")
def stream(ctx: Context, command: list[str], options: dict[str, Any]) -> Iterator[Any]:
    with started(ctx, command, options) as child:
        yield from child.json_lines()


if __name__ == "__main__":
    app.run()
