"""The end of the process."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn


def leave(code: int = 0) -> NoReturn:
    """End the process now: no waiting for threads, but exit hooks run and output is flushed."""
    try:
        atexit._run_exitfuncs()  # noqa: SLF001 - os._exit skips what authors registered
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(code)
