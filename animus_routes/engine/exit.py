"""Why and how the process ends, and by when: the two timelines that every bound is taken from."""

from __future__ import annotations

import atexit
import os
import signal
from _thread import start_new_thread
from contextlib import suppress
from enum import StrEnum
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, NoReturn

from animus_routes.engine.stderr import flush_prints, log, settle

if TYPE_CHECKING:
    from collections.abc import Callable

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
JOIN_STEP_S: Final = 0.001
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


# A child that an author's code has forked ends where that code comes back to the framework. What
# follows there belongs to the parent: its answer, its clean-ups, its lifespan, its event loop. So
# wherever an author's code returns to the framework, `FORKED` is looked at.
FORKED: Final[list[int]] = []  # in a child: its process id


def end_child(error: BaseException | None = None) -> NoReturn:
    """End this process, which is a forked child, without running anything of its parent's.

    Its exit code is what `sys.exit` would give it; another exception is told in one line.
    """
    code: object = 0
    try:
        if isinstance(error, SystemExit):
            code = error.code
        elif error is not None:
            code = 1
            log(f"a forked child came back with {_told(error)}, and ends")
    finally:
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _told(error: BaseException) -> str:
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"


RESERVE_BYTES: Final = 4 * 1024 * 1024

_reserve: list[bytes] = []


def keep_reserve() -> None:
    """Keep memory back, so that a process without any can still answer and end.

    It is asked for and never touched: it takes addresses, which limits count, but no memory.
    """
    if not _reserve:
        with suppress(MemoryError):
            _reserve.append(bytes(RESERVE_BYTES))


def give_reserve_back() -> bool:
    """Let go of that memory; was there any?"""
    try:
        del _reserve[0]
    except IndexError:
        return False
    return True


# The engine's own threads are counted, so that the process can wait for them when it ends. One that
# still holds the app when the interpreter cleans up keeps the author's module alive, and what that
# has open is not flushed.
_running: set[int] = set()


def start_thread(work: Callable[..., object], *arguments: Any) -> None:
    """Run it on a thread of its own.

    Raises:
        RuntimeError: There are no more threads.
    """
    # A list, to be emptied: the interpreter keeps a thread's arguments until its end.
    job = [work, arguments]
    _running.add(id(job))
    try:
        start_new_thread(_run, (job,))
    except BaseException:
        _running.discard(id(job))
        raise


def _run(job: list[Any]) -> None:
    try:
        _do(job)
    finally:
        _running.discard(id(job))


def _do(job: list[Any]) -> None:
    work, arguments = job
    job.clear()
    work(*arguments)


def join_threads(deadline: float) -> None:
    """Wait until they have ended; no longer than that moment."""
    while _running and monotonic() < deadline:
        sleep(JOIN_STEP_S)
