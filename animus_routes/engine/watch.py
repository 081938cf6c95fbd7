"""An eye on the event loop: one blocking call in an async function holds up all of them.

A thread looks at the loop's thread now and then, while anything is under way there. A loop that waits
for something to happen is not disturbed; one that is found at work is asked for a sign of life, and
if there is none within a second, the operator is told which line holds it up.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from animus_routes.engine.exit import HEALTH_BOUND_S, LOOP_CLOSE_S, start_thread
from animus_routes.engine.frames import late_health
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from types import FrameType

    from animus_routes.engine.call import Call

GLANCE_S: Final = 0.25
BLOCKED_S: Final = 1.0
ADVICE: Final = "until it ends no async function runs; asyncio.to_thread or a plain def may block"
NOT_AUTHORS: Final = (
    os.path.dirname(os.__file__) + os.sep,  # noqa: PTH120 - pathlib costs 5 ms
    os.path.dirname(os.path.dirname(__file__)) + os.sep,  # noqa: PTH120 - as above
    "<frozen ",
)
INSTALLED: Final = f"{os.sep}site-packages{os.sep}"


class Watch:
    """Looks at one loop.

    Args:
        loop: The loop.
        thread: The identity of the thread that it runs on.
        at_work: Is anything under way on it?

    Attributes:
        stirred: Something new was given to the loop; whoever gives it sets this first.
        parked: Nobody looks, until `wake`.
        reason: What blocks the loop now, as a sentence; "" if nothing does.
    """

    def __init__(self, loop: AbstractEventLoop, thread: int, at_work: Callable[[], bool]) -> None:
        self.stirred = False
        self.parked = False
        self.reason = ""
        self._loop = loop
        self._thread = thread
        self._at_work = at_work
        self._free_at = monotonic()  # when it was last seen free
        self._asked_at: float | None = None
        self._found_at = self._free_at  # when it was last woken for something
        self._began_at = 0.0  # what it is at, as far as that can be told
        self._bounded: list[tuple[float, Call]] = []
        self._closing = False
        self._gate = allocate_lock()
        self._gate.acquire()
        self._ended = allocate_lock()
        self._ended.acquire()
        try:
            start_thread(self._run)
        except RuntimeError:  # there are no more threads: nobody looks
            self._ended.release()

    # Called by other threads ----------------------------------------------------------------------

    def wake(self) -> None:
        """Begin to look again."""
        with suppress(RuntimeError):  # somebody else has just done it
            self._gate.release()

    def stir(self) -> None:
        """Something new is given to the loop."""
        self.stirred = True
        if self.parked:
            self.wake()

    def bound(self, call: Call) -> None:
        """Answer a health check in its place if it takes too long."""
        self._bounded.append((monotonic(), call))
        self.stir()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self.wake()
        self._ended.acquire(timeout=LOOP_CLOSE_S)

    # The thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            if self._busy():
                if self._gate.acquire(timeout=GLANCE_S):
                    self.stirred = True  # woken early: what was given may not have begun
                self._look()
                continue
            self.parked = True
            if not (self.stirred or self._closing):
                self._gate.acquire()
            self.parked = False
            self._free_at = self._found_at = monotonic()
        self._ended.release()

    def _busy(self) -> bool:
        stirred, self.stirred = self.stirred, False
        return stirred or self._asked_at is not None or bool(self._bounded) or self._at_work()

    def _look(self) -> None:
        asked_at, moment = self._asked_at, monotonic()
        if asked_at is None:
            self.reason = ""  # it may have come to life just as it was told
            self._ask(moment)
        elif moment - self._began_at >= BLOCKED_S and moment - asked_at >= BLOCKED_S - GLANCE_S:
            self._tell(moment - self._began_at)
        while self._bounded and self._is_over(*self._bounded[0], moment):
            del self._bounded[0]

    def _frame(self) -> FrameType | None:
        """What the loop's thread is at."""
        frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return frames.get(self._thread)

    def _ask(self, moment: float) -> None:
        frame = self._frame()
        if frame is None or _waits(frame):
            self._free_at = moment
            return
        self._asked_at = moment
        # What it was woken for has begun at once; else it was at some time between two glances.
        woken = self._free_at == self._found_at
        self._began_at = self._free_at if woken else (self._free_at + moment) / 2
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._alive)

    def _alive(self) -> None:
        """On the loop: its sign of life."""
        self._asked_at, self._free_at = None, monotonic()
        if self.reason:
            self.reason = ""
            log(f"the event loop runs again, after {self._free_at - self._began_at:.1f} s")

    def _tell(self, since_s: float) -> None:
        frame = self._frame()
        where = _place(frame) if frame is not None else "a thread that is gone"
        told, self.reason = (
            self.reason,
            f"the event loop has been blocked for {since_s:.1f} s by {where}",
        )
        if not told:
            log(f"{self.reason}: {ADVICE}")

    def _is_over(self, began: float, call: Call, moment: float) -> bool:
        """Is that health check answered, by itself or here?"""
        if not call.answered and moment - began >= HEALTH_BOUND_S:
            slow = f"a handler of {call.route.name} has been running for {moment - began:.1f} s"
            call.send(late_health(call.request, self.reason or slow))
        return call.answered


def _waits(frame: FrameType) -> bool:
    """Does the loop wait for something to happen?"""
    code = frame.f_code
    return code.co_name == "select" and code.co_filename.endswith("selectors.py")


def _place(frame: FrameType) -> str:
    """Where that is, in the code of the author rather than of what it uses."""
    found, place = frame, _name(frame)
    while found.f_back is not None:
        file = found.f_code.co_filename
        if not file.startswith(NOT_AUTHORS) and INSTALLED not in file:
            return _name(found)
        found = found.f_back
    return place


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}"
