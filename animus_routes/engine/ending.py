"""The bounds of the end, and the watch for a host that goes away without a word.

All of it happens on one thread, which is there from the start, because none may be had at the end.
It has no timer before a shutdown or the end has begun, or the host has closed its end of the pipe.

Whatever is left is ended in steps: first `ctx.cancelled` is set, then `Interrupted` is raised in a
handler that is still running on the main thread, then the process is ended by force. What holds the
interpreter by then, so that no thread runs, is ended by a timer that does not need it.
"""

from __future__ import annotations

import os
import select
import signal
from _thread import allocate_lock, get_ident, start_new_thread
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.control import SHUTDOWN
from animus_routes.engine.exit import (
    END_FINISH_S,
    END_FORCE_S,
    END_HELD_S,
    END_INTERRUPT_S,
    JOIN_S,
    LAST_WORD_S,
    SHUTDOWN_INTERRUPT_S,
    SHUTDOWN_LIFESPAN_S,
    SHUTDOWN_TRIP_S,
    STEP_S,
    End,
    Interrupted,
)
from animus_routes.engine.stderr import last_word

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
        self._connection: Connection | None = connection
        self._main = get_ident()
        self._overdue = False
        self._code = 1
        self._reason: End | None = None
        self._ended_at = 0.0
        self._write, self._since = -1, 0.0
        self._hung_up = False
        self._at_rest = allocate_lock()
        self._at_rest.acquire()
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_out, False)
        self._timer_out = os.open(os.devnull, os.O_WRONLY)
        signal.signal(NUDGE, self._nudged)
        start_new_thread(self._run, ())

    # Called by other threads, and by a signal's handler ---------------------------------------------

    def begin(self) -> None:
        """A shutdown has begun: see to it that it is answered."""
        with suppress(BlockingIOError):
            os.write(self._wake_out, b"\0")

    def end(self) -> None:
        """The end has begun, which may be all that the interpreter gets to run."""
        from faulthandler import dump_traceback_later

        assert self._connection is not None
        self._ended_at, self._reason = self._connection.ended_at, self._connection.ended
        left_s = max(END_HELD_S - (monotonic() - self._ended_at), STEP_S)
        with suppress(RuntimeError):  # there are no more threads
            dump_traceback_later(left_s, exit=True, file=self._timer_out)
        self.begin()

    def forget(self, code: int) -> None:
        """Serving is over: nothing is held of the app, and only the interpreter's own end is left.

        When this returns, the thread waits for the moment of the forced end and for nothing else:
        one that wakes while the interpreter cleans up is killed by it, which takes memory and
        a descriptor.

        Args:
            code: The exit code, if that has to be cut off.
        """
        self._code = code
        self._connection = None
        self.begin()
        self._at_rest.acquire(timeout=JOIN_S)

    # The thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        # Between two steps nothing of the app is held here.
        while True:
            try:
                self._wait(self._step())
            except Exception:  # noqa: BLE001 - there is no memory
                if self._reason is not None:
                    os._exit(1)
                sleep(STEP_S)

    def _step(self) -> float | None:
        """Do what is due; how long until the next step, or None if nothing has begun."""
        connection = self._connection
        if connection is None or self._reason is not None:
            return self._bound_end(connection)
        if connection.shutdown_at and not connection.stopped:
            return self._bound_shutdown(connection)
        self._overdue = False
        return self._watch(connection) if self._hung_up else None

    def _wait(self, step_s: float | None) -> None:
        """Wait for a time; or until something begins, or the host closes its end."""
        poller = select.poll()
        poller.register(self._wake_in, select.POLLIN)
        connection = self._connection
        if connection is not None and step_s is None and not self._hung_up:
            connection.wire.watch_for_hang_up(poller)
        elif connection is None and self._at_rest.locked():
            self._at_rest.release()
        del connection
        for fd, _ in poller.poll(None if step_s is None else step_s * 1000):
            if fd == self._wake_in:
                os.read(fd, 64)
            else:
                self._hung_up = True

    def _watch(self, connection: Connection) -> float:
        """End serving if the host is gone and what is being written finds no reader.

        Any other thread may be the one that writes. Usually the end of input is read a moment
        after the host has closed its end, and that is all.
        """
        wire = connection.wire
        # It has to be the same write: a host that reads what it asked for is not gone.
        moment = monotonic()
        if wire.writes != self._write or not wire.lock.locked():
            self._write, self._since = wire.writes, moment
        elif moment - self._since > STALLED_S:
            connection.end(End.INPUT, self._since)
        return WATCH_STEP_S

    def _bound_end(self, connection: Connection | None) -> float:
        late = monotonic() - self._ended_at
        if late >= END_FORCE_S:
            self._force(late)
        if connection is not None and not (self._reason is End.INPUT and late < END_FINISH_S):
            connection.trip()
            self._overdue = late >= END_INTERRUPT_S
            # A read that began at the same moment misses the first signal: hence again and again.
            self._nudge()
        left_s = max(0.0, END_FORCE_S - late)
        return left_s if connection is None else min(STEP_S, left_s)

    def _force(self, late: float) -> None:
        last_word(f"ended by force {late * 1000:.0f} ms after {self._reason}")
        sleep(LAST_WORD_S)
        os._exit(self._code)

    def _bound_shutdown(self, connection: Connection) -> float:
        late = monotonic() - connection.shutdown_at
        if late < SHUTDOWN_TRIP_S:
            return min(STEP_S, SHUTDOWN_TRIP_S - late)
        connection.trip()
        leaving = connection.turn.method == SHUTDOWN
        self._overdue = late >= (SHUTDOWN_LIFESPAN_S if leaving else SHUTDOWN_INTERRUPT_S)
        if self._overdue:
            self._nudge()
        return STEP_S

    def _nudge(self) -> None:
        """Interrupt the main thread, a blocking call included."""
        signal.pthread_kill(self._main, NUDGE)

    def _nudged(self, _number: int, frame: FrameType | None) -> None:
        connection = self._connection
        if not self._overdue or connection is None or not connection.turn.interruptible:
            return
        if frame is not None and not frame.f_code.co_filename.startswith(ENGINE):
            raise Interrupted
