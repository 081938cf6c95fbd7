"""A trigger that sends what its config lists, then does what `then` says."""

import sys
from collections.abc import Iterator
from typing import Any

from animus_routes import App, Context, InvalidRequest, RpcError
from animus_routes.engine.stderr import log
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams

app = App(
    kind="trigger_backend",
    name="triggers",
    version="1.0.0",
    description="Sends what it is told to",
    exit_on_broken_stream="--stay" not in sys.argv,
)

ERRORS = {
    "fail": OSError("no upstream"),
    "refuse": RpcError(-32602, "no such upstream"),
    "refuse_too": RpcError(-32600, "no such upstream"),
    "translated": LookupError("no such upstream"),
}


@app.exception_handler(LookupError)
def unknown(_ctx: Context, error: LookupError) -> InvalidRequest:
    return InvalidRequest(str(error))


@app.method("trigger/watch")
def watch(params: TriggerWatchParams, ctx: Context) -> Iterator[TriggerEvent]:
    try:
        for trigger in params.triggers:
            config: dict[str, Any] = trigger.config or {}
            if config.get("then") in ERRORS:
                raise ERRORS[config["then"]]
            for number in range(config.get("count", 0)):
                yield TriggerEvent(event_id=f"{trigger.id}-{number}", trigger_id=trigger.id)
            if config.get("then") == "break":
                raise OSError("the upstream is gone")
        while not ctx.wait(60):
            pass
    finally:
        log("closed")


@app.method("trigger/ack")
def acknowledge(event_id: str, status: str | None = None) -> None:
    log(f"acknowledged {event_id} {status}")


if __name__ == "__main__":
    app.run([])
