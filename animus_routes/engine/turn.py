"""Whose turn it is: the main thread's, or the standby's while a handler is slow.

Handlers run on the main thread, which also reads the wire. When one of them does not end, a second
thread, the standby, takes the wire over until it does. This object is all that the two share.

Invariants:

1. Only the owner touches `out`, `lines` and `pending`. The owner is the standby from a `take` that
   succeeded to its `release`, else the main thread. Only `drop` may come from anywhere.
2. `taken` implies `current`: the wire is taken only while a request runs, and the main thread
   does not get past that request's `end` before the wire is given back.
3. A request is answered by whoever claims it: the standby with `claim_answer`; if it has not by the
   time of `end`, the main thread.

Who may touch what:

- the main thread: `begin`, `settle`, `end`, `nobody_asks`, `recover`
- the standby: `take`, `asked`, `release`, `claim_answer`
- the owner: `out`, `lines`, `pending`, `unread`, `waiting`, `withdraw`, `next_lines`
- any thread, and a signal's handler: `method`, `interruptible`, `drop`, and a look at `current`

The common case takes no lock. The main thread stores `current = None` and then looks at `taken`;
the standby stores `taken = True` and then looks at `current`: whichever store comes first, the
other side sees it. That holds because the GIL puts all stores into one order, and because
exhausting a list's iterator is one step under it. Without a GIL neither is promised, and a lock
would cost every request more than routing does: there the standby does not take the wire.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from collections import deque
from typing import TYPE_CHECKING, Any

from animus_routes.engine.frames import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _always() -> bool:
    return True


# Asked at every attempt: an extension module may switch the GIL on at its import.
gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", _always)


class Turn:
    """Who owns the wire, and the request that runs on the main thread.

    Attributes:
        current: The request whose code runs; None between requests.
        context: Its context, if the handler asked for one.
        taken: The standby owns the wire.
        asked: The main thread wants it back.
        out: Frames that are answered and not written.
        lines: What is read and not begun.
        pending: Lines that the standby has read and the main thread must run, in order.
        reads: Counts the main thread's reads; it stands still while a handler is slow.
        wake: Called when the wire is wanted back, to end the standby's wait for input.
    """

    __slots__ = (
        "_answered",
        "_gate",
        "_settling",
        "_switch",
        "asked",
        "context",
        "current",
        "lines",
        "out",
        "pending",
        "reads",
        "taken",
        "wake",
    )

    def __init__(self) -> None:
        self.current: Request | None = None
        self.context: Any = None
        self.taken = False
        self.asked = False
        self.out = bytearray()
        self.lines: Iterator[bytes] = iter(())
        self.pending: deque[bytes] = deque()
        self.reads = 0
        self.wake: Callable[[], object] = _always
        self._answered: Request | None = None
        self._settling = False
        self._switch = allocate_lock()
        self._gate = allocate_lock()
        self._gate.acquire()

    # The main thread ------------------------------------------------------------------------------

    def begin(self, request: Request, context: Any) -> None:
        """An author's code runs from here on; the hot loop has these two stores inline."""
        self.context = context
        self.current = request

    def settle(self) -> None:
        """`current` has failed: nothing may be raised into what reports that."""
        self._settling = True

    def end(self, request: Request) -> bool:
        """The code has ended: own the wire again. Was the request answered meanwhile?"""
        self.current = None
        self._settling = False
        return self.taken and self.reclaim(request)

    def reclaim(self, request: Request) -> bool:
        """The rest of `end`, where the hot loop has its beginning inline."""
        self._ask_back()
        answered, self._answered = self._answered, None
        return answered is request

    def nobody_asks(self, method: str) -> Request:
        """A clean-up runs: it may be slow, but there is nothing to answer."""
        self.current = late = Request(method)
        return late

    def recover(self) -> None:
        """Something was raised outside of a handler: own the wire, and keep what is not begun."""
        self.current = None
        self._settling = False
        self._ask_back()
        self.pending.extendleft(reversed(self.unread()))

    def _ask_back(self) -> None:
        with self._switch:
            if not self.taken:
                return
            self.asked = True
        self.wake()
        self._gate.acquire()

    # The standby ----------------------------------------------------------------------------------

    def take(self, current: Request) -> bool:
        """Take the wire while `current` still runs; is it ours now?"""
        if not gil_enabled():
            return False
        with self._switch:
            self.taken = True
            if self.current is not current:
                self.taken = False
        return self.taken

    def release(self) -> None:
        """Give the wire back, and let the main thread go on if it waits for it."""
        with self._switch:
            self.taken = False
            asked, self.asked = self.asked, False
        if asked:
            self._gate.release()

    def claim_answer(self, request: Request) -> bool:
        """May the answer to `current` be given in its handler's place? Once."""
        if self._answered is request:
            return False
        self._answered = request
        return True

    # The owner ------------------------------------------------------------------------------------

    def unread(self) -> list[bytes]:
        """Take the lines that are read and not begun."""
        return list(self.lines)

    def waiting(self) -> tuple[bytes, ...]:
        """The lines that the main thread has still to run."""
        return tuple(self.pending)

    def withdraw(self, line: bytes) -> bool:
        """Take one of them back; False if it has begun."""
        try:
            self.pending.remove(line)
        except ValueError:
            return False
        return True

    def next_lines(self) -> list[bytes]:
        """Take them all, to run them."""
        lines = list(self.pending)
        self.pending.clear()
        return lines

    # Any thread -----------------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The method whose code runs; empty between requests."""
        current = self.current
        return "" if current is None else current.method

    @property
    def interruptible(self) -> bool:
        """Does an author's code run, and nothing that reports its failure?"""
        return self.current is not None and not self._settling

    def drop(self) -> None:
        """Forget what is read and not begun; nobody waits for the answers."""
        self.unread()
        self.pending.clear()
