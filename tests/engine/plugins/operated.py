"""A trigger that needs variables, and fails in the ways that an operator meets."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from animus_routes import App, Context, InvalidRequest, RpcError, Unavailable


def lifespan() -> Iterator[str]:
    how = os.environ.get("HOW", "")
    if how == "token":
        yield os.environ["TOKEN"]
    elif how == "os":
        raise PermissionError(13, "Permission denied", "/var/lib/store")
    elif how == "bug":
        raise LookupError("s3cret inside")
    elif how == "exit":
        sys.exit("no store for " + os.environ.get("TOKEN", "anybody"))
    elif how == "interrupt":
        raise KeyboardInterrupt
    elif how == "refuse":
        raise Unavailable(f"the store says no to {os.environ.get('TOKEN')}")
    else:
        yield "open"


app = App(
    kinds=["trigger_backend", "subject_backend"],
    name="operated",
    version="1.0.0",
    description="Fails",
    subject_kinds=["task"],
    lifespan=lifespan,
    log_format="json" if "--json" in sys.argv else "text",
    log_entries=True,
    env_required=[
        {"name": "HOW"},
        {"name": "OPTIONAL"},
        {"name": "TOKEN", "required": True, "sensitive": True},
    ],
)


@app.method("trigger/watch")
def watch(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if params.get("refuse"):
        raise InvalidRequest("no such branch")
    yield {"event_id": "1"}


@app.method("trigger/ack")
def ack(event_id: str) -> None:
    if event_id == "unknown":
        raise InvalidRequest("no such event")


@app.method("subject/watch")
def watch_subjects(filter: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    if not filter:
        raise Unavailable("the tracker is away")
    yield filter


@app.method("subject/list")
def listed(filter: dict[str, Any], ctx: Context) -> list[Any]:
    token = os.environ["TOKEN"]
    ctx.log("info", f"with {token}", header=f"Bearer {token}", nested={token: [token]})
    how = (filter.get("labels_any") or [""])[0]
    if how == "raise":
        raise ValueError(f"401 for {token!r}")
    if how == "error":
        raise RpcError(-32603, f"401 for {token}", {"asked": {"with": token}})
    if how == "optional":
        return [os.environ["OPTIONAL"]]
    return []


@app.method("subject/get")
def get(id: str) -> dict[str, Any]:
    raise ZeroDivisionError("s3cret inside")


@app.health
def health() -> str | None:
    if os.environ.get("HOW") == "unwell":
        sys.exit(3)
    return os.environ.get("TOKEN") if os.environ.get("HOW") == "ill" else None


if __name__ == "__main__":
    sys.argv[1:] = []
    app.run()
