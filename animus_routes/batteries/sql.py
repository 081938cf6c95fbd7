"""A SQL database by its URL, SQLite or PostgreSQL, for stores that hosts open anew for every call.

Statements are plain SQL with `?` for parameters, on both. The driver, the package `psycopg` for
PostgreSQL, is imported by the first transaction.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.errors import InvalidRequest, Unavailable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from animus_routes.batteries._postgresql import PostgreSQL
    from animus_routes.batteries.sqlite import SQLite

    Link = SQLite | PostgreSQL

__all__ = ["Busy", "Database", "Layout", "Row", "Transaction", "Unreachable", "marks"]

Row = tuple[Any, ...]

CHECK_S: Final = 0.5  # hosts give a health check 2 s, and that of a held database, too
PAUSE_S: Final = 0.005  # longer than a waiting process looks away, so that it is next
LAYOUTS_LOCK: Final = 0x616E_6900  # one of PostgreSQL's advisory locks, taken to make or migrate
LAYOUTS: Final = "animus_layouts"
MAKE: Final = "CREATE TABLE IF NOT EXISTS animus_layouts (name TEXT PRIMARY KEY, version BIGINT)"
VERSION: Final = "SELECT version FROM animus_layouts WHERE name = ?"
UPSERT: Final = (
    "INSERT INTO animus_layouts (name, version) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET version = excluded.version"
)


class Busy(Unavailable):
    """The database was not free within the time that may be waited."""


class Unreachable(Unavailable):
    """The database cannot be opened, read or written as it is now."""


REFUSALS: Final[dict[str, type[Unavailable | InvalidRequest]]] = {
    "busy": Busy,
    "value": InvalidRequest,
    "unreachable": Unreachable,
}


class Layout(NamedTuple):
    """A set of tables that one plugin makes and changes; several may share a database.

    Attributes:
        name: Of its row in the table `animus_layouts`, which holds its version.
        version: What this code reads and writes, from 1 on. A database with a newer one is refused.
        table: One of the tables. Where it is without a version, that is SQLite's `user_version`, or 1.
        build: Called with a transaction and the version found, 0 for none, to make or migrate the
            tables. Of several processes that start at once, one does it.
        lock: The advisory lock of PostgreSQL under which earlier programs made the tables.
    """

    name: str
    version: int
    table: str
    build: Callable[[Transaction, int], None]
    lock: int = LAYOUTS_LOCK


class Transaction:
    """Statements that count together or not at all; parameters are written `?`.

    Attributes:
        postgresql: For the few statements that have to differ.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.postgresql: Final = link.postgresql

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; the number of rows that it changed."""
        return int(self._link.execute(sql, values).rowcount)

    def run_each(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        self._link.execute_each(sql, rows)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows."""
        return list(self._link.execute(sql, values).fetchall())

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row, or None."""
        found: Row | None = self._link.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: object) -> Any:
        """The first row's first column, or None."""
        return (self.row(sql, *values) or (None,))[0]


class Database:
    """A database that is opened, and its tables made or migrated, when it is first used.

    Every transaction has a connection of its own, so threads may share a `Database`.

    Args:
        place: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://...`, whose folder
            or server has to exist; or the path of an SQLite file, whose folder is made with it.
        layout: The tables in it.
        variable: Where the place is from, for what is said of a URL of another kind.
        wait_s: How long a transaction waits for its turn, in seconds.
        wal: Give an SQLite file that is made or migrated a write-ahead log, where it can have one.
        prepare: Called with each new connection of `sqlite3`, to add functions and the like.

    Raises:
        Unreachable: In a transaction: the URL is of another kind, the database cannot be used as it
            is, or its layout is newer than this code.
        Busy: In a transaction: it had to wait for longer than `wait_s`.
        InvalidRequest: In a transaction: a value is none that the database can hold.
    """

    def __init__(
        self,
        place: str | Path,
        layout: Layout,
        *,
        variable: str = "the database's URL",
        wait_s: float = 10.0,
        wal: bool = False,
        prepare: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self.layout: Final = layout
        self.wait_s: Final = wait_s
        self._variable = variable
        self._wal = wal
        self._ready = False
        self._free: list[Link] = []
        self._prepared = prepare
        self._makes_folder = isinstance(place, Path)
        parts = ("sqlite", "", f"/{place}") if isinstance(place, Path) else place.partition("://")
        self._dialect = parts[0].partition("+")[0]  # the driver is ours to choose
        self._rest = parts[2]

    @property
    def _file(self) -> Path | None:
        return Path(self._rest[1:]) if self._dialect == "sqlite" else None

    def _link(self, wait_s: float) -> Link:
        """A connection that is not made yet."""
        if self._file is not None:
            from animus_routes.batteries.sqlite import SQLite

            return SQLite(self._file, self._prepared, makes_folder=self._makes_folder)
        if self._dialect not in {"postgres", "postgresql"}:
            known = f"'{self._dialect}' is not supported: take sqlite: or postgresql:"
            raise Unreachable(f"{self._variable}: {known}")
        try:
            from animus_routes.batteries._postgresql import PostgreSQL
        except ImportError as problem:
            raise Unreachable(f"PostgreSQL needs the package psycopg: {problem}") from problem
        return PostgreSQL(f"postgresql://{self._rest}", wait_s)

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that sees the data of one moment, changes nothing and holds nobody up."""
        return self._transaction(reads=True)

    def write(self) -> AbstractContextManager[Transaction]:
        """A transaction that is committed at its end, or undone if anything is raised.

        On SQLite it is the only one that writes. On PostgreSQL others run at the same time, and what
        it reads in order to write it has to lock.
        """
        return self._transaction(reads=False)

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
            Unreachable: It cannot be read either, or its layout is newer than this code.
        """
        if self._file is not None and not os.path.lexists(self._file):
            from animus_routes.batteries.places import unwritable

            if self._makes_folder or self._file.parent.is_dir():
                return unwritable(self._file)
            return f"{self._file} cannot be made: {self._file.parent} is no folder to write into"
        link = self._link(CHECK_S)
        try:
            reason = self._reason(link)
            if reason is not None and link.idle():
                link.begin(time.monotonic() + CHECK_S, reads=True)
            self._refuse_newer(self._found(link) or 0)
        except link.errors as problem:
            raise self._refusal(link, problem, CHECK_S) from problem
        finally:
            link.close()
        return reason

    def _reason(self, link: Link) -> str | None:
        """Why it cannot be written, if it is only that."""
        try:
            link.begin(time.monotonic() + CHECK_S, reads=False)
        except link.errors as problem:
            if not link.idle():
                raise
            return self._refusal(link, problem, CHECK_S).message
        return "the server is read-only now" if link.read_only() else None

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._free:
            self._free.pop().close()

    def _refusal(
        self, link: Link, problem: Exception, wait_s: float
    ) -> Unavailable | InvalidRequest:
        """A driver's error as a named one."""
        meaning = link.meaning(problem)
        late = f"the database was not free within {wait_s:g} s"
        said = str(problem) if self._file is None else f"{self._file}: {problem}"
        return REFUSALS[meaning](late if meaning == "busy" else said)

    @contextmanager
    def _transaction(self, *, reads: bool) -> Generator[Transaction, None, None]:
        until = time.monotonic() + self.wait_s
        link = self._free.pop() if self._free else self._link(self.wait_s)
        try:
            link.begin(until, reads=reads)
            if not self._ready:
                self._prepare(link, until, reads=reads)
            yield Transaction(link)
            link.commit(until)
        except link.errors as problem:
            raise self._refusal(link, problem, self.wait_s) from problem
        finally:
            if link.idle():
                self._free.append(link)
            else:
                link.close()

    def _found(self, link: Link) -> int | None:
        """The version of the layout that the database holds; None if it says none."""
        try:
            row = link.execute(VERSION, (self.layout.name,)).fetchone()
        except link.errors as problem:
            if not link.misses_table(problem):
                raise
            return None
        return None if row is None else row[0]

    def _refuse_newer(self, found: int) -> None:
        name, wanted, *_ = self.layout
        if found > wanted:
            text = f"the layout of '{name}' in the database is {found}, newer than this plugin's {wanted}"
            raise Unreachable(text)

    def _prepare(self, link: Link, until: float, *, reads: bool) -> None:
        """See in the first transaction that the tables are there as they are wanted."""
        if self._found(link) != self.layout.version:
            link.rollback()
            link.begin(until, reads=False)
            self._build(Transaction(link))
            link.commit(until)
            if self._wal:
                link.log_ahead()
            link.begin(until, reads=reads)
        self._ready = True

    def _build(self, transaction: Transaction) -> None:
        name, wanted, table, build, lock = self.layout
        if transaction.postgresql:
            for key in dict.fromkeys((LAYOUTS_LOCK, lock)):
                transaction.row("SELECT pg_advisory_xact_lock(?)", key)
            names = {n for n in (LAYOUTS, table) if transaction.value("SELECT to_regclass(?)", n)}
            number = 1
        else:
            names = {name for (name,) in transaction.rows("SELECT name FROM sqlite_schema")}
            # Once there is a table of layouts, the file's own number is nobody's.
            number = 1 if LAYOUTS in names else transaction.value("PRAGMA user_version") or 1
        found = transaction.value(VERSION, name) if LAYOUTS in names else None
        if found is None:
            found = number if table in names else 0
        self._refuse_newer(found)
        if found < wanted:
            build(transaction, found)
            transaction.run(MAKE)
            transaction.run(UPSERT, name, wanted)


def marks(number: int) -> str:
    """`?, ?, ?` for so many values."""
    return ", ".join("?" * number)
