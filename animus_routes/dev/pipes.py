"""Bytes on their way out, and a plugin's process with its three pipes, for a loop that never waits."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from animus_routes.batteries.keepers import Keeper
from animus_routes.engine.frames import Splitter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import FileIO

CHUNK_BYTES: Final = 65_536
ROOM_BYTES: Final = 4096  # this much fits without waiting, once a pipe polls as writable
TAIL_BYTES: Final = 4096
SHOWN_CHARS: Final = 300
KILLED_S: Final = 2.0  # until what was sent SIGKILL is gone
# Python takes a compiled file for the source's own if both are of one second and one size.
FRESH: Final = {"PYTHONDONTWRITEBYTECODE": "1"}


class Outgoing:
    """Bytes that wait for room in a pipe.

    Args:
        most: How much is written at once; a pipe that others share may not be made non-blocking.

    Attributes:
        size: How many bytes wait.
    """

    def __init__(self, most: int = CHUNK_BYTES) -> None:
        self.size = 0
        self._most = most
        self._parts: deque[memoryview] = deque()

    def add(self, data: bytes) -> None:
        """More bytes."""
        self._parts.append(memoryview(data))
        self.size += len(data)

    def write(self, fd: int) -> None:
        """Write what fits.

        Raises:
            OSError: Nobody reads any longer.
        """
        batch = b"".join(self._taken())
        try:
            written = os.write(fd, batch)
        except BlockingIOError:
            written = 0
        self.size -= written
        if written < len(batch):
            self._parts.appendleft(memoryview(batch)[written:])

    def _taken(self) -> Iterator[memoryview]:
        room = self._most
        while self._parts and room:
            part = self._parts.popleft()
            if len(part) > room:
                self._parts.appendleft(part[room:])
                part = part[:room]
            room -= len(part)
            yield part

    def clear(self) -> None:
        """Nobody reads any longer."""
        self._parts.clear()
        self.size = 0


class Child:
    """A process of the plugin, in a group of its own. However this process ends, nothing of it is left.

    Args:
        command: What starts it.

    Attributes:
        stdin: Its pipe; the same for `stdout` and `stderr`.
        out: What waits to be read by it.
        tail: The end of what it has written to stderr.
        spoke: It has written something.
        closes: It sees the end of its input when it has read what waits.
        is_leaving: It has been told to exit.
        cut: Which of its pipes it has closed, "stdin" or "stdout", so that nobody can talk to it.
        is_hurried: Its time to end after that runs.

    Raises:
        Unavailable: It cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._keeper = Keeper(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **FRESH}
        )
        self._keeper.confirm()
        process = self._keeper.process
        pipes = (process.stdin, process.stdout, process.stderr)
        self.stdin, self.stdout, self.stderr = cast("tuple[FileIO, FileIO, FileIO]", pipes)
        for one in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(one.fileno(), False)
        self.out = Outgoing()
        self.tail = b""
        self.cut = ""
        self.spoke = self.closes = self.is_leaving = self.is_hurried = False
        self._lines = Splitter()

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        self._keeper.look()
        return self._keeper.final_code

    def fileno(self) -> int:
        """Readable when it has ended; then its `code` is known."""
        return self._keeper.fileno()

    def lines(self) -> list[bytes]:
        """The lines that it has written since."""
        chunk = _read(self.stdout)
        self.spoke = self.spoke or bool(chunk)
        if self.stdout.closed:
            self.cut = "stdout"
        return self._lines.feed(chunk)

    def rest(self) -> list[bytes]:
        """All that is left of a process that has ended, a last line without its newline included."""
        found: list[bytes] = []
        while chunk := _read(self.stdout):
            found += self._lines.feed(chunk)
        return found + self._lines.rest()

    def errors(self) -> bytes:
        """What it has written to stderr since."""
        chunk = _read(self.stderr)
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        return chunk

    def write(self, events: int) -> None:
        """Write what it has room for, or learn that it reads no more, as a poll says."""
        try:
            if not events & select.POLLOUT or events & select.POLLERR:
                raise BrokenPipeError
            self.out.write(self.stdin.fileno())
        except OSError:  # it reads no more
            self.out.clear()
            self.stdin.close()
            self.cut = self.cut or "stdin"

    def signal(self, number: int) -> None:
        """Pass a signal on to it."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self._keeper.pid, number)

    def kill(self) -> None:
        """End it, and what it has left in its group."""
        self._keeper.end_group(0)

    def close(self) -> None:
        """Release what belongs to a process that has ended."""
        self.kill()
        self._keeper.wait(lambda: self._keeper.is_alone, KILLED_S)
        self._keeper.release()
        self._keeper.wait(lambda: False, KILLED_S)
        for one in (self.stdin, self.stdout, self.stderr):
            one.close()

    def last_words(self) -> str:
        """How it ended, in one line."""
        code = self.code or 0
        lines = self.tail.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        said = f": {last[:SHOWN_CHARS]}" if last and code else ""
        by = f"was ended by {_name(-code)}" if code < 0 else f"ended with exit code {code}"
        return f"the plugin {by}{said}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(pipe: FileIO) -> bytes:
    """What is in a pipe; nothing if it is empty, or at its end."""
    if pipe.closed:
        return b""
    try:
        found = os.read(pipe.fileno(), CHUNK_BYTES)
    except OSError:  # nothing yet, or nothing any longer
        return b""
    if not found:
        pipe.close()
    return found
