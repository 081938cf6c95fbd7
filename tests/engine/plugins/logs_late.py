"""Imports `logging` as late as it needs it: in the lifespan, a handler, a task or a thread."""

import os
import sys
from collections.abc import Iterator

from animus_routes import App

assert "logging" not in sys.modules


def warn(where: str) -> None:
    import importlib.util

    assert importlib.util.find_spec("logging") is not None
    import logging

    logging.getLogger(where).warning("with %s", os.environ["TOKEN"], extra={"key": "value"})


def lifespan() -> Iterator[None]:
    if os.environ.get("WHERE") == "lifespan":
        warn("lifespan")
    yield


app = App(
    kind="custom",
    name="logs-late",
    version="1.0.0",
    description="Logs",
    lifespan=lifespan,
    env_required=[{"name": "WHERE"}, {"name": "TOKEN", "sensitive": True}],
)


@app.method("log/here")
def here() -> bool:
    import logging

    warn("here")
    return type(logging.__spec__.loader).__name__ == "SourceFileLoader"


@app.method("log/thread", concurrent=True)
def thread() -> None:
    warn("thread")


@app.method("log/async")
async def loop() -> None:
    warn("async")


if __name__ == "__main__":
    app.run()
