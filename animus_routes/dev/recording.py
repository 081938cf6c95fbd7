"""A conversation between a host and a plugin, kept in a file: JSON lines, one for each frame.

The first line says what was recorded. Each other line has a time, who wrote, and what: a frame just
as it came, or the text of a line that is none. A line of the file is written at once, so that one
that is cut off can only be the last.
"""

from __future__ import annotations

import base64
import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

import msgspec
from msgspec import Raw, Struct

from animus_routes.dev.masking import Masking
from animus_routes.dev.sides import Sender, new_file
from animus_routes.engine.wire import write_all
from animus_routes.host.process import BAD_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FORMAT: Final = 1
ABSENT: Final = Raw()
WITHHELD: Final = "*** {} bytes that were not JSON, withheld"


class BadRecordingError(Exception):
    """A file is not a recording; the message names the line."""


class Header(Struct, kw_only=True):
    """The first line of a recording.

    Attributes:
        animus_recording: The version of the format.
        command: What started the plugin.
        cwd: Where.
        started_at: RFC 3339.
        masked_fields: Places in frames that were masked, as they were named. If there are any, lines
            that were not JSON were withheld.
        masked_variables: The variables whose values were masked.
    """

    animus_recording: int = FORMAT
    command: list[str]
    cwd: str
    started_at: str
    masked_fields: list[str] = []
    masked_variables: list[str] = []


class Entry(Struct, kw_only=True, omit_defaults=True):
    """One line of a recording.

    Attributes:
        at: Seconds since the plugin was started, by a clock that never goes back.
        sender: Who wrote it; None for the last entry, which is the plugin's end.
        frame: The frame, byte for byte, if the line was JSON.
        text: The line, if it was not.
        base64: The line, if it was not even UTF-8.
        withheld: How long the line was, in bytes, if fields are masked and it was not JSON: nobody
            knows where in it they were, so nothing of it was kept, and the text says that.
        unfinished: It had no newline.
        closed: This side will write no more.
        exit_code: The plugin's; negative for the signal that ended it.
    """

    at: float
    sender: Sender | None = msgspec.field(default=None, name="from")
    frame: Raw = ABSENT
    text: str | None = None
    base64: str | None = None
    withheld: int = 0
    unfinished: bool = False
    closed: bool = False
    exit_code: int | None = None

    @property
    def line(self) -> bytes | None:
        """What was written, without its newline; None if the entry is no line."""
        if self.frame != ABSENT:
            return bytes(self.frame)
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        return None if self.text is None else self.text.encode()


class Recording(Struct):
    """A whole recording.

    Attributes:
        header: What was recorded.
        entries: In the order in which they came by.
    """

    header: Header
    entries: list[Entry]


class Recorder:
    """Writes a recording while the conversation goes on. Every thread may use it.

    A full disk ends no conversation: what cannot be written is left out, and told once.

    Args:
        fd: The file, empty and open for writing; it is closed at the end.
        command: What starts the plugin.
        masking: What is kept out of the file.
        failed: Takes the reason why something could not be written.
        started: When the plugin was started, by `time.monotonic`; now if left out.
    """

    def __init__(
        self,
        fd: int,
        command: Sequence[str],
        masking: Masking | None = None,
        failed: Callable[[str], object] = lambda _: None,
        started: float | None = None,
    ) -> None:
        now = time.monotonic()
        self.started = now if started is None else started
        self._fd = fd
        self._masking = masking or Masking()
        self._failed = failed
        self._size = 0
        self._lost = 0
        self._lock = Lock()
        begun = datetime.now(UTC) - timedelta(seconds=now - self.started)
        header = Header(
            command=list(command),
            cwd=str(Path.cwd()),
            started_at=begun.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            masked_fields=self._masking.fields.texts,
            masked_variables=self._masking.variables,
        )
        self._write(self._masking.line(msgspec.json.encode(header)) or b"{}")

    @classmethod
    def create(
        cls,
        path: Path,
        command: Sequence[str],
        masking: Masking | None = None,
        failed: Callable[[str], object] = lambda _: None,
    ) -> Self:
        """Record into a new file; see `new_file` for its name.

        Raises:
            OSError: It cannot be made.
        """
        return cls(new_file(path)[0], command, masking, failed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def line(
        self, sender: Sender, line: bytes, at: float | None = None, *, unfinished: bool = False
    ) -> None:
        """Record a line, whatever it holds.

        Args:
            sender: Who wrote it.
            line: Without its newline.
            at: When, by `time.monotonic`; now if left out.
            unfinished: It has no newline.
        """
        entry = Entry(at=self._time(at), sender=sender, unfinished=unfinished)
        masked = self._masking.line(line)
        if masked is None:
            entry.withheld = len(line)
            entry.text = WITHHELD.format(len(line))
        elif _is_json(line) and _is_json(masked):
            entry.frame = Raw(masked.strip(b" \t\r"))
        else:
            try:
                entry.text = masked.decode()
            except UnicodeDecodeError:
                entry.base64 = base64.b64encode(masked).decode()
        self._write(msgspec.json.encode(entry))

    def closed(self, sender: Sender, at: float | None = None) -> None:
        """Record that one side writes no more."""
        self._write(msgspec.json.encode(Entry(at=self._time(at), sender=sender, closed=True)))

    def ended(self, exit_code: int, at: float | None = None) -> None:
        """Record the plugin's end."""
        self._write(msgspec.json.encode(Entry(at=self._time(at), exit_code=exit_code)))

    def close(self) -> None:
        """End the recording, and say what is missing in it."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
                if self._lost:
                    self._failed(f"{self._lost} lines are missing in the recording")

    def _time(self, at: float | None) -> float:
        moment = time.monotonic() if at is None else at
        return round(max(moment - self.started, 0.0), 6)

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._fd < 0:
                return
            try:
                write_all(self._fd, line + b"\n")
            except OSError as error:
                if not self._lost:
                    self._failed(f"the recording cannot be written: {error.strerror}")
                self._lost += 1
                with suppress(OSError):  # a pipe has no length
                    os.ftruncate(self._fd, self._size)
                    os.lseek(self._fd, self._size, os.SEEK_SET)
            else:
                self._size += len(line) + 1


def _is_json(line: bytes) -> bool:
    try:
        line.decode()
        msgspec.json.decode(line, type=Raw)
    except BAD_JSON:
        return False
    return b"\n" not in line


def read(path: Path) -> Recording:
    """Read a recording; a last line that is cut off is left out.

    Raises:
        BadRecordingError: It is none.
        OSError: It cannot be read.
    """
    *lines, _cut_off = path.read_bytes().split(b"\n")
    if not lines:
        raise BadRecordingError(f"{path} is not a recording: it has no whole line")
    try:
        header = msgspec.json.decode(lines[0], type=Header)
    except BAD_JSON as error:
        raise BadRecordingError(f"{path} is not a recording: its first line: {error}") from None
    if header.animus_recording != FORMAT:
        raise BadRecordingError(
            f"{path} has format {header.animus_recording}, this is for {FORMAT}"
        )
    return Recording(header, list(_entries(path, lines)))


def _entries(path: Path, lines: list[bytes]) -> Iterator[Entry]:
    decode = msgspec.json.Decoder(Entry).decode
    for number, line in enumerate(lines[1:], 2):
        try:
            yield decode(line)
        except BAD_JSON as error:
            raise BadRecordingError(f"{path}, line {number}: {error}") from None
