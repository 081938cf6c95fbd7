"""Calls that run beside the reading thread: threads, a pool, an event loop; each answered once."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.emitter import Emitter
from animus_routes.engine.exit import Interrupted
from animus_routes.engine.frames import NO_PARAMS, error_frame, id_key, result_frame
from animus_routes.errors import CANCELLED, INVALID_REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.frames import Request
    from animus_routes.engine.loop import Loop
    from animus_routes.engine.ports import Route, StreamRun
    from animus_routes.engine.server import Server

WAIT_STEP_S: Final = 0.005


class Call:
    """One request under way beside the others.

    Attributes:
        answered: The one answer is out; whoever sets it, under the wire's lock, may write it.
        acked: That was only the ack of a stream; its items go on.
        context: The request's context; its `cancelled` ends a stream.
        abort: Ends what runs it, where that can be done from outside (an asyncio task).
    """

    __slots__ = (
        "abort",
        "acked",
        "answered",
        "calls",
        "context",
        "emitter",
        "key",
        "request",
        "route",
        "run",
    )

    def __init__(self, calls: Calls, route: Route, request: Request) -> None:
        self.calls = calls
        self.route = route
        self.request = request
        self.key = id_key(request.id)
        self.answered = False
        self.acked = False
        self.context = calls.server.plugin.context(calls.server, route, request)
        self.abort: Callable[[], object] | None = None
        self.run: StreamRun | None = None
        self.emitter: Emitter | None = None
        if route.stream is not None:
            self.context.opening = self.open_stream
            self.run = route.stream.open(request.id, request.params)
            self.emitter = Emitter(calls.server, self.context, self.run.write)
            self.context.emitter = self.emitter

    def decode(self) -> tuple[Any, ...]:
        """The arguments of `route.call`.

        Raises:
            _Refused: The params do not decode; the refusal is sent.
        """
        try:
            try:
                arguments = self.route.decode(self.request.params)
            except Exception as error:  # noqa: BLE001 - the boundary between params and bugs
                arguments = decode_again(self.route, self.request, error)
        except Exception as error:
            self.send(self.calls.server.plugin.refuse(self.route, self.request, error))
            raise Refused from error
        return (arguments, self.context) if self.route.contextual else (arguments,)

    def holds_id(self) -> bool:
        """May frames with this call's id still come?"""
        return (self.acked or not self.answered) and not self.context.cancelled

    def open_stream(self) -> Emitter:
        """Answer with the ack, if the stream has one, before any item."""
        assert self.route.stream is not None
        assert self.emitter is not None
        self.context.opening = None
        if self.route.stream.ack is not None:
            self.acked = True
            self.send(result_frame(self.request.id, self.route.stream.ack))
        return self.emitter

    def complete(self, result: Any) -> None:
        """Answer with a result, unless the call is answered."""
        if self.answered or not self.request.id:
            if self.emitter is not None:
                self.emitter.flush()  # from now on nobody knows of what it holds back
            return
        if self.run is not None:
            result = self.run.complete(result)
        if self.route.adapt is not None and self.route.adapts[result.__class__]:
            result = self.route.adapt(result, self.request.params)
        out = bytearray()
        self.calls.server.answer(self.route, self.request.id, result, out)
        self.send(out)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, or tell the operator if the answer is out."""
        server = self.calls.server
        if self.answered:
            self._break(error)
            return
        outcome = server.judge(self.route, self.request, error, self.context)
        if not isinstance(outcome, bytes):
            self.complete(outcome.value)
            return
        if self.run is not None and _is_cancellation(error):
            outcome = self.run.farewell() + outcome
        self.send(outcome)
        if not self.context.cancelled:
            server.plugin.broken(self.route, error)

    def _break(self, error: BaseException) -> None:
        """The answer is out: an acknowledged stream breaks, or nobody waits for this call."""
        if self.emitter is not None:
            self.emitter.flush()  # the process may end for it: what came before still goes out
        if self.context.cancelled:
            return
        plugin, wire = self.calls.server.plugin, self.calls.server.wire
        told = plugin.stream_failed(self.route, self.request, error, self.context)
        if self.run is not None and (frame := self.run.broken(told)):
            with wire.lock:
                if not self.context.cancelled:
                    wire.write_locked(frame)
        plugin.broken(self.route, error)

    def send(self, frame: bytes | bytearray) -> None:
        """Write the answer, after every item of the call; the first answer wins."""
        if self.emitter is not None:
            self.emitter.flush()
        wire = self.calls.server.wire
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
        wire = self.calls.server.wire
        if self.emitter is not None:
            self.emitter.flush()
        if self.run is not None and not self.answered:
            frame = self.run.farewell() + frame
        with wire.lock:
            self.context.cancelled = True
            # Once: a second cancellation would cut the `finally` off that the first one runs.
            abort, self.abort = self.abort, None
            if not self.answered and request_id:
                self.answered = True
                wire.write_locked(frame)
        self.context.cancel()
        if abort is not None:
            abort()


class Refused(Exception):  # noqa: N818 - a signal between two functions, not an error to show
    """The params did not decode and the host has been told."""


class Calls:
    """The calls under way, by request id."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.active: dict[tuple[type, Any], Call] = {}
        self._pool: Pool | None = None
        self._loop: Loop | None = None

    @property
    def loop(self) -> Loop:
        """The event loop, started when the first async function needs it."""
        if self._loop is None:
            from animus_routes.engine.loop import Loop

            self._loop = Loop()
        return self._loop

    def start(self, route: Route, request: Request, out: bytearray) -> None:
        """Run a request beside the reading thread."""
        call = Call(self, route, request)
        other = self.active.get(call.key) if request.id else None
        if other is not None and other.holds_id():
            text = "a request with this id is under way"
            out += error_frame(request.id, INVALID_REQUEST, text)
            return
        if other is not None:
            # On its way out: the id is free, but its end is still waited for.
            other.key = (Call, id(other))
            self.active[other.key] = other
        if not request.id:
            call.key = (Call, id(call))
        self.active[call.key] = call
        try:
            self._launch(call)
        except BaseException:
            self.finished(call)
            raise

    def _launch(self, call: Call) -> None:
        if call.route.mode == "async":
            self.loop.start(call, self.finished)
        elif call.route.mode == "pool":
            if self._pool is None:
                self._pool = Pool(self.server.plugin.concurrency, self._run)
            self._pool.put(call)
        else:
            start_new_thread(self._run, (call,))

    def finished(self, call: Call) -> None:
        """Forget a call; its id may be used again."""
        if self.active.get(call.key) is call:
            del self.active[call.key]

    def _run(self, call: Call) -> None:
        failure: BaseException | None = None
        try:
            run(call)
        except Refused:
            pass
        except BaseException as error:  # noqa: BLE001 - the boundary: an author's code ran
            failure = error
            call.fail(error)
        finally:
            call.context.close(failure)
            self.finished(call)

    def cancel(self, key: tuple[type, Any]) -> bool:
        """Cancel a call by its id; is there one?"""
        call = self.active.get(key)
        if call is None:
            return False
        call.cancel()
        return True

    def stop(self, name: str, owner: str) -> bool:
        """End the owner's stream of that name; is there one?"""
        for call in tuple(self.active.values()):
            if call.run is None or call.route.owner != owner or call.context.cancelled:
                continue
            if name in call.run.names:
                call.cancel()
                return True
        return False

    def finish(self, deadline: float) -> None:
        """End the streams, wait for the rest until `deadline`, cancel what is left then."""
        for call in tuple(self.active.values()):
            if call.answered:
                call.cancel()
        self._wait(deadline)
        self.cancel_all()

    def abandon(self, deadline: float) -> None:
        """The host is gone: cancel everything, and give `finally` blocks until `deadline`."""
        self.cancel_all()
        self._wait(deadline)

    def close(self) -> None:
        """Let the threads go, for a process that lives on; a handler that still runs keeps its."""
        if self._loop is not None and not self.active:
            self._loop.close()
            self._loop = None
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def cancel_all(self) -> None:
        """Cancel what is under way."""
        for call in tuple(self.active.values()):
            call.cancel()

    def _wait(self, deadline: float) -> None:
        while self.active and monotonic() < deadline:
            sleep(WAIT_STEP_S)


def _is_cancellation(error: BaseException) -> bool:
    return isinstance(error, Interrupted) or getattr(error, "code", None) == CANCELLED


def decode_again(route: Route, request: Request, error: Exception) -> Any:
    """Hosts write absent params as null too; asked only when decoding has failed."""
    if bytes(request.params) != b"null":
        raise error
    request.params = NO_PARAMS
    return route.decode(NO_PARAMS)


def run(call: Call) -> None:
    """Run a sync handler to its end: a plain function, or a generator as a stream."""
    arguments = call.decode()
    if call.context.cancelled:
        return
    result = call.route.call(*arguments)
    if call.route.stream is not None and hasattr(result, "__next__"):
        emitter = call.open_stream()
        result = emitter.drain(result)
    call.complete(result)


class Pool:
    """At most `size` threads, started when there is work for one more."""

    def __init__(self, size: int, work: Callable[[Call], None]) -> None:
        from _queue import SimpleQueue

        self._size = size
        self._work = work
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = allocate_lock()
        self._spare = 0  # threads without work, less the calls that wait for one
        self._started = 0

    def put(self, call: Call) -> None:
        """Run a call on a free thread, or when one gets free."""
        with self._lock:
            self._spare -= 1
            if self._spare < 0 and self._started < self._size:
                start_new_thread(self._serve, ())
                self._started += 1
                self._spare += 1
        self._queue.put(call)

    def close(self) -> None:
        """End every thread, once it has nothing to do."""
        for _ in range(self._started):
            self._queue.put(None)

    def _serve(self) -> None:
        while (call := self._queue.get()) is not None:
            if call.answered:
                call.calls.finished(call)
            else:
                self._work(call)
            with self._lock:
                self._spare += 1
