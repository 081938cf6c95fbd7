"""Restart the plugin when its source changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchfiles import (
    Change,
    DefaultFilter,
    awatch,  # pyright: ignore[reportUnknownVariableType]
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.inspector.feed import Feed
    from animus_routes.inspector.plugin import Inspected

PYTHON: Final = ".py"
SHOWN: Final = 3


class Sources(DefaultFilter):
    """What a change restarts the plugin for: not what it writes, such as its database.

    Args:
        files: Of the plugin's command, such as its script.
        folder: Where an app of this framework is; None if it is none.
    """

    def __init__(self, files: Sequence[Path], folder: Path | None) -> None:
        super().__init__()
        self._files = {str(file) for file in files}
        self._suffixes = {file.suffix for file in files if file.suffix}
        if folder is not None:
            self._suffixes.add(PYTHON)
        self.folders = {file.parent for file in files}
        if folder is not None:
            self.folders.add(folder)

    def __call__(self, change: Change, path: str) -> bool:
        """Does this change count?"""
        counts = path in self._files or Path(path).suffix in self._suffixes
        return counts and super().__call__(change, path)


def sources_of(command: Sequence[str], app_folder: Path | None) -> Sources:
    """The sources of a command: those of its words that are files of the author's.

    Args:
        command: Absolute where it names files.
        app_folder: Where an app of this framework is; None if it is none.
    """
    files = [Path(word).resolve() for word in command if Path(word).is_file()]
    # An interpreter is a file as well, and changes for nobody.
    own = files[:1] if len(command) == 1 else [f for f in files if f != Path(command[0]).resolve()]
    return Sources(own, app_folder)


class Watch:
    """Restarts on changes as long as it is on.

    Attributes:
        is_on: Does a change restart the plugin?
    """

    def __init__(self, inspected: Inspected, sources: Sources, feed: Feed) -> None:
        self.is_on = True
        self._inspected = inspected
        self._sources = sources
        self._feed = feed

    async def run(self) -> None:
        """Until it is cancelled."""
        if not self._sources.folders:
            return
        changes: Any = awatch(*self._sources.folders, watch_filter=self._sources)
        async for found in changes:
            if self.is_on:
                names = sorted({Path(path).name for _, path in found})
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                self._feed.publish("note", text=f"changed: {', '.join(names[:SHOWN])}{more}")
                await self._inspected.restart()

    def turn(self, *, on: bool) -> None:
        """On or off."""
        self.is_on = on
        self._feed.publish("watch", on=on)
