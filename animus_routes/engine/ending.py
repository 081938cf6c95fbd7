"""The bounds of the end, and the watch for a host that goes away without a word.

All of it happens on threads of its own; but for the watch, they exist only once a shutdown or the
end has begun.

Whatever is left is ended in steps: first `ctx.cancelled` is set, then `Interrupted` is raised in a
handler that is still running on the main thread, then the process is ended by force.
"""

from __future__ import annotations

import os
import signal
from _thread import get_ident, start_new_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.control import SHUTDOWN
from animus_routes.engine.exit import (
    END_FINISH_S,
    END_FORCE_S,
    END_INTERRUPT_S,
    LAST_WORD_S,
    SHUTDOWN_INTERRUPT_S,
    SHUTDOWN_LIFESPAN_S,
    SHUTDOWN_TRIP_S,
    STEP_S,
    End,
    Interrupted,
)
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from types import FrameType

    from animus_routes.engine.connection import Connection

WATCH_STEP_S: Final = 0.01  # how often the watch looks, once the host has closed its end
STALLED_S: Final = 0.2  # one write takes longer: nobody reads
ENGINE: Final = __file__.rpartition(os.sep)[0] + os.sep
NUDGE: Final = signal.SIGURG  # ignored by default, so that nothing dies of it


class Ending:
    """Ends what does not end on its own. Made on the main thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._main = get_ident()
        self._overdue = False
        signal.signal(NUDGE, self._nudged)

    def watch(self) -> None:
        """End serving if the host is gone and what is being written finds no reader.

        A thread of its own, because any other may be the one that writes. It has no timer before
        the host has closed its end; usually the end of input is read a moment later, and that is
        all.
        """
        start_new_thread(self._watch, ())

    def end(self) -> None:
        """Serving is over: bound what is left of the process."""
        start_new_thread(self._bound_end, ())

    def shutdown(self) -> None:
        """The host asked for a shutdown: make sure that it is answered in time."""
        start_new_thread(self._bound_shutdown, ())

    def _watch(self) -> None:
        connection, wire = self._connection, self._connection.wire
        wire.wait_for_hang_up()
        write, since = -1, 0.0
        while not connection.ended:
            # It has to be the same write: a host that reads what it asked for is not gone.
            moment = monotonic()
            if wire.writes != write or not wire.lock.locked():
                write, since = wire.writes, moment
            elif moment - since > STALLED_S:
                connection.end(End.INPUT, since)
            sleep(WATCH_STEP_S)

    def _bound_end(self) -> None:
        connection = self._connection
        if connection.ended is End.INPUT:
            sleep(END_FINISH_S)
        connection.trip()
        late = 0.0
        while late < END_FORCE_S:
            self._overdue = late >= END_INTERRUPT_S
            # A read that began at the same moment misses the first signal: hence again and again.
            self._nudge()
            sleep(STEP_S)
            late = monotonic() - connection.ended_at
        # On a thread of its own: nobody may be reading stderr.
        text = f"ended by force {late * 1000:.0f} ms after {connection.ended}"
        start_new_thread(log, (text,))
        sleep(LAST_WORD_S)
        os._exit(1)

    def _bound_shutdown(self) -> None:
        connection = self._connection
        sleep(SHUTDOWN_TRIP_S)
        while not (connection.stopped or connection.ended):
            connection.trip()
            late = monotonic() - connection.shutdown_at
            leaving = connection.turn.method == SHUTDOWN
            self._overdue = late >= (SHUTDOWN_LIFESPAN_S if leaving else SHUTDOWN_INTERRUPT_S)
            if self._overdue:
                self._nudge()
            sleep(STEP_S)
        self._overdue = bool(connection.ended)

    def _nudge(self) -> None:
        """Interrupt the main thread, a blocking call included."""
        signal.pthread_kill(self._main, NUDGE)

    def _nudged(self, _number: int, frame: FrameType | None) -> None:
        if not self._overdue or not self._connection.turn.interruptible:
            return
        if frame is not None and not frame.f_code.co_filename.startswith(ENGINE):
            raise Interrupted
