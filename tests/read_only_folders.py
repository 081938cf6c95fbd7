"""Folders that may not be written, and programs that keep to it though root runs the tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOBODY = 65534
# Imports come first: nobody may not read every place where packages are.
PROGRAM = """
import os, sys
sys.path[:0] = {places!r}
{imports}
if os.geteuid() == 0:
    os.seteuid({nobody})  # root may write anywhere
{work}
"""


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    owner = folder.owner()
    for place in folder.parents:
        if place.owner() == owner:  # for good: a test that runs beside this one needs it, too
            place.chmod(place.stat().st_mode | 0o055)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


@contextmanager
def nobody() -> Iterator[None]:
    """This process may write where everybody may, whoever has started it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def as_nobody(places: list[Path], imports: str, work: str) -> str:
    """What a program prints; what it says on stderr if that is nothing."""
    program = PROGRAM.format(
        places=[str(place) for place in places], imports=imports, nobody=NOBODY, work=work
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout or done.stderr
