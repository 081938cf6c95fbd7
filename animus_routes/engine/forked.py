"""A child that an author's code has forked ends where that code comes back to the framework.

What follows there belongs to the parent: its answer, its clean-ups, its lifespan, its event loop. So
wherever an author's code returns to the framework, `FORKED` is looked at.
"""

from __future__ import annotations

import os
from typing import Final, NoReturn

from animus_routes.engine.stderr import log

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
