"""The serving loop: dispatch and answers. Handlers run inline on the thread that reads.

A request's way: `Wire.read` -> `Splitter.feed` -> `Server.process` -> `route.decode` ->
`route.call` -> one buffer -> `Wire.write`. What is not a plain request for an inline handler goes
through `Server.sort`, which any thread may run; while a handler is slow, the `Standby` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_routes.engine.answers import decode_again
from animus_routes.engine.control import CONTROL, INLINE, read_odd
from animus_routes.engine.exit import End, Interrupted
from animus_routes.engine.frames import UNREADABLE, decode_plain, error_frame
from animus_routes.engine.stderr import log
from animus_routes.errors import INVALID_REQUEST, METHOD_NOT_FOUND, NOT_INITIALIZED

if TYPE_CHECKING:
    from animus_routes.engine.connection import Connection
    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Outcome, Route

FLUSH_BYTES: Final = 60_000
STILL_WANTED: Final = frozenset({None, End.INPUT})  # ends, or none, that leave requests to answer


class Server:
    """Runs the requests of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._app = connection.app
        self._context = connection.app.context
        self._scope = connection.app.scope
        self._turn = connection.turn
        self._answers = connection.answers

    # The loop -----------------------------------------------------------------------------------

    # One function on purpose: a call per request costs as much as the routing does.
    def process(self, lines: list[bytes]) -> None:  # noqa: C901, PLR0912, PLR0915
        """Run whole lines in order on this thread; afterwards `out` holds their answers."""
        connection, turn = self.connection, self._turn
        out, inline = turn.out, connection.inline
        while lines:
            turn.lines = iter(lines)
            for line in turn.lines:
                try:
                    request = decode_plain(line)
                except UNREADABLE:
                    found = read_odd(line, out)
                    if found is None:
                        continue
                    request = found
                route = inline.get(request.method)
                if route is None or not request.id:
                    route = self.sort(request, out)
                    if route is None:
                        continue
                if route.contextual:
                    turn.context = self._context(route, request)
                # From here to the end of its turn `out` may be the standby's: results, no bytes.
                turn.current = request
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
                        result = route.call(arguments, turn.context)
                    else:
                        result = route.call(arguments)
                    if route.adapt is not None and route.adapts[result.__class__]:
                        result = route.adapt(result, request.params)
                    turn.current = None
                except BaseException as error:  # noqa: BLE001 - a handler cannot end the process
                    self._fail(route, request, error)
                    continue
                if not (turn.taken and turn.reclaim(request)):
                    mark = len(out)
                    if request.id:
                        try:
                            route.answer(request.id, result, out)
                        except BaseException as error:  # noqa: BLE001 - an author's object, written
                            self._answers.take_back(route, request.id, error, mark, out)
                    if len(out) > FLUSH_BYTES or connection.ended:
                        self._answers.cap(route, request.id, mark, out)
                        connection.flush()
                if route.contextual:
                    if self._scope(turn.context).cleanups:
                        self._close(request, None)
                    turn.context = None
            lines = self._next_lines() if turn.pending else []

    def _next_lines(self) -> list[bytes]:
        """What the standby has left to do; nothing if nobody waits for it any more."""
        if self.connection.ended not in STILL_WANTED:
            self._turn.drop()
        return self._turn.next_lines()

    def _close(self, request: Request, failure: BaseException | None) -> None:
        """Run the rest of generator dependencies; it may be slow, so the standby may take over."""
        turn = self._turn
        scope = self._scope(turn.context)
        turn.context = None
        if not scope.cleanups:
            return
        self.connection.flush()
        late = turn.nobody_asks(request.method)
        try:
            scope.close(failure)
        except BaseException as error:  # noqa: BLE001 - the end interrupted it
            log(f"the clean-up after {request.method} was cut off: {type(error).__name__}")
        turn.end(late)

    def _fail(
        self, route: Route, request: Request, error: BaseException, *, undecoded: bool = False
    ) -> None:
        turn, answers = self._turn, self._answers
        turn.settle()
        if undecoded and isinstance(error, Exception):
            outcome: bytes | Outcome = answers.refuse(route, request, error)
        else:
            context = turn.context if route.contextual else None
            outcome = answers.judge(route, request, error, context)
        if not turn.end(request) and request.id:
            if isinstance(outcome, bytes):
                turn.out += outcome
            else:
                answers.write(route, request.id, outcome.value, turn.out)
        if isinstance(error, Interrupted) and self.connection.ended:
            turn.drop()
        if route.contextual:
            self._close(request, error)

    # What is not a plain request for an inline handler -------------------------------------------

    def sort(self, request: Request, out: bytearray) -> Route | None:
        """Deal with a request on whatever thread reads; return its route if it must run inline."""
        try:
            return self._sort(request, out)
        except Exception as error:  # noqa: BLE001 - a role's reading of params; never the end
            frame = self._answers.refuse(self._app.internal(_nothing), request, error)
            if request.id:
                out += frame
            return None

    def _sort(self, request: Request, out: bytearray) -> Route | None:
        connection = self.connection
        control = CONTROL.get(request.method)
        if control is not None:
            return control(connection, request, out)
        route = self._app.find(request.method)
        if not request.id:
            return self._notified(route, request)
        if route is None:
            out += self._missing(request)
        elif not connection.opened:
            text = f"'{request.method}' was called before `initialized`"
            out += error_frame(request.id, NOT_INITIALIZED, text)
        elif connection.closing:
            out += error_frame(request.id, INVALID_REQUEST, "the plugin is shutting down")
        elif route.stops is not None and self._stop(route, request, out) and route.bare:
            pass
        elif route.mode == INLINE:
            return route
        else:
            if out:  # what was asked before this is answered before its first item
                connection.wire.write(out)
                out.clear()
            connection.calls.start(route, request, out)
        return None

    def _missing(self, request: Request) -> bytes:
        if self._app.knows(request.method):
            return self._app.failures.not_supported(request)
        text = f"unknown method '{request.method}'"
        return error_frame(request.id, METHOD_NOT_FOUND, text)

    def _notified(self, route: Route | None, request: Request) -> Route | None:
        """Notifications are never answered; unknown ones are dropped."""
        connection = self.connection
        if route is None or not route.one_way or not connection.opened or connection.closing:
            return None
        if route.stops is not None:
            self._stop(route, request, bytearray())
        if route.bare:
            return None
        if route.mode == INLINE:
            return route
        connection.calls.start(route, request, bytearray())
        return None

    def _stop(self, route: Route, request: Request, out: bytearray) -> bool:
        """End the stream that the params name; names are compared as text."""
        assert route.stops is not None
        name = self._app.field(request.params, route.stops)
        found = self.connection.calls.stop(str(name), route.owner)
        if route.bare and request.id:
            assert route.stopped is not None
            self._answers.write(route, request.id, route.stopped(name, found), out)
        return True


def _nothing(*_: object) -> None:
    pass
