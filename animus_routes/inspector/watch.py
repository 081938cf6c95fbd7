"""Restart the plugin when its source changes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from animus_routes.dev.watching import changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.dev.watching import Watched
    from animus_routes.inspector.feed import Feed

SHOWN: Final = 3


class Watch:
    """Restarts on changes as long as it is on.

    Args:
        restart: Has the plugin restarted, and does not wait for that.
        watched: What it is made of.

    Attributes:
        is_on: Does a change restart the plugin?
    """

    def __init__(self, restart: Callable[[], object], watched: Watched, feed: Feed) -> None:
        self.is_on = True
        self._restart = restart
        self._watched = watched
        self._feed = feed

    async def run(self) -> None:
        """Until it is cancelled."""
        news, loop = asyncio.Event(), asyncio.get_running_loop()
        before = self._watched.snapshot()

        def changed() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(news.set)

        self._watched.watch(changed)
        while True:
            await news.wait()
            news.clear()
            after = await asyncio.to_thread(self._watched.snapshot)
            names, before = changes(before, after), after
            if names and self.is_on:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                self._feed.publish("note", text=f"Changed: {', '.join(names[:SHOWN])}{more}")
                self._restart()

    def turn(self, *, on: bool) -> None:
        """On or off."""
        self.is_on = on
        self._feed.publish("watch", on=on)
