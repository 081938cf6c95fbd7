"""What a plugin writes: lines become frames, frames become answers and notifications."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Annotated, Any, Final, NamedTuple, TypeVar

import msgspec

from animus_routes.host.process import (
    BAD_JSON,
    CLOSE_S,
    QUOTE_CHARS,
    READ_BYTES,
    HostError,
    PluginTimeoutError,
)

T = TypeVar("T")

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
"""The host gives up on a plugin whose frame is longer than this."""

KEPT: Final = 1000  # notifications that are passed on, and kept all the same for who looks
KEPT_BYTES: Final = 1024 * 1024


class ProtocolError(HostError):
    """The plugin wrote something to stdout that is not a frame.

    Attributes:
        text: The line that it wrote, without the newline.
    """

    def __init__(self, reason: str, text: str) -> None:
        quoted = text if len(text) <= QUOTE_CHARS else f"{text[:QUOTE_CHARS]}..."
        super().__init__(f"the plugin wrote a line that is not a frame ({reason}): {quoted!r}")
        self.text = text


class Notification(NamedTuple):
    """A notification from the plugin.

    Attributes:
        method: Such as `subject/changed`.
        params: As the host decodes them; None when the frame had none.
    """

    method: str
    params: Any = None


class ErrorBody(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
    message: str
    data: Any = None


class Frame(msgspec.Struct):
    jsonrpc: str
    id: msgspec.Raw = msgspec.Raw()
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None


_decode_frame: Final = msgspec.json.Decoder(Frame).decode


def id_key(request_id: object) -> bytes:
    """The id as it appears in a frame; bytes are taken as the JSON text itself."""
    if isinstance(request_id, bytes):
        return request_id
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        return b"%d" % request_id
    return msgspec.json.encode(request_id)


def _fault(frame: Frame) -> str | None:
    """Why a JSON object is not a frame that a plugin may send, if it is not."""
    has_id = bool(bytes(frame.id))
    has_result = bool(bytes(frame.result))
    checks = (
        (frame.jsonrpc != "2.0", 'jsonrpc is not "2.0"'),
        (has_id and frame.method is not None, "a plugin may not send requests"),
        (not has_id and frame.method is None, "neither an answer nor a notification"),
        (has_id and has_result == (frame.error is not None), "needs either result or error"),
    )
    return next((reason for failed, reason in checks if failed), None)


class Inbox:
    """Reads the plugin's stdout on a thread, and keeps what arrives until it is taken.

    Args:
        pipe: The plugin's stdout.
        on_notification: Takes each notification as it comes. What it has taken is kept only as
            long as it is among the last `KEPT`, and with them below `KEPT_BYTES`.
        on_frame: Takes each line.

    Attributes:
        notifications: Every notification so far that is kept, in order.
        protocol_errors: Every line so far that was not a frame.
        raised: How many of the protocol errors a wait has raised.
    """

    def __init__(
        self,
        pipe: IO[bytes],
        on_notification: Callable[[Notification], object] | None,
        on_frame: Callable[[bytes], object] | None,
    ) -> None:
        self.notifications: list[Notification] = []
        self.protocol_errors: list[ProtocolError] = []
        self.raised = 0
        self._pipe = pipe
        self._on_notification = on_notification
        self._on_frame = on_frame
        self._replies: dict[bytes, list[Frame]] = {}
        self._unread: deque[Notification] = deque()
        self._sizes: deque[int] = deque()  # of what is kept, where it is passed on; in bytes
        self._kept_bytes = 0
        self._ended = False
        self._torn_is_fine = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="host-reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def expect_torn_line(self) -> None:
        """Take an unfinished last line as the trace of a kill, not as the plugin's fault."""
        self._torn_is_fine = True

    def close(self) -> None:
        """Wait for the end of the stream and release the pipe."""
        self._closing = True
        self._thread.join(CLOSE_S)
        # A grandchild may hold the pipe open: then the thread stays, and closes it at its end.
        if not self._thread.is_alive():
            self._pipe.close()

    def unclaimed_ids(self) -> list[bytes]:
        with self._changed:
            return [key for key, frames in self._replies.items() for _ in frames]

    def reply(self, key: bytes, timeout_s: float, awaited: str) -> Frame | None:
        """Wait for the answer to an id; None means that the plugin's output ended first."""
        return self._await(lambda: self._take_reply(key), timeout_s, awaited)

    def notification(self, method: str | None, timeout_s: float) -> Notification | None:
        """Wait for a notification; None means that the plugin's output ended first."""
        awaited = f"notification {method}" if method else "a notification"
        return self._await(lambda: self._take_notification(method), timeout_s, awaited)

    def _await(self, take: Callable[[], T | None], timeout_s: float, awaited: str) -> T | None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self.raised < len(self.protocol_errors):
                    self.raised += 1
                    raise self.protocol_errors[self.raised - 1]
                found = take()
                if found is not None or self._ended:
                    return found
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    raise PluginTimeoutError(f"{awaited}: nothing came within {timeout_s:g} s")
                self._changed.wait(remaining_s)

    def _take_reply(self, key: bytes) -> Frame | None:
        frames = self._replies.get(key)
        if not frames:
            return None
        frame = frames.pop(0)
        if not frames:
            del self._replies[key]
        return frame

    def _take_notification(self, method: str | None) -> Notification | None:
        for index, notification in enumerate(self._unread):
            if method in {None, notification.method}:
                del self._unread[index]
                return notification
        return None

    def _read(self) -> None:
        try:
            rest = self._read_lines()
            if rest and not self._torn_is_fine:
                self._refuse("the last line has no newline", rest)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            if self._closing:
                self._pipe.close()

    def _read_lines(self) -> bytes:
        """Take lines until the end, or until one is too long, and return what is left over."""
        parts: list[bytes] = []
        length = 0
        while chunk := os.read(self._pipe.fileno(), READ_BYTES):
            *lines, last = chunk.split(b"\n")
            for line in lines:
                parts.append(line)
                self._take_line(b"".join(parts))
                parts, length = [], 0
            parts.append(last)
            length += len(last)
            if length > MAX_FRAME_BYTES:
                self._refuse(f"longer than {MAX_FRAME_BYTES} bytes", b"".join(parts))
                return b""
        return b"".join(parts)

    def _take_line(self, line: bytes) -> None:
        if self._on_frame:
            self._on_frame(line)
        try:
            line.decode()  # the parts that stay undecoded must be UTF-8, too
            frame = _decode_frame(line)
        except BAD_JSON as problem:
            self._refuse(str(problem), line)
            return
        if reason := _fault(frame):
            self._refuse(reason, line)
        elif frame.method is None:
            with self._changed:
                self._replies.setdefault(bytes(frame.id), []).append(frame)
                self._changed.notify_all()
        else:
            params = msgspec.json.decode(frame.params) if bytes(frame.params) else None
            self._take_in(Notification(frame.method, params), len(line))

    def _take_in(self, notification: Notification, size: int) -> None:
        with self._changed:
            self.notifications.append(notification)
            self._unread.append(notification)
            if self._on_notification:
                self._sizes.append(size)
                self._kept_bytes += size
                self._forget()
            self._changed.notify_all()
        if self._on_notification:
            self._on_notification(notification)

    def _forget(self) -> None:
        """What is passed on is not kept for ever."""
        while len(self._sizes) > KEPT or (self._kept_bytes > KEPT_BYTES and len(self._sizes) > 1):
            oldest = self.notifications.pop(0)
            self._kept_bytes -= self._sizes.popleft()
            if self._unread and self._unread[0] is oldest:
                self._unread.popleft()

    def _refuse(self, reason: str, line: bytes) -> None:
        with self._changed:
            self.protocol_errors.append(ProtocolError(reason, line.decode("utf-8", "replace")))
            self._changed.notify_all()
