"""Why and how the process ends, and by when: the two timelines that every bound is taken from."""

from __future__ import annotations

import atexit
import os
import signal
from _thread import start_new_thread
from contextlib import suppress
from enum import StrEnum
from time import monotonic, sleep
from typing import Final, NoReturn

from animus_routes.engine.stderr import flush_prints, settle

# `shutdown`, in seconds since the host asked for it. Each step is for what the one before it did
# not end.
SHUTDOWN_TRIP_S: Final = 0.8  # the running handler sees `ctx.cancelled`
SHUTDOWN_INTERRUPT_S: Final = 1.0  # `Interrupted` is raised in it
SHUTDOWN_FINISH_S: Final = 1.2  # calls in parallel are cancelled; the lifespan's exit begins
SHUTDOWN_LIFESPAN_S: Final = 1.6  # `Interrupted` is raised in the lifespan's exit
SHUTDOWN_LATE_S: Final = 1.75  # the standby answers in its place
SHUTDOWN_HOST_S: Final = 2.0  # the host stops waiting and kills the process

# The end, in seconds since serving stopped: the host's `exit`, a signal, the end of input.
END_FINISH_S: Final = 0.1  # after the end of input; then the handler sees `ctx.cancelled`
END_INTERRUPT_S: Final = 0.2  # `Interrupted` is raised in it, calls in parallel are cancelled
END_CLEAN_UP_S: Final = 0.3  # their `finally` blocks have run; the lifespan's exit begins
END_JOIN_S: Final = 0.32  # threads that let go have ended; after that only `JOIN_S` more
END_FORCE_S: Final = 0.42  # the process ends, whatever still runs
END_HELD_S: Final = 0.46  # even if it holds the interpreter
END_PROMISED_S: Final = 0.5  # what the documentation promises

# How often a step is tried again, and bounds of single waits within the steps.
STEP_S: Final = 0.04  # between two interruptions: one that comes just before a read is lost
JOIN_S: Final = 0.02  # for threads that have nothing left to do, after a slow lifespan
LAST_FRAME_S: Final = 0.05  # for a frame that is being written
LAST_WORD_S: Final = 0.02  # for a line to the operator before the process is ended by force
EXIT_HOOKS_S: Final = 0.4  # for `atexit` hooks, where nothing else bounds them
LAST_LINES_S: Final = 0.1  # for what is still on its way to stderr then
ASYNC_EXIT_S: Final = 1.0  # for an async lifespan's exit, where nothing else bounds it
STRIKES: Final = 10  # errors of the engine's own within `STRIKES_S`: it does not go on
STRIKES_S: Final = 1.0
LOOP_CLOSE_S: Final = 1.0  # for an event loop to close, in a process that lives on
HEALTH_BOUND_S: Final = 1.0  # for an author's health check; the host waits 2 s


class End(StrEnum):
    """Why serving stopped."""

    INPUT = "the end of input"
    EXIT = "exit"
    SIGTERM = "SIGTERM"
    SIGINT = "SIGINT"
    SIGHUP = "SIGHUP"
    CLOSED = "a closed stdout"
    BROKEN_STREAM = "a broken stream"  # a supervisor should see it as a failure
    FAILED = "an error that comes back at once"  # so should it see this


FAILURES: Final = frozenset({End.BROKEN_STREAM, End.FAILED})  # the exit code is 1


IGNORED_AT_LAST: Final[list[int]] = []  # signals that end a process which is ending


def ignore_at_last() -> None:
    """The exit hook that runs last, because it is there before the author's module is imported.

    The interpreter is about to restore the default of every signal that has a handler, and then
    one more signal would kill a process that is about to end with its exit code.
    """
    for number in IGNORED_AT_LAST:
        signal.signal(number, signal.SIG_IGN)


class Interrupted(BaseException):
    """Raised inside a handler that is still running when its time is over."""


class Strikes:
    """Tells an error that happens from one that comes back whenever the engine tries to go on."""

    def __init__(self) -> None:
        self._count = 0
        self._since = 0.0

    def out(self) -> bool:
        """One more has happened: is that one too many in a short time?"""
        moment = monotonic()
        if moment - self._since > STRIKES_S:
            self._count, self._since = 0, moment
        self._count += 1
        return self._count >= STRIKES


def leave(code: int = 0) -> NoReturn:
    """End a command now, without waiting for threads, after running exit hooks and flushing.

    Both are bounded: a hook may hang, and nobody may be reading stderr. A process that has served
    ends as every Python program does; here that would cost a manifest a tenth of its time.
    """
    try:
        with suppress(RuntimeError):  # there are no more threads
            start_new_thread(_bound, (code,))
        # os._exit skips what authors registered.
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        flush_prints()
        settle(LAST_LINES_S)
    finally:
        os._exit(code)


def _bound(code: int) -> None:
    sleep(EXIT_HOOKS_S)
    os._exit(code)
