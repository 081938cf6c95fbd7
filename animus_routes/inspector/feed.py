"""What the page is told: numbered events, from any thread, and the last of them for who comes later."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from itertools import takewhile
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEPT_EVENTS: Final = 3000
KEPT_BYTES: Final = 64 * 1024 * 1024  # of frames as a whole: eight of the largest
SHOWN_CHARS: Final = 2000  # of a frame in an event
BATCH: Final = 300
PAUSE_S: Final = 0.03  # between two batches, so that a browser has time to show them
KEEP_ALIVE_S: Final = 15.0

LINES: Final = frozenset({"frame", "stderr"})

Event = dict[str, Any]


class Feed:
    """Events in order. Any thread may publish; followers run on one event loop.

    Attributes:
        closed: No more is told, so that followers end.
    """

    def __init__(self) -> None:
        self.closed = False
        # What floods is kept apart: it must not push out how a call or the plugin is.
        self._lines: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._news: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._last = 0
        self._whole: OrderedDict[int, bytes] = OrderedDict()
        self._whole_bytes = 0
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._followers: set[asyncio.Event] = set()
        self._is_awaited = False

    def publish(self, kind: str, **fields: Any) -> int:
        """Tell something.

        Args:
            kind: What it is about: a name of `static/main.js`.
            fields: Anything that is JSON.

        Returns:
            The event's number.
        """
        with self._lock:
            number = self._add(kind, fields)
        self._wake()
        return number

    def publish_frame(self, data: bytes, **fields: Any) -> int:
        """Tell of a frame: its beginning is in the event, and the whole is kept beside it."""
        data = data.removesuffix(b"\n") if fields.get("what") != "raw" else data
        text = data[: 4 * SHOWN_CHARS].decode("utf-8", "backslashreplace")[:SHOWN_CHARS]
        with self._lock:
            number = self._add("frame", {"text": text, "size": len(data), **fields})
            self._whole[number] = data
            self._whole_bytes += len(data)
            while self._whole_bytes > KEPT_BYTES and len(self._whole) > 1:
                self._whole_bytes -= len(self._whole.popitem(last=False)[1])
        self._wake()
        return number

    def whole(self, number: int) -> bytes | None:
        """A frame as it was sent or came; None if it is no longer kept."""
        with self._lock:
            return self._whole.get(number)

    def _add(self, kind: str, fields: Event) -> int:
        self._last += 1
        kept = self._lines if kind in LINES else self._news
        if len(kept) == KEPT_EVENTS:
            lost = self._whole.pop(kept[0]["seq"], b"")
            self._whole_bytes -= len(lost)
        kept.append({"seq": self._last, "at": time.time(), "kind": kind, **fields})
        return self._last

    def since(self, number: int, most: int = BATCH) -> list[Event]:
        """The kept events after a number, oldest first."""
        with self._lock:
            found = [*_after(self._lines, number), *_after(self._news, number)]
        return sorted(found, key=itemgetter("seq"))[:most]

    def lines(self, until: int) -> list[Event]:
        """The kept frames and lines of stderr up to a number, oldest first."""
        with self._lock:
            return [event for event in self._lines if event["seq"] <= until]

    @property
    def last(self) -> int:
        """The number of the newest event."""
        return self._last

    async def follow(self, number: int) -> AsyncIterator[list[Event]]:
        """The events after a number, as they come; an empty list now and then as a sign of life."""
        news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._followers.add(news)
        try:
            while not self.closed:
                news.clear()
                self._is_awaited = True  # before the look: what comes after it wakes
                batch = self.since(number)
                if batch:
                    number = batch[-1]["seq"]
                    yield batch
                    await asyncio.sleep(PAUSE_S)
                    continue
                try:
                    await asyncio.wait_for(news.wait(), KEEP_ALIVE_S)
                except TimeoutError:
                    yield []
        finally:
            self._followers.discard(news)

    def close(self) -> None:
        """Let the followers end; safe in a signal's handler."""
        self.closed = True
        self._is_awaited = True
        self._wake()

    def _wake(self) -> None:
        loop = self._loop
        if loop is None or not self._is_awaited or loop.is_closed():
            return
        self._is_awaited = False  # once is enough until somebody waits again
        loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        for news in self._followers:
            news.set()


def _after(events: deque[Event], number: int) -> Iterator[Event]:
    return takewhile(lambda event: event["seq"] > number, reversed(events))
