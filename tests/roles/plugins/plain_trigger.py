"""A trigger whose watch is a plain function: it emits, waits, and may not be able to begin."""

from typing import Any

from animus_routes import App, Context, InvalidRequest, Unavailable
from animus_routes.structs.plugin import TriggerWatchParams

app = App(
    kind="trigger_backend",
    name="plain-trigger",
    version="1.0.0",
    description="Emits instead of yielding",
)


@app.method("trigger/watch")
def watch(params: TriggerWatchParams, ctx: Context) -> None:
    config: dict[str, Any] = params.config or {}
    if config.get("then") == "refuse":
        raise InvalidRequest("no such upstream")
    if config.get("then") == "fail":
        raise Unavailable("the upstream does not answer")
    ctx.emit({"event_id": "one"})
    ctx.wait(60)


if __name__ == "__main__":
    app.run([])
