"""What is done in a transaction of `batteries.sql`, and the layout of the tables that it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from animus_routes.batteries._postgresql import PostgreSQL
    from animus_routes.batteries.sqlite import SQLite

    Link = SQLite | PostgreSQL
    Identity = tuple[int, int] | None  # of a file: its device and its number there

Row = tuple[Any, ...]

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
    """The database cannot be opened, read or written as it is now; a statement that is wrong is no such case."""


class Transaction:
    """Statements that count together or not at all; parameters are written `?`.

    Attributes:
        postgresql: For the few statements that have to differ.
    """

    def __init__(self, link: Link) -> None:
        self.link: Final = link
        self.postgresql: Final = link.postgresql

    def run(self, sql: str, *values: object) -> int:
        """Run a statement; the number of rows that it changed."""
        return int(self.link.execute(sql, values).rowcount)

    def run_each(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        self.link.execute_each(sql, rows)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """All rows."""
        return list(self.link.execute(sql, values).fetchall())

    def row(self, sql: str, *values: object) -> Row | None:
        """The first row, or None."""
        found: Row | None = self.link.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: object) -> Any:
        """The first row's first column, or None."""
        return (self.row(sql, *values) or (None,))[0]


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

    def recorded(self, transaction: Transaction) -> int | None:
        """The version that the database says; None if it says none."""
        link = transaction.link
        try:
            found: int | None = transaction.value(VERSION, self.name)
        except link.errors as problem:
            if not link.misses_table(problem):
                raise
            return None
        return found

    def found(self, transaction: Transaction) -> int:
        """The version of the tables as they are, 0 if there are none.

        Raises:
            Unreachable: It is newer than this code, or the tables are gone.
        """
        name, wanted, table, *_ = self
        place = transaction.link.place
        if transaction.postgresql:
            names = {n for n in (LAYOUTS, table) if transaction.value("SELECT to_regclass(?)", n)}
        else:
            names = {n for (n,) in transaction.rows("SELECT name FROM sqlite_schema")}
        found = transaction.value(VERSION, name) if LAYOUTS in names else None
        if found is not None and table not in names:
            raise Unreachable(f"{place}: the database has lost the table '{table}' of '{name}'")
        if found is None:
            # Once there is a table of layouts, an SQLite file's number is nobody's.
            own = LAYOUTS not in names and not transaction.postgresql
            number = transaction.value("PRAGMA user_version") if own else 0
            found = (number or 1) if table in names else 0
            if number > wanted and not names:
                found = number  # made by a program that has not come further
        if found > wanted:
            text = f"the layout of '{name}' in the database is {found}, newer than this plugin's {wanted}"
            raise Unreachable(f"{place}: {text}: it was written by a newer version")
        return int(found)

    def make(self, transaction: Transaction) -> None:
        """Make or migrate the tables, unless another process has done it meanwhile."""
        if transaction.postgresql:
            for key in dict.fromkeys((LAYOUTS_LOCK, self.lock)):
                transaction.row("SELECT pg_advisory_xact_lock(?)", key)
        found = self.found(transaction)
        if found < self.version:
            self.build(transaction, found)
        transaction.run(MAKE)
        transaction.run(UPSERT, self.name, self.version)
