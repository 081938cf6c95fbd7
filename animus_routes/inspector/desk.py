"""All that one page is about: the plugin, the feed, the checks, the watch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from animus_routes.inspector.checks import Checks
from animus_routes.inspector.feed import Feed
from animus_routes.inspector.plugin import Inspected, Target
from animus_routes.inspector.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from animus_routes.dev.watching import Watched


class Desk:
    """An async context manager: the plugin is started in it, and nothing is left behind it.

    Args:
        target: What is looked at.
        watched: What it is made of.

    Attributes:
        feed: What the page is told.
        inspected: The plugin.
        checks: The last run of the checks.
        watch: Restarts it on changes.
    """

    def __init__(self, target: Target, watched: Watched) -> None:
        self.feed = Feed()
        self.inspected = Inspected(target, self.feed)
        self.checks = Checks(target, self.feed)
        self.watch = Watch(self.restart, watched, self.feed)
        self._target = target
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self.restart()
        self.spawn(self.watch.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.checks.stop()
        await self.inspected.close()

    def restart(self, *, records: bool = False) -> None:
        """Have the plugin restarted, and recorded if that is wanted."""
        self.spawn(self.inspected.restart(records=records))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something while the page goes on."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.feed.publish("note", text=f"{type(error).__name__}: {error}")

    def snapshot(self) -> dict[str, Any]:
        """All of it, for a page that has just been opened."""
        return {
            "target": self._target.shown,
            "command": self._target.command,
            "folder": str(self._target.cwd),
            "watch": self.watch.is_on,
            "calls": self.inspected.calls.snapshot(),
            "record": self.inspected.recordings.snapshot(),
            "check": self.checks.snapshot(),
            **self.inspected.description(),
        }
