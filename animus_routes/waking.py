"""Word of a change from outside, which makes watches by polling ask at once."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from queue import Empty, Queue
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

from animus_routes.errors import Cancelled, Timeout

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from animus_routes.handlers.context import Context

__all__ = ["Source", "Sources", "Wake", "Words"]

SETTLE_S: Final = 1.0  # after the first word: what comes in a burst is one poll


class Wake(Protocol):
    """Makes every watch ask, soon; `full` for everything, because something may be gone."""

    def __call__(self, *, full: bool = False) -> None: ...


class Source(Protocol):
    """What hears of changes, for as long as its context manager is entered."""

    def __call__(self, ctx: Context[Any], wake: Wake, /) -> AbstractContextManager[object]: ...


class Words:
    """What one watch has been told since its last poll.

    Args:
        sources: Where the words come from.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._told: Queue[bool] = Queue()

    def tell(self, *, full: bool) -> None:
        self._told.put(full)

    def wait(self, ctx: Context[Any], pause_s: float) -> bool:
        """Pause, not much longer than to the first word; is everything to be listed then?"""
        self._sources.listen(ctx)
        full = False
        with suppress(Timeout, Cancelled):
            full = ctx.wait_for(self._told, pause_s)
            ctx.wait(SETTLE_S)
        with suppress(Empty):
            while True:
                full = self._told.get_nowait() or full
        return full


class Sources:
    """A source that is entered while somebody watches.

    Args:
        source: What hears of changes.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = Lock()
        self._watches: list[Words] = []
        self._opened: ExitStack | None = None
        self._has_failed = False

    def begin(self, ctx: Context[Any]) -> Words:
        """A watch begins."""
        words = Words(self)
        with self._lock:
            self._watches.append(words)
        self.listen(ctx)
        return words

    def end(self, words: Words) -> None:
        """A watch has ended; the last one closes the source."""
        with self._lock:
            self._watches.remove(words)
            closing = None if self._watches else self._opened
            if closing is not None:
                self._opened = None
                closing.close()

    def listen(self, ctx: Context[Any]) -> None:
        """Enter the source unless it is; watches go on without it. The first failure is logged."""
        with self._lock:
            if self._opened is not None or not self._watches or ctx.cancelled:
                return
            stack = ExitStack()
            try:
                stack.enter_context(self._source(ctx, self._tell))
            except Exception as error:  # noqa: BLE001 - of the author: the next poll may do
                if not self._has_failed:
                    ctx.log("warn", f"changes are found by asking alone: {error}")
                self._has_failed = True
            else:
                self._opened, self._has_failed = stack, False

    def _tell(self, *, full: bool = False) -> None:
        for words in tuple(self._watches):
            words.tell(full=full)
