"""A log store whose tails end as their query says: with an error, a bug, or the process."""

import os
from collections.abc import Iterator
from typing import Annotated

from animus_routes import App, Context, Depends, Unavailable
from animus_routes.structs.log_storage import LogEntry, LogQuery

app = App(kind="log_storage_backend", name="tails", version="1.0.0", description="Tails that end")


@app.method("log_storage/store")
def store(entries: list[LogEntry]) -> None:
    """Nothing is kept."""


@app.exception_handler(ConnectionError)
def lost(_ctx: Context, error: ConnectionError) -> Unavailable:
    return Unavailable(f"the store is gone: {error}")


def ending(ctx: Context) -> Iterator[str]:
    how = str(ctx.params["cursor"])
    yield how
    if how == "exit":
        os._exit(3)


@app.method("log_storage/tail")
def tail(query: LogQuery, ctx: Context, how: Annotated[str, Depends(ending)]) -> Iterator[LogEntry]:
    for number in range(3):
        yield LogEntry(
            id=str(number),
            ts="2026-01-31T09:30:00Z",
            level="info",
            source="daemon",
            target="tails",
            message="a line",
        )
    if how == "unavailable":
        raise Unavailable("the disk is away")
    if how == "translated":
        raise ConnectionError("reset")
    if how == "bug":
        raise ZeroDivisionError
    if how == "late":
        ctx.wait(60)
        raise ZeroDivisionError


if __name__ == "__main__":
    app.run([])
