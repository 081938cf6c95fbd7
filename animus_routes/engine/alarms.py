"""Signal handlers of an author's: what they raise reaches the author's code and nothing else.

Python runs them on the main thread, between any two steps, so that a late alarm would be raised
into the engine: a request that was read would be lost, or half a frame be written. Hence a guard
calls each of them. What it raises goes on where an author's code runs. While that code waits for
the engine (it sends an item, it logs), the exception is kept, and raised right afterwards. If the
code has ended it is too late, and a line on stderr says so. Loaded once there is such a handler.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import get_ident, start_new_thread
from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.ending import NUDGE
from animus_routes.engine.server import Server
from animus_routes.engine.standby import ENDING_SIGNALS
from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from animus_routes.engine.frames import Request
    from animus_routes.engine.turn import Turn

ENGINE: Final = __file__.rpartition(os.sep)[0] + os.sep
KEPT_STEP_S: Final = 0.005
LOOP: Final = Server.run_lines.__code__


class Guard:
    """A signal's handler, called where it may raise and caught where it may not."""

    __slots__ = ("_alarms", "handler")

    def __init__(self, alarms: Alarms, handler: Callable[[int, FrameType | None], Any]) -> None:
        self._alarms = alarms
        self.handler = handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """As the interpreter calls a handler."""
        try:
            self.handler(number, frame)
        except BaseException as error:
            if self._alarms.may_raise(frame):
                raise
            self._alarms.keep(error, frame)


class Alarms:
    """Guards every handler that Python code sets. Made on the main thread.

    Args:
        turn: Says whether an author's code runs.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._main = get_ident()
        self._kept: tuple[BaseException, Request] | None = None
        self._pid = os.getpid()
        self._guarded: set[int] = set()

    def guard(self) -> Callable[[], None]:
        """Guard what is set already, and what will be; the engine's own stay as they are.

        Returns:
            What takes the guards away.
        """
        set_handler, handler_of = signal.signal, signal.getsignal

        def guarded(number: int, handler: Any) -> Any:
            self._guarded.add(number)
            return _bare(
                set_handler(number, Guard(self, handler) if callable(handler) else handler)
            )

        def bare(number: int) -> Any:
            return _bare(handler_of(number))

        for number in signal.valid_signals() - {*ENDING_SIGNALS, NUDGE}:
            handler = handler_of(number)
            if callable(handler):
                guarded(number, handler)
        nudged: Any = handler_of(NUDGE)

        def nudge(number: int, frame: FrameType | None) -> None:
            self._raise_kept(frame)
            nudged(number, frame)

        set_handler(NUDGE, nudge)
        module: Any = signal
        module.signal, module.getsignal = guarded, bare

        def unguard() -> None:
            module.signal, module.getsignal = set_handler, handler_of
            for number in self._guarded:
                set_handler(number, _bare(handler_of(number)))

        return unguard

    def may_raise(self, frame: FrameType | None) -> bool:
        """Is it an author's code that a signal has interrupted?"""
        if os.getpid() != self._pid:  # a forked child's signals are its own business
            return True
        outside = frame is not None and not frame.f_code.co_filename.startswith(ENGINE)
        return outside and self._turn.interruptible

    def keep(self, error: BaseException, frame: FrameType | None) -> None:
        """Raise it once the code that runs is back from the engine; else say that it was late."""
        current = self._turn.current
        # On threads of their own: the main thread may be just about to write to stderr.
        with suppress(RuntimeError):
            if current is None:
                start_new_thread(_tell, (error,))
                return
            waits, self._kept = self._kept is not None, (error, current)
            if not waits:
                start_new_thread(self._raise_later, ())
        self._trace(frame)

    def _trace(self, frame: FrameType | None) -> None:
        """Have the interpreter stop where it comes back to the author's code."""
        while frame is not None and frame.f_code.co_filename.startswith(ENGINE):
            if frame.f_code is LOOP:  # the author's code is not under way
                return
            frame = frame.f_back
        if frame is None:
            return
        traced, before = frame, sys.gettrace()

        def stop(where: FrameType, _event: str, _value: Any) -> None:
            sys.settrace(before)
            traced.f_trace = None
            self._raise_kept(where)

        traced.f_trace = stop
        sys.settrace(_no_trace)

    def _raise_later(self) -> None:
        while (kept := self._kept) is not None:
            if self._turn.current is kept[1]:
                signal.pthread_kill(self._main, NUDGE)
                sleep(KEPT_STEP_S)
                continue
            if self._kept is kept:
                self._kept = None
            _tell(kept[0])

    def _raise_kept(self, frame: FrameType | None) -> None:
        kept = self._kept
        if kept is not None and self._turn.current is kept[1] and self.may_raise(frame):
            self._kept = None
            raise kept[0]


def _no_trace(*_: object) -> None:
    """Of functions that are called meanwhile."""


def _bare(handler: Any) -> Any:
    return handler.handler if isinstance(handler, Guard) else handler


def _tell(error: BaseException) -> None:
    log(f"{type(error).__name__} was raised outside a handler: {error}")
