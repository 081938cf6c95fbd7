"""The loop of `animus-routes dev`: the host's pipes and the plugin's, signals, changes and the clock."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from animus_routes.dev.exchange import Exchange, State
from animus_routes.dev.lives import END_S, SHUTDOWN_S, START_S, Lives
from animus_routes.dev.pipes import CHUNK_BYTES, ROOM_BYTES, Outgoing
from animus_routes.dev.streams import Streams
from animus_routes.engine.frames import Splitter
from animus_routes.engine.stderr import log, write
from animus_routes.engine.wire import claim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from animus_routes.dev.watching import Watched

WAITING_BYTES: Final = 16 * 1024 * 1024  # what a host may write ahead; then nothing more is read
GONE_S: Final = 0.2  # a host that has read nothing for this long at the end is not there
SWITCH_S: Final = 0.0005  # the wire does not wait while the watcher is imported
ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Development:
    """Keeps the wire to a host while the plugin behind it starts anew on every change.

    Args:
        command: What starts the plugin.
        watched: The files that it is made of.
    """

    def __init__(self, command: Sequence[str], watched: Watched) -> None:
        self._fd_in, self._fd_out = claim()
        self._wake_out, self._wake_in = os.pipe()
        for fd in (self._wake_out, self._wake_in):
            os.set_blocking(fd, False)
        self._lines = Splitter()
        self._out = Outgoing(ROOM_BYTES)
        self._exchange = Exchange(self._out.add, self._to_plugin, log, Streams())
        self._lives = Lives(command, watched, self._exchange)
        self._watched = watched
        self._changed = False
        self._was_down = False
        self._signals: list[int] = []
        self._late: float | None = None  # when the host has to have an answer to `shutdown`
        self._host_is_done = False  # it writes no more
        self._is_ending = False  # it, or a signal, wants the end now

    def _to_plugin(self, data: bytes) -> None:
        self._lives.send(data)

    def run(self) -> int:
        """Serve until the host is done; the exit code."""
        sys.setswitchinterval(SWITCH_S)
        self._take_signals()
        self._lives.start()
        self._watched.watch(self._may_have_changed)
        while not self._is_over():
            self._wait()
            self._take_end()
            self._lives.tick()
            self._look()
        self._flush()
        return self._lives.exit_code

    def _is_over(self) -> bool:
        return self._lives.child is None and (self._is_ending or self._host_is_done)

    def _take_signals(self) -> None:
        def note(number: int, _frame: FrameType | None) -> None:
            self._signals.append(number)

        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, note)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)

    def _may_have_changed(self) -> None:
        """Called on the watcher's thread."""
        self._changed = True
        with suppress(OSError):
            os.write(self._wake_in, b"\0")

    def _look(self) -> None:
        is_down = self._lives.child is None
        if self._changed or (is_down and not self._was_down):
            self._changed = False
            if not (self._is_ending or self._host_is_done or self._exchange.shut_down_asked):
                self._lives.look()
        self._was_down = is_down

    # What comes ------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for whatever comes next, and take it in."""
        poller = select.poll()
        actions: dict[int, Callable[[int], object]] = {}

        def on(fd: int, events: int, action: Callable[[int], object]) -> None:
            poller.register(fd, events)
            actions[fd] = action

        on(self._wake_out, select.POLLIN, self._woken)
        child = self._lives.child
        waiting = self._exchange.waiting_bytes + (child.out.size if child is not None else 0)
        if not self._host_is_done and waiting < WAITING_BYTES:
            on(self._fd_in, select.POLLIN, self._host_wrote)
        if not self._is_ending:  # without events, it tells that nobody reads any longer
            on(self._fd_out, select.POLLOUT if self._out.size else 0, self._host_reads)
        if child is not None:
            on(child.fileno(), select.POLLIN, lambda _: None)  # its end; the clock's turn takes it
            if not child.stdout.closed and self._out.size < WAITING_BYTES:
                on(child.stdout.fileno(), select.POLLIN, self._plugin_wrote)
            if not child.stderr.closed:
                on(child.stderr.fileno(), select.POLLIN, self._plugin_complained)
            if not child.stdin.closed:  # without events, as above
                on(child.stdin.fileno(), select.POLLOUT if child.out.size else 0, child.write)
        for fd, events in poller.poll(self._timeout_ms()):
            actions[fd](events)

    def _timeout_ms(self) -> float | None:
        times = [at for at in (self._lives.deadline, self._late) if at is not None]
        return max(min(times) - time.monotonic(), 0.0) * 1000 + 1 if times else None

    def _woken(self, _events: int) -> None:
        with suppress(OSError):
            os.read(self._wake_out, CHUNK_BYTES)

    def _host_wrote(self, _events: int) -> None:
        try:
            chunk = os.read(self._fd_in, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        for line in self._lines.feed(chunk) if chunk else self._lines.rest():
            self._exchange.from_host(line)
        if not chunk:
            self._host_is_done = True
            self._lives.alive = time.monotonic()

    def _host_reads(self, events: int) -> None:
        try:
            if not events & select.POLLOUT:
                raise BrokenPipeError
            self._out.write(self._fd_out)
        except OSError:  # nobody is there
            self._out.clear()
            self._host_is_done = self._is_ending = True
            self._end_child()

    def _plugin_wrote(self, _events: int) -> None:
        if self._lives.child is not None:
            self._lives.alive = time.monotonic()
            for line in self._lives.child.lines():
                self._exchange.from_plugin(line)

    def _plugin_complained(self, _events: int) -> None:
        if self._lives.child is not None and (said := self._lives.child.errors()):
            write(said)

    # The end ---------------------------------------------------------------------------------------

    def _take_end(self) -> None:
        """What the host or a signal wants to end, ends in time."""
        lives, exchange = self._lives, self._exchange
        if self._signals:
            number = self._signals.pop(0)
            if lives.child is not None:
                lives.child.signal(number)
            lives.end_within(0 if self._is_ending else END_S)
            self._is_ending = True
        if exchange.exit_asked and not self._is_ending:
            self._is_ending = True
            self._end_child()
        elif self._host_is_done and not self._is_ending:
            self._end_of_input()
        if exchange.shut_down_owed and self._late is None:
            self._late = time.monotonic() + SHUTDOWN_S
        if self._late is not None and time.monotonic() >= self._late:
            self._late = None
            if exchange.shut_down_owed:
                lives.is_last = True
                lives.drop(exchange.reason or "the plugin has not shut down in time")

    def _end_child(self) -> None:
        """The host is done with the process, and so with this one."""
        child = self._lives.child
        if child is not None:
            child.closes = True
            self._lives.end_within(0 if self._exchange.state is State.GREETING else END_S)

    def _end_of_input(self) -> None:
        """What was sent before is answered; then a process has to end soon after it fell silent."""
        child, lives = self._lives.child, self._lives
        if child is None or self._exchange.state is State.LEAVING:
            return
        if self._exchange.state is State.UP:
            child.closes = lives.is_last = True
        lives.deadline = lives.alive + (END_S if child.spoke else START_S)

    def _flush(self) -> None:
        """Write what the host has to get, as long as it reads."""
        poller = select.poll()
        poller.register(self._fd_out, select.POLLOUT)
        with suppress(OSError):
            while self._out.size and poller.poll(GONE_S * 1000):
                self._out.write(self._fd_out)
