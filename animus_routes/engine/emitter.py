"""Items of a stream on their way out: in batches if they come fast, otherwise at once."""

from __future__ import annotations

from _thread import allocate_lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.frames import MAX_OUTBOUND_BYTES, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.engine.ports import Outlet, Scope, Write

FLUSH_BYTES: Final = 60_000
TOGETHER_S: Final = 0.0005


class Emitter:
    """Writes one stream's items in order.

    An item that comes at least `TOGETHER_S` after the last write is written at once. Items that
    follow faster are written together: at the next item that is late enough, at `FLUSH_BYTES`, at
    the end, or by the standby, a tick later, if the source has paused.

    Args:
        wire: Where the items go.
        scope: The request's; nothing is written once it is cancelled.
        write_item: Appends the frame of one item.
        expect: Told that items are held back, and flushes them if no more come; None = nobody
            does that, so that each item leaves at once.
    """

    __slots__ = ("_expect", "_last", "_lock", "_out", "_scope", "_wire", "_write_item")

    def __init__(
        self,
        wire: Outlet,
        scope: Scope,
        write_item: Write,
        expect: Callable[[Emitter], object] | None,
    ) -> None:
        self._wire = wire
        self._scope = scope
        self._write_item = write_item
        self._expect = expect
        self._out = bytearray()
        self._lock = allocate_lock()
        self._last = 0.0

    def drain(self, items: Iterator[Any]) -> Any:
        """Emit a generator's items to its end.

        Returns:
            What the generator returned; None if the stream was cancelled, in which case the
            generator is closed and its `finally` has run.
        """
        scope = self._scope
        emit = self.emit
        try:
            while not scope.cancelled:
                emit(next(items))
        except StopIteration as end:
            return end.value
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        return None

    def emit(self, item: Any) -> None:
        """Send one item, unless the stream is cancelled."""
        with self._lock:
            out = self._out
            mark = len(out)
            try:
                self._write_item(item, out)
            except BaseException:
                del out[mark:]
                raise
            if len(out) - mark > MAX_OUTBOUND_BYTES:
                size = len(out) - mark
                del out[mark:]
                raise TooLargeError("an item", size)
            moment = perf_counter()
            if self._expect is None or moment - self._last >= TOGETHER_S or len(out) > FLUSH_BYTES:
                self._write(moment)
            elif not mark:
                self._expect(self)

    def flush(self) -> None:
        """Write what is waiting."""
        with self._lock:
            if self._out:
                self._write(perf_counter())

    def _write(self, moment: float) -> None:
        self._wire.write_for(self._scope, self._out)
        self._out.clear()
        self._last = moment
