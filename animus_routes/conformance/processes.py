"""The processes of a run, and theirs: known by a variable that all of them inherit."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

MARK: Final = "ANIMUS_CHECK"
PROCESSES: Final = Path("/proc")


def marked(mark: str) -> list[int]:
    """The processes that a run of checks has started, and what they have started.

    Empty where the system does not tell the environment of a process as Linux does.
    """
    wanted = f"{MARK}={mark}".encode()
    found: list[int] = []
    for folder in PROCESSES.iterdir() if PROCESSES.is_dir() else ():
        if folder.name.isdecimal():
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in variables:
                found.append(int(folder.name))
    return found


def end_all(mark: str) -> None:
    """Kill what is left of a run."""
    for pid in marked(mark):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
