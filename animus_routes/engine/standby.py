"""The standby: a second thread that keeps the wire live while an inline handler is slow.

Between requests it costs one attribute test. It wakes every `TICK_S` while the plugin is busy;
if the wire has not been read for a whole tick because a handler runs, it takes the wire over:
it writes what is answered, answers pings, cancels, starts what runs beside the others, and keeps
everything else in order for the main thread. An idle plugin has no timer: the standby parks.
"""

from __future__ import annotations

import os
import select
import sys
from _thread import allocate_lock, start_new_thread
from collections import deque
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from animus_routes.engine.frames import UNREADABLE, Request, Splitter, decode_plain, result_frame
from animus_routes.engine.server import HEALTH, parse
from animus_routes.engine.wire import log

if TYPE_CHECKING:
    from animus_routes.engine.server import Server
    from animus_routes.engine.streams import Emitter

TICK_S: Final = 0.005
PARK_TICKS: Final = 40  # 200 ms without a read
SWITCH_S: Final = 0.0005  # a pure Python loop gives the interpreter up this often while it is slow
HEALTH_BOUND_S: Final = 1.0  # the host waits 2 s
END_BOUND_S: Final = 0.45  # from the end of input to the end of the process
NUDGE_S: Final = 0.15  # then a handler that still runs is interrupted
SHUTDOWN_BOUND_S: Final = 1.0  # the host waits 2 s, and the lifespan's exit comes after
ALWAYS: Final = frozenset({"$/ping", "$/cancelRequest", HEALTH, "exit"})


class Standby:
    """Reads in the main thread's place while `server.current` does not end."""

    def __init__(self, server: Server, splitter: Splitter) -> None:
        self.server = server
        self.splitter = splitter
        self.parked = False
        self._ended_at = 0.0
        self._nudges = 0
        self._shutdown_at = 0.0
        self._asked = False
        self._bursts: deque[Emitter] = deque()
        self._switch = allocate_lock()
        self._gate = allocate_lock()
        self._gate.acquire()
        self._park = allocate_lock()
        self._park.acquire()
        self._wake_in, self._wake_out = os.pipe()
        self._signal_in, self.signal_fd = os.pipe()
        os.set_blocking(self.signal_fd, False)
        self._out = bytearray()
        start_new_thread(self._watch, ())

    # Called by other threads ----------------------------------------------------------------------

    def wake(self) -> None:
        """Leave the parking place; cheap to call when not parked."""
        if self.parked:
            self.parked = False
            try:
                self._park.release()
            except RuntimeError:
                pass  # another thread was first

    def hurry(self) -> None:
        """Serving is over: from now on, bound how long the process may still take."""
        if not self._ended_at:
            self._ended_at = monotonic()
        self.wake()

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
        server = self.server
        reads, quiet = -1, 0
        while True:
            sleep(TICK_S)
            if self._bursts:
                self._flush_bursts()
            self._enforce()
            current = server.current
            if reads != server.reads:
                reads, quiet = server.reads, 0
            elif current is not None:
                quiet = 0
                self._take_over(current)
            else:
                quiet += 1
                if quiet > PARK_TICKS and not self._bursts and not self._ended_at:
                    self._rest(reads)
                    quiet = 0

    def _rest(self, reads: int) -> None:
        self.parked = True
        if reads != self.server.reads or self._bursts or self._ended_at:
            self.parked = False
            # A waker may have released the lock already; take that back.
            self._park.acquire(blocking=False)
            return
        self._park.acquire()

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
        server = self.server
        server.flush()
        self._sort(list(server.lines))
        since = monotonic()
        poller = select.poll()
        poller.register(self._wake_in, select.POLLIN)
        poller.register(self._signal_in, select.POLLIN)
        if not server.ended:
            poller.register(server.wire.fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(TICK_S * 1000)}
            if self._wake_in in ready:
                os.read(self._wake_in, 1)
                return
            if server.wire.fd in ready and not self._read():
                poller.unregister(server.wire.fd)
            if self._signal_in in ready:
                # A handler inside a C call: the signal's own handler has to wait, this does not.
                os.read(self._signal_in, 1)
                server.end("a signal")
            if self._bursts:
                self._flush_bursts()
            self._enforce()
            if monotonic() - since > HEALTH_BOUND_S:
                self._answer_health(current, monotonic() - since)

    def _read(self) -> bool:
        chunk = self.server.wire.read()
        if chunk:
            self._sort(self.splitter.feed(chunk))
        else:
            self._sort(self.splitter.finish())
            self.server.end("eof")
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
            if request.method == "shutdown" and not self._shutdown_at:
                self._shutdown_at = monotonic()
            early = server.opened or request.method in ALWAYS
            if not early or server.sort(request, out) is not None:
                server.pending.append(line)
        if out:
            server.wire.write(out)
            out.clear()

    def _answer_health(self, current: Request, slow_s: float) -> None:
        """The host gives a health check 2 s: say what holds the author's check up."""
        server = self.server
        waiting = [(line, parse(line)) for line in tuple(server.pending)]
        late = [(line, found) for line, found in waiting if found and found.method == HEALTH]
        body = (
            b'{"status":"degraded","last_error":"a handler of %s has been running for %.1f s"}'
            % (current.method.encode(), slow_s)
        )
        for line, found in late:
            server.pending.remove(line)
            server.wire.write(result_frame(found.id, body))
        if current.method == HEALTH and server.answered is not current:
            server.answered = current
            server.wire.write(result_frame(current.id, body))

    # The end ----------------------------------------------------------------------------------------

    def _enforce(self) -> None:
        """Nothing holds the end, or a shutdown, up for longer than its bound."""
        moment = monotonic()
        if self._ended_at:
            late = moment - self._ended_at
            if late > END_BOUND_S:
                log(f"ended by force {late * 1000:.0f} ms after {self.server.ended}")
                os._exit(1)
            self._nudge_after(late - NUDGE_S)
        elif self._shutdown_at:
            self._nudge_after(moment - self._shutdown_at - SHUTDOWN_BOUND_S)

    def _nudge_after(self, late_s: float) -> None:
        """Interrupt a handler whose time is over; again and again, it may have missed one."""
        if late_s > self._nudges * NUDGE_S:
            self._nudges += 1
            self.server.nudge()
