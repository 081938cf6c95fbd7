"""A file of lines that several processes append to, that is rotated, and that is read and followed.

    appender = Appender(ctx.data_dir / "events.jsonl", most_bytes=16 * 1024 * 1024, keep=20)
    appender.append(b"".join(lines))          # whole lines, all of them or none
    for part in parts(path): ...              # the file and what it was rotated to, oldest first
    for offset, text in Follower(path).new(): ...

Lines end in a line feed, and what stands after the last one is not a line yet. POSIX only.
"""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import contextmanager, suppress
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple

from animus_routes.batteries.places import make_folder, unwritable
from animus_routes.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

__all__ = ["Appender", "Follower", "Part", "parts", "reading", "whole_lines"]

BLOCK: Final = 256 * 1024  # bytes that are read at once
LONGEST: Final = 16 * 1024 * 1024  # what is longer is given in pieces, which are no lines
PAUSE_S: Final = 0.005
LOOKS: Final = 100
GONE: Final = (FileNotFoundError, NotADirectoryError)


class Part(NamedTuple):
    """A file of lines: the one that is written, or one that was.

    Attributes:
        number: Of two parts, the newer one has the higher number. That of the file that is written
            stays with it when it is rotated by an `Appender`.
        path: Its name when it was looked for.
        ident: Its device and inode.
        size: In bytes, then.
        base: The name that it has, or had, while it is written.
    """

    number: int
    path: Path
    ident: tuple[int, int]
    size: int
    base: Path


def parts(path: Path) -> list[Part]:
    """A file and what it was rotated to, oldest first, as they are at one moment.

    An `Appender` rotates `logs.jsonl` to `logs.000001.jsonl`, `logs.000002.jsonl` and so on; other
    programs to `logs.jsonl.1`, of which higher numbers are older. Both are found.
    """
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    form = re.compile(rf"{stem}\.([0-9]{{6,9}}){suffix}|{stem}{suffix}\.([0-9]{{1,6}})")
    seen: list[Part] = []
    found: list[Part] = []
    for _ in range(LOOKS):  # until nothing was rotated while this looked
        found = []
        with suppress(*GONE):
            for there in path.parent.iterdir():
                match = form.fullmatch(there.name)
                if match is not None:
                    number = int(match[1]) if match[1] else -int(match[2])
                    found += _part(number, there, path)
        newest = max((part.number for part in found), default=0)
        found = [*sorted(found), *_part(max(newest, 0) + 1, path, path)]
        if [part[:3] for part in seen] == [part[:3] for part in found]:
            break
        seen = found
    return found


def _part(number: int, path: Path, base: Path) -> list[Part]:
    with suppress(*GONE):
        stat = path.stat()
        if S_ISREG(stat.st_mode):
            return [Part(number, path, (stat.st_dev, stat.st_ino), stat.st_size, base)]
    return []


def _ident(file: int) -> tuple[int, int]:
    stat = os.fstat(file)
    return stat.st_dev, stat.st_ino


def _opened(part: Part) -> int:
    """A descriptor of a part, whatever its name is by now."""
    for candidate in (part, *(p for p in parts(part.base) if p.ident == part.ident)):
        with suppress(*GONE):
            file = os.open(candidate.path, os.O_RDONLY | os.O_CLOEXEC)
            if _ident(file) == part.ident:
                return file
            os.close(file)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(part.path))


@contextmanager
def reading(part: Part) -> Generator[int, None, None]:
    """A descriptor of a part, whatever its name is by now.

    Raises:
        FileNotFoundError: It is gone.
    """
    file = _opened(part)
    try:
        yield file
    finally:
        os.close(file)


def whole_lines(file: int, offset: int) -> bytes:
    """The whole lines from an offset on, some of them at a time; nothing if none is complete yet."""
    size = BLOCK
    while True:
        text = os.pread(file, size, offset)
        end = text.rfind(b"\n") + 1
        if end or len(text) < size:
            return text[:end]
        if size >= LONGEST:
            return text
        size *= 2


class Follower:
    """What is added to a file, by anybody, across its rotations.

    It keeps open what it reads: a part that was renamed is read to its end, and then the next one
    from its start. A file that was emptied in place is read from its start again; lines that were
    added between two looks and emptied away are lost.

    Args:
        path: The file that is written; it need not be there yet.
        part: What to begin with; the file from its first line if left out.
        offset: Where in it.
    """

    def __init__(self, path: Path, part: Part | None = None, offset: int = 0) -> None:
        self._path = path
        self._file: int | None = None
        self._offset = offset
        there = parts(path) if part is None else [part]
        if part is None and there and there[-1].path == path:
            part = there[-1]
        self._older = {one.ident for one in there}
        if part is not None:
            with suppress(FileNotFoundError):
                self._file = _opened(part)

    def new(self) -> Iterator[tuple[int, bytes]]:
        """What was added since: whole lines, some at a time, each time with where they begin."""
        while True:
            yield from self._rest()
            following = self._following()
            if following is None:
                return
            yield from self._rest()  # what came before it was renamed
            with suppress(FileNotFoundError):
                file = _opened(following)
                self.close()
                self._file, self._offset = file, 0

    def close(self) -> None:
        """Let go of the file; nothing is to be asked afterwards."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _rest(self) -> Iterator[tuple[int, bytes]]:
        if self._file is None:
            return
        if os.fstat(self._file).st_size < self._offset:
            self._offset = 0
        while text := whole_lines(self._file, self._offset):
            start = self._offset
            self._offset += len(text)
            yield start, text

    def _following(self) -> Part | None:
        """The part after the one that is read, if that is not the one that is written any more."""
        now = _part(0, self._path, self._path)
        ident = None if self._file is None else _ident(self._file)
        if not now or now[0].ident == ident:
            return None
        found = parts(self._path)
        if ident is None:
            return next((part for part in found if part.ident not in self._older), None)
        at = next((n for n, part in enumerate(found) if part.ident == ident), -1)
        return next(iter(found[at + 1 :]), None)


class Appender:
    """Appends whole lines to a file that others may append to, and rotates it.

    Every write has a lock on the file, which other appenders respect, and is one call of the system,
    which others cannot come into the middle of. A line that somebody was killed in is ended first. The
    folder is made by the first write. Not for several threads.

    Args:
        path: The file.
        most_bytes: How large it may become; what does not fit goes into a new one.
        keep: How many rotated files are kept; None for all.
        fsync: Whether a write is on the disk when it returns, and not only safe from a kill.
        wait_s: How long a write waits for the lock.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_bytes: int,
        keep: int | None = None,
        fsync: bool = False,
        wait_s: float = 4.0,
    ) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._fsync = fsync
        self._wait_s = wait_s
        self._file: int | None = None

    def append(self, text: bytes) -> None:
        """Add whole lines; if that fails, none of them is there.

        Raises:
            Unavailable: The folder cannot be made, or another process does not let go of the file.
            OSError: It cannot be opened or written.
        """
        until = time.monotonic() + self._wait_s
        while True:
            with self._locked(until) as file:
                size = os.fstat(file).st_size
                if not size or size + len(text) <= self._most_bytes:
                    self._write(file, size, text)
                    return
                self._rotate()

    def check(self) -> str | None:
        """Why the file cannot be written, or made, now; None if it can. For a health check."""
        if not os.path.lexists(self.path):
            return unwritable(self.path)
        if self.path.is_file() and os.access(self.path, os.R_OK | os.W_OK):
            return None
        return f"{self.path} is no file to write to"

    def close(self) -> None:
        """Close the file; it is opened again if need be."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, file: int, size: int, text: bytes) -> None:
        if size and os.pread(file, 1, size - 1) != b"\n":
            text = b"\n" + text
        written = os.write(file, text)
        if written < len(text):
            if os.fstat(file).st_size == size + written:  # and nobody else's lines are behind
                os.ftruncate(file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if self._fsync:
            os.fsync(file)

    def _rotate(self) -> None:
        """Give the file its number; whoever waits for its lock finds that the name has moved on."""
        found = parts(self.path)
        before = [part for part in found if part.number > 0 and part.path != self.path]
        name = f"{self.path.stem}.{found[-1].number:06}{self.path.suffix}"
        rotated = self.path.rename(self.path.with_name(name))
        if self._keep is not None:
            there = [*(part.path for part in before), rotated]
            for path in there[: max(len(there) - self._keep, 0)]:
                path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        if self._fsync:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextmanager
    def _locked(self, until: float) -> Generator[int, None, None]:
        """The file that has the name, with its lock."""
        import fcntl

        while True:
            file = self._open()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Unavailable(f"{self.path} is locked by another process") from None
                time.sleep(PAUSE_S)
                continue
            try:
                if [part.ident for part in _part(0, self.path, self.path)] == [_ident(file)]:
                    yield file
                    return
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
            self.close()

    def _open(self) -> int:
        if self._file is None:
            make_folder(self.path)
            is_new = not self.path.exists()
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o666)
            if is_new:
                self._sync_folder()
        return self._file
