"""The serving loop: lifecycle, dispatch, answers. Handlers run inline on the thread that reads.

A request's way: `Wire.read` -> `Splitter.feed` -> `Server.process` -> `route.decode` ->
`route.call` -> one buffer -> `Wire.write`. What is not a plain request for an inline handler goes
through `Server.sort`, which any thread may run; while a handler is slow, the `Standby` does.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.calls import Calls, decode_again
from animus_routes.engine.control import CONTROL, INLINE
from animus_routes.engine.exit import Interrupted
from animus_routes.engine.frames import (
    MAX_OUTBOUND_BYTES,
    UNREADABLE,
    Request,
    TooLargeError,
    decode_odd,
    decode_plain,
    error_frame,
    refusal,
)
from animus_routes.engine.stderr import log
from animus_routes.errors import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgspec import Raw

    from animus_routes.engine.emitter import Emitter
    from animus_routes.engine.ports import Outcome, Plugin, Route
    from animus_routes.engine.standby import Standby
    from animus_routes.engine.wire import Wire

FLUSH_BYTES: Final = 60_000
EOF: Final = "eof"
ENDED_BY_INPUT: Final = frozenset({"", EOF})


class Server:
    """One connection, from the first byte to the end of the process.

    Attributes:
        current: The request whose code runs inline now; None between requests.
        context: Its context, if the handler asked for one.
        taken: The standby reads the wire and owns `out`, because `current` is slow.
        answered: The request that the standby answered in the handler's place.
        settling: `current` has failed; nothing may be raised into what reports that.
        reads: Counts reads; it stands still while a handler is slow.
        pending: Lines read by the standby that must run inline, in order.
        ended: Why reading stopped: "eof", "exit", a signal's name, "closed"; "" while serving.
        ended_at: When, on the monotonic clock, in seconds.
        shutdown_at: When the host asked for `shutdown`; 0 before.
        stopped: `shutdown` is done.
        on_end: Called once, by whatever thread or signal handler ends serving.
        on_shutdown: Called once, when `shutdown` arrives.
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
        self.settling = False
        self.reads = 0
        self.ended = ""
        self.ended_at = 0.0
        self.shutdown_at = 0.0
        self.stopped = False
        self.closing = False
        self.opened = False
        self.greeted = False
        self.standby: Standby | None = None
        self.on_end: Callable[[], object] = _nothing
        self.on_shutdown: Callable[[], object] = _nothing
        self._end_once = allocate_lock()
        # Empty until `initialized`: every domain request then takes the slow path, which refuses.
        self.inline: dict[str, Route] = {}

    # The loop -----------------------------------------------------------------------------------

    # One function on purpose: a call per request costs as much as the routing does.
    def process(self, lines: list[bytes]) -> None:  # noqa: C901, PLR0912, PLR0915
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
                if route.contextual:
                    self.context = self.plugin.context(self, route, request)
                # Until `current` is None again `out` may be the standby's: only results, no bytes.
                self.current = request
                try:
                    try:
                        arguments = route.decode(request.params)
                    except Exception as error:  # noqa: BLE001 - the border of params and bugs
                        try:
                            arguments = decode_again(route, request, error)
                        except Exception as final:  # noqa: BLE001 - as above
                            self._fail(route, request, final, undecoded=True)
                            continue
                    if route.contextual:
                        result = route.call(arguments, self.context)
                    else:
                        result = route.call(arguments)
                    if route.adapt is not None and route.adapts[result.__class__]:
                        result = route.adapt(result, request.params)
                    self.current = None
                except BaseException as error:  # noqa: BLE001 - a handler cannot end the process
                    self._fail(route, request, error)
                    continue
                if not (self.taken and self._reclaim(request)):
                    mark = len(out)
                    if request.id:
                        try:
                            route.answer(request.id, result, out)
                        except BaseException as error:  # noqa: BLE001 - an author's object, written
                            del out[mark:]
                            out += self.plugin.unwritable(route, request.id, error)
                    if len(out) > FLUSH_BYTES or self.ended:
                        self._limit(route, request, mark)
                if route.contextual:
                    self._close(request, None)
            lines = self._drain()

    def answer(self, route: Route, request_id: int | Raw, result: Any, out: bytearray) -> None:
        """Append the answer; a result that cannot be written becomes a -32603."""
        mark = len(out)
        try:
            route.answer(request_id, result, out)
        except BaseException as error:  # noqa: BLE001 - whatever an author's object does
            del out[mark:]
            out += self.plugin.unwritable(route, request_id, error)
        self._cap(route, request_id, mark, out)

    def _limit(self, route: Route, request: Request, mark: int) -> None:
        """Write what there is, but no answer that would end the link."""
        self._cap(route, request.id, mark, self.out)
        self.flush()

    def _cap(self, route: Route, request_id: int | Raw, mark: int, out: bytearray) -> None:
        if len(out) - mark > MAX_OUTBOUND_BYTES:
            error = TooLargeError("the result", len(out) - mark)
            del out[mark:]
            out += self.plugin.unwritable(route, request_id, error)

    def flush(self) -> None:
        """Write what is answered."""
        if self.out:
            self.wire.write(self.out)
            self.out.clear()

    def _drain(self) -> list[bytes]:
        if self.ended not in ENDED_BY_INPUT:
            self.pending.clear()
        lines = list(self.pending)
        self.pending.clear()
        return lines

    def drop(self) -> None:
        """Forget the requests that are read and not begun; nobody waits for their answers."""
        for _ in self.lines:
            pass
        self.pending.clear()

    def _reclaim(self, request: Request) -> bool:
        """Take the wire back from the standby; was the request answered meanwhile?"""
        assert self.standby is not None
        self.standby.give_back()
        answered, self.answered = self.answered, None
        return answered is request

    def _close(self, request: Request, failure: BaseException | None) -> None:
        """Run the rest of generator dependencies; it may be slow, so the standby may take over."""
        context, self.context = self.context, None
        if not context.cleanups:
            return
        self.flush()
        self.current = late = Request(request.method)
        try:
            context.close(failure)
        except BaseException as error:  # noqa: BLE001 - the end interrupted it
            log(f"the clean-up after {request.method} was cut off: {type(error).__name__}")
        self.current = None
        if self.taken:
            self._reclaim(late)

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
        try:
            return self._sort(request, out)
        except Exception as error:  # noqa: BLE001 - a role's reading of params; never the end
            frame = self.plugin.refuse(self.plugin.internal(_nothing), request, error)
            if request.id:
                out += frame
            return None

    def _sort(self, request: Request, out: bytearray) -> Route | None:
        control = CONTROL.get(request.method)
        if control is not None:
            return control(self, request, out)
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
            if out:  # what was asked before this is answered before its first item
                self.wire.write(out)
                out.clear()
            self.calls.start(route, request, out)
        return None

    def _missing(self, request: Request) -> bytes:
        if self.plugin.knows(request.method):
            return self.plugin.not_supported(request)
        text = f"unknown method '{request.method}'"
        return error_frame(request.id, METHOD_NOT_FOUND, text)

    def _notified(self, route: Route | None, request: Request) -> Route | None:
        """Notifications are never answered; unknown ones are dropped."""
        if route is None or not route.one_way or not self.opened or self.closing:
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
        found = self.calls.stop(str(name), route.owner)
        if route.bare and request.id:
            assert route.stopped is not None
            self.answer(route, request.id, route.stopped(name, found), out)
        return True

    # Lifecycle ----------------------------------------------------------------------------------

    def close_gate(self) -> None:
        """Refuse domain requests from now on."""
        self.closing = True
        self.inline.clear()

    def expect(self, emitter: Emitter) -> bool:
        """Will somebody flush this emitter if its source pauses?"""
        if self.standby is None:
            return False
        self.standby.expect(emitter)
        return True

    def end(self, reason: str, since: float = 0.0) -> None:
        """Stop serving; the first reason stays. Safe on any thread and in a signal's handler.

        What was read before the end of input is still answered, within the bound of the end.

        Args:
            reason: See `ended`.
            since: When the end began, if that was a while ago.
        """
        if not self._end_once.acquire(blocking=False):
            return
        self.ended_at = since or monotonic()
        self.ended = reason
        if reason != EOF:
            self.drop()
        self.on_end()

    def trip(self) -> None:
        """Tell the handler that runs inline that nobody will want its answer."""
        context = self.context
        if context is not None:
            context.cancel()

    # Failures: the one boundary between exceptions and the wire -----------------------------------

    def _fail(
        self, route: Route, request: Request, error: BaseException, *, undecoded: bool = False
    ) -> None:
        self.settling = True
        context = self.context if route.contextual else None
        outcome = self.judge(route, request, error, context, undecoded=undecoded)
        self.current = None
        self.settling = False
        if not (self.taken and self._reclaim(request)) and request.id:
            if isinstance(outcome, bytes):
                self.out += outcome
            else:
                self.answer(route, request.id, outcome.value, self.out)
        if isinstance(error, Interrupted) and self.ended:
            self.drop()
        if route.contextual:
            self._close(request, error)

    def judge(
        self,
        route: Route,
        request: Request,
        error: BaseException,
        context: Any,
        *,
        undecoded: bool = False,
    ) -> bytes | Outcome:
        """What an exception becomes; whatever goes wrong with that is a plain -32603."""
        try:
            if undecoded and isinstance(error, Exception):
                return self.plugin.refuse(route, request, error)
            return self.plugin.rescue(self, route, request, error, context)
        except BaseException as another:  # noqa: BLE001 - the host waits for an answer
            return self.plugin.unwritable(route, request.id, another)


def _nothing(*_: object) -> None:
    pass
