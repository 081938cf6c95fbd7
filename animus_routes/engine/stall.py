"""An eye on a host that reads nothing: whoever writes waits, and nobody reads what it asks for.

Its `exit` has to be seen nevertheless. So what comes in meanwhile is read ahead, within the bound
of what may wait, and kept as it is for whoever reads next. Loaded when it is first needed.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.control import EXIT, parse
from animus_routes.engine.exit import End, start_thread
from animus_routes.engine.frames import MAX_INBOUND_BYTES
from animus_routes.engine.wire import CHUNK_BYTES

if TYPE_CHECKING:
    from animus_routes.engine.connection import Connection
    from animus_routes.engine.frames import Splitter

LOOK_STEP_S: Final = 0.02
READ_STEP_MS: Final = 20
SLOW_S: Final = 0.05  # one write takes longer: the host reads slowly, or not at all


class Stall:
    """Reads ahead while a write finds no room.

    Args:
        connection: Whose wire.
        splitter: What reads it; it may hold the beginning of a line.
    """

    def __init__(self, connection: Connection, splitter: Splitter) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._splitter = splitter
        self._called = allocate_lock()
        self._called.acquire()

    def begin(self) -> None:
        """Be ready to be called.

        Raises:
            RuntimeError: There are no more threads.
        """
        start_thread(self._watch)

    def attend(self) -> None:
        """The caller, or the main thread, may have to wait for the host; by one thread only."""
        if self._called.locked():
            self._called.release()

    def stop(self) -> None:
        """Serving is over: end the thread."""
        with suppress(RuntimeError):  # it was called at this moment
            self._called.release()

    def _watch(self) -> None:
        while not self._connection.ended:
            self._called.acquire()
            self._look()

    def _look(self) -> None:
        """Look at the wire until nobody holds it and the standby need not answer on it."""
        connection, wire = self._connection, self._wire
        write, since = -1, 0.0
        sleep(LOOK_STEP_S)
        while not connection.ended and (connection.turn.taken or wire.lock.locked()):
            if wire.writes != write or not wire.lock.locked():
                write, since = wire.writes, monotonic()
            elif monotonic() - since > SLOW_S and wire.reading.acquire(blocking=False):
                try:
                    self._read_ahead(write)
                finally:
                    wire.reading.release()
            sleep(LOOK_STEP_S)

    def _read_ahead(self, write: int) -> None:
        """Read until that write has ended; by a thread that holds `Wire.reading`."""
        connection, wire = self._connection, self._wire
        splitter = self._splitter.copy()
        for chunk in wire.ahead:
            splitter.feed(chunk)
        size = sum(map(len, wire.ahead))
        while wire.writes == write and wire.lock.locked() and not connection.ended:
            if size >= MAX_INBOUND_BYTES:
                return
            if not wire.readable(READ_STEP_MS):
                continue
            chunk = os.read(wire.fd, CHUNK_BYTES)
            if not chunk:
                return
            wire.ahead.append(chunk)
            size += len(chunk)
            if any(map(_is_exit, splitter.feed(chunk))):
                connection.end(End.EXIT)


def _is_exit(line: bytes) -> bool:
    request = parse(line)
    return request is not None and request.method == EXIT
