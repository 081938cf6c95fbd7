"""The processes of a plugin, one after the other: when one starts, and how it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from animus_routes.dev.exchange import EXIT, State
from animus_routes.dev.pipes import Child
from animus_routes.dev.watching import changes
from animus_routes.engine.stderr import log, write
from animus_routes.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.dev.exchange import Exchange
    from animus_routes.dev.watching import Watched

LEAVE_S: Final = 2.0  # for the answer to `shutdown`, as hosts wait
END_S: Final = 0.6  # for the end of a process that was asked for it; hosts wait 0.75
START_S: Final = 5.0  # the same for one that has not said anything yet
GREET_S: Final = 30.0  # for the answer to `initialize`
SHUTDOWN_S: Final = 1.85  # then a host that waits for the answer gets one; it waits 2 s
SHOWN_FILES: Final = 3


class Lives:
    """What runs, and what is to become of it.

    Args:
        command: What starts the plugin.
        watched: The files that it is made of.
        exchange: Who is owed what.

    Attributes:
        child: The process; None if there is none.
        exit_code: Of the last one that has ended.
        alive: When it last wrote, was started, or the host came to its end.
        deadline: When it has to have done what it was asked for; None if it was asked for nothing.
        is_last: No other process is started after this one.
    """

    def __init__(self, command: Sequence[str], watched: Watched, exchange: Exchange) -> None:
        self.child: Child | None = None
        self.exit_code = 1
        self.alive = 0.0
        self.deadline: float | None = None
        self.is_last = False
        self._command = command
        self._watched = watched
        self._exchange = exchange
        self._files = watched.snapshot()

    def send(self, data: bytes) -> None:
        """Something for the process that there is."""
        if self.child is not None and not self.child.stdin.closed:
            self.child.out.add(data)

    def start(self) -> None:
        """Start a process, and greet it."""
        self._files = self._watched.snapshot()
        try:
            self.child = Child(self._command)
        except Unavailable as error:
            self._wait_for_change(error.message)
            return
        self.alive = time.monotonic()
        self._exchange.started()
        self.deadline = None if self._exchange.state is State.UP else self.alive + GREET_S

    def look(self) -> None:
        """Start anew if the files are others than those that the process was started with."""
        names = changes(self._files, self._watched.snapshot())
        state = self._exchange.state
        if not names or state is State.LEAVING or self.is_last:
            return
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        reason = f"restarted, because {', '.join(names[:SHOWN_FILES])}{more} changed"
        log(reason)
        if state is State.UP:
            self._exchange.leave(reason)
            self.deadline = time.monotonic() + LEAVE_S
        else:
            self._end(reason)
            self.start()

    def tick(self) -> None:
        """Do what has become due."""
        exchange, child = self._exchange, self.child
        if child is None:
            return
        if child.closes and not child.out.size:
            child.stdin.close()
        if child.code is not None:
            self._ended(child)
        elif exchange.refused:
            self.drop(exchange.refused)
        elif exchange.left and not child.stdin.closed and not child.is_leaving:
            child.out.add(EXIT)
            child.is_leaving = child.closes = True
            self.deadline = time.monotonic() + END_S
        elif child.cut and not child.is_hurried and exchange.state is not State.LEAVING:
            child.is_hurried = True  # it is ending, and then this comes first; or it is of no use
            soon = time.monotonic() + END_S
            self.deadline = soon if self.deadline is None else min(self.deadline, soon)
        elif self.deadline is not None and time.monotonic() >= self.deadline:
            self._overdue(child)
        elif exchange.state is State.UP and not self.is_last and not child.is_hurried:
            self.deadline = None

    def drop(self, reason: str) -> None:
        """The process is of no use any longer."""
        self._end(reason)
        self._wait_for_change(reason)

    def end_within(self, seconds: float) -> None:
        """The process was asked to end, and no other one follows."""
        self.is_last = True
        self.deadline = time.monotonic() + seconds

    def _overdue(self, child: Child) -> None:
        self.deadline = None
        if child.is_hurried:
            self.drop(f"the plugin has closed its {child.cut}, and has not ended")
        elif self._exchange.state is State.GREETING and not self.is_last:
            self.drop(f"the plugin has not answered initialize within {GREET_S:g} s")
        else:
            child.kill()  # its end is noticed as any other is

    def _ended(self, child: Child) -> None:
        for line in child.rest():
            self._exchange.from_plugin(line)
        while said := child.errors():
            write(said)
        was_asked = self._exchange.state is State.LEAVING
        reason = self._exchange.reason if was_asked else child.last_words()
        self._end(reason)
        if was_asked and not self.is_last:
            self.start()
        else:
            self._wait_for_change(reason)

    def _end(self, reason: str) -> None:
        child, self.child = self.child, None
        self.deadline = None
        if child is not None:
            child.close()
            self.exit_code = child.code if child.code is not None and child.code >= 0 else 1
        self._exchange.gone(reason)

    def _wait_for_change(self, reason: str) -> None:
        if not self.is_last:
            reason = f"{reason}; it is started again when a file changes"
            log(reason)
        self._exchange.gone(reason)
        self._exchange.stay_down()
