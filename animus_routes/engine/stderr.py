"""stderr that cannot hang its writers: a host that does not read it only loses lines.

Where stderr is a pipe or a socket, fd 1 and 2 become a pipe of the process's own, and a thread
passes on what arrives there, whoever wrote it: a print, a C library, a child process. Once the host
has read nothing for `PATIENCE_S`, whole lines are dropped until it reads again. A file or a terminal
accepts everything, and is left alone.

What the thread has not passed on is lost when the process is killed, and a child that outlives the
process finds its stderr closed.
"""

from __future__ import annotations

import atexit
import os
import select
import sys
from _thread import allocate_lock, start_new_thread
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT: Final = 1
STDERR: Final = 2
CHUNK_BYTES: Final = 65_536
ROOM_BYTES: Final = 4096  # this much fits without waiting, once a pipe polls as writable
KEPT_BYTES: Final = 262_144  # how much waits for the host here; more waits in the pipe
LONGEST_LINE: Final = 1_048_576  # of a line that has no end while others are dropped
PATIENCE_S: Final = 0.5
HURRY_S: Final = 0.03  # the same while the process ends
LOOK_S: Final = 0.03
LOG_WAIT_MS: Final = 50
MARK: Final = b"\0animus-routes: settled\n"


class Relay:
    """Passes lines from a pipe on to one that may not be read.

    Args:
        source: Where the lines arrive, blocking.
        sink: The host's pipe or socket.
        at_once: A write to the sink takes what fits and never waits.
    """

    def __init__(self, source: int, sink: int, *, at_once: bool) -> None:
        self.patience_s = PATIENCE_S
        self.settled = allocate_lock()
        self.settled.acquire()
        self.ended = allocate_lock()
        self.ended.acquire()
        self.source = source
        self.sink = sink
        self._at_once = at_once
        self._lines = bytearray()
        self._inside = False  # what was written last was not the end of a line
        self._dropping = False
        self._dropped = 0
        self._marked = False
        self._gone = False
        self._moved = 0.0
        self._arrivals = select.poll()
        self._arrivals.register(source, select.POLLIN)
        self._both = select.poll()
        self._both.register(source, select.POLLIN)
        self._both.register(sink, select.POLLOUT)

    def run(self) -> None:
        """Pass lines on until nobody can write any longer."""
        while True:
            try:
                if not self._pass_on():
                    break
            except MemoryError:  # without this thread, whoever writes would hang
                sleep(LOOK_S)
        self.ended.release()

    def _pass_on(self) -> bool:
        """Pass on what arrives next; False at the end."""
        if not self._take():
            return False
        self._moved = monotonic()
        while self._lines:
            if not self._put():
                self._wait()
        if self._marked:
            self._marked = False
            with suppress(RuntimeError):  # whoever was waiting has given up
                self.settled.release()
        return True

    def _take(self) -> bool:
        """Add what has arrived, or wait for something to arrive; False at the end."""
        try:
            chunk = os.read(self.source, CHUNK_BYTES)
        except OSError:
            return False
        self._lines += chunk
        if MARK in self._lines[-len(chunk) - len(MARK) :]:
            self._lines = self._lines.replace(MARK, b"")
            self._marked = True
        return bool(chunk)

    def _put(self) -> bool:
        """Write a piece, if there is room for one."""
        if self._gone:
            self._lines.clear()
            return True
        if self._dropped and not self._inside:
            self._note()
        size = CHUNK_BYTES if self._at_once else ROOM_BYTES
        try:
            if not (self._at_once or _writable(self.sink, 0)):
                return False
            sent = os.write(self.sink, self._lines[:size])
        except BlockingIOError:
            return False
        except OSError:
            self._gone = True  # the host has closed its end
            return True
        self._inside = not self._lines[:sent].endswith(b"\n")
        del self._lines[:sent]
        self._dropping = False
        self._moved = monotonic()
        return True

    def _note(self) -> None:
        """Report how much is missing, at the place where it is missing."""
        count, self._dropped = self._dropped, 0
        said = f"animus-routes: {count} lines were dropped here: nobody was reading stderr\n"
        self._lines[:0] = said.encode()

    def _wait(self) -> None:
        """Wait for room, take in more meanwhile, and drop lines if there is none for too long."""
        left_s = self._moved + self.patience_s - monotonic()
        left_ms = max(0.0, min(left_s, LOOK_S)) * 1000  # patience may end sooner than planned
        if self._dropping or len(self._lines) < KEPT_BYTES:
            ready = [fd for fd, _ in self._both.poll(None if self._dropping else left_ms)]
        else:
            ready = [self.sink] if _writable(self.sink, left_ms) else []
        if self.source in ready and not self._take():
            self._gone = True  # no writer is left, and the process has ended
        if self.sink not in ready and monotonic() - self._moved >= self.patience_s:
            self._drop()

    def _drop(self) -> None:
        """Drop whole lines, but neither the rest of the line being written nor an unfinished one."""
        self._dropping = True
        start = self._lines.find(b"\n") + 1 if self._inside else 0
        end = self._lines.rfind(b"\n") + 1
        if self._inside and not start:
            end = 0
        self._dropped += self._lines.count(b"\n", start, end)
        del self._lines[start:end]
        if len(self._lines) > LONGEST_LINE:
            self._lines[LONGEST_LINE:] = b"\n"


def _writable(fd: int, timeout_ms: float) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(timeout_ms))


class _Stderr:
    """The one stderr of the process."""

    def __init__(self) -> None:
        self.relay: Relay | None = None
        self.turn = allocate_lock()
        self.torn = False  # a line was cut off, because nobody reads
        self.wait_ms = LOG_WAIT_MS


_stderr: Final = _Stderr()


def interpose() -> None:
    """Put a relay between the process and a stderr that may not be read.

    If that fails (no descriptors, no thread), stderr is left alone.
    """
    if _stderr.relay is not None or not _may_block(STDERR):
        return
    opened: list[int] = []
    try:
        sink, at_once = _open_again()
        opened.append(sink)
        source, entry = os.pipe()
        opened += (source, entry)
        relay = Relay(source, sink, at_once=at_once)
        start_new_thread(relay.run, ())
    except (OSError, RuntimeError):
        for fd in opened:
            os.close(fd)
        return
    _stderr.relay = relay
    os.dup2(entry, STDERR)
    os.close(entry)
    atexit.register(_farewell)


def _may_block(fd: int) -> bool:
    """Is it a pipe or a socket, where a write may wait for a reader?"""
    from stat import S_ISFIFO, S_ISSOCK

    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return S_ISFIFO(mode) or S_ISSOCK(mode)


def _open_again() -> tuple[int, bool]:
    """The host's pipe under another descriptor, and whether writing to it never waits.

    A pipe that is opened again has its own flags. A duplicate shares them with every process that
    has the pipe, so they are left alone, and small pieces are written when there is room.
    """
    try:
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{STDERR}", flags), True
    except OSError:
        return os.dup(STDERR), False


def flush_prints() -> None:
    """Write what prints have left in the buffers of `sys.stdout`, or of whatever replaces it."""
    printed = sys.stdout  # noqa: TID251 - what an author has put there is flushed, never written
    for stream in (printed, sys.__stdout__, sys.stderr, sys.__stderr__):
        flush = getattr(stream, "flush", None)
        if flush is not None:
            with suppress(Exception):  # closed, detached, or an author's own object
                flush()


def hurry() -> None:
    """The process is ending: what nobody reads is dropped sooner."""
    if _stderr.relay is not None:
        _stderr.relay.patience_s = HURRY_S


def settle(bound_s: float) -> None:
    """Wait until everything written so far has reached the host."""
    relay = _stderr.relay
    if relay is not None and _writable(STDERR, bound_s * 1000):
        with suppress(OSError):
            os.write(STDERR, MARK)
            relay.settled.acquire(timeout=bound_s)


def withdraw() -> None:
    """Give stderr back as it was found; fd 1 is the caller's."""
    relay = _stderr.relay
    if relay is not None:
        settle(PATIENCE_S)
        _stderr.relay = None
        atexit.unregister(_farewell)
        os.dup2(relay.sink, STDERR)  # with this, the relay's pipe has lost its last writer


def _farewell() -> None:
    """The interpreter ends, and the relay with it: later output goes straight to the host."""
    relay = _stderr.relay
    settle(PATIENCE_S)
    if relay is not None and _writable(relay.sink, 0):
        _stderr.relay = None
        os.dup2(relay.sink, STDERR)
        os.dup2(relay.sink, STDOUT)
        # Unless a child goes on writing, the thread ends now, not while the interpreter does.
        relay.ended.acquire(timeout=LOOK_S)


def sever() -> None:
    """In a forked child, whose lines the parent's relay goes on passing on, while there is one."""
    relay, _stderr.relay = _stderr.relay, None
    _stderr.turn = allocate_lock()
    if relay is not None:
        atexit.unregister(_farewell)
        os.close(relay.source)
        os.close(relay.sink)


def utf8(text: str) -> bytes:
    """The bytes of a text, with a replacement character for what UTF-8 cannot hold."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        from animus_routes.engine.text import readable

        return readable(text).encode()


# What takes secrets out of every text that is written here; of each app that is served, its own.
MASKS: Final[list[Callable[[str], str]]] = []


def _masked(text: str) -> bytes:
    for mask in MASKS:
        text = mask(text)
    return utf8(text)


def log(text: str) -> None:
    """One line for the operator, on stderr, past every buffer."""
    write(_masked(f"animus-routes: {text}\n"))


def last_word(text: str) -> None:
    """As `log`, if that is possible at once: the process is about to end by force."""
    if _writable(STDERR, 0):
        say(f"animus-routes: {text}")


def say(text: str) -> None:
    """For whoever started the process, in the words of a command: no name before it."""
    with suppress(OSError):
        os.write(STDERR, _masked(f"{text}\n"))


def write(data: bytes) -> None:
    """Write whole lines to stderr, unmixed, from any thread, without ever waiting for long.

    They are lost if nobody reads them.
    """
    bound_s = 2 * PATIENCE_S
    if not _stderr.turn.acquire(timeout=bound_s):
        return
    try:
        wait_ms = bound_s * 1000 if _stderr.relay is not None else _stderr.wait_ms
        if _stderr.torn:
            data = b"\n" + data
        for start in range(0, len(data), ROOM_BYTES):
            if not _writable(STDERR, wait_ms):
                _stderr.wait_ms = 0
                return
            os.write(STDERR, data[start : start + ROOM_BYTES])
            _stderr.torn = start + ROOM_BYTES < len(data)
        _stderr.wait_ms = LOG_WAIT_MS
    except OSError:
        pass
    finally:
        _stderr.turn.release()
