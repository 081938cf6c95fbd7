"""The calls of the page: which frame answers which, which notification belongs to which, how long it took."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.errors import CANCELLED

if TYPE_CHECKING:
    from animus_routes.inspector.feed import Feed

KEPT: Final = 500
BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
PARAMS_CHARS: Final = 4000

# What may still become of a call; the others are final.
OPEN: Final = frozenset({"waiting", "late", "streaming"})


class Call(msgspec.Struct, kw_only=True):
    """One request of the page.

    Attributes:
        number: Of the call, counted over all processes.
        method: Its name.
        id: The request's id, as JSON text.
        params: As JSON text, cut; "" for none.
        at: When it was sent, in seconds since 1970.
        state: "waiting", "late" (over its time, but still waited for), "streaming" (answered, items
            may follow), "answered", "failed", "cancelled" or "lost".
        ms: How long the answer took, in milliseconds; None before it.
        sent: The number of the request's frame.
        answer: The number of the answer's frame; 0 before it.
        code: The error's code, if it was answered with one.
        message: The error's message, or why there will be no answer.
        items: How many notifications came for it.
        timeout_s: After how long it is late, in seconds.
    """

    number: int
    method: str
    id: str
    params: str = ""
    at: float
    state: str = "waiting"
    ms: float | None = None
    sent: int = 0
    answer: int = 0
    code: int | None = None
    message: str = ""
    items: int = 0
    timeout_s: float = 30.0


class _Running(msgspec.Struct):
    call: Call
    begun: float
    notifications: tuple[str, ...]
    streams: bool


class _Error(msgspec.Struct):
    code: int
    message: str


class _Envelope(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw()
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Named(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw()


_decode: Final = msgspec.json.Decoder(_Envelope).decode
_decode_named: Final = msgspec.json.Decoder(_Named).decode


class Calls:
    """The calls so far, and those that wait. Any thread may tell; the feed is told of every change."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._kept: deque[Call] = deque(maxlen=KEPT)
        self._running: dict[bytes, _Running] = {}
        self._last = 0
        self._lock = Lock()

    def begin(
        self,
        method: str,
        request_id: bytes,
        params: bytes,
        timeout_s: float,
        notifications: tuple[str, ...] = (),
        *,
        streams: bool = False,
    ) -> Call:
        """A request is about to be sent.

        Args:
            method: Its name.
            request_id: As JSON text.
            params: As JSON text; empty for none.
            timeout_s: After how long it is late, in seconds.
            notifications: What its items are sent as.
            streams: The answer is only the acknowledgement; the items come after it.
        """
        with self._lock:
            self._last += 1
            call = Call(
                number=self._last,
                method=method,
                id=request_id.decode(),
                params=params.decode("utf-8", "replace")[:PARAMS_CHARS],
                at=time.time(),
                timeout_s=timeout_s,
            )
            self._kept.append(call)
            running = _Running(call, time.monotonic(), notifications, streams)
            self._running[request_id] = running
            self._tell(call)
            return call

    def find(self, number: int) -> Call | None:
        """A call by its number."""
        with self._lock:
            return next((call for call in self._kept if call.number == number), None)

    def is_late(self, call: Call) -> None:
        """The call's time is over; an answer is still taken."""
        with self._lock:
            if call.state == "waiting":
                call.state = "late"
                self._tell(call)

    def lose(self, why: str, call: Call | None = None) -> None:
        """There will be no answer: to one, or to all that wait."""
        with self._lock:
            for key, running in list(self._running.items()):
                if call is None or running.call is call:
                    del self._running[key]
                    running.call.state, running.call.message = "lost", why
                    self._tell(running.call)

    def sent(self, data: bytes) -> dict[str, Any]:
        """What is written to the plugin, and which call it belongs to."""
        found = request_in(data)
        if found is None:
            method = _method_of(data)
            return {"what": "notification", "method": method} if method else {"what": "raw"}
        method, request_id, _ = found
        told = {"what": "request", "method": method, "id": request_id.decode("utf-8", "replace")}
        with self._lock:
            running = self._running.get(request_id)
        return told if running is None else {**told, "call": running.call.number}

    def came(self, line: bytes, moment: float) -> dict[str, Any]:
        """What a line of the plugin is, and which call it belongs to."""
        try:
            frame = _decode(line)
        except BAD_JSON:
            return {"what": "stray"}
        if frame.method is not None:
            number = self._notified(frame.method, bytes(frame.params))
            told: dict[str, Any] = {"what": "notification", "method": frame.method}
            return {**told, "call": number} if number else told
        failed = bool(bytes(frame.error))
        with self._lock:
            running = self._running.get(bytes(frame.id))
        what = "error" if failed else "result" if bytes(frame.result) else "stray"
        found = {"what": what, "id": bytes(frame.id).decode("utf-8", "replace")}
        if running is None or what == "stray":
            return found
        call = running.call
        if not call.answer:
            call.ms = round((moment - running.begun) * 1000, 3)
        return {**found, "method": call.method, "call": call.number}

    def answered(self, line: bytes, told: dict[str, Any], frame_number: int) -> None:
        """The frame that `came` told of has its number now."""
        if "call" not in told or told["what"] == "notification":
            return
        key = told["id"].encode()
        with self._lock:
            running = self._running.get(key)
            if running is None:
                return
            call = running.call
            call.answer = frame_number
            if told["what"] == "error":
                del self._running[key]
                call.code, call.message = _error_of(line)
                call.state = "cancelled" if call.code == CANCELLED else "failed"
            elif running.streams:
                call.state = "streaming"
            else:
                del self._running[key]
                call.state = "answered"
            self._tell(call)

    def stopped(self, call: Call) -> None:
        """A stream whose request was cancelled after its answer: no more is waited for."""
        with self._lock:
            if call.state == "streaming":
                self._running.pop(call.id.encode(), None)
                call.state = "cancelled"
                self._tell(call)

    def _notified(self, method: str, params: bytes) -> int:
        """The call that a notification belongs to: by its id, or the newest that sends such ones."""
        with self._lock:
            running = self._running.get(_id_in(params)) if self._running else None
            if running is None:
                fitting = [r for r in self._running.values() if method in r.notifications]
                running = fitting[-1] if fitting else None
            if running is None:
                return 0
            running.call.items += 1
            return running.call.number

    def _tell(self, call: Call) -> None:
        self._feed.publish("call", call=msgspec.to_builtins(call))

    def snapshot(self) -> list[Any]:
        """The calls that are kept, oldest first."""
        with self._lock:
            return [msgspec.to_builtins(call) for call in self._kept]


def _id_in(params: bytes) -> bytes:
    try:
        return bytes(_decode_named(params).id) if params else b""
    except BAD_JSON:
        return b""


def _error_of(line: bytes) -> tuple[int | None, str]:
    try:
        error = msgspec.json.decode(bytes(_decode(line).error), type=_Error)
    except BAD_JSON:
        return None, "an error that hosts cannot read"
    return error.code, error.message


def _method_of(data: bytes) -> str | None:
    try:
        return _decode(data).method
    except BAD_JSON:
        return None


def request_in(text: bytes) -> tuple[str, bytes, bytes] | None:
    """The method, id and params of a request that was typed; None if it is none."""
    try:
        frame = _decode(text)
    except BAD_JSON:
        return None
    if frame.method is None or not bytes(frame.id):
        return None
    return frame.method, bytes(frame.id), bytes(frame.params)
