"""What the engine answers itself: the lifecycle, pings, cancellations, health (spec sections 3, 6).

Each function may run on whatever thread reads. It returns a route where the work has to run
inline, in order, like a handler's.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.frames import (
    UNREADABLE,
    Request,
    decode_odd,
    decode_plain,
    error_frame,
    id_key,
    is_id,
    result_frame,
)
from animus_routes.errors import CANCELLED, INVALID_REQUEST, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from animus_routes.engine.ports import Route
    from animus_routes.engine.server import Server

SHUTDOWN_BOUND_S: Final = 1.2  # the host waits 2 s
INLINE: Final = "inline"
HEALTH: Final = "health/check"
SHUTDOWN: Final = "shutdown"


def parse(line: bytes) -> Request | None:
    """A line as a request, if it is one."""
    try:
        return decode_plain(line)
    except UNREADABLE:
        return decode_odd(line)


def _initialize(server: Server, request: Request, _out: bytearray) -> Route | None:
    return server.plugin.internal(partial(_initialized_with, server)) if request.id else None


def _initialized_with(server: Server, params: Raw) -> Any:
    """The handshake; the gate opens at `initialized`, if this succeeds."""
    if server.greeted:
        raise RpcError(INVALID_REQUEST, "the plugin is initialized already")
    result = server.plugin.initialize(server, params)
    server.greeted = True
    return result


def _initialized(server: Server, _request: Request, _out: bytearray) -> None:
    if server.greeted and not server.opened and not server.closing:
        server.opened = True
        server.inline.update(server.plugin.inline())


def _ping(_server: Server, request: Request, out: bytearray) -> None:
    if request.id:
        out += result_frame(request.id, b"{}")


def _health(server: Server, request: Request, out: bytearray) -> Route | None:
    if not request.id:
        return None
    route = server.plugin.health_route()
    if route is None:
        out += result_frame(request.id, server.plugin.health())
    elif route.mode != INLINE:
        server.calls.start(route, request, out)
        return None
    return route


def _cancel(server: Server, request: Request, out: bytearray) -> None:
    """One -32002, whatever the handler does next."""
    target = server.plugin.field(request.params, "id", raw=True)
    if target is None or not is_id(target):
        return
    key = id_key(target)
    if server.calls.cancel(key):
        return
    current = server.current
    if current is not None and current.id and id_key(current.id) == key:
        if server.answered is not current:
            server.answered = current
            server.trip()
            out += _cancelled(current)
        return
    for line in tuple(server.pending):
        waiting = parse(line)
        if waiting is not None and waiting.id and id_key(waiting.id) == key:
            server.pending.remove(line)
            out += _cancelled(waiting)
            return


def _cancelled(request: Request) -> bytes:
    return error_frame(request.id, CANCELLED, "cancelled", {"category": "cancelled"})


def _ask_to_shut_down(server: Server, request: Request, _out: bytearray) -> Route | None:
    if not request.id:
        return None
    if not server.shutdown_at:
        server.shutdown_at = monotonic()
        server.on_shutdown()
    return server.plugin.internal(partial(_shut_down, server))


def _shut_down(server: Server, _params: Raw) -> dict[str, Any]:
    """Let work finish within a bound, leave the lifespan, answer."""
    server.close_gate()
    server.calls.finish(server.shutdown_at + SHUTDOWN_BOUND_S)
    server.plugin.stop()
    server.stopped = True
    return {}


def _exit(server: Server, request: Request, out: bytearray) -> None:
    if request.id:
        out += result_frame(request.id, b"{}")
    server.end("exit")


def _ignore(_server: Server, _request: Request, _out: bytearray) -> None:
    return None


CONTROL: Final[dict[str, Callable[[Server, Request, bytearray], Route | None]]] = {
    "initialize": _initialize,
    "initialized": _initialized,
    "$/ping": _ping,
    "$/cancelRequest": _cancel,
    "$/progress": _ignore,
    HEALTH: _health,
    SHUTDOWN: _ask_to_shut_down,
    "exit": _exit,
}
