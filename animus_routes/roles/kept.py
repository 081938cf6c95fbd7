"""What a long run's answer keeps: the end of what would not fit into a frame.

The host has seen the rest go by.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, cast

from animus_routes.values.codecs import encode

FRAME_BYTES: Final = 7 * 1024 * 1024  # of 8 MiB: the rest is for what an answer says besides


class Tail:
    """The end of a text that may be too long to keep.

    Args:
        limit: In characters; up to twice as many are held.
    """

    def __init__(self, limit: int = FRAME_BYTES) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._kept = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """What comes next."""
        self._parts.append(text)
        self._kept += len(text)
        if self._kept > 2 * self._limit:
            self._cut()

    def text(self) -> str:
        """What is kept, behind a line that says how much is not."""
        if self._kept > self._limit:
            self._cut()
        return _lead(self._dropped) + "".join(self._parts)

    def take(self) -> str:
        """The same, and begin again."""
        found = self.text()
        self._parts, self._kept, self._dropped = [], 0, 0
        return found

    def _cut(self) -> None:
        whole = "".join(self._parts)
        kept = whole[-self._limit :]
        self._dropped += len(whole) - len(kept)
        self._parts, self._kept = [kept], len(kept)


class LastItems:
    """The last of many items, as many as fit into a frame."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, Any]] = deque()
        self._bytes = 0

    def add(self, item: Any) -> None:
        """What comes next."""
        size = len(encode(item)) + 1
        self._items.append((size, item))
        self._bytes += size
        while self._bytes > FRAME_BYTES:
            self._bytes -= self._items.popleft()[0]

    def items(self) -> list[Any]:
        """What is kept."""
        return [item for _, item in self._items]


def fitted(response: dict[str, Any]) -> dict[str, Any]:
    """The response, with only the end of its long texts and lists if it would not fit."""
    if len(encode(response)) <= FRAME_BYTES:
        return response
    sizes = {name: len(encode(value)) for name, value in response.items()}
    long = {name for name, value in response.items() if isinstance(value, str | list)}
    room = FRAME_BYTES - sum(size for name, size in sizes.items() if name not in long)
    # Small ones leave what they do not need to the larger ones.
    for count, name in enumerate(sorted(long, key=sizes.__getitem__)):
        share = max(room // (len(long) - count), 0)
        if sizes[name] > share:
            response = {**response, name: _end(response[name], share)}
        room -= min(sizes[name], share)
    return response


def _end(value: Any, share: int) -> Any:
    if isinstance(value, str):
        kept, size = value, len(encode(value))
        while size > share and kept:
            kept = kept[len(kept) - len(kept) * share // (size + 1) :]
            size = len(encode(kept))
        return _lead(len(value) - len(kept)) + kept
    kept_items = cast("list[Any]", value)
    sizes = [len(encode(item)) + 1 for item in kept_items]
    total, start = sum(sizes), 0
    while total > share and start < len(sizes):
        total -= sizes[start]
        start += 1
    return kept_items[start:]


def _lead(dropped: int) -> str:
    return f"[{dropped} characters before this are left out]\n" if dropped else ""
