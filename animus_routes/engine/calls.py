"""The calls under way in parallel with the main thread: on threads, a pool, an event loop."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import FORKED, end_child, start_thread
from animus_routes.engine.frames import id_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.answers import Answers
    from animus_routes.engine.call import Call
    from animus_routes.engine.emitter import Emitter
    from animus_routes.engine.frames import Request
    from animus_routes.engine.loop import Loop
    from animus_routes.engine.pool import Pool
    from animus_routes.engine.ports import Route, ServedApp, StreamCall
    from animus_routes.engine.wire import Wire

WAIT_STEP_S: Final = 0.005


class Calls:
    """The calls under way, by request id.

    Attributes:
        active: By request id; a call whose id is taken by another, or that has none, by itself.
        pool: Where calls that may run at once do; None before the first one.
        expect: Flushes an emitter whose source pauses; None = nobody does.
    """

    def __init__(self, app: ServedApp, wire: Wire, answers: Answers) -> None:
        self.active: dict[tuple[type, Any], Call] = {}
        self.expect: Callable[[Emitter], object] | None = None
        self._app = app
        self._wire = wire
        self._answers = answers
        self.pool: Pool | None = None
        self._loop: Loop | None = None

    @property
    def loop(self) -> Loop:
        """The event loop, started when the first async function needs it."""
        if self._loop is None:
            from animus_routes.engine.loop import Loop

            self._loop = Loop()
        return self._loop

    @property
    def blocked(self) -> str:
        """What blocks the event loop, as a sentence; "" if nothing does."""
        return self._loop.watch.reason if self._loop is not None else ""

    def start(self, route: Route, request: Request) -> Call:
        """Run a request in parallel with the reading thread; its id is not under way."""
        from animus_routes.engine.call import Call

        call = Call(self._app, self._wire, self._answers, route, request)
        if route.stream is not None:
            call.prepare_stream(self.expect)
        other = self.active.get(call.key) if request.id else None
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
            self._forget(call)
            raise
        return call

    def _launch(self, call: Call) -> None:
        if call.route.mode == "async":
            self.loop.start(call, self._forget)
        elif call.route.mode == "pool":
            if self.pool is None:
                from animus_routes.engine.pool import Pool

                self.pool = Pool(self._app.concurrency, self._run_in_context)
            self.pool.put(call)
        else:
            start_thread(self._run_in_context, call)

    def _forget(self, call: Call) -> None:
        """A call has ended; its id may be used again."""
        if self.active.get(call.key) is call:
            del self.active[call.key]

    def _run_in_context(self, call: Call) -> None:
        call.variables.run(self._run, call)

    def _run(self, call: Call) -> None:
        try:
            call.serve()
        except BaseException as error:  # noqa: BLE001 - this thread answers others after it
            call.give_up(error)
        finally:
            if FORKED:
                end_child()
            self._forget(call)

    def cancel(self, key: tuple[type, Any]) -> bool:
        """Cancel a call by its id; is there one?"""
        call = self.active.get(key)
        if call is None or not call.holds_id():
            return False
        call.cancel()
        return True

    def holds(self, key: tuple[type, Any]) -> bool:
        """May frames with that id still come from a call?"""
        call = self.active.get(key)
        return call is not None and call.holds_id()

    @property
    def crowded(self) -> bool:
        """Does so much wait for a thread of the pool that nothing more may be read?"""
        return self.pool is not None and self.pool.full

    def streams(self) -> list[StreamCall]:
        """The streams under way."""
        return [call.run for call in tuple(self.active.values()) if call.run is not None]

    def stop(self, name: Any, owner: str | None) -> bool:
        """End the owner's stream of that name, which comes from the host; is there one?

        A name is text, but the id that it stands for may be a number: hosts write that either
        way. With both `7` and `"7"` under way, each is ended by its own value.
        """
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            return False
        found: Call | None = None
        for call in tuple(self.active.values()):
            if call.run is None or call.route.owner != owner or call.scope.cancelled:
                continue
            if str(name) in call.run.names:
                found = found or call
                if id_key(call.request.id) == (type(name), name):
                    found = call
                    break
        if found is not None:
            found.cancel()
        return found is not None

    def drain(self, deadline: float) -> None:
        """End the streams, wait for the rest until `deadline`, cancel what is left then."""
        while self._end_streams() and monotonic() < deadline:
            sleep(WAIT_STEP_S)
        self._cancel_all()

    def abandon(self, deadline: float) -> None:
        """The host is gone: cancel everything, and give `finally` blocks until `deadline`."""
        self._cancel_all()
        self._wait(deadline)

    def close(self) -> None:
        """Release the threads, in a process that lives on; one that still runs a handler stays."""
        if self._loop is not None and not self.active:
            self._loop.close()
            self._loop = None
        if self.pool is not None:
            self.pool.close()
            self.pool = None

    def end(self, deadline: float) -> None:
        """Release the threads at the end of the process, as far as they let go until then."""
        if self.pool is not None:
            self.pool.close()
        if self._loop is not None:
            self._loop.close(deadline - monotonic())

    def forked(self) -> None:
        """In a forked child: the loop runs nothing of its parent's."""
        if self._loop is not None:
            self._loop.forked()

    def _cancel_all(self) -> None:
        for call in tuple(self.active.values()):
            call.cancel()

    def _end_streams(self) -> bool:
        """One that is about to be acknowledged is ended the next time; is anything left?"""
        for call in tuple(self.active.values()):
            if call.acked and not call.scope.cancelled:
                call.cancel()
        return bool(self.active)

    def _wait(self, deadline: float) -> None:
        while self.active and monotonic() < deadline:
            sleep(WAIT_STEP_S)
