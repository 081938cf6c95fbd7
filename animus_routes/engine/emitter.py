"""Items of a stream on their way out: in batches if they come fast, otherwise at once."""

from __future__ import annotations

from _thread import allocate_lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import FORKED, end_child
from animus_routes.engine.frames import MAX_OUTBOUND_BYTES, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.engine.ports import Outlet, Scope, StreamCall

FLUSH_BYTES: Final = 60_000
TOGETHER_S: Final = 0.0005


class Emitter:
    """Writes one stream's items in order.

    An item that comes at least `TOGETHER_S` after the last write is written at once. Items that
    follow faster are written together: at `FLUSH_BYTES`, at the end, or by the standby, a tick
    later.

    Any thread may emit and any may flush. An item takes no lock: appending to a list is one step,
    and whoever flushes, under the lock, takes as many from its front as it has seen.

    Args:
        wire: Where the items go.
        scope: The request's; nothing is written once it is cancelled.
        run: Says how an item is encoded, and what stands around it.
        expect: Told that items are held back, and flushes them if no more come; None = nobody
            does that, so that each item leaves at once.

    Attributes:
        closed: The call's last frame is out, and no item may follow it; set under the wire's lock.
    """

    __slots__ = (
        "_after",
        "_before",
        "_between",
        "_encode",
        "_expect",
        "_expected",
        "_extra",
        "_last",
        "_lock",
        "_ready",
        "_scope",
        "_size",
        "_waiting",
        "_wire",
        "_write",
        "closed",
    )

    def __init__(
        self,
        wire: Outlet,
        scope: Scope,
        run: StreamCall,
        expect: Callable[[Emitter], object] | None,
    ) -> None:
        self.closed = False
        self._wire = wire
        self._scope = scope
        self._expect = expect
        self._encode, self._write, self._ready = run.encode, run.write, run.ready
        self._before, self._after = run.around
        self._between = self._after + self._before
        # What flushes counts whole frames: more than a pipe holds would wait for its reader twice.
        self._extra = len(self._between)
        self._waiting: list[bytes] = []
        self._size = 0  # of what waits; may be off by what two threads emit at once
        self._expected = False  # the standby is going to flush
        self._lock = allocate_lock()
        self._last = 0.0

    @property
    def cancelled(self) -> bool:
        """May nothing more of it go out?"""
        return self.closed or self._scope.cancelled

    def drain(self, items: Iterator[Any], begun: Callable[[], object]) -> Any:
        """Emit a generator's items to its end.

        Args:
            items: The generator.
            begun: Called once its first step has given an item, before that goes out.

        Returns:
            What the generator returned; None if the stream was cancelled, in which case the
            generator is closed and its `finally` has run.
        """
        scope = self._scope
        try:
            if not scope.cancelled:
                first = next(items)
                if FORKED:
                    end_child()
                begun()
                self.emit(first)
            self._go_on(items)
        except StopIteration as end:
            if FORKED:
                end_child()
            return end.value
        except BaseException as error:
            if FORKED:
                end_child(error)
            raise
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        return None

    def _go_on(self, items: Iterator[Any]) -> None:
        """As `emit`, for each: a call of that would be a tenth of what a fast stream's item costs.

        Raises:
            StopIteration: The generator's.
        """
        scope, waiting, extra = self._scope, self._waiting, self._extra
        encode, write, ready = self._encode, self._write, self._ready
        while True:  # without a condition, as in `Process._read_all`
            if scope.cancelled:
                return
            item = next(items)
            if FORKED:
                end_child()
            try:
                data = write(item) if type(item) is ready else encode(item)
            except Exception:
                if type(item) is not ready:
                    raise
                data = encode(item)
            size = len(data) + extra
            if size > MAX_OUTBOUND_BYTES:
                raise TooLargeError("an item", size)
            waiting.append(data)
            self._size = size = self._size + size
            if size > FLUSH_BYTES or not self._expected:
                self._press(size)

    def emit(self, item: Any) -> None:
        """Send one item, unless the stream is cancelled."""
        data = self._encode(item)
        size = len(data) + self._extra
        if size > MAX_OUTBOUND_BYTES:
            raise TooLargeError("an item", size)
        self._waiting.append(data)
        self._size = size = self._size + size
        if size > FLUSH_BYTES or not self._expected:
            self._press(size)

    def _press(self, size: int) -> None:
        """Write what is waiting, or have somebody do that if no more comes."""
        late = size > FLUSH_BYTES or perf_counter() - self._last >= TOGETHER_S
        if late or self._expect is None:
            self._flush()
        else:
            self._expected = True
            self._expect(self)

    def flush(self) -> None:
        """Write what is waiting."""
        # First: an item that is appended from here on sees that nobody is expected.
        self._expected = False
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            self._size = 0
            waiting = self._waiting
            taken = waiting.copy()
            if not taken:
                return
            del waiting[: len(taken)]
            frames = self._before + self._between.join(taken) + self._after
            self._wire.write_for(self, frames)
            self._last = perf_counter()
