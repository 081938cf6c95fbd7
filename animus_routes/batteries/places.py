"""Where a plugin keeps files: asked at a health check, made when something is first kept."""

from __future__ import annotations

import os

from animus_routes.errors import Unavailable

__all__ = ["make_folder", "unwritable"]


def unwritable(path: str | os.PathLike[str]) -> str | None:
    """Why a file could not be made there, in whatever folders it needs; None if it can be.

    Nothing is made. For a health check, which returns the reason: it degrades.
    """
    above = folder_of(path)
    while not os.path.lexists(above) and above != (higher := folder_of(above)):
        above = higher
    if os.path.isdir(above) and os.access(above, os.W_OK | os.X_OK):
        return None
    return f"{path} cannot be made: {os.path.abspath(above)} is no folder to write into"


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make the folder of a file, for the first time that something is kept there.

    Raises:
        Unavailable: It cannot be made.
    """
    try:
        os.makedirs(folder_of(path), exist_ok=True)
    except OSError as error:
        raise Unavailable(unwritable(path) or f"{path} cannot be made: {error}") from error


def folder_of(path: str | os.PathLike[str]) -> str:
    return os.path.dirname(path) or os.curdir
