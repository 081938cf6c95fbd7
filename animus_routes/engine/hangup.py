"""Sees the host hang up while every other thread waits for it to read."""

from __future__ import annotations

from _thread import start_new_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.exit import End

if TYPE_CHECKING:
    from animus_routes.engine.connection import Connection

LOOK_S: Final = 0.01
STALLED_S: Final = 0.2


def guard(connection: Connection) -> None:
    """End serving if the host is gone and what is being written finds no reader.

    A thread of its own, because any other may be the one that writes. It has no timer before the
    host has closed its end; usually the end of input is read a moment later, and that is all.
    """
    start_new_thread(_watch, (connection,))


def _watch(connection: Connection) -> None:
    wire = connection.wire
    wire.wait_for_hang_up()
    write, since = -1, 0.0
    while not connection.ended:
        # One and the same write: a host that reads what it has asked for is not gone.
        moment = monotonic()
        if wire.writes != write or not wire.lock.locked():
            write, since = wire.writes, moment
        elif moment - since > STALLED_S:
            connection.end(End.INPUT, since)
        sleep(LOOK_S)
