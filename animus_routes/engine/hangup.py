"""Sees the host hang up while every other thread waits for it to read."""

from __future__ import annotations

from _thread import start_new_thread
from time import sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.server import EOF

if TYPE_CHECKING:
    from animus_routes.engine.server import Server

LOOK_S: Final = 0.01
STUCK_LOOKS: Final = 5


def guard(server: Server) -> None:
    """End serving if the host is gone and what is being written finds no reader.

    A thread of its own, because any other may be the one that writes. It has no timer before the
    host has closed its end; usually the end of input is read a moment later, and that is all.
    """
    start_new_thread(_watch, (server,))


def _watch(server: Server) -> None:
    wire = server.wire
    wire.wait_for_hang_up()
    looks, seen = 0, -1
    while not server.ended:
        # One and the same write: a host that reads what it has asked for is not gone.
        stuck = wire.lock.locked() and wire.writes == seen
        looks, seen = looks + 1 if stuck else 0, wire.writes
        if looks >= STUCK_LOOKS:
            server.end(EOF)
        sleep(LOOK_S)
