"""Whose turn it is: the main thread's, or the standby's while a handler is slow.

Handlers run on the main thread, which also reads the wire. When one of them does not end, a second
thread, the standby, takes the wire over until it does. This object is all that the two share.

Invariants:

1. Only the owner touches `lines` and `pending`. The owner is the standby from a `take` that
   succeeded to its `release`, else the main thread. Only `drop` may come from anywhere.
2. `out` is changed by the main thread alone. What stands before `mark` was answered before the
   request that runs: the standby writes a copy of it, and `end` forgets what was written. What
   stands behind is the answer of that request, which the main thread writes during its turn.
3. The wire is taken only while a request runs, and the main thread does not get past that request's
   `end` before the wire is given back.
4. A request is answered by whoever claims it: the standby with `claim_answer`; if it has not by the
   time of `end`, what the main thread has written stays.

Who may touch what:

- the main thread: `begin`, `settle`, `end`, `nobody_asks`, `recover`
- the standby: `take`, `answered_before`, `asked`, `release`, `claim_answer`
- the owner: `lines`, `pending`, `unread`, `queue`, `withdraw`, `next_request`
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
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import FORKED, end_child
from animus_routes.engine.frames import MAX_INBOUND_BYTES, Request, id_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


HELD_BYTES: Final = 60_000
MOST_WAITING: Final = 10_000  # requests; and of bytes, what one frame may have

Key = tuple[type, Any]


def _always() -> bool:
    return True


# Asked at every attempt: an extension module may switch the GIL on at its import.
gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", _always)


class Turn:
    """Who owns the wire, and the request that runs on the main thread.

    Attributes:
        current: The request whose code runs; None between requests.
        context: Its context, if the handler asked for one.
        taken: The standby owns the wire, or has owned it during this turn.
        asked: The main thread wants it back.
        out: Frames that are answered and not written.
        hold: How many bytes of `out` may wait for more; 0 once the end has begun.
        mark: Where in `out` the answer of `current` begins.
        lines: What is read and not begun.
        pending: What the standby has read and the main thread must run, in order, by id; and the
            bytes that each takes.
        pending_bytes: Their sum.
        reads: Counts the beginnings and the ends of the main thread's reads: odd while it reads.
        wake: Called when the wire is wanted back, to end the standby's wait for input.
    """

    __slots__ = (
        "_answered",
        "_gate",
        "_given_back",
        "_sent",
        "_settling",
        "_switch",
        "asked",
        "context",
        "current",
        "hold",
        "lines",
        "mark",
        "out",
        "pending",
        "pending_bytes",
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
        self.hold = HELD_BYTES
        self.lines: Iterator[bytes] = iter(())
        self.mark = 0
        self.pending: OrderedDict[Key, tuple[Request, int]] = OrderedDict()
        self.pending_bytes = 0
        self.reads = 0
        self.wake: Callable[[], object] = _always
        self._answered: Request | None = None
        self._given_back = False
        self._sent = 0
        self._settling = False
        self._switch = allocate_lock()
        self._gate = allocate_lock()
        self._gate.acquire()

    # The main thread ------------------------------------------------------------------------------

    def begin(self, request: Request, context: Any) -> None:
        """An author's code runs from here on; the hot loop has these stores inline."""
        self.context = context
        self.mark = len(self.out)
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
        if answered is not request:
            return False
        del self.out[self.mark :]
        return True

    def nobody_asks(self, method: str) -> Request:
        """A clean-up runs: it may be slow, but there is nothing to answer."""
        self.mark = len(self.out)
        self.current = late = Request(method)
        return late

    def recover(self) -> None:
        """Something was raised outside of a handler: own the wire, and keep what is not begun."""
        self.current = None
        self._settling = False
        self.reads += self.reads % 2
        self._ask_back()

    def _ask_back(self) -> None:
        if FORKED:
            end_child()
        with self._switch:
            if not self.taken:
                return
            self.asked = waits = not self._given_back
        if waits:
            self.wake()
            self._gate.acquire()
        self.taken = self._given_back = False
        sent, self._sent = self._sent, 0
        del self.out[:sent]
        self.mark -= sent

    # The standby ----------------------------------------------------------------------------------

    def take(self, current: Request) -> bool:
        """Take the wire while `current` still runs; is it ours now?"""
        if not gil_enabled():
            return False
        with self._switch:
            before, self.taken = self.taken, True
            if self.current is not current:
                self.taken = before
                return False
            self._given_back = False
        return True

    def answered_before(self) -> bytearray:
        """What was answered before this turn and not written yet; whoever asks writes it."""
        sent, self._sent = self._sent, self.mark
        return self.out[sent : self._sent]

    def release(self) -> None:
        """Give the wire back, and let the main thread go on if it waits for it."""
        with self._switch:
            asked, self.asked = self.asked, False
            self._given_back = not asked
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

    def queue(self, request: Request, size: int) -> None:
        """Have the main thread run it, after everything that waits; its id is not under way."""
        key = id_key(request.id) if request.id else (Request, id(request))
        self.pending[key] = (request, size)
        self.pending_bytes += size

    def withdraw(self, key: Key, only: Request | None = None) -> Request | None:
        """Take one of them back; None if there is none, or another than `only`."""
        found = self.pending.get(key)
        if found is None or (only is not None and found[0] is not only):
            return None
        del self.pending[key]
        self.pending_bytes -= found[1]
        return found[0]

    def next_request(self) -> Request | None:
        """Take the first one, to run it; None at the end."""
        try:
            _, (request, size) = self.pending.popitem(last=False)
        except KeyError:
            return None
        self.pending_bytes -= size
        return request

    @property
    def full(self) -> bool:
        """Does so much wait that nothing more may be read?"""
        return len(self.pending) >= MOST_WAITING or self.pending_bytes >= MAX_INBOUND_BYTES

    def holds(self, key: Key) -> bool:
        """Is a request of that id running or waiting, and not answered?"""
        if key in self.pending:
            return True
        current = self.current
        if current is None or not current.id or id_key(current.id) != key:
            return False
        return self._answered is not current

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
        self.pending_bytes = 0
