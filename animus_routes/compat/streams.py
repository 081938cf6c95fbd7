"""A plugin served over text streams in this process, as the class-based SDK does it for tests."""

from __future__ import annotations

import sys
from _thread import allocate_lock
from time import monotonic, sleep
from typing import IO, TYPE_CHECKING, Final

from animus_routes.engine.connection import Connection
from animus_routes.engine.frames import Splitter
from animus_routes.engine.server import Server
from animus_routes.engine.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animus_routes.app import App

STREAMS_S: Final = 0.2  # how long a stream may go on after the last line, if it does not end
WAIT_STEP_S: Final = 0.005


class TextWire(Wire):
    """Writes whole frames to a text stream."""

    def __init__(self, output: IO[str]) -> None:
        self.lock = allocate_lock()
        self.fd = -1
        self.closed = False
        self._output = output

    def write_locked(self, data: bytes | bytearray | memoryview) -> None:
        """Write and flush."""
        self._output.write(bytes(data).decode())
        self._output.flush()


def serve(app: App, lines: Iterable[str], output: IO[str] | None) -> None:
    """Serve until the lines end, or one is `exit`; then wait for the runs under way."""
    session = app.session()
    connection = Connection(session, TextWire(output or sys.stdout))  # noqa: TID251 - an `input` alone was given
    server, splitter = Server(connection), Splitter()
    for line in lines:
        server.process(splitter.feed(line.encode()))
        connection.flush()
        if connection.ended:
            break
    server.process(splitter.rest())
    connection.flush()
    calls, deadline = connection.calls, monotonic() + STREAMS_S
    while calls.streams() and monotonic() < deadline:
        sleep(WAIT_STEP_S)
    calls.drain(float("inf"))
    calls.close()
    session.close()
