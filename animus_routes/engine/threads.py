"""The engine's own threads, counted, so that the process can wait for them when it ends.

A thread that still holds the app when the interpreter cleans up keeps the author's module alive, and
what that has open is not flushed.
"""

from __future__ import annotations

from _thread import start_new_thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

JOIN_STEP_S: Final = 0.001

_running: set[int] = set()


def start(work: Callable[..., object], *arguments: Any) -> None:
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


def join(deadline: float) -> None:
    """Wait until they have ended; no longer than that moment."""
    while _running and monotonic() < deadline:
        sleep(JOIN_STEP_S)
