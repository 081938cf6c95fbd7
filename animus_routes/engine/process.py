"""The serving process: reads until the end, and ends cleanly within its bound.

It ends as every Python program does: what an author has open is flushed, exit hooks run. Before that
nothing of the engine holds the author's module any more.

Exit codes: 0 for the end of input, `exit`, SIGTERM, SIGINT, SIGHUP and a closed stdout; 1 for a broken
stream that the host cannot be told about, and if something had to be cut off at the end.
"""

from __future__ import annotations

import os
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from animus_routes.engine.connection import Connection
from animus_routes.engine.ending import NUDGE, Ending
from animus_routes.engine.exit import (
    END_CLEAN_UP_S,
    END_INTERRUPT_S,
    END_JOIN_S,
    FAILURES,
    FORKED,
    IGNORED_AT_LAST,
    JOIN_S,
    LAST_FRAME_S,
    End,
    Strikes,
    give_reserve_back,
    join_threads,
    keep_reserve,
)
from animus_routes.engine.frames import Splitter
from animus_routes.engine.program import release_collector
from animus_routes.engine.server import Server
from animus_routes.engine.standby import ENDING_SIGNALS, Standby
from animus_routes.engine.stderr import hurry, log
from animus_routes.engine.wire import CHUNK_BYTES, Wire

if TYPE_CHECKING:
    from collections.abc import Callable
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
        self._unguard: Callable[[], object] = _nothing

    def serve(self) -> NoReturn:
        """Serve until the host is done.

        Raises:
            SystemExit: Always; the interpreter's own end is bounded, too.
        """
        keep_reserve()
        connection = self._connection
        connection.on_end = self._ended
        connection.on_shutdown = self._ending.begin
        self._wire.on_close = lambda: connection.end(End.CLOSED)
        self._found = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
        for number, found in self._found.items():
            # What the parent ignores stays ignored, as in every Python program.
            if found is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        standby = Standby(self._server, self._splitter)
        connection.turn.wake = standby.nudge
        connection.calls.expect = standby.expect
        signal.set_wakeup_fd(standby.signal_fd, warn_on_full_buffer=False)
        _watch_forks(self)
        self._guard_alarms()
        release_collector()
        strikes = Strikes()
        while not connection.ended:
            try:
                self._server.in_variables(lambda: self._read_all(standby))
                if connection.ended is End.INPUT:
                    self._read_rest()
            except BaseException as error:  # noqa: BLE001 - a bug of the engine's, or no memory
                if strikes.out():
                    connection.end(End.FAILED)
                self._recover(error)
        try:
            self._end(standby)
        except MemoryError:
            os._exit(1)
        failed = connection.ended in FAILURES or connection.app.failures.unseen
        code = 1 if failed else 0
        self._ending.forget(code)
        raise SystemExit(code)

    def _guard_alarms(self) -> None:
        """Nothing that an author's signal handlers raise may reach the engine."""
        module: Any = signal
        set_handler = signal.signal

        def guard() -> None:
            from animus_routes.engine.alarms import Alarms

            module.signal = set_handler
            self._unguard = Alarms(self._connection.turn).guard()

        def set_first(number: int, handler: Any) -> Any:
            guard()
            return module.signal(number, handler)

        others = signal.valid_signals() - {*ENDING_SIGNALS, NUDGE}
        if any(callable(signal.getsignal(number)) for number in others):
            guard()
            return

        def unguard() -> None:
            module.signal = set_handler

        module.signal, self._unguard = set_first, unguard

    # `Wire.read`, `Wire.write` and `Splitter.feed` inline: for one small request, calls and `with` blocks
    # are what the framework costs. Nothing is raised in here by a signal's handler (see `Alarms`). And
    # Python 3.11 makes code fast that is called, or jumped back in, several times: the jump of a `while`
    # with a condition does not count.
    def _read_all(self, standby: Standby) -> bool:  # noqa: C901, PLR0912
        """Serve until the end; True where what is read next needs context variables of its own."""
        connection, wire, turn = self._connection, self._wire, self._connection.turn
        splitter, server, out, calls = self._splitter, self._server, turn.out, connection.calls
        feed, go_on, run = splitter.feed, server.go_on, server.run_lines
        fd, fd_out, ahead, read, write = wire.fd, wire.fd_out, wire.ahead, os.read, os.write
        reading, writing = wire.reading, wire.lock
        renew = go_on()
        connection.flush()  # before the host is waited for
        while True:
            if renew or connection.ended:
                return renew
            if calls.pool is not None and calls.crowded:
                self._wait_for_room()
                continue
            turn.reads += 1
            reading.acquire()
            try:
                chunk = ahead.popleft() if ahead else read(fd, CHUNK_BYTES)
            except OSError:
                chunk = None
            finally:
                reading.release()
            if chunk is None:
                chunk = wire.read()
            turn.reads += 1
            if standby.parked:
                standby.wake()
            if chunk:
                lines = chunk.split(b"\n")
                if lines.pop() or splitter.began:
                    lines = feed(chunk)
            else:
                lines = self._last_lines()
            turn.lines = waiting = iter(lines)
            renew = run(waiting)
            if turn.pending_bytes and not renew:
                renew = go_on()
            if out:
                writing.acquire()
                try:
                    wire.writes += 1
                    sent = 0 if wire.closed else write(fd_out, out)
                    if sent < len(out):
                        wire.write_locked(memoryview(out)[sent:])
                except OSError:
                    wire.write_locked(out)
                finally:
                    writing.release()
                out.clear()

    def _last_lines(self) -> list[bytes]:
        """The host has closed its end, or nothing more is to be read."""
        if self._connection.ended:
            return []
        self._connection.end(End.INPUT)
        return self._splitter.rest()

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
        give_reserve_back()
        log(f"{type(error).__name__} was raised outside a handler: {error}")
        turn = self._connection.turn
        turn.recover()
        self._server.renew_variables()
        self._server.process(turn.unread())

    def _end(self, standby: Standby) -> None:
        """Finish what was begun, then let go of the app."""
        connection = self._connection
        connection.flush()
        if connection.ended is End.INPUT:
            connection.calls.drain(connection.ended_at + END_INTERRUPT_S)
        connection.calls.abandon(connection.ended_at + END_CLEAN_UP_S)
        self._app.stop()
        connection.flush()
        self._wire.close(LAST_FRAME_S)
        deadline = max(connection.ended_at + END_JOIN_S, monotonic() + JOIN_S)
        standby.stop()
        connection.calls.end(deadline)
        join_threads(deadline)
        self._let_go()

    def _let_go(self) -> None:
        """What the interpreter keeps until its very end no longer leads to the app."""
        _processes.clear()
        self._wire.give_back()
        self._unguard()
        signal.set_wakeup_fd(-1)
        signal.signal(NUDGE, signal.SIG_DFL)
        for number, found in self._found.items():
            if found is not signal.SIG_IGN:
                # Not the default: the process is about to end in order. Not ignored before the
                # last hook either: children that others start would inherit that.
                signal.signal(number, _nothing)
                IGNORED_AT_LAST.append(number)

    def _ended(self) -> None:
        """Called by whoever found the end: wake the main thread from its read, bound the rest."""
        hurry()
        if self._connection.ended is not End.INPUT:
            self._wire.stop_reading()
        self._ending.end()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._connection.end(End(signal.Signals(number).name))

    def hold_signals(self) -> None:
        """A child that is sent a signal at once must not handle it as the plugin would."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)

    def release_signals(self) -> None:
        """In the parent, once the child is there."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def forked(self) -> None:
        """In a forked child, which has nothing to do with the wire, the signals and the rest."""
        FORKED.append(os.getpid())
        turn = self._connection.turn
        turn.taken = True  # so that the end of the turn is not passed over
        self._connection.calls.forked()
        self._wire.sever()
        signal.set_wakeup_fd(-1)
        for number, found in self._found.items():
            signal.signal(number, signal.SIG_DFL if found is None else found)
        self.release_signals()


def _nothing(*_: object) -> None:
    pass


_processes: list[Process] = []


def _watch_forks(process: Process) -> None:
    """The interpreter keeps these functions for ever: so they find the process while it serves."""
    if not _processes:
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
        )
    _processes.append(process)


def _before_fork() -> None:
    for process in _processes:
        process.hold_signals()


def _after_in_parent() -> None:
    for process in _processes:
        process.release_signals()


def _after_in_child() -> None:
    for process in _processes:
        process.forked()
