"""The serving loop: dispatch and answers. Handlers run inline on the thread that reads.

A request's way: `Process._read_all` -> `Splitter.feed` -> `Server.run_lines` ->
`route.decode` -> `route.call` -> one buffer -> `Wire.write_locked`. What is not a plain request for
an inline handler goes through `Server.sort`, which any thread may run; while a handler is slow, the
`Standby` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.answers import decode_again
from animus_routes.engine.control import CONTROL, EXIT, INLINE, not_run, read_odd
from animus_routes.engine.exit import FORKED, End, Interrupted, end_child
from animus_routes.engine.frames import (
    UNREADABLE,
    Response,
    decode_plain,
    encoder,
    error_frame,
    id_key,
)
from animus_routes.engine.stderr import log
from animus_routes.engine.turn import HELD_BYTES
from animus_routes.errors import INVALID_REQUEST, METHOD_NOT_FOUND, NOT_INITIALIZED, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.engine.connection import Connection
    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Outcome, Route

encode: Final = encoder.encode
Judge = Callable[["Server", "Route", "Request", BaseException], "bytes | Outcome"]
IN_PROGRESS: Final = "a request with this id is already in progress"
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
        self._variables = connection.app.variables.copy()
        turn, calls = connection.turn, connection.calls
        # In one piece, because the loop asks for all of it after every read.
        self._at_hand = (connection, turn, turn.out, connection.inline, calls.active)

    # The loop -----------------------------------------------------------------------------------

    def process(self, lines: list[bytes]) -> None:
        """Run whole lines in order on this thread; afterwards `out` holds their answers."""
        self._turn.lines = iter(lines)
        self.in_variables(self.go_on)

    def in_variables(self, work: Callable[[], bool]) -> None:
        """Work on requests, with other context variables as often as `work` asks for them.

        Each request begins with the variables as the lifespan has left them: they share a copy of
        those until one of them sets something.
        """
        while self._variables.run(work):
            self.renew_variables()

    def go_on(self) -> bool:
        """Run what is read and not begun; True if the rest needs context variables of its own."""
        turn = self._turn
        if self.run_lines(turn.lines):
            return True
        # Then what the standby has read in this thread's place: nothing of it is read twice.
        while turn.pending:
            if self.connection.ended not in STILL_WANTED:
                turn.drop()
            if self.run_lines(iter(turn.next_request, None), _as_it_is):
                return True
        return False

    def renew_variables(self) -> None:
        """What ran last leaves nothing behind in context variables."""
        self._variables = self._app.variables.copy()

    # One function on purpose: a call per request costs as much as the routing does.
    def run_lines(  # noqa: C901, PLR0912, PLR0915
        self, waiting: Iterator[Any], decode: Callable[[Any], Request] = decode_plain
    ) -> bool:
        """Run lines in order; True if the next one needs context variables of its own."""
        variables, base = self._variables, self._app.variables
        connection, turn, out, inline, active = self._at_hand
        refused, judged, unwritten = REFUSED, JUDGED, UNWRITTEN
        mark = len(out)
        for line in waiting:
            try:
                request = decode(line)
            except UNREADABLE:
                found = read_odd(line, out)
                if found is None:
                    mark = self._flush_much()
                    continue
                request = found
            route, request_id = inline.get(request.method), request.id
            if route is None or not request_id or (active and self._is_taken(request)):
                route = self.sort(request, out)
                mark = self._flush_much()
                if route is None:
                    continue
            contextual = route.contextual
            if contextual:
                turn.context = self._context(route, request)
            # From here to the end of its turn the wire may be the standby's.
            turn.mark = mark
            turn.current = request
            failed = refused
            try:
                try:
                    arguments = route.decode(request.params)
                except Exception as error:  # noqa: BLE001 - the border of params and bugs
                    arguments = decode_again(route, request, error)
                failed = judged
                if contextual:
                    result = route.call(arguments, turn.context)
                else:
                    result = route.call(arguments)
                if type(result) is route.ready and request_id:
                    failed = unwritten
                    try:
                        out += encode(Response(request_id, result))
                        out += b"\n"
                    except Exception:  # noqa: BLE001 - it mends it, or says what is wrong
                        route.answer(request_id, result, out)
                else:
                    if route.adapt is not None and route.adapts[result.__class__]:
                        result = route.adapt(result, request.params)
                    if request_id:
                        failed = unwritten
                        route.answer(request_id, result, out)
                turn.current = None
            except BaseException as error:  # noqa: BLE001 - a handler cannot end the process
                self._fail(route, request, error, failed)
                mark = len(out)
            else:
                if turn.taken:
                    turn.reclaim(request)
                mark = len(out)
                if mark > turn.hold:
                    self._answers.cap(route, request_id, turn.mark, out)
                    connection.flush()
                    mark = 0
                if contextual:
                    if self._scope(turn.context).cleanups:
                        self._close(request, None)
                        mark = len(out)
                    turn.context = None
            try:
                if variables != base:  # where nothing was set, this compares two pointers
                    return True
            except Exception:  # noqa: BLE001 - an author's values, which do not like to be compared
                return True
        return False

    def _flush_much(self) -> int:
        """Write what is held back if that is much; how much is left?"""
        out = self._turn.out
        if len(out) > HELD_BYTES:
            self.connection.flush()
        return len(out)

    def _is_taken(self, request: Request) -> bool:
        """Is a request with this id under way, or waiting?"""
        key = id_key(request.id)
        return self.connection.calls.holds(key) or self._turn.holds(key)

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
        self,
        route: Route,
        request: Request,
        error: BaseException,
        judge: Judge,
    ) -> None:
        """Answer with what an exception becomes, as part of the turn: an author's code may run."""
        if FORKED:
            end_child(error)
        turn, out = self._turn, self._turn.out
        turn.settle()
        del out[turn.mark :]
        outcome = judge(self, route, request, error)
        if not request.id:
            pass
        elif isinstance(outcome, bytes):
            out += outcome
        else:
            self._answers.write(route, request.id, outcome.value, out)
        turn.end(request)
        if isinstance(error, Interrupted) and self.connection.ended:
            turn.drop()
        if route.contextual:
            self._close(request, error)

    def _refused(self, route: Route, request: Request, error: BaseException) -> bytes | Outcome:
        if isinstance(error, Exception):
            return self._answers.refuse(route, request, error)
        return self._judged(route, request, error)

    def _judged(self, route: Route, request: Request, error: BaseException) -> bytes | Outcome:
        context = self._turn.context if route.contextual else None
        return self._answers.judge(route, request, error, context)

    def _unwritten(self, route: Route, request: Request, error: BaseException) -> bytes | Outcome:
        if isinstance(error, Interrupted):
            return self._judged(route, request, error)
        return self._app.failures.unwritable(route, request.id, error)

    # What is not a plain request for an inline handler -------------------------------------------

    def sort(self, request: Request, out: bytearray) -> Route | None:
        """Deal with a request on whatever thread reads; return its route if it must run inline."""
        if not self.admit(request, out):
            return None
        try:
            return self._sort(request, out)
        except Exception as error:  # noqa: BLE001 - a role's reading of params; never the end
            frame = self._answers.refuse(self._app.internal(_nothing), request, error)
            if request.id:
                out += frame
            return None

    def admit(self, request: Request, out: bytearray) -> bool:
        """Refuse a request whose id is under way; the end is not refused."""
        if not request.id or request.method == EXIT or not self._is_taken(request):
            return True
        out += error_frame(request.id, INVALID_REQUEST, IN_PROGRESS)
        return False

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
            connection.calls.start(route, request)
        return None

    def _missing(self, request: Request) -> bytes:
        if self._app.knows(request.method):
            return self._app.failures.not_supported(request)
        text = f"unknown method '{request.method}'"
        return error_frame(request.id, METHOD_NOT_FOUND, text)

    def _notified(self, route: Route | None, request: Request) -> Route | None:
        """Notifications are never answered; unknown ones are dropped."""
        connection = self.connection
        if route is None or connection.closing:
            return None
        if not route.one_way:
            not_run(request)
            return None
        if not connection.opened:
            log(f"'{request.method}' was called before `initialized`, and is dropped")
            return None
        if route.stops is not None:
            self._stop(route, request, bytearray())
        if route.bare:
            return None
        if route.mode == INLINE:
            return route
        connection.calls.start(route, request)
        return None

    def _stop(self, route: Route, request: Request, out: bytearray) -> bool:
        """End the stream that the params name.

        Raises:
            Exception: The route refuses them, or they name none, and no handler looks at them.
        """
        assert route.stops is not None
        if route.refuse is not None:
            route.refuse(request.params)
        name = self._app.field(request.params, route.stops)
        if route.bare and (isinstance(name, bool) or not isinstance(name, str | int | float)):
            told = ("Field required", "missing") if name is None else ("Expected `str`", "type")
            raise Invalid([{"path": route.stops, "message": told[0], "code": told[1]}])
        found = self.connection.calls.stop(name, route.owner)
        if route.bare and request.id:
            assert route.stopped is not None
            self._answers.write(route, request.id, route.stopped(name, found), out)
        return True


def _nothing(*_: object) -> None:
    pass


def _as_it_is(request: Request) -> Request:
    return request


# What makes the answer of a failure, by how far the request has come: functions of the class,
# because the loop would have to bind the methods anew for every read.
REFUSED: Final[Judge] = Server._refused  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
JUDGED: Final[Judge] = Server._judged  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
UNWRITTEN: Final[Judge] = Server._unwritten  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
