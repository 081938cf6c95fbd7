"""The folder for what a plugin keeps: made by the first write, not by who names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class DataPath(type(Path())):  # type: ignore[misc]  # pyright: ignore[reportUntypedBaseClass]
    """A path below a plugin's data folder; writing through it makes the folders on the way."""

    def make_folder(self) -> None:
        """Make the folder that this is in."""
        Path(self.parent).mkdir(parents=True, exist_ok=True)

    def open(self, mode: str = "r", *options: Any, **more: Any) -> Any:
        """As of any path."""
        if not {"w", "a", "x", "+"}.isdisjoint(mode):
            self.make_folder()
        return super().open(mode, *options, **more)

    def touch(self, *options: Any, **more: Any) -> None:
        """As of any path."""
        self.make_folder()
        super().touch(*options, **more)

    def mkdir(self, *options: Any, **more: Any) -> None:
        """As of any path."""
        self.make_folder()
        super().mkdir(*options, **more)
