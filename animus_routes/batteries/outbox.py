"""Events that a plugin has taken and a host has not acknowledged yet, kept on disk.

    outbox = Outbox(ctx.data_dir / "events.db")
    outbox.add(event_id, event)            # False for an id that was here before
    yield from outbox.follow(ctx)          # in a watch: what waits, then what comes
    outbox.acknowledge(event_id)

What `add` has returned for survives a kill of the process or the machine. Processes share a file.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from animus_routes.batteries.sql import Database, Layout
from animus_routes.errors import Timeout, Unavailable
from animus_routes.values.codecs import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from threading import Event

    from animus_routes.batteries.sql import Transaction
    from animus_routes.handlers.context import Context

__all__ = ["Entry", "Outbox"]

KEEP_S: Final = 7 * 24 * 3600.0
LOOK_S: Final = 1.0  # what another process has added is found as late as that
BATCH: Final = 100  # entries read at once, and forgotten at once

TABLE: Final = """CREATE TABLE outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    event TEXT, done REAL)"""
SERIAL: Final = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
WAITING: Final = "CREATE INDEX outbox_waiting ON outbox (position) WHERE done IS NULL"
DONE: Final = "CREATE INDEX outbox_done ON outbox (done) WHERE done IS NOT NULL"
ADD: Final = "INSERT INTO outbox (id, event, done) VALUES (?, ?, NULL) ON CONFLICT (id) DO NOTHING"
NEXT: Final = (
    "SELECT position, id, event FROM outbox WHERE done IS NULL AND position > ?"
    " ORDER BY position LIMIT ?"
)
ACKNOWLEDGE: Final = "UPDATE outbox SET done = ?, event = NULL WHERE id = ? AND done IS NULL"
COUNT: Final = "SELECT count(*) FROM outbox WHERE done IS NULL"
FORGET: Final = (
    "DELETE FROM outbox WHERE position IN"
    " (SELECT position FROM outbox WHERE done IS NOT NULL AND done < ? LIMIT ?)"
)


class Entry(NamedTuple):
    """What waits to be acknowledged."""

    id: str
    event: Any


def _build(transaction: Transaction, _found: int) -> None:
    serial = TABLE.replace("INTEGER PRIMARY KEY AUTOINCREMENT", SERIAL).replace("REAL", "FLOAT8")
    transaction.run(serial if transaction.postgresql else TABLE)
    transaction.run(WAITING)
    transaction.run(DONE)


def _entry(name: str, event: str) -> Entry:
    try:
        return Entry(name, msgspec.json.decode(event))
    except msgspec.DecodeError as problem:
        raise Unavailable(f"the event '{name}' in the outbox is damaged: {problem}") from problem


class Outbox:
    """Events by id, in the order in which they came.

    Nothing is opened, and no folder made, before the first call that needs it. Threads may share it.

    Args:
        place: An SQLite file, or the URL of a database as `batteries.sql` takes it.
        keep_s: How long the id of an acknowledged event is remembered, in seconds, so that it is not taken again.

    Raises:
        Unavailable: In any call: the file or the database cannot be used now.
    """

    def __init__(self, place: Path | str, *, keep_s: float = KEEP_S) -> None:
        self._place = place
        self._keep_s = keep_s
        self._database = Database(place, Layout("outbox", 1, "outbox", _build), wal=True)
        self._lock = Lock()
        self._followers: list[Queue[None]] = []

    def add(self, id: str, event: Any) -> bool:  # noqa: A002 - the protocol's word
        """Take an event; anything that is written as JSON.

        Returns:
            False if that id was taken before, acknowledged or not: nothing changes then.

        Raises:
            TypeError: The event cannot be written as JSON.
        """
        return self.add_all([(id, event)]) == 1

    def add_all(
        self,
        events: Iterable[tuple[str, Any]],
        *,
        also: Callable[[Transaction], object] | None = None,
    ) -> int:
        """Take several, all of them or none; how many of them are new.

        Args:
            events: Each with its id.
            also: What else is to happen with them or not at all, to other tables of the same database:
                how far they take you, say.
        """
        rows = [(name, encode(event).decode()) for name, event in events]
        with self._database.write() as transaction:
            new = sum(transaction.run(ADD, *row) for row in rows)
            if also is not None:
                also(transaction)
        with self._lock:
            followers = tuple(self._followers)
        for wake in followers:
            with suppress(Full):  # it is about to look anyway
                wake.put_nowait(None)
        return new

    def follow(self, ctx: Context[Any], *, until: Event | None = None) -> Iterator[Any]:
        """The events that wait, oldest first, then each that comes, until the request is cancelled.

        Each comes once for one call; what was not acknowledged comes again for the next one.

        Args:
            ctx: Of the request.
            until: Ends it as well, within a second of being set: nothing more will come, say.
        """
        return (entry.event for entry in self.follow_entries(ctx, until=until))

    def follow_entries(self, ctx: Context[Any], *, until: Event | None = None) -> Iterator[Entry]:
        """As `follow`, with the ids."""
        wake: Queue[None] = Queue(1)
        with self._lock:
            self._followers.append(wake)
        try:
            last = 0
            while not ctx.cancelled:
                rows = self._after(last)
                for last, name, event in rows:  # noqa: B007
                    yield _entry(name, event)
                if len(rows) < BATCH:
                    if until is not None and until.is_set():
                        return
                    with suppress(Timeout):
                        ctx.wait_for(wake, timeout_s=LOOK_S)
        finally:
            with self._lock:
                self._followers.remove(wake)

    def waiting(self) -> Iterator[Entry]:
        """Those that are not acknowledged, oldest first; read a hundred at a time."""
        last, more = 0, True
        while more:
            rows = self._after(last)
            more = len(rows) == BATCH
            for last, name, event in rows:  # noqa: B007
                yield _entry(name, event)

    def acknowledge(self, id: str) -> bool:  # noqa: A002 - as above
        """The host has it; False if it was not waiting."""
        if not self._is_there():
            return False
        with self._database.write() as transaction:
            now = time.time()
            found = transaction.run(ACKNOWLEDGE, now, id) == 1
            transaction.run(FORGET, now - self._keep_s, BATCH)
        return found

    def count(self) -> int:
        """How many wait; it takes the longer, the more do."""
        if not self._is_there():
            return 0
        with self._database.read() as transaction:
            return int(transaction.value(COUNT))

    def check(self) -> str | None:
        """Why nothing can be kept now; None if it can. For a health check.

        Raises:
            Unavailable: The file or the database cannot be read either.
        """
        return self._database.check()

    def close(self) -> None:
        """Close the file; it is opened again if need be."""
        self._database.close()

    def _after(self, position: int) -> list[tuple[Any, ...]]:
        if not self._is_there():
            return []
        with self._database.read() as transaction:
            return transaction.rows(NEXT, position, BATCH)

    def _is_there(self) -> bool:
        return not isinstance(self._place, Path) or self._place.exists()
