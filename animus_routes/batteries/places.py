"""Where a plugin keeps files: asked at a health check, made when something is first kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from animus_routes.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_folder", "unwritable"]


def unwritable(path: Path) -> str | None:
    """Why a file could not be made there, in whatever folders it needs; None if it can be.

    Nothing is made. For a health check, which returns the reason: it degrades.
    """
    above = next(found for found in path.absolute().parents if os.path.lexists(found))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return None
    return f"{path} cannot be made: {above} is no folder to write into"


def make_folder(path: Path) -> None:
    """Make the folder of a file, for the first time that something is kept there.

    Raises:
        Unavailable: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(unwritable(path) or f"{path} cannot be made: {error}") from error
