"""A few threads for calls that may run at once."""

from __future__ import annotations

from _queue import SimpleQueue
from _thread import allocate_lock
from typing import TYPE_CHECKING

from animus_routes.engine.exit import start_thread
from animus_routes.engine.frames import MAX_INBOUND_BYTES
from animus_routes.engine.turn import MOST_WAITING

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.call import Call


class Pool:
    """At most `size` threads, started when there is work for one more.

    Args:
        size: How many calls may run at once.
        work: Runs a call to its end; never raises.
    """

    def __init__(self, size: int, work: Callable[[Call], None]) -> None:
        self._size = size
        self._work = work
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = allocate_lock()
        self._spare = 0  # threads without work, minus the calls that wait for one
        self._started = 0
        self._waiting_bytes = 0

    def put(self, call: Call) -> None:
        """Run a call on a free thread, or when one gets free."""
        with self._lock:
            self._spare -= 1
            if self._spare < 0 and self._started < self._size:
                self._start()
            self._waiting_bytes += len(call.request.params)
        self._queue.put(call)

    def _start(self) -> None:
        """One more thread; if there is none to be had, the others do the work."""
        try:
            start_thread(self._serve)
        except RuntimeError:
            if not self._started:
                self._spare += 1
                raise
        else:
            self._started += 1
            self._spare += 1

    @property
    def full(self) -> bool:
        """Does as much wait as may wait?"""
        return -self._spare >= MOST_WAITING or self._waiting_bytes >= MAX_INBOUND_BYTES

    def close(self) -> None:
        """End every thread, once it has nothing to do."""
        for _ in range(self._started):
            self._queue.put(None)

    def _serve(self) -> None:
        while True:  # without a condition, as in `Process._read_all`
            call = self._queue.get()
            if call is None:
                return
            with self._lock:
                self._waiting_bytes -= len(call.request.params)
            self._work(call)
            del call  # what the request held is not held until the next one
            with self._lock:
                self._spare += 1
