"""The serving process: reads until the end, and ends cleanly within its bound.

Exit codes: 0 for the end of input, `exit`, SIGTERM, SIGINT, SIGHUP and a closed stdout; 1 for a broken
stream that the host cannot be told about, and if something had to be cut off at the end.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final, NoReturn

from animus_routes.engine.connection import Connection
from animus_routes.engine.ending import NUDGE, Ending
from animus_routes.engine.exit import END_CLEAN_UP_S, END_INTERRUPT_S, LAST_FRAME_S, End, leave
from animus_routes.engine.frames import Splitter
from animus_routes.engine.server import Server
from animus_routes.engine.standby import ENDING_SIGNALS, Standby
from animus_routes.engine.stderr import hurry, log
from animus_routes.engine.wire import Wire

if TYPE_CHECKING:
    from types import FrameType

    from animus_routes.engine.ports import ServedApp

ROOM_STEP_MS: Final = 5


class Process:
    """One plugin process: the connection, its server, its standby and the signals."""

    def __init__(self, app: ServedApp, fd_in: int, fd_out: int) -> None:
        self._app = app
        self._wire = Wire(fd_in, fd_out)
        self._connection = Connection(app, self._wire)
        self._server = Server(self._connection)
        self._splitter = Splitter()
        self._ending = Ending(self._connection)
        self._mask: set[int] = set()
        self._found: dict[int, Any] = {}

    def serve(self) -> NoReturn:
        """Serve until the host is done, then end the process."""
        connection = self._connection
        connection.on_end = self._ended
        connection.on_shutdown = self._ending.shutdown
        self._wire.on_close = lambda: connection.end(End.CLOSED)
        self._found = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
        for number, found in self._found.items():
            # What the parent ignores stays ignored, as in every Python program.
            if found is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        standby = Standby(self._server, self._splitter)
        connection.turn.wake = standby.nudge
        connection.calls.expect = standby.expect
        self._ending.watch()
        signal.set_wakeup_fd(standby.signal_fd, warn_on_full_buffer=False)
        os.register_at_fork(
            before=self._hold_signals,
            after_in_parent=self._release_signals,
            after_in_child=self._forked,
        )
        self._guard_alarms()
        while not connection.ended:
            try:
                self._read_all(standby)
            except BaseException as error:  # noqa: BLE001 - a bug of the engine's, or no memory
                self._recover(error)
        self._end()

    def _guard_alarms(self) -> None:
        """Nothing that an author's signal handlers raise may reach the engine."""
        module: Any = signal
        set_handler = signal.signal

        def guard() -> None:
            from animus_routes.engine.alarms import Alarms

            module.signal = set_handler
            Alarms(self._connection.turn).guard()

        def set_first(number: int, handler: Any) -> Any:
            guard()
            return module.signal(number, handler)

        others = signal.valid_signals() - {*ENDING_SIGNALS, NUDGE}
        if any(callable(signal.getsignal(number)) for number in others):
            guard()
        else:
            module.signal = set_first

    def _read_all(self, standby: Standby) -> None:
        connection, wire, turn = self._connection, self._wire, self._connection.turn
        read, feed, process, out = wire.read, self._splitter.feed, self._server.process, turn.out
        while not connection.ended:
            if connection.calls.crowded:
                self._wait_for_room()
                continue
            turn.reads += 1
            chunk = read()
            turn.reads += 1
            if standby.parked:
                standby.wake()
            if chunk:
                process(feed(chunk))
            elif not connection.ended:
                connection.end(End.INPUT)
                process(self._splitter.rest())
            if out:  # as `Connection.flush`, with two calls less for every read
                with wire.lock:
                    wire.write_locked(out)
                out.clear()
        if connection.ended is End.INPUT:
            self._read_rest()

    def _wait_for_room(self) -> None:
        """So much waits that the host has to wait, too; it may still go away."""
        connection = self._connection
        while connection.calls.crowded and not connection.ended:
            if self._wire.hung_up(ROOM_STEP_MS):
                connection.end(End.INPUT)

    def _read_rest(self) -> None:
        """The end was seen while this thread was writing: there may be something left to read."""
        server, connection = self._server, self._connection
        while chunk := self._wire.read():
            server.process(self._splitter.feed(chunk))
            connection.flush()
        server.process(self._splitter.rest())
        connection.flush()

    def _recover(self, error: BaseException) -> None:
        """Something was raised into the engine's own code: go on with the next request."""
        log(f"{type(error).__name__} was raised outside a handler: {error}")
        turn = self._connection.turn
        turn.recover()
        self._server.process(turn.unread())

    def _end(self) -> NoReturn:
        connection = self._connection
        connection.flush()
        if connection.ended is End.INPUT:
            connection.calls.drain(connection.ended_at + END_INTERRUPT_S)
        connection.calls.abandon(connection.ended_at + END_CLEAN_UP_S)
        self._app.stop()
        connection.flush()
        self._wire.close(LAST_FRAME_S)
        leave(1 if connection.ended is End.BROKEN_STREAM else 0)

    def _ended(self) -> None:
        """Called by whoever found the end: wake the main thread from its read, bound the rest."""
        hurry()
        if self._connection.ended is not End.INPUT:
            self._wire.stop_reading()
        self._ending.end()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._connection.end(End(signal.Signals(number).name))

    def _hold_signals(self) -> None:
        """A child that is sent a signal at once must not handle it as the plugin would."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _forked(self) -> None:
        """In a forked child, which has nothing to do with the wire or the signals."""
        self._wire.sever()
        signal.set_wakeup_fd(-1)
        for number, found in self._found.items():
            signal.signal(number, signal.SIG_DFL if found is None else found)
        self._release_signals()
