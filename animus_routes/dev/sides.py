"""The two sides of a conversation, and the file that it is kept in: what a recorder needs at its start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from pathlib import Path

Sender = Literal["host", "plugin"]
HOST: Final = "host"
PLUGIN: Final = "plugin"
MANY: Final = 10_000  # recordings of one name


def new_file(path: Path) -> tuple[int, Path]:
    """Make a file for one recording. Nothing is overwritten: hosts start some plugins for each call.

    Args:
        path: Its name; if there is one already, `-2`, `-3` ... comes before the suffix.

    Raises:
        OSError: It cannot be made.
    """
    for number in range(1, MANY):
        name = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), name
        except FileExistsError:
            if not path.is_file():  # a pipe or a device: it is what is asked for
                return os.open(path, os.O_WRONLY), path
    raise FileExistsError(f"there are {MANY} recordings called {path}")
