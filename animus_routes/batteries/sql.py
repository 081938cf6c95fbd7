"""A SQL database by its URL, SQLite or PostgreSQL, for stores that hosts open anew for every call.

Statements are plain SQL with `?` for parameters, on both. The driver, the package `psycopg2` for
PostgreSQL, is imported by the first transaction.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from animus_routes.batteries._place import Place
from animus_routes.batteries._transactions import Busy, Layout, Row, Transaction, Unreachable
from animus_routes.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from animus_routes.batteries._transactions import Identity, Link

__all__ = ["Busy", "Database", "Layout", "Row", "Transaction", "Unreachable", "marks"]

CHECK_S: Final = 0.5  # hosts give a health check 2 s, and that of a held database, too
PAUSE_S: Final = 0.005  # longer than a waiting process looks away, so that it is next
REFUSALS: Final[dict[str, type[Unavailable | InvalidRequest]]] = {
    "busy": Busy,
    "value": InvalidRequest,
}


class Database:
    """A database that is opened, and its tables made or migrated, when it is first used.

    Every transaction has a connection of its own, so threads may share a `Database`.

    Args:
        place: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://...`, whose folder
            or server has to exist; or the path of an SQLite file, whose folder is made with it.
        layout: The tables in it.
        file: The path of the SQLite file that is used if `place` is None or empty, as a text: a start
            without `pathlib` is 5 ms shorter.
        variable: Where the URL is from: errors call the database so, since a URL may hold a password.
        wait_s: How long a transaction waits for its turn, in seconds.
        wal: Give an SQLite file that is made or migrated a write-ahead log, where it can have one.
        prepare: Called with each new connection of `sqlite3`, to add functions and the like.

    Raises:
        Unreachable: In a transaction: the URL is of another kind, the database cannot be used as it
            is, its file has been removed or replaced meanwhile, or its layout is newer than this code.
        Busy: In a transaction: it had to wait for longer than `wait_s`.
        InvalidRequest: In a transaction: a value is none that the database can hold.
    """

    def __init__(
        self,
        place: str | os.PathLike[str] | None,
        layout: Layout,
        *,
        file: str | None = None,
        variable: str = "the database's URL",
        wait_s: float = 10.0,
        wal: bool = False,
        prepare: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self.layout: Final = layout
        self.wait_s: Final = wait_s
        self._wal = wal
        self._ready = False
        self._free: list[Link] = []
        self._prepared = prepare
        self._place: Final = Place(place, file, variable)
        self._own: sqlite3.Connection | None = None
        self._open: set[Link] = set()  # what is free, and what is in use
        self._identity: Identity = None  # of the file that those have
        self._stale = False

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that sees the data of one moment, changes nothing and holds nobody up."""
        return self._transaction(reads=True)

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that is committed at its end, or undone if anything is raised.

        On SQLite it is the only one that writes. On PostgreSQL others run at the same time, and what
        it reads in order to write it has to lock.
        """
        return self._transaction(reads=False)

    def connection(self) -> sqlite3.Connection:
        """A connection of one's own to an SQLite file whose tables are there, without a transaction.

        It waits for `wait_s`, too. Write in a `batteries.sqlite.turn`, and close it in the end.
        """
        with self.read() as transaction:
            self._stale = transaction.link.immutable
            return transaction.link.lend(self.wait_s)

    @property
    def own(self) -> sqlite3.Connection:
        """A `connection()` that is kept until `close`; a new one where others' changes are not seen."""
        self._confirm()
        if self._own is None or self._stale:
            self._own = self.connection()
        return self._own

    def write_in_slices(self, work: Callable[[Transaction], bool]) -> None:
        """Repeat a short transaction while it returns True; whoever waits has its turn in between."""
        more = True
        while more:
            with self.write() as transaction:
                more = work(transaction)
            if more:
                time.sleep(PAUSE_S)

    def check(self) -> str | None:
        """What a health check finds out: can it be read, may it be written now?

        Nothing is made or migrated.

        Returns:
            Why the database cannot be written, or made, now; None if it can.

        Raises:
            Unreachable: It cannot be read either, its layout is newer than this code, or another file
                has taken its place.
        """
        self._confirm()
        if self._place.is_empty():
            return self._place.hindrance()
        link, until = self._place.link(self._prepared, CHECK_S), time.monotonic() + CHECK_S
        try:
            link.begin(until, reads=True)
            self.layout.found(Transaction(link))
            link.rollback()
            return self._reason(link, until)
        except link.errors as problem:
            raise self._refusal(link, problem, CHECK_S) from problem
        finally:
            link.close()

    def _reason(self, link: Link, until: float) -> str | None:
        """Why it cannot be written now."""
        try:
            link.begin(until, reads=False)
            link.probe(self.layout.table)
        except link.errors as problem:
            return self._refusal(link, problem, CHECK_S).message
        return None

    def close(self) -> None:
        """Close the connections that are not in use, and one's own."""
        if self._own is not None:
            self._own.close()
            self._own = None
        self._ready = False
        while self._free:
            self._close(self._free.pop())

    def _close(self, link: Link) -> None:
        self._open.discard(link)
        link.close()

    def _confirm(self) -> None:
        """Is the file that is open the one that is there? Only that one has a number for certain."""
        if self._own is None and not self._open:
            self._identity = self._place.identity()
        self._place.confirm(self._identity)

    def _refusal(
        self, link: Link, problem: Exception, wait_s: float
    ) -> Unavailable | InvalidRequest:
        """A driver's error as a named one."""
        late = f"the database was not free within {wait_s:g} s"
        meaning = link.meaning(problem)
        return REFUSALS.get(meaning, Unreachable)(
            f"{link.place}: {late if meaning == 'busy' else link.said(problem)}"
        )

    @contextmanager
    def _transaction(self, *, reads: bool) -> Generator[Transaction, None, None]:
        until = time.monotonic() + self.wait_s
        link = self._free.pop() if self._free else self._place.link(self._prepared, self.wait_s)
        try:
            self._confirm()
            self._open.add(link)
            link.begin(until, reads=reads)
            self._identity = self._identity or self._place.identity()
            if not self._ready:
                self._prepare(link, until, reads=reads)
            yield Transaction(link)
            if not reads:  # it may have waited for long
                self._place.confirm(self._identity)
            link.commit(until)
        except link.errors as problem:
            if link.meaning(problem) == "bug":
                link.idle()
                self.check()  # another program may have changed the tables
                raise
            raise self._refusal(link, problem, self.wait_s) from problem
        finally:
            if link.idle():
                self._free.append(link)
            else:
                self._close(link)

    def _prepare(self, link: Link, until: float, *, reads: bool) -> None:
        """See in the first transaction that the tables are there as they are wanted."""
        transaction, layout = Transaction(link), self.layout
        recorded = layout.recorded(transaction)
        if recorded != layout.version:
            if reads and not link.postgresql and layout.found(transaction) == layout.version:
                return  # the first write records it
            link.rollback()
            try:
                link.begin(until, reads=False)
                layout.make(transaction)
                link.commit(until)
            except link.errors as problem:
                if link.meaning(problem) != "unreachable":
                    raise
                text = f"'{layout.name}' has to be made or migrated: {link.said(problem)}"
                raise Unreachable(f"{link.place}: {text}") from problem
            if self._wal:
                link.log_ahead()
            link.begin(until, reads=reads)
        self._ready = True


def marks(number: int) -> str:
    """`?, ?, ?` for so many values."""
    return ", ".join("?" * number)
