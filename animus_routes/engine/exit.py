"""The end of the process."""

from __future__ import annotations

import atexit
import os
from _thread import start_new_thread
from time import sleep
from typing import Final, NoReturn

from animus_routes.engine.stderr import flush_prints, settle

LEAVE_BOUND_S: Final = 0.4
SETTLE_S: Final = 0.1  # for the last lines on stderr
BROKEN: Final = "a broken stream"  # an end that a supervisor should see as a failure


class Interrupted(BaseException):
    """Raised inside a handler that still runs when its time is over."""


def leave(code: int = 0) -> NoReturn:
    """End the process now: no waiting for threads, but exit hooks run and output is flushed.

    Both within a bound: a hook may hang, and nobody may be reading stderr.
    """
    try:
        start_new_thread(_bound, (code,))
        # os._exit skips what authors registered.
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        flush_prints()
        settle(SETTLE_S)
    finally:
        os._exit(code)


def _bound(code: int) -> None:
    sleep(LEAVE_BOUND_S)
    os._exit(code)
