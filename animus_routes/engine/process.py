"""The serving process: reads until the end, ends within its bound, leaves no trace of trouble."""

from __future__ import annotations

import os
import signal
from _thread import get_ident
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from animus_routes.engine.exit import leave
from animus_routes.engine.frames import Splitter
from animus_routes.engine.server import Server
from animus_routes.engine.standby import Standby
from animus_routes.engine.wire import Wire

if TYPE_CHECKING:
    from animus_routes.engine.plugin import Plugin

GRACE_S: Final = 0.2
ENGINE: Final = os.path.dirname(__file__)


class Interrupted(BaseException):
    """Raised in the main thread to end what it does: a read, or a handler past its grace."""


class Process:
    """One plugin process: the server, its standby and the signals."""

    def __init__(self, plugin: Plugin, fd_in: int, fd_out: int) -> None:
        self.wire = Wire(fd_in, fd_out)
        self.server = Server(plugin, self.wire)
        self.server.nudge = self._nudge
        self.splitter = Splitter()
        self._reading = False
        self._nudged = False
        self._main = get_ident()

    def serve(self) -> NoReturn:
        """Serve until the host is done, then end the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self.server.standby = standby = Standby(self.server, self.splitter)
        signal.set_wakeup_fd(standby.signal_fd, warn_on_full_buffer=False)
        try:
            self._read_all(standby)
        except Interrupted:
            pass
        self._end()

    def _read_all(self, standby: Standby) -> None:
        server, wire, feed = self.server, self.wire, self.splitter.feed
        while not server.ended:
            self._reading = True
            chunk = wire.read()
            self._reading = False
            server.reads += 1
            if standby.parked:
                standby.wake()
            if chunk:
                server.process(feed(chunk))
            else:
                server.end("eof")
                server.process(self.splitter.finish())
            server.flush()

    def _end(self) -> NoReturn:
        server = self.server
        server.end("eof")
        server.flush()
        server.calls.abandon(monotonic() + GRACE_S)
        server.plugin.stop()
        server.flush()
        leave()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """End a read at once; let a handler finish first, for as long as its grace lasts."""
        server = self.server
        if self._nudged:
            self._nudged = False
            if server.current is not None and not _is_ours(frame):
                raise Interrupted
            return
        server.end(signal.Signals(number).name)
        if self._reading:
            self._reading = False
            raise Interrupted

    def _nudge(self) -> None:
        """Interrupt a handler whose grace is over, a blocking call included."""
        if self.server.current is not None:
            self._nudged = True
            signal.pthread_kill(self._main, signal.SIGTERM)


def _is_ours(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith(ENGINE)
