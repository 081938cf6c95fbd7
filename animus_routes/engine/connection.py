"""One connection's lifecycle: the gate, the end, and what the app may ask of the engine.

The gate: closed until the host has said `initialize` and `initialized`, closed again from
`shutdown` on. Any thread, and a signal's handler, may `end` the connection; the first one does.
"""

from __future__ import annotations

from _thread import allocate_lock
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from animus_routes.engine.answers import Answers
from animus_routes.engine.calls import Calls
from animus_routes.engine.exit import End, give_reserve_back
from animus_routes.engine.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from animus_routes.engine.ports import Route, ServedApp, StreamCall
    from animus_routes.engine.wire import Wire


class Connection:
    """The state of one connection (see `engine.ports.Link` for what the app sees of it).

    Attributes:
        turn: Who owns the wire, and what runs on the main thread.
        calls: What runs in parallel with it.
        inline: The routes of the fast path; empty while the gate is closed.
        greeted: `initialize` has succeeded.
        opened: `initialized` has come.
        closing: `shutdown` has come, and its turn too: requests are refused.
        stopped: `shutdown` is done.
        shutdown_at: When the host asked for `shutdown`, in monotonic seconds; 0 before.
        ended: Why reading stopped; None while serving.
        ended_at: When, in monotonic seconds.
        on_end: Called once, by whatever thread or signal's handler ends serving.
        on_shutdown: Called once, when `shutdown` arrives.
    """

    def __init__(self, app: ServedApp, wire: Wire) -> None:
        self.app = app
        self.wire = wire
        self.answers = Answers(app.failures)
        self.calls = Calls(app, wire, self.answers)
        self.turn = Turn()
        self.inline: dict[str, Route] = {}
        self.greeted = False
        self.opened = False
        self.closing = False
        self.stopped = False
        self.shutdown_at = 0.0
        self.ended: End | None = None
        self.ended_at = 0.0
        self.on_end: Callable[[], object] = _nothing
        self.on_shutdown: Callable[[], object] = _nothing
        self._end_once = allocate_lock()
        self._when_over: list[Callable[[], object]] = []
        app.connect(self)

    # The gate -------------------------------------------------------------------------------------

    def open_gate(self) -> None:
        """Serve domain requests from now on, if the handshake has succeeded."""
        if self.greeted and not self.opened and not self.closing:
            self.opened = True
            self.inline.update(self.app.inline())

    def close_gate(self) -> None:
        """Refuse domain requests from now on."""
        self.closing = True
        self.inline.clear()

    # The end --------------------------------------------------------------------------------------

    def ask_to_shut_down(self) -> None:
        """The host has said `shutdown`: its time runs from now on."""
        if not self.shutdown_at:
            self.shutdown_at = monotonic()
            self.on_shutdown()
            self._tell_of_the_end()

    def end(self, reason: End, since: float = 0.0) -> None:
        """Stop serving; the first reason stays. Safe on any thread and in a signal's handler.

        What was read before the end of input is still answered, within the bound of the end.

        Args:
            reason: Why.
            since: When the end began, if that was a while ago.
        """
        if not self._end_once.acquire(blocking=False):
            return
        give_reserve_back()
        self.ended_at = since or monotonic()
        self.ended = reason
        self.turn.hold = 0
        if reason is not End.INPUT:
            self.turn.drop()
        self.on_end()
        self._tell_of_the_end()

    def _tell_of_the_end(self) -> None:
        for act in tuple(self._when_over):
            act()

    def trip(self) -> None:
        """Tell the handler on the main thread that nobody will want its answer."""
        context = self.turn.context
        if context is not None:
            self.app.scope(context).cancel()

    def flush(self) -> None:
        """Write what is answered; by the owner of the wire."""
        out = self.turn.out
        if out:
            self.wire.write(out)
            out.clear()

    # What the app may ask -------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Has a shutdown or the end begun?"""
        return self.closing or self.ended is not None

    def when_over(self, act: Callable[[], object], /) -> Callable[[], None]:
        """Have a function called as soon as a shutdown or the end begins; see `engine.ports.Link`."""
        self._when_over.append(act)
        if self.shutdown_at or self.ended is not None:
            act()
        return partial(self._when_over.remove, act)

    def streams(self) -> list[StreamCall]:
        """The calls of streams that are under way."""
        return self.calls.streams()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Run a coroutine on the event loop and wait for it; never on the loop's own thread.

        Raises:
            TimeoutError: It did not end within `timeout_s`.
        """
        return self.calls.loop.run(work, timeout_s)


def _nothing() -> None:
    pass
