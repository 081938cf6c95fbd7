"""The standby: a second thread that keeps the wire live while an inline handler is slow.

Between requests it costs one attribute test. It wakes every `LOOSE_TICK_MS` while the plugin is
busy, and sooner if it finds a handler under way; if the wire has not been read from one look to
the next because a handler runs, it takes the wire over, at the latest after both ticks: it writes
what is answered, answers pings, cancels, starts what runs in parallel, and keeps everything
else in order for the main thread. An idle plugin has no timer: the standby parks.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from animus_routes.engine.control import HEALTH, SHUTDOWN, read_odd
from animus_routes.engine.exit import (
    HEALTH_BOUND_S,
    SHUTDOWN_LATE_S,
    End,
    Strikes,
    give_reserve_back,
    start_thread,
)
from animus_routes.engine.frames import UNREADABLE, decode_plain, id_key, late_health, result_frame
from animus_routes.engine.server import STILL_WANTED
from animus_routes.engine.stderr import log
from animus_routes.engine.wire import HALF_CLOSED

if TYPE_CHECKING:
    from animus_routes.engine.emitter import Emitter
    from animus_routes.engine.frames import Request, Splitter
    from animus_routes.engine.server import Server
    from animus_routes.engine.stall import Stall

TICK_MS: Final = 5  # while a handler runs
LOOSE_TICK_MS: Final = 10  # while none does: each look costs a busy main thread the interpreter
PARK_TICKS: Final = 20  # 200 ms without a read
SWITCH_S: Final = 0.0005  # how often a slow pure Python loop has to give up the interpreter
READABLE: Final = select.POLLIN
HANG_UP: Final = HALF_CLOSED | select.POLLPRI  # not 0, which `poll` would report as well
ALWAYS: Final = frozenset({"$/ping", "$/cancelRequest", HEALTH, SHUTDOWN, "exit"})
BOUNDED: Final = frozenset({HEALTH, SHUTDOWN})
ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Standby:
    """Reads in the main thread's place while the request that it runs does not end."""

    def __init__(self, server: Server, splitter: Splitter) -> None:
        self.parked = False
        self._server = server
        self._connection = server.connection
        self._turn = server.connection.turn
        self._splitter = splitter
        self._reads = -1
        self._quiet = 0
        self._bursts: deque[Emitter] = deque()
        self._late_queues: dict[str, deque[tuple[float, Request]]] = {
            method: deque() for method in BOUNDED
        }
        self._stall: Stall | None = None
        self._over = False
        self._wake_in, self._wake_out = os.pipe()
        self._signal_in, self.signal_fd = os.pipe()
        os.set_blocking(self.signal_fd, False)
        self._poller = select.poll()
        self._poller.register(self._wake_in, select.POLLIN)
        self._poller.register(self._signal_in, select.POLLIN)
        self._out = bytearray()
        start_thread(self._watch)

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

    def nudge(self) -> None:
        """The main thread wants the wire back: look at `Turn.asked`."""
        os.write(self._wake_out, b"\0")

    def stop(self) -> None:
        """Serving is over: end the thread."""
        self._over = True
        self.nudge()
        if self._stall is not None:
            self._stall.stop()

    # The thread -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        strikes = Strikes()
        while not self._over:
            try:
                self._tick()
            except Exception as error:  # noqa: BLE001 - without this thread nothing stays live
                give_reserve_back()
                if strikes.out():
                    self._connection.end(End.FAILED)
                    return
                log(f"the standby thread failed: {error!r}")

    def _tick(self) -> None:
        turn = self._turn
        self._listen(TICK_MS if turn.current is not None else LOOSE_TICK_MS)
        self._flush_bursts()
        current = turn.current
        if self._reads != turn.reads:
            self._reads, self._quiet = turn.reads, 0
        elif current is not None:
            self._take_over(current)
        elif turn.reads % 2:  # it waits for the host
            self._quiet += 1
            if self._quiet > PARK_TICKS:
                self._rest()
        elif self._connection.wire.lock.locked():
            self._attend()

    def _attend(self) -> None:
        """Have an eye on the host: it may read nothing, and then ask for the end."""
        if self._stall is None:
            # There may be no more threads or descriptors: perhaps the next time.
            with suppress(RuntimeError, OSError):
                from animus_routes.engine.stall import Stall

                stall = Stall(self._connection, self._splitter)
                stall.begin()
                self._stall = stall
        if self._stall is not None:
            self._stall.attend()

    def _rest(self) -> None:
        """Wait without a timer, after looking once more at what `wake` is called for."""
        self.parked = True
        if self._reads == self._turn.reads and not self._bursts:
            self._listen(None)
        self.parked = False
        self._quiet = 0

    def _listen(self, timeout_ms: int | None) -> int:
        """Wait for something to happen; what has happened to the wire, as `poll` says it."""
        seen = 0
        for fd, event in self._poller.poll(timeout_ms):
            if fd == self._connection.wire.fd:
                seen = event
                continue
            data = os.read(fd, 512)
            for number in ENDING_SIGNALS:
                if fd == self._signal_in and number in data:
                    # In a long C call, or just before a read, the signal's own handler has to
                    # wait; this does not.
                    self._connection.end(End(number.name))
        return seen

    def _flush_bursts(self) -> None:
        if self._bursts:
            self._attend()
        for _ in range(len(self._bursts)):
            self._bursts.popleft().flush()

    def _take_over(self, current: Request) -> None:
        if not self._turn.take(current):
            return
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        try:
            self._keep_live(current)
        finally:
            sys.setswitchinterval(interval)
            self._turn.release()

    def _keep_live(self, current: Request) -> None:
        connection, turn, wire = self._connection, self._turn, self._connection.wire
        since, looked_for = monotonic(), 0
        self._attend()
        if before := turn.answered_before():
            wire.write(before)
        self._sort(turn.unread())
        try:
            while not turn.asked:
                wanted = self._wanted()
                if wanted != looked_for:
                    self._look_for(wanted)
                    looked_for = wanted
                seen = self._listen(0 if wire.ahead else TICK_MS)
                if wanted == READABLE and (seen or wire.ahead):
                    self._read()
                elif seen and not connection.ended:
                    connection.end(End.INPUT)
                self._flush_bursts()
                self._answer_late(current, since)
        finally:
            if looked_for:
                self._look_for(0)

    def _wanted(self) -> int:
        """What to look for on the wire: requests, while there is room for them."""
        connection = self._connection
        if connection.ended:
            return 0
        return HANG_UP if self._turn.full or connection.calls.crowded else READABLE

    def _look_for(self, wanted: int) -> None:
        if wanted:
            self._poller.register(self._connection.wire.fd, wanted)
        else:
            self._poller.unregister(self._connection.wire.fd)

    def _read(self) -> None:
        connection = self._connection
        chunk = connection.wire.read()
        if chunk:
            self._sort(self._splitter.feed(chunk))
        elif not connection.ended:
            self._sort(self._splitter.rest())
            connection.end(End.INPUT)

    def _sort(self, lines: list[bytes]) -> None:
        """Do what any thread may do, and queue the rest for the main thread in order."""
        connection, out = self._connection, self._out
        for line in lines:
            if connection.ended not in STILL_WANTED:
                break
            try:
                request: Request | None = decode_plain(line)
            except UNREADABLE:
                request = read_odd(line, out)
            if request is None:
                continue
            early = connection.opened and (connection.closing or not connection.shutdown_at)
            early = early or request.method in ALWAYS
            if self._server.sort(request, out) if early else self._server.admit(request, out):
                self._turn.queue(request, len(line))
                if request.method in BOUNDED:
                    self._late_queues[request.method].append((monotonic(), request))
        if out:
            connection.wire.write(out)
            out.clear()

    # What the host gives 2 s ------------------------------------------------------------------------

    def _answer_late(self, current: Request, since: float) -> None:
        """Answer a health check or a shutdown that a handler holds up."""
        moment = monotonic()
        slow_s = moment - since
        late = current.id and self._is_late(current, slow_s, moment)
        if late and self._turn.claim_answer(current):
            self._connection.wire.write(self._late(current, current, slow_s))
        self._answer_in_time(current, slow_s)
        for queue in self._late_queues.values():
            while queue:
                arrived, request = queue[0]
                if not self._is_late(request, max(slow_s, moment - arrived), moment):
                    break
                queue.popleft()
                # Unless the main thread has run it.
                if request.id and self._turn.withdraw(id_key(request.id), request):
                    self._connection.wire.write(self._late(request, current, slow_s))

    def _answer_in_time(self, current: Request, slow_s: float) -> None:
        """Answer a call that takes longer than its author allows."""
        connection = self._connection
        route = connection.app.find(current.method) if current.id else None
        if route is None or route.timeout_s is None or slow_s < route.timeout_s:
            return
        if self._turn.claim_answer(current):
            connection.trip()
            connection.wire.write(connection.app.failures.timed_out(route, current))

    def _is_late(self, request: Request, waited_s: float, moment: float) -> bool:
        if request.method == SHUTDOWN:
            return moment - self._connection.shutdown_at > SHUTDOWN_LATE_S
        return request.method == HEALTH and waited_s > HEALTH_BOUND_S

    def _late(self, request: Request, current: Request, slow_s: float) -> bytes:
        what = f"{current.method} has been running for {slow_s:.1f} s"
        if request.method == SHUTDOWN:
            self._connection.close_gate()
            log(f"shutdown answered without the lifespan's exit: {what}")
            return result_frame(request.id, b"{}")
        return late_health(request, f"a handler of {what}")
