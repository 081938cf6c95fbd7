"""The wire's own descriptors, out of reach of whatever an author's code does to stdin or stdout.

fd 0 and 1 move to private, non-inheritable duplicates; fd 0 then reads /dev/null and fd 1 writes
where fd 2 does. A print, a C library or a child process cannot touch the wire.
"""

from __future__ import annotations

import atexit
import os
import select
import sys
from _thread import allocate_lock
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from animus_routes.engine import stderr
from animus_routes.engine.exit import ignore_at_last
from animus_routes.engine.stderr import STDERR

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.ports import Cancellable

CHUNK_BYTES: Final = 65_536
HALF_CLOSED: Final = getattr(select, "POLLRDHUP", 0)  # a socket's word for it; Linux only


class Wire:
    """Whole frames out under one lock; bytes in.

    Attributes:
        fd: The descriptor that requests come from.
        fd_out: The one that frames go to.
        lock: Held while a frame is written.
        reading: Held while something is read.
        ahead: What was read ahead of its time, while nothing could be written.
        closed: The host has closed its end; whatever is written after that is discarded.
        writes: Counts writes; it does not change while one waits for the host to read.
        on_close: Called once, when the end is found to be closed.
    """

    __slots__ = (
        "_null",
        "ahead",
        "closed",
        "fd",
        "fd_out",
        "lock",
        "on_close",
        "reading",
        "writes",
    )

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self.fd = fd_in
        self.fd_out = fd_out
        # Opened now, because an author's code may have used up all descriptors by the end.
        self._null = os.open(os.devnull, os.O_RDWR)
        self.lock = allocate_lock()
        self.reading = allocate_lock()
        self.ahead: deque[bytes] = deque()
        self.closed = False
        self.writes = 0
        self.on_close: Callable[[], object] = _nothing
        for fd in (fd_in, fd_out):
            os.set_blocking(fd, True)

    def write(self, data: bytes | bytearray) -> None:
        """Write whole frames; they leave together and unmixed."""
        with self.lock:
            self.write_locked(data)

    def write_for(self, sender: Cancellable, data: bytes | bytearray) -> None:
        """Write whole frames of a request, unless it is cancelled."""
        with self.lock:
            if not sender.cancelled:
                self.write_locked(data)

    def write_locked(self, data: bytes | bytearray | memoryview) -> None:
        """As `write`, for a thread that holds `lock`."""
        if self.closed:
            return
        self.writes += 1
        try:
            sent = os.write(self.fd_out, data)
            if sent < len(data):
                self._write_rest(memoryview(data)[sent:])
        except BlockingIOError:
            self._write_rest(memoryview(data))
        except OSError:
            self._lost()

    def _write_rest(self, rest: memoryview) -> None:
        try:
            write_all(self.fd_out, rest)
        except OSError:
            self._lost()

    def _lost(self) -> None:
        """The host is gone (EPIPE), or its file is full: there is nobody to tell."""
        self.closed = True
        self.on_close()

    def read(self) -> bytes:
        """The next bytes, blocking; b"" at the end."""
        with self.reading:
            if self.ahead:
                return self.ahead.popleft()
            while True:
                try:
                    return os.read(self.fd, CHUNK_BYTES)
                except BlockingIOError:
                    _ready(self.fd, select.POLLIN, None)
                except OSError:
                    return b""

    def readable(self, timeout_ms: int) -> bool:
        """Wait until there is something to read, the end included; is there?"""
        return _ready(self.fd, select.POLLIN, timeout_ms)

    def hung_up(self, timeout_ms: int) -> bool:
        """Wait until the host has closed its end, whatever is left to read; has it?"""
        return _ready(self.fd, HALF_CLOSED, timeout_ms)

    def watch_for_hang_up(self, poller: select.poll) -> None:
        """Have a poller tell when the host has closed its end; something may be left to read."""
        poller.register(self.fd, HALF_CLOSED)

    def stop_reading(self) -> None:
        """Make whoever reads next, or is interrupted while reading, find the end."""
        os.dup2(self._null, self.fd, inheritable=False)

    def close(self, timeout_s: float) -> None:
        """From here on no thread writes, so the last frame on the wire is complete."""
        self.lock.acquire(timeout=timeout_s)
        self.closed = True

    def give_back(self) -> None:
        """Serving is over: whatever uses descriptors up, one is free for the interpreter's end.

        A thread that is cut off there needs it: the C library loads a part of itself for that, and
        aborts the process if it cannot.
        """
        os.close(self._null)

    def sever(self) -> None:
        """In a forked child: the wire belongs to the parent."""
        self.lock = allocate_lock()
        self.closed = True
        os.dup2(self._null, self.fd, inheritable=False)
        os.dup2(self._null, self.fd_out, inheritable=False)
        stderr.sever()


def _nothing() -> None:
    pass


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte; whoever shares the pipe may have made it non-blocking: wait for room.

    Raises:
        OSError: Nobody takes them.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            _ready(fd, select.POLLOUT, None)


def _ready(fd: int, event: int, timeout_ms: int | None) -> bool:
    poller = select.poll()
    poller.register(fd, event)
    return bool(poller.poll(timeout_ms))


_claimed: list[tuple[int, int]] = []


def claim() -> tuple[int, int]:
    """Take fd 0 and 1 from the process once; a second call returns the same private pair.

    Returns:
        The private read and write descriptors.
    """
    if _claimed:
        return _claimed[0]
    null = _null_beyond_standard()
    pair = (os.dup(0), os.dup(1))
    stderr.interpose()
    os.dup2(null, 0)
    os.dup2(STDERR, 1)
    os.close(null)
    # What was printed before this moment is still in the buffers: it follows to stderr. Later
    # prints must be seen when they happen.
    stderr.flush_prints()
    reconfigure = getattr(sys.__stdout__, "reconfigure", None)
    if reconfigure is not None:
        with suppress(ValueError, OSError):  # it is detached or closed
            reconfigure(line_buffering=True)
    atexit.register(ignore_at_last)
    _claimed.append(pair)
    return pair


def _null_beyond_standard() -> int:
    """The null device, on fd 0, 1 and 2 as well where the host closed them.

    Otherwise the next file that anybody opens would become stdin, stdout or stderr.
    """
    while True:
        null = os.open(os.devnull, os.O_RDWR)
        if null > STDERR:
            return null
        os.set_inheritable(null, True)


def is_claimed() -> bool:
    """Has this process given its fd 0 and 1 to the wire?"""
    return bool(_claimed)


def release() -> None:
    """Give fd 0 and 1 back, for a program that made an App but does not serve it."""
    if _claimed:
        fd_in, fd_out = _claimed.pop()
        stderr.flush_prints()
        os.dup2(fd_in, 0)
        os.dup2(fd_out, 1)
        stderr.withdraw()
        os.close(fd_in)
        os.close(fd_out)
