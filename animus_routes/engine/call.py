"""One call that runs in parallel with the main thread: decoded, run, answered once."""

from __future__ import annotations

from _thread import allocate_lock
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.answers import adapt, decode_again
from animus_routes.engine.emitter import Emitter
from animus_routes.engine.exit import FORKED, Interrupted, end_child, start_thread
from animus_routes.engine.frames import error_frame, id_key, result_frame
from animus_routes.errors import CANCELLED

if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable

    from animus_routes.engine.answers import Answers
    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Route, ServedApp, StreamCall
    from animus_routes.engine.wire import Wire


FIRST_STEP_S: Final = 0.1  # until then a generator without an item may fail with an answer


class Refused(Exception):  # noqa: N818 - a signal between two functions, not an error to show
    """The params did not decode and the host has been told."""


class Call:
    """One request under way in parallel with others.

    Attributes:
        answered: The one answer is out; whoever sets it, under the wire's lock, may write it.
        acked: That was only the ack of a stream; its items go on.
        context: The request's context, as the handler takes it.
        variables: Its context variables, for all that runs for it.
        scope: The engine's side of it; its `cancelled` ends a stream.
        abort: Ends whatever runs it, if that can be done from outside (an asyncio task).
    """

    __slots__ = (
        "_answers",
        "_app",
        "_emitter",
        "_first_step",
        "_wire",
        "abort",
        "acked",
        "answered",
        "context",
        "key",
        "request",
        "route",
        "run",
        "scope",
        "variables",
    )

    def __init__(
        self, app: ServedApp, wire: Wire, answers: Answers, route: Route, request: Request
    ) -> None:
        self._app = app
        self._wire = wire
        self._answers = answers
        self.route = route
        self.request = request
        self.key = id_key(request.id)
        self.answered = False
        self.acked = False
        self.context = app.context(route, request)
        self.scope = app.scope(self.context)
        self.variables = app.variables.copy()
        self.abort: Callable[[], object] | None = None
        self.run: StreamCall | None = None
        self._emitter: Emitter | None = None
        self._first_step: LockType | None = None

    def prepare_stream(self, expect: Callable[[Emitter], object] | None) -> None:
        """For a route with a stream: have its way out ready; `expect` as an `Emitter` has it."""
        assert self.route.stream is not None
        self.run = self.route.stream.open(self.request.id, self.request.params)
        self._emitter = Emitter(self._wire, self.scope, self.run, expect)
        self.scope.emitter = self._emitter
        self.scope.opening = self.open_stream

    def decode(self) -> tuple[Any, ...]:
        """The arguments of `route.call`.

        Raises:
            Refused: The params do not decode; the refusal is sent.
        """
        try:
            try:
                arguments = self.route.decode(self.request.params)
            except Exception as error:  # noqa: BLE001 - the boundary between params and bugs
                arguments = decode_again(self.route, self.request, error)
        except Exception as error:
            refusal = self._answers.refuse(self.route, self.request, error)
            self.send(refusal)
            self._app.call_failed(self.route, refusal)
            raise Refused from error
        return (arguments, self.context) if self.route.contextual else (arguments,)

    def holds_id(self) -> bool:
        """May frames with this call's id still come?"""
        return (self.acked or not self.answered) and not self.scope.cancelled

    def wanted(self) -> bool:
        """May anything still come from it? Not once it is cancelled."""
        return not self.scope.cancelled

    def begin_stream(self) -> Emitter:
        """A generator's first step comes now: if it takes too long, the ack goes out meanwhile.

        A thread sends it, because the event loop or the call's own thread may be what is slow.
        """
        assert self.route.stream is not None
        assert self._emitter is not None
        if self.route.stream.ack is not None and self.scope.opening is not None:
            self._first_step = first_step = allocate_lock()
            first_step.acquire()
            try:
                start_thread(self._open_late, first_step)
            except RuntimeError:  # there are no more threads
                self.open_stream()
        return self._emitter

    def _open_late(self, first_step: LockType) -> None:
        if not first_step.acquire(timeout=FIRST_STEP_S):
            self.open_stream()

    def end_first_step(self) -> None:
        """Nobody has to wait for it any more."""
        first_step, self._first_step = self._first_step, None
        if first_step is not None:
            with suppress(RuntimeError):  # the time was over at this moment
                first_step.release()

    def open_stream(self) -> None:
        """Answer with the ack, if the stream has one, before any item; any thread may come first.

        Whoever comes second waits for the wire, and so until the ack is out.
        """
        assert self.route.stream is not None
        assert self._emitter is not None
        wire, ack = self._wire, self.route.stream.ack
        if ack is not None:
            with wire.lock:
                if not (self.answered or self._emitter.closed):
                    self.answered = self.acked = True
                    if self.request.id:
                        wire.write_locked(result_frame(self.request.id, ack))
        self.scope.opening = None
        self.end_first_step()

    def serve(self) -> None:
        """Run a sync handler to its end, and what it has to clean up."""
        failure: BaseException | None = None
        clock = self._begin_clock()
        try:
            if not self.answered:  # cancelled while it waited for a thread
                self._serve()
        except Refused:
            pass
        except BaseException as error:  # noqa: BLE001 - the boundary: an author's code ran
            if FORKED:
                end_child(error)
            failure = error
            self.fail(error)
        finally:
            if clock is not None:
                clock.release()
            self.end_first_step()
            self.scope.close(failure)

    def _serve(self) -> None:
        """A plain function, or a generator as a stream."""
        arguments = self.decode()
        if not self.wanted():
            return
        result = self.route.call(*arguments)
        if FORKED:
            end_child()
        if self.route.stream is not None and hasattr(result, "__next__"):
            result = self.begin_stream().drain(result, self.open_stream)
            self.open_stream()  # it had no items
        self.complete(result)

    def complete(self, result: Any) -> None:
        """Answer with a result, unless the call is answered."""
        if self.answered or not self.request.id:
            self._flush()  # from now on nobody knows of what it holds back
        else:
            self._answer(adapt(self.route, self.request, result, self.run))

    def fail(self, error: BaseException) -> None:
        """Answer with an error, or tell the operator if the answer has been sent."""
        if not self._withhold_ack():
            self._break(error)
            return
        outcome = self._answers.judge(self.route, self.request, error, self.context, self.run)
        if not isinstance(outcome, bytes):
            self._answer(outcome.value)
            return
        if self.run is not None and _is_cancellation(error):
            outcome = self.run.farewell() + outcome
        self.send(outcome)
        if not self.scope.cancelled:
            self._app.call_failed(self.route, outcome)

    def give_up(self, error: BaseException) -> None:
        """What reports failures has failed: a plain -32603, rather than no answer."""
        if FORKED:
            end_child(error)
        self.send(self._app.failures.unwritable(self.route, self.request.id, error))

    def _withhold_ack(self) -> bool:
        """From here on no ack goes out, nor an item after it; False if the answer is out."""
        emitter = self._emitter
        with self._wire.lock:
            if self.answered:
                return False
            if emitter is not None and self._has_ack():
                emitter.closed = True
            return True

    def _has_ack(self) -> bool:
        return self.route.stream is not None and self.route.stream.ack is not None

    def _break(self, error: BaseException) -> None:
        """The answer is out: an acknowledged stream breaks, or nobody waits for this call."""
        self._flush()  # the process may end for it: what came before still goes out
        failures = self._app.failures
        if self.scope.cancelled:
            if not (_is_cancellation(error) or _is_cancelled_task(error)):
                failures.failed_late(self.route, self.request, error, self.context)
            return
        told = failures.stream_failed(self.route, self.request, error, self.context)
        if self._emitter is not None and self.run is not None:
            frame = self.run.failure_frame(told)
            with self._wire.lock:
                if frame and not self._emitter.cancelled:
                    self._wire.write_locked(frame)
                self._emitter.closed = True
        self._app.call_failed(self.route, told)

    def _answer(self, adapted: Any) -> None:
        out = bytearray()
        self._answers.write(self.route, self.request.id, adapted, out)
        self.send(out)

    def send(self, frame: bytes | bytearray) -> None:
        """Write the answer, after every item of the call; the first answer wins.

        No item follows it, unless it is the ack of a function that emits from elsewhere.
        """
        self._flush()
        wire, emitter = self._wire, self._emitter
        with wire.lock:
            if emitter is not None and not self._has_ack():
                emitter.closed = True
            if self.answered or not self.request.id:
                self.answered = True
                return
            self.answered = True
            wire.write_locked(frame)

    def cancel(self) -> None:
        """Stop it: -32002 if it is not answered yet, and nothing from it afterwards."""
        data = {"category": "cancelled"}
        self._stop(error_frame(self.request.id, CANCELLED, "cancelled", data))

    def time_out(self) -> None:
        """It takes longer than it may: stop it in the same way, with that as the answer."""
        if not self.answered or self.acked:
            self._stop(self._app.failures.timed_out(self.route, self.request))

    def _begin_clock(self) -> LockType | None:
        """Have it answered in time, whatever its thread does; to be released at its end."""
        limit = self.route.timeout_s
        if limit is None:
            return None
        clock = allocate_lock()
        clock.acquire()
        try:
            start_thread(self._look_at_the_clock, clock, limit)
        except RuntimeError:  # there are no more threads
            return None
        return clock

    def _look_at_the_clock(self, clock: LockType, limit: float) -> None:
        if not clock.acquire(timeout=limit):
            self.time_out()

    def _stop(self, frame: bytes) -> None:
        """Answer with that if there is no answer yet, and send nothing more."""
        request_id = self.request.id
        wire = self._wire
        self._flush()
        if self.run is not None and not self.answered:
            frame = self.run.farewell() + frame
        with wire.lock:
            self.scope.cancelled = True
            # Only once: a second cancellation would cut off the `finally` that the first one runs.
            abort, self.abort = self.abort, None
            if not self.answered and request_id:
                self.answered = True
                wire.write_locked(frame)
        self.scope.cancel()
        if abort is not None:
            abort()

    def _flush(self) -> None:
        if self._emitter is not None:
            self._emitter.flush()


def _is_cancellation(error: BaseException) -> bool:
    return isinstance(error, Interrupted) or getattr(error, "code", None) == CANCELLED


def _is_cancelled_task(error: BaseException) -> bool:
    """Did a task end because it was cancelled? Told without loading asyncio."""
    return any(kind.__name__ == "CancelledError" for kind in type(error).__mro__)
