"""One call that runs in parallel with the main thread: decoded, run, answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.engine.answers import adapt, decode_again
from animus_routes.engine.emitter import Emitter
from animus_routes.engine.exit import Interrupted
from animus_routes.engine.frames import error_frame, id_key, result_frame
from animus_routes.errors import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.answers import Answers
    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Route, ServedApp, StreamCall
    from animus_routes.engine.wire import Wire


class Refused(Exception):  # noqa: N818 - a signal between two functions, not an error to show
    """The params did not decode and the host has been told."""


class Call:
    """One request under way in parallel with others.

    Attributes:
        answered: The one answer is out; whoever sets it, under the wire's lock, may write it.
        acked: That was only the ack of a stream; its items go on.
        context: The request's context, as the handler takes it.
        scope: The engine's side of it; its `cancelled` ends a stream.
        abort: Ends whatever runs it, if that can be done from outside (an asyncio task).
    """

    __slots__ = (
        "_answers",
        "_app",
        "_emitter",
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
        self.abort: Callable[[], object] | None = None
        self.run: StreamCall | None = None
        self._emitter: Emitter | None = None

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
            self.send(self._answers.refuse(self.route, self.request, error))
            raise Refused from error
        return (arguments, self.context) if self.route.contextual else (arguments,)

    def holds_id(self) -> bool:
        """May frames with this call's id still come?"""
        return (self.acked or not self.answered) and not self.scope.cancelled

    def wanted(self) -> bool:
        """May anything still come from it? Not once it is cancelled."""
        return not self.scope.cancelled

    def open_stream(self) -> Emitter:
        """Answer with the ack, if the stream has one, before any item."""
        assert self.route.stream is not None
        assert self._emitter is not None
        self.scope.opening = None
        if self.route.stream.ack is not None:
            self.acked = True
            self.send(result_frame(self.request.id, self.route.stream.ack))
        return self._emitter

    def serve(self) -> None:
        """Run a sync handler to its end, and what it has to clean up."""
        failure: BaseException | None = None
        try:
            if not self.answered:  # cancelled while it waited for a thread
                self._serve()
        except Refused:
            pass
        except BaseException as error:  # noqa: BLE001 - the boundary: an author's code ran
            failure = error
            self.fail(error)
        finally:
            self.scope.close(failure)

    def _serve(self) -> None:
        """A plain function, or a generator as a stream."""
        arguments = self.decode()
        if not self.wanted():
            return
        result = self.route.call(*arguments)
        if self.route.stream is not None and hasattr(result, "__next__"):
            emitter = self.open_stream()
            result = emitter.drain(result)
        self.complete(result)

    def complete(self, result: Any) -> None:
        """Answer with a result, unless the call is answered."""
        if self.answered or not self.request.id:
            self._flush()  # from now on nobody knows of what it holds back
        else:
            self._answer(adapt(self.route, self.request, result, self.run))

    def fail(self, error: BaseException) -> None:
        """Answer with an error, or tell the operator if the answer has been sent."""
        if self.answered:
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
            self._app.call_failed(self.route, error)

    def _break(self, error: BaseException) -> None:
        """The answer is out: an acknowledged stream breaks, or nobody waits for this call."""
        self._flush()  # the process may end for it: what came before still goes out
        if self.scope.cancelled:
            return
        told = self._app.failures.stream_failed(self.route, self.request, error, self.context)
        if self.run is not None and (frame := self.run.failure_frame(told)):
            self._wire.write_for(self.scope, frame)
        self._app.call_failed(self.route, error)

    def _answer(self, adapted: Any) -> None:
        out = bytearray()
        self._answers.write(self.route, self.request.id, adapted, out)
        self.send(out)

    def send(self, frame: bytes | bytearray) -> None:
        """Write the answer, after every item of the call; the first answer wins."""
        self._flush()
        wire = self._wire
        with wire.lock:
            if self.answered or not self.request.id:
                self.answered = True
                return
            self.answered = True
            wire.write_locked(frame)

    def cancel(self) -> None:
        """Stop it: -32002 if it is not answered yet, and nothing from it afterwards."""
        request_id = self.request.id
        frame = error_frame(request_id, CANCELLED, "cancelled", {"category": "cancelled"})
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
