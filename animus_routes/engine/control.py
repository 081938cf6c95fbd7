"""What the engine answers itself: the lifecycle, pings, cancellations, health (spec sections 3, 6).

Each function may run on whichever thread reads. It returns a route if the work has to run inline,
in order, like a handler.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import SHUTDOWN_FINISH_S, End
from animus_routes.engine.frames import (
    UNREADABLE,
    Request,
    decode_odd,
    decode_plain,
    error_frame,
    id_key,
    is_id,
    late_health,
    refusal,
    result_frame,
)
from animus_routes.engine.stderr import log
from animus_routes.errors import CANCELLED, INVALID_REQUEST, METHOD_NOT_FOUND, RpcError

if TYPE_CHECKING:
    from msgspec import Raw

    from animus_routes.engine.connection import Connection
    from animus_routes.engine.ports import Route

Control = Callable[["Connection", "Request", bytearray], "Route | None"]
INLINE: Final = "inline"
EXIT: Final = "exit"
HEALTH: Final = "health/check"
SHUTDOWN: Final = "shutdown"


def parse(line: bytes) -> Request | None:
    """A line as a request, if it is one."""
    try:
        return decode_plain(line)
    except UNREADABLE:
        return decode_odd(line)


def read_odd(line: bytes, out: bytearray) -> Request | None:
    """A request that the fast path cannot read; None for a bad line, which is refused here."""
    request = decode_odd(line)
    if request is None:
        answer = refusal(line)
        if answer is not None:
            frame, text = answer
            out += frame
            log(f"refused a frame: {text}")
    return request


def not_run(request: Request) -> None:
    """Say on stderr, since nothing is answered, that a request has come as a notification."""
    log(f"{request.method}: it is a request, and nothing comes of it without an id")


def _initialize(connection: Connection, request: Request, _out: bytearray) -> Route | None:
    if not request.id:
        not_run(request)
        return None
    return connection.app.internal(partial(_initialized_with, connection))


def _initialized_with(connection: Connection, params: Raw) -> Any:
    """The handshake; the gate opens at `initialized`, if this succeeds."""
    if connection.greeted:
        raise RpcError(INVALID_REQUEST, "the plugin is already initialized")
    result = connection.app.initialize(params)
    connection.greeted = True
    return result


def _initialized(connection: Connection, _request: Request, _out: bytearray) -> None:
    connection.open_gate()


def _ping(_connection: Connection, request: Request, out: bytearray) -> None:
    if request.id:
        out += result_frame(request.id, b"{}")


def _health(connection: Connection, request: Request, out: bytearray) -> Route | None:
    if not request.id:
        return None
    blocked = connection.calls.blocked
    if blocked:
        out += late_health(request, blocked)
        return None
    route = connection.app.health_route()
    if route is None:
        out += result_frame(request.id, connection.app.health())
    elif route.mode != INLINE:
        call = connection.calls.start(route, request)
        connection.calls.loop.watch.bound(call)
        return None
    return route


def _cancel(connection: Connection, request: Request, out: bytearray) -> None:
    """Answer with one -32002, whatever the handler does next."""
    target = connection.app.field(request.params, "id", raw=True)
    if target is None or not is_id(target):
        told = "Field required" if target is None else "Expected the id of a request"
        log(f"{request.method}: invalid params: id: {told}")
        return
    key = id_key(target)
    if connection.calls.cancel(key):
        return
    turn = connection.turn
    current = turn.current
    # If it is answered already, its id may be another's by now.
    if current is not None and _has_id(current, key) and turn.claim_answer(current):
        connection.trip()
        out += _cancelled(current)
        return
    waiting = turn.withdraw(key)
    if waiting is not None:
        out += _cancelled(waiting)


def _has_id(request: Request, key: tuple[type, Any]) -> bool:
    return bool(request.id) and id_key(request.id) == key


def _cancelled(request: Request) -> bytes:
    return error_frame(request.id, CANCELLED, "cancelled", {"category": "cancelled"})


def _ask_to_shut_down(connection: Connection, request: Request, _out: bytearray) -> Route | None:
    if not request.id:
        not_run(request)
        return None
    connection.ask_to_shut_down()
    return connection.app.internal(partial(_shut_down, connection))


def _shut_down(connection: Connection, _params: Raw) -> dict[str, Any]:
    """Let calls finish within a bound, leave the lifespan, and answer."""
    connection.close_gate()
    connection.calls.drain(connection.shutdown_at + SHUTDOWN_FINISH_S)
    connection.app.stop()
    connection.stopped = True
    return {}


def _exit(connection: Connection, request: Request, out: bytearray) -> None:
    if request.id:
        out += result_frame(request.id, b"{}")
    connection.end(End.EXIT)


def _ignore(_connection: Connection, _request: Request, _out: bytearray) -> None:
    return None


def _one_way(control: Control) -> Control:
    """Hosts send it without an id: with one it would be a method, and there is none of that name."""

    def controlled(connection: Connection, request: Request, out: bytearray) -> Route | None:
        if not request.id:
            return control(connection, request, out)
        text = f"'{request.method}' is a notification, and sent without an id"
        out += error_frame(request.id, METHOD_NOT_FOUND, text)
        return None

    return controlled


CONTROL: Final[dict[str, Control]] = {
    "initialize": _initialize,
    "initialized": _one_way(_initialized),
    "$/ping": _ping,
    "$/cancelRequest": _one_way(_cancel),
    "$/progress": _one_way(_ignore),
    HEALTH: _health,
    SHUTDOWN: _ask_to_shut_down,
    EXIT: _exit,
}
