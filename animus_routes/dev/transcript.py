"""What a plugin wrote in one conversation, sorted: answers by id, notifications by stream."""

from __future__ import annotations

from threading import Condition
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from animus_routes.host.process import BAD_JSON

if TYPE_CHECKING:
    from collections.abc import Container

# What a notification's params name its stream by, the first that is there.
STREAM_KEYS: Final = ("id", "session_id", "handle_id", "watch_id", "run_id")


class Frame(Struct):
    """As much of a frame as says what it is."""

    method: str | None = None
    id: Raw = Raw()
    params: Any = None


class Stream(NamedTuple):
    """Notifications whose order among each other means something.

    Attributes:
        group: The part of their names before the slash.
        number: Which one of this group, in order of their first notifications: what names a stream
            may be made anew on each run.
    """

    group: str
    number: int


Key = bytes | Stream  # the JSON text of an answer's id, or a stream
STRAY: Final = Stream("(no frame)", 0)
_decode: Final = msgspec.json.Decoder(Frame).decode


def frame_of(line: bytes) -> Frame | None:
    """A line as a frame, if it is one."""
    try:
        line.decode()
        return _decode(line)
    except BAD_JSON:
        return None


class Transcript:
    """One side's lines so far; threads may wait for more.

    Args:
        ignored: The names of notifications that do not count.

    Attributes:
        frames: What has come, in order; a line that is no frame is a text under `STRAY`.
        changed: Notified of each line.
    """

    def __init__(self, ignored: Container[str]) -> None:
        self.frames: dict[Key, list[Any]] = {}
        self.changed = Condition()
        self._ignored = ignored
        self._streams: dict[tuple[str, str], Stream] = {}

    def add(self, line: bytes) -> Key | None:
        """Take a line in; where it was put, None if it does not count."""
        if not line.strip():
            return None
        frame = frame_of(line)
        if frame is None or (frame.method is None and frame.id == Raw()):
            return self._put(STRAY, line.decode("utf-8", "replace"))
        if frame.method is None:
            return self._put(bytes(frame.id), msgspec.json.decode(line))
        if frame.method in self._ignored:
            return None
        return self._put(self._stream(frame.method, frame.params), msgspec.json.decode(line))

    def _put(self, key: Key, value: Any) -> Key:
        with self.changed:
            self.frames.setdefault(key, []).append(value)
            self.changed.notify_all()
        return key

    def _stream(self, method: str, params: Any) -> Stream:
        group = method.rpartition("/")[0] or method
        found = cast("dict[str, Any]", params) if isinstance(params, dict) else {}
        name = next((f"{found[key]!r}" for key in STREAM_KEYS if key in found), "")
        if (group, name) not in self._streams:
            number = sum(1 for known, _ in self._streams if known == group)
            self._streams[group, name] = Stream(group, number)
        return self._streams[group, name]
