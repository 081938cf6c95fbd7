"""The standby: a second thread that keeps the wire live while an inline handler is slow.

Between requests it costs one attribute test. It wakes every `TICK_S` while the plugin is busy;
if the wire has not been read for a whole tick because a handler runs, it takes the wire over:
it writes what is answered, answers pings, cancels, starts what runs beside the others, and keeps
everything else in order for the main thread. An idle plugin has no timer: the standby parks.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from _thread import allocate_lock, start_new_thread
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final

from animus_routes.engine.control import HEALTH, SHUTDOWN
from animus_routes.engine.frames import (
    UNREADABLE,
    Request,
    Splitter,
    decode_plain,
    encoder,
    result_frame,
)
from animus_routes.engine.server import EOF
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from animus_routes.engine.emitter import Emitter
    from animus_routes.engine.server import Server

TICK_MS: Final = 5
PARK_TICKS: Final = 40  # 200 ms without a read
SWITCH_S: Final = 0.0005  # a pure Python loop gives the interpreter up this often while it is slow
HEALTH_BOUND_S: Final = 1.0  # the host waits 2 s
SHUTDOWN_BOUND_S: Final = 1.75  # the host waits 2 s
ALWAYS: Final = frozenset({"$/ping", "$/cancelRequest", HEALTH, SHUTDOWN, "exit"})
BOUNDED: Final = frozenset({HEALTH, SHUTDOWN})
ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Standby:
    """Reads in the main thread's place while `server.current` does not end."""

    def __init__(self, server: Server, splitter: Splitter) -> None:
        self.server = server
        self.splitter = splitter
        self.parked = False
        self._reads = -1
        self._quiet = 0
        self._asked = False
        self._bursts: deque[Emitter] = deque()
        self._waiting: list[tuple[float, bytes, Request]] = []
        self._switch = allocate_lock()
        self._gate = allocate_lock()
        self._gate.acquire()
        self._wake_in, self._wake_out = os.pipe()
        self._signal_in, self.signal_fd = os.pipe()
        os.set_blocking(self.signal_fd, False)
        self._poller = select.poll()
        self._poller.register(self._wake_in, select.POLLIN)
        self._poller.register(self._signal_in, select.POLLIN)
        self._out = bytearray()
        start_new_thread(self._watch, ())

    # Called by other threads ----------------------------------------------------------------------

    def wake(self) -> None:
        """Leave the parking place; cheap to call when not parked."""
        if self.parked:
            self.parked = False
            os.write(self._wake_out, b"\0")

    def expect(self, emitter: Emitter) -> None:
        """An emitter holds items back: flush it if its source pauses."""
        self._bursts.append(emitter)
        self.wake()

    def give_back(self) -> None:
        """The main thread's handler has returned: wait until the wire is its own again."""
        with self._switch:
            if not self.server.taken:
                return
            self._asked = True
        os.write(self._wake_out, b"\0")
        self._gate.acquire()

    # The thread -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - without this thread nothing keeps live
                log(f"the standby failed: {error!r}")

    def _tick(self) -> None:
        server = self.server
        self._listen(TICK_MS)
        self._flush_bursts()
        current = server.current
        if self._reads != server.reads:
            self._reads, self._quiet = server.reads, 0
        elif current is not None:
            self._quiet = 0
            self._take_over(current)
        else:
            self._quiet += 1
            if self._quiet > PARK_TICKS:
                self._rest()

    def _rest(self) -> None:
        """Wait without a timer; what `wake` is called for is looked at again once it will be."""
        self.parked = True
        if self._reads == self.server.reads and not self._bursts:
            self._listen(None)
        self.parked = False
        self._quiet = 0

    def _listen(self, timeout_ms: int | None) -> bool:
        """Wait for something to happen; has the wire something to read?"""
        readable = False
        for fd, _ in self._poller.poll(timeout_ms):
            if fd == self.server.wire.fd:
                readable = True
                continue
            data = os.read(fd, 512)
            for number in ENDING_SIGNALS:
                if fd == self._signal_in and number in data:
                    # In a long C call, or just before a read, the signal's own handler has to
                    # wait; this does not.
                    self.server.end(number.name)
        return readable

    def _flush_bursts(self) -> None:
        for _ in range(len(self._bursts)):
            self._bursts.popleft().flush()

    def _take_over(self, current: Request) -> None:
        server = self.server
        with self._switch:
            # The mirror of the main thread's `current = None; if taken:`. One sees the other.
            server.taken = True
            if server.current is not current:
                server.taken = False
                return
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            self._keep_live(current)
        finally:
            sys.setswitchinterval(interval)
            with self._switch:
                server.taken = False
                asked, self._asked = self._asked, False
            if asked:
                self._gate.release()

    def _keep_live(self, current: Request) -> None:
        server, poller, fd = self.server, self._poller, self.server.wire.fd
        since = monotonic()
        server.flush()
        self._sort(list(server.lines))
        reading = not server.ended
        if reading:
            poller.register(fd, select.POLLIN)
        try:
            while not self._asked:
                if self._listen(TICK_MS) and reading and not self._read():
                    reading = False
                    poller.unregister(fd)
                self._flush_bursts()
                self._answer_late(current, since)
        finally:
            if reading:
                poller.unregister(fd)

    def _read(self) -> bool:
        chunk = self.server.wire.read()
        if chunk:
            self._sort(self.splitter.feed(chunk))
        elif not self.server.ended:
            self._sort(self.splitter.finish())
            self.server.end(EOF)
        return bool(chunk) and not self.server.ended

    def _sort(self, lines: list[bytes]) -> None:
        """Do what any thread may do; queue the rest for the main thread, in order."""
        server, out = self.server, self._out
        for line in lines:
            try:
                request: Request | None = decode_plain(line)
            except UNREADABLE:
                request = server.odd(line, out)
            if request is None:
                continue
            early = server.opened and (server.closing or not server.shutdown_at)
            early = early or request.method in ALWAYS
            if not early or server.sort(request, out) is not None:
                server.pending.append(line)
                if request.method in BOUNDED:
                    self._waiting.append((monotonic(), line, request))
        if out:
            server.wire.write(out)
            out.clear()

    # What the host gives 2 s ------------------------------------------------------------------------

    def _answer_late(self, current: Request, since: float) -> None:
        """Answer a health check or a shutdown that a handler holds up."""
        server, moment = self.server, monotonic()
        slow_s = moment - since
        if server.answered is not current and self._is_late(current, slow_s, moment):
            server.answered = current
            server.wire.write(self._late(current, current, slow_s))
        for entry in tuple(self._waiting):
            arrived, line, request = entry
            if self._is_late(request, max(slow_s, moment - arrived), moment):
                self._waiting.remove(entry)
                self._answer_waiting(line, request, current, slow_s)

    def _is_late(self, request: Request, waited_s: float, moment: float) -> bool:
        if request.method == SHUTDOWN:
            return moment - self.server.shutdown_at > SHUTDOWN_BOUND_S
        return request.method == HEALTH and waited_s > HEALTH_BOUND_S

    def _answer_waiting(
        self, line: bytes, request: Request, current: Request, slow_s: float
    ) -> None:
        try:
            self.server.pending.remove(line)
        except ValueError:
            return  # the main thread has run it
        self.server.wire.write(self._late(request, current, slow_s))

    def _late(self, request: Request, current: Request, slow_s: float) -> bytes:
        what = f"{current.method} has been running for {slow_s:.1f} s"
        if request.method == SHUTDOWN:
            self.server.close_gate()
            log(f"shutdown answered without the lifespan's exit: {what}")
            return result_frame(request.id, b"{}")
        health = {"status": "degraded", "last_error": f"a handler of {what}"}
        return result_frame(request.id, encoder.encode(health))
