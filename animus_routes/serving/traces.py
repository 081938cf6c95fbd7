"""Tracebacks as authors need them: their own frames, and none of the framework's.

`RUST_BACKTRACE=1`, which hosts forward, shows all of them. Imported when something is raised.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from traceback import TracebackException
from typing import Any, Final

from animus_routes.engine.program import working_directory
from animus_routes.handlers.signature import location, name_of

OURS: Final = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,  # noqa: PTH120 - pathlib costs 5 ms
    "<animus_routes>",
    "<frozen importlib",
)
_formatting = allocate_lock()


def traceback_of(error: BaseException) -> str:
    """The traceback of an error, or at least its name: what is reported must not fail itself.

    Python 3.11 parses the lines that it shows, and cannot do that on two threads at once.
    """
    try:
        with _formatting:
            found = TracebackException.from_exception(error)
            if os.environ.get("RUST_BACKTRACE", "0") in ("", "0"):
                _leave_out_ours(found)
            return "".join(found.format()).rstrip()
    except Exception as failure:  # noqa: BLE001 - whatever an author's objects do to it
        return f"{type(error).__qualname__}, whose traceback cannot be shown: {failure!r}"


def _leave_out_ours(found: TracebackException) -> None:
    """Of every exception in the chain; a bug of the framework's own keeps its frames."""
    theirs = [frame for frame in found.stack if not frame.filename.startswith(OURS)]
    if theirs:
        found.stack[:] = theirs
    elif hasattr(found, "lineno"):  # a syntax error, which names the author's line itself
        found.stack = None  # type: ignore[assignment]
    chained = [found.__cause__, found.__context__, *(getattr(found, "exceptions", None) or ())]
    for other in chained:
        if other is not None:
            _leave_out_ours(other)


def has_authors_frames(error: BaseException) -> bool:
    """Was any code of an author's under way when it was raised?"""
    trace = error.__traceback__
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(OURS):
            return True
        trace = trace.tb_next
    return False


def shown_place(function: Any) -> str:
    """`file:line: name` of a function, the file from the working directory; "" if C wrote it."""
    here = working_directory().rstrip(os.sep) + os.sep
    where = location(function).removeprefix(here)
    return f"{where}: {name_of(function)}" if where else ""
