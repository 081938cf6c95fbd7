"""The serving loop: lifecycle, dispatch, answers. Handlers run inline on the thread that reads.

A request's way: `Wire.read` -> `Splitter.feed` -> `Server.process` -> `route.decode` ->
`route.call` -> one buffer -> `Wire.write`. What is not a plain request for an inline handler goes
through `Server.sort`, which any thread may run; while a handler is slow, the `Standby` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw

from animus_routes.engine.calls import Calls, decode_again
from animus_routes.engine.frames import (
    MAX_OUTBOUND_BYTES,
    UNREADABLE,
    Request,
    decode_odd,
    decode_plain,
    error_frame,
    id_key,
    refusal,
    result_frame,
)
from animus_routes.engine.wire import log
from animus_routes.errors import (
    CANCELLED,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
)

if TYPE_CHECKING:
    from animus_routes.engine.plugin import Plugin, Route
    from animus_routes.engine.standby import Standby
    from animus_routes.engine.streams import Emitter
    from animus_routes.engine.wire import Wire

FLUSH_BYTES: Final = 60_000
SHUTDOWN_BOUND_S: Final = 1.2  # the host waits 2 s
INLINE: Final = "inline"
HEALTH: Final = "health/check"


class Server:
    """One connection, from the first byte to the end of the process.

    Attributes:
        current: The request whose handler runs inline now; None between handlers.
        context: Its context, if the handler asked for one.
        taken: The standby reads the wire and owns `out`, because `current` is slow.
        answered: The request that the standby answered in the handler's place.
        reads: Counts reads; it stands still while a handler is slow.
        pending: Lines read by the standby that must run inline, in order.
        ended: Why reading stopped: "eof", "exit", a signal's name; "" while serving.
    """

    def __init__(self, plugin: Plugin, wire: Wire) -> None:
        self.plugin = plugin
        self.wire = wire
        self.calls = Calls(self)
        self.out = bytearray()
        self.lines: Iterator[bytes] = iter(())
        self.pending: deque[bytes] = deque()
        self.current: Request | None = None
        self.context: Any = None
        self.answered: Request | None = None
        self.taken = False
        self.reads = 0
        self.ended = ""
        self.closing = False
        self.opened = False
        self.greeted = False
        self.standby: Standby | None = None
        self.nudge: Callable[[], object] = _nothing
        # Empty until `initialized`: every domain request then takes the slow path, which refuses.
        self.inline: dict[str, Route] = {}
        self.control: dict[str, Callable[[Request, bytearray], Route | None]] = {
            "initialize": lambda request, out: self._internal(request, out, self._initialize),
            "initialized": self._initialized,
            "$/ping": self._ping,
            "$/cancelRequest": self._cancel,
            "$/progress": _ignore,
            HEALTH: self._health,
            "shutdown": lambda request, out: self._internal(request, out, self._shutdown),
            "exit": self._exit,
        }

    # The loop -----------------------------------------------------------------------------------

    def process(self, lines: list[bytes]) -> None:
        """Run whole lines, in order, on this thread; what they answer is in `out` afterwards."""
        out, inline = self.out, self.inline
        while lines:
            self.lines = iter(lines)
            for line in self.lines:
                try:
                    request = decode_plain(line)
                except UNREADABLE:
                    found = self.odd(line, out)
                    if found is None:
                        continue
                    request = found
                route = inline.get(request.method)
                if route is None or not request.id:
                    route = self.sort(request, out)
                    if route is None:
                        continue
                try:
                    arguments = route.decode(request.params)
                except Exception as error:  # noqa: BLE001 - the boundary between params and bugs
                    try:
                        arguments = decode_again(route, request, error)
                    except Exception as final:  # noqa: BLE001 - as above
                        if request.id:
                            out += self.plugin.refuse(route, request, final)
                        continue
                self.current = request
                try:
                    if route.contextual:
                        self.context = self.plugin.context(self, route, request)
                        result = route.call(arguments, self.context)
                    else:
                        result = route.call(arguments)
                    if route.finish is not None and result.__class__ in route.finishes:
                        result = route.finish(result, request.params)
                    # From here on the standby may not write: `out` is ours again.
                    self.current = None
                    if self.taken and self._reclaim(request):
                        continue
                    mark = len(out)
                    if request.id:
                        route.answer(request.id, result, out)
                except BaseException as error:  # noqa: BLE001 - a handler cannot end the process
                    if self.current is None:
                        del out[mark:]
                        out += self.plugin.unwritable(route, request.id, error)
                    else:
                        self._fail(route, request, error, out)
                else:
                    if len(out) > FLUSH_BYTES or self.ended:
                        self._limit(route, request, mark)
                    if route.contextual:
                        self.context.close(None)
            lines = self._drain()

    def answer(self, route: Route, request_id: int | Raw, result: Any, out: bytearray) -> None:
        """Append the answer; a result that cannot be written becomes a -32603."""
        mark = len(out)
        try:
            route.answer(request_id, result, out)
            if len(out) - mark > MAX_OUTBOUND_BYTES:
                raise TooLargeError(len(out) - mark)
        except Exception as error:  # noqa: BLE001 - whatever an author's object does when written
            del out[mark:]
            out += self.plugin.unwritable(route, request_id, error)

    def _limit(self, route: Route, request: Request, mark: int) -> None:
        """Refuse an answer that would end the link; write what there is."""
        out = self.out
        if len(out) - mark > MAX_OUTBOUND_BYTES:
            error = TooLargeError(len(out) - mark)
            del out[mark:]
            out += self.plugin.unwritable(route, request.id, error)
        self.flush()

    def flush(self) -> None:
        """Write what is answered."""
        if self.out:
            self.wire.write(self.out)
            self.out.clear()

    def _drain(self) -> list[bytes]:
        lines: list[bytes] = []
        while self.pending:
            lines.append(self.pending.popleft())
        return lines

    def _reclaim(self, request: Request) -> bool:
        """Take the wire back from the standby; was the request answered meanwhile?"""
        assert self.standby is not None
        self.standby.give_back()
        answered, self.answered = self.answered, None
        if answered is not request:
            return False
        if self.context is not None:
            self.context.close(None)
        return True

    def odd(self, line: bytes, out: bytearray) -> Request | None:
        """A request that the fast path does not know; None once a bad line is refused."""
        request = decode_odd(line)
        if request is None:
            answer = refusal(line)
            if answer is not None:
                frame, text = answer
                out += frame
                log(f"refused a frame: {text}")
        return request

    # What is not a plain request for an inline handler -------------------------------------------

    def sort(self, request: Request, out: bytearray) -> Route | None:
        """Deal with a request on whatever thread reads; return its route if it must run inline."""
        control = self.control.get(request.method)
        if control is not None:
            return control(request, out)
        route = self.plugin.find(request.method)
        if not request.id:
            return self._notified(route, request)
        if route is None:
            out += self._missing(request)
        elif not self.opened:
            text = f"'{request.method}' was called before `initialized`"
            out += error_frame(request.id, NOT_INITIALIZED, text)
        elif self.closing:
            out += error_frame(request.id, INVALID_REQUEST, "the plugin is shutting down")
        elif route.stops is not None and self._stop(route, request, out) and route.bare:
            pass
        elif route.mode == INLINE:
            return route
        else:
            self.calls.start(route, request, out)
        return None

    def _missing(self, request: Request) -> bytes:
        if self.plugin.knows(request.method):
            return self.plugin.not_supported(request)
        text = f"unknown method '{request.method}'"
        return error_frame(request.id, METHOD_NOT_FOUND, text)

    def _notified(self, route: Route | None, request: Request) -> Route | None:
        """Notifications are never answered; unknown ones are dropped."""
        if route is None or not route.notification or not self.opened or self.closing:
            return None
        if route.stops is not None:
            self._stop(route, request, bytearray())
        if route.bare:
            return None
        if route.mode == INLINE:
            return route
        self.calls.start(route, request, bytearray())
        return None

    def _stop(self, route: Route, request: Request, out: bytearray) -> bool:
        """End the stream that the params name; names are compared as text."""
        assert route.stops is not None
        name = self.plugin.field(request.params, route.stops)
        found = self.calls.stop(str(name))
        if route.bare and request.id:
            assert route.stopped is not None
            self.answer(route, request.id, route.stopped(name, found), out)
        return True

    # Lifecycle ----------------------------------------------------------------------------------

    def _internal(
        self, request: Request, _out: bytearray, handler: Callable[[Raw], Any]
    ) -> Route | None:
        return self.plugin.internal(handler) if request.id else None

    def _initialize(self, params: Raw) -> Any:
        """The handshake (spec section 3.2); the gate opens at `initialized`, if this succeeds."""
        self.greeted = False
        result = self.plugin.initialize(self, params)
        self.greeted = True
        return result

    def _initialized(self, _request: Request, _out: bytearray) -> None:
        if self.greeted and not self.opened:
            self.opened = True
            self.inline.update(self.plugin.inline())

    def _ping(self, request: Request, out: bytearray) -> None:
        if request.id:
            out += result_frame(request.id, b"{}")

    def _health(self, request: Request, out: bytearray) -> Route | None:
        if not request.id:
            return None
        route = self.plugin.health_route()
        if route is None:
            out += result_frame(request.id, self.plugin.health())
        elif route.mode != INLINE:
            self.calls.start(route, request, out)
            return None
        return route

    def _cancel(self, request: Request, out: bytearray) -> None:
        """`$/cancelRequest` (spec section 6.3): one -32002, whatever the handler does next."""
        target = self.plugin.field(request.params, "id", raw=True)
        if target is None:
            return
        key = id_key(target)
        if self.calls.cancel(key):
            return
        current = self.current
        if current is not None and current.id and id_key(current.id) == key:
            if self.answered is not current:
                self.answered = current
                if self.context is not None:
                    self.context.cancel()
                out += error_frame(current.id, CANCELLED, "cancelled", {"category": "cancelled"})
            return
        self._cancel_pending(key, out)

    def _cancel_pending(self, key: tuple[type, Any], out: bytearray) -> None:
        for line in tuple(self.pending):
            waiting = parse(line)
            if waiting is not None and waiting.id and id_key(waiting.id) == key:
                self.pending.remove(line)
                out += error_frame(waiting.id, CANCELLED, "cancelled", {"category": "cancelled"})
                return

    def _shutdown(self, _params: Raw) -> dict[str, Any]:
        """Let work finish within a bound, leave the lifespan, answer (spec section 3.5)."""
        self.closing = True
        self.flush_now()
        self.calls.finish(monotonic() + SHUTDOWN_BOUND_S)
        self.plugin.stop()
        return {}

    def flush_now(self) -> None:
        """Write finished answers before something slow; safe on the main thread only."""
        if not self.taken:
            self.flush()

    def _exit(self, request: Request, out: bytearray) -> None:
        if request.id:
            out += result_frame(request.id, b"{}")
        self.end("exit")

    def expect(self, emitter: Emitter) -> bool:
        """Will somebody flush this emitter if its source pauses?"""
        if self.standby is None:
            return False
        self.standby.expect(emitter)
        return True

    def end(self, reason: str) -> None:
        """Stop serving; the first reason stays."""
        self.ended = self.ended or reason
        if self.standby is not None:
            self.standby.hurry()

    # Failures: the one boundary between exceptions and the wire -----------------------------------

    def _fail(self, route: Route, request: Request, error: BaseException, out: bytearray) -> None:
        self.current = None
        if self.taken and self._reclaim(request):
            return
        outcome = self.plugin.rescue(self, route, request, error)
        if request.id:
            if isinstance(outcome, bytes):
                out += outcome
            else:
                self.answer(route, request.id, outcome.value, out)
        if route.contextual:
            self.context.close(error)


class TooLargeError(Exception):
    """A result that hosts would end the link for."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the result has {size} bytes, hosts end the link above {MAX_OUTBOUND_BYTES}: page it"
        )


def parse(line: bytes) -> Request | None:
    """A line as a request, if it is one."""
    try:
        return decode_plain(line)
    except UNREADABLE:
        return decode_odd(line)


def _ignore(_request: Request, _out: bytearray) -> None:
    return None


def _nothing() -> None:
    pass
