"""The bounds of the end: threads that exist only once a shutdown or the end has begun.

What is left gets its time in steps: first `ctx.cancelled`, then `Interrupted` raised in a handler
that still runs on the main thread, then the end of the process by force.
"""

from __future__ import annotations

import os
import signal
from _thread import get_ident, start_new_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.exit import Interrupted
from animus_routes.engine.server import EOF
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from types import FrameType

    from animus_routes.engine.server import Server

STEP_S: Final = 0.04
FINISH_S: Final = 0.1  # after the end of input: requests that the host has sent may still finish
INTERRUPT_S: Final = 0.2
FORCE_S: Final = 0.45  # from the end of serving to the end of the process
SHUTDOWN_TRIP_S: Final = 0.8
SHUTDOWN_INTERRUPT_S: Final = 1.0
LIFESPAN_INTERRUPT_S: Final = 1.6
LOG_S: Final = 0.02
ENGINE: Final = __file__.rpartition(os.sep)[0] + os.sep
NUDGE: Final = signal.SIGURG  # ignored by default, so that nothing dies of it


class Ending:
    """Ends what does not end by itself. Made on the main thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._main = get_ident()
        self._overdue = False
        signal.signal(NUDGE, self._nudged)

    def end(self) -> None:
        """Serving is over: bound what is left of the process."""
        start_new_thread(self._bound_end, ())

    def shutdown(self) -> None:
        """The host asked for it: make room for the answer."""
        start_new_thread(self._bound_shutdown, ())

    def _bound_end(self) -> None:
        server = self._server
        if server.ended == EOF:
            sleep(FINISH_S)
        server.trip()
        late = 0.0
        while late < FORCE_S:
            self._overdue = late >= INTERRUPT_S
            # A read that began at the same moment misses the first signal: hence again and again.
            self._nudge()
            sleep(STEP_S)
            late = monotonic() - server.ended_at
        # On a thread of its own: nobody may be reading stderr.
        start_new_thread(log, (f"ended by force {late * 1000:.0f} ms after {server.ended}",))
        sleep(LOG_S)
        os._exit(1)

    def _bound_shutdown(self) -> None:
        server = self._server
        sleep(SHUTDOWN_TRIP_S)
        while not (server.stopped or server.ended):
            server.trip()
            late = monotonic() - server.shutdown_at
            current = server.current
            leaving = current is not None and current.method == "shutdown"
            self._overdue = late >= (LIFESPAN_INTERRUPT_S if leaving else SHUTDOWN_INTERRUPT_S)
            if self._overdue:
                self._nudge()
            sleep(STEP_S)
        self._overdue = bool(server.ended)

    def _nudge(self) -> None:
        """Interrupt the main thread, a blocking call included."""
        signal.pthread_kill(self._main, NUDGE)

    def _nudged(self, _number: int, frame: FrameType | None) -> None:
        server = self._server
        if not self._overdue or server.current is None or server.settling:
            return
        if frame is not None and not frame.f_code.co_filename.startswith(ENGINE):
            raise Interrupted
