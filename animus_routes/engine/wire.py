"""The wire's own descriptors: nothing an author's code does to stdin or stdout reaches them.

fd 0 and 1 move to private, non-inheritable duplicates; fd 0 then reads /dev/null and fd 1 writes
where fd 2 does. A print, a C library or a child process cannot touch the wire.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

CHUNK_BYTES = 65_536


class Wire:
    """Whole frames out under one lock; bytes in.

    Attributes:
        fd: The descriptor that requests come from.
        closed: The host closed its end; what is written from then on goes nowhere.
    """

    __slots__ = ("_out", "closed", "fd", "lock", "on_close")

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self.fd = fd_in
        self._out = fd_out
        self.lock = allocate_lock()
        self.closed = False
        self.on_close = _nothing
        for fd in (fd_in, fd_out):
            os.set_blocking(fd, True)

    def write(self, data: bytes | bytearray) -> None:
        """Write whole frames; they leave together and unmixed."""
        with self.lock:
            self.write_locked(data)

    def write_locked(self, data: bytes | bytearray) -> None:
        """As `write`, by a thread that holds `lock`."""
        if self.closed:
            return
        try:
            sent = os.write(self._out, data)
            while sent < len(data):
                sent += os.write(self._out, memoryview(data)[sent:])
        except OSError:
            # EPIPE: the host has gone. There is nobody to tell; the read side ends the process.
            self.closed = True
            self.on_close()

    def read(self) -> bytes:
        """The next bytes, blocking; b"" at the end."""
        try:
            return os.read(self.fd, CHUNK_BYTES)
        except OSError:
            return b""


def _nothing() -> None:
    pass


_claimed: list[tuple[int, int]] = []


def claim() -> tuple[int, int]:
    """Take fd 0 and 1 from the process, once; a second call gets the same private pair.

    Returns:
        The private read and write descriptors.
    """
    if _claimed:
        return _claimed[0]
    null = os.open(os.devnull, os.O_RDWR)
    pair = (_duplicate(0, null), _duplicate(1, null))
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(null, 1)
    os.close(null)
    stdout = sys.__stdout__
    if stdout is not None:
        # What was printed before this moment is still in the buffer: it follows to stderr. Later
        # prints must be seen when they happen, and the process ends without a last flush.
        stdout.flush()
        stdout.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
    _claimed.append(pair)
    return pair


def _duplicate(fd: int, spare: int) -> int:
    """A private copy; of the null device where the host closed the descriptor."""
    try:
        return os.dup(fd)
    except OSError:
        return os.dup(spare)


def release() -> None:
    """Give fd 0 and 1 back: for a program that made an App but does not serve it."""
    if _claimed:
        fd_in, fd_out = _claimed.pop()
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()
        os.dup2(fd_in, 0)
        os.dup2(fd_out, 1)
        os.close(fd_in)
        os.close(fd_out)


SERVED_BY_FLAG = frozenset({"--manifest", "-m"})


def claim_for_script(frame: FrameType | None) -> None:
    """Claim early where a plugin file runs as a script, so that its own imports cannot print.

    Only if it is started as hosts start it: no arguments and a pipe, socket or file on stdin, or
    the manifest flag. Anything else keeps its stdout.

    Args:
        frame: Where `App` is asked for; the import machinery's own frames are passed over.
    """
    while frame is not None and frame.f_globals.get("__name__", "").startswith("importlib."):
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") != "__main__" or _claimed:
        return
    arguments = sys.argv[1:]
    if SERVED_BY_FLAG.isdisjoint(arguments[:1]) and (arguments or not _fed()):
        return
    claim()


def _fed() -> bool:
    """Is stdin something that a host writes to: a pipe, a socket, a file?"""
    from stat import S_ISFIFO, S_ISREG, S_ISSOCK

    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return S_ISFIFO(mode) or S_ISSOCK(mode) or S_ISREG(mode)


def log(text: str) -> None:
    """One line for the operator, on stderr, past every buffer."""
    data = f"animus-routes: {text}\n".encode(errors="backslashreplace")
    try:
        os.write(2, data)
    except OSError:
        pass
