"""The serving process: reads until the end, ends within its bound, leaves no trace of trouble.

Exit codes: 0 for the end of input, `exit`, SIGTERM, SIGINT and a closed stdout; 1 for a broken
stream that the host cannot be told of, and if something had to be cut off at the end.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final, NoReturn

from animus_routes.engine.ending import Ending
from animus_routes.engine.exit import BROKEN, leave
from animus_routes.engine.frames import Splitter
from animus_routes.engine.hangup import guard
from animus_routes.engine.server import EOF, Server
from animus_routes.engine.standby import ENDING_SIGNALS, Standby
from animus_routes.engine.stderr import hurry, log
from animus_routes.engine.wire import Wire

if TYPE_CHECKING:
    from types import FrameType

    from animus_routes.engine.ports import Plugin

FINISH_S: Final = 0.2  # after the end: calls that the host has sent may still be answered
CLEAN_UP_S: Final = 0.3  # and then their `finally` blocks run


class Process:
    """One plugin process: the server, its standby and the signals."""

    def __init__(self, plugin: Plugin, fd_in: int, fd_out: int) -> None:
        self.wire = Wire(fd_in, fd_out)
        self.server = Server(plugin, self.wire)
        self.splitter = Splitter()
        self._ending = Ending(self.server)
        self._mask: set[int] = set()

    def serve(self) -> NoReturn:
        """Serve until the host is done, then end the process."""
        server = self.server
        server.on_end = self._ended
        server.on_shutdown = self._ending.shutdown
        self.wire.on_close = lambda: server.end("closed")
        for number in ENDING_SIGNALS:
            signal.signal(number, self._signalled)
        server.standby = standby = Standby(server, self.splitter)
        guard(server)
        signal.set_wakeup_fd(standby.signal_fd, warn_on_full_buffer=False)
        os.register_at_fork(
            before=self._hold_signals,
            after_in_parent=self._release_signals,
            after_in_child=self._forked,
        )
        while not server.ended:
            try:
                self._read_all(standby)
            except BaseException as error:  # noqa: BLE001 - such as an author's own alarm, late
                self._recover(standby, error)
        self._end()

    def _read_all(self, standby: Standby) -> None:
        server, wire, feed = self.server, self.wire, self.splitter.feed
        while not server.ended:
            chunk = wire.read()
            server.reads += 1
            if standby.parked:
                standby.wake()
            if chunk:
                server.process(feed(chunk))
            elif not server.ended:
                server.end(EOF)
                server.process(self.splitter.finish())
            server.flush()
        if server.ended == EOF:
            self._read_rest()

    def _read_rest(self) -> None:
        """The end was seen while this thread was writing: there may be something left to read."""
        server = self.server
        while chunk := self.wire.read():
            server.process(self.splitter.feed(chunk))
            server.flush()
        server.process(self.splitter.finish())
        server.flush()

    def _recover(self, standby: Standby, error: BaseException) -> None:
        """Something was raised into the engine's own code: go on with the next request."""
        server = self.server
        log(f"{type(error).__name__} raised outside of a handler: {error}")
        server.current = None
        server.settling = False
        standby.give_back()
        server.pending.extendleft(reversed(list(server.lines)))
        server.process([b""])

    def _end(self) -> NoReturn:
        server = self.server
        server.flush()
        if server.ended == EOF:
            server.calls.finish(server.ended_at + FINISH_S)
        server.calls.abandon(server.ended_at + CLEAN_UP_S)
        server.plugin.stop()
        server.flush()
        self.wire.close()
        leave(1 if server.ended == BROKEN else 0)

    def _ended(self) -> None:
        """Whoever found the end: wake the main thread out of its read, and bound what follows."""
        hurry()
        if self.server.ended != EOF:
            self.wire.stop_reading()
        self._ending.end()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.server.end(signal.Signals(number).name)

    def _hold_signals(self) -> None:
        """A child that is sent a signal at once must not take it for the plugin's."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)

    def _release_signals(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _forked(self) -> None:
        """In a forked child: neither the wire nor the signals are its business."""
        self.wire.sever()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._release_signals()
