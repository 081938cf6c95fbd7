"""SQLite: the connection that `batteries.sql` uses, and fair turns for connections of one's own."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from animus_routes.batteries.places import folder_of, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

LOCKED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# What is the statement's or its values' fault, not the database's.
MISTAKES: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
IDS: Final = os.access in os.supports_effective_ids
NOT_WRITABLE: Final = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
NO_VALUE: Final = (OverflowError, UnicodeEncodeError)  # what the database has no type for
# What means something in a URI.
ESCAPED: Final = str.maketrans({"%": "%25", "?": "%3f", "#": "%23"})
# SQLite quotes a damaged schema in what it says, and `sqlite3` fails to read that.
GARBLED: Final = "the database is damaged, and its words are no text"


# How long a process that waits looks away: the longer it has waited, the shorter, so that it is likely
# to be next. The longest is below the pause that `batteries.sql` makes for whoever waits.
LONGEST_S: Final = 0.004
SHORTEST_S: Final = 0.0005
HALVED_S: Final = 0.02  # after this wait it is half as long


def take_turn(db: sqlite3.Connection, wait_s: float, sql: str = "BEGIN IMMEDIATE") -> None:
    """Run a statement that needs a lock, asking every few milliseconds for so long.

    Whoever has waited for longer asks more often. SQLite's own way of waiting, which is off meanwhile,
    looks away for up to 100 ms, and so prefers whoever has just had a turn.

    Raises:
        sqlite3.OperationalError: The lock was not free within `wait_s`.
    """
    since = time.monotonic()
    (own_ms,) = db.execute("PRAGMA busy_timeout").fetchone()
    if own_ms:
        db.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                db.execute(sql)
            except sqlite3.OperationalError as problem:
                waited_s = time.monotonic() - since
                if code(problem) not in LOCKED or waited_s >= wait_s:
                    raise
            except UnicodeDecodeError as problem:
                raise sqlite3.DatabaseError(GARBLED) from problem
            else:
                return
            share = 0.2 + time.monotonic_ns() % 1000 / 1250  # two that wait do not keep step
            time.sleep(max(SHORTEST_S, LONGEST_S * share / (1 + waited_s / HALVED_S)))
    finally:
        if own_ms:
            db.execute(f"PRAGMA busy_timeout = {own_ms}")


@contextmanager
def turn(db: sqlite3.Connection, wait_s: float) -> Generator[None, None, None]:
    """A transaction that writes, on a connection with `isolation_level=None`.

    Raises:
        sqlite3.OperationalError: It had to wait for longer than `wait_s`.
    """
    take_turn(db, wait_s)
    try:
        yield
        take_turn(db, wait_s, "COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def code(problem: Exception) -> int:
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF


class Immutable(sqlite3.Connection):
    """Closed when nobody has it any more: another one takes its place while rows of it are still read."""

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was never opened
            self.close()


class SQLite:
    """One connection, which is made by its first transaction, with the folder if that is to be made.

    Args:
        place: The path of the file.
        prepare: Called with each connection that is made.
        wait_s: How long `prepare` may wait for whoever has the file; transactions say it themselves.
        makes_folder: Make the file's folder.
    """

    postgresql: Final = False
    errors: Final = sqlite3.Error

    def __init__(
        self,
        place: str,
        prepare: Callable[[sqlite3.Connection], None] | None,
        wait_s: float,
        *,
        makes_folder: bool = False,
    ) -> None:
        self.place = place
        self.prepare = prepare
        self.wait_s = wait_s
        self.makes_folder = makes_folder
        self.db: sqlite3.Connection | None = None
        self.immutable = False
        self.reads = False

    def open(self, options: str = "") -> sqlite3.Connection:
        place = f"file:{self.place.translate(ESCAPED)}?{options}" if options else self.place
        way: dict[str, Any] = {"factory": Immutable, "uri": True} if options else {}
        db: sqlite3.Connection = sqlite3.connect(
            place, timeout=0, isolation_level=None, check_same_thread=False, **way
        )
        try:
            if self.prepare is not None:  # many a PRAGMA reads the file
                db.execute(f"PRAGMA busy_timeout = {int(self.wait_s * 1000)}")
                self.prepare(db)
                db.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            db.close()
            raise
        self.reads = False
        return db

    @property
    def opened(self) -> sqlite3.Connection:
        if self.db is None:
            if self.makes_folder:
                make_folder(self.place)
            self.db = self.open()
        return self.db

    def begin(self, until: float, *, reads: bool) -> None:
        if not reads:
            self._allow(reads=False)
            self.patiently("BEGIN IMMEDIATE", until)
            return
        try:
            self._allow(reads=True)
            self.patiently("BEGIN", until)
            self.patiently("SELECT 1 FROM sqlite_schema LIMIT 1", until)  # now it sees one moment
        except sqlite3.OperationalError as problem:
            if code(problem) not in NOT_WRITABLE or not os.path.exists(self.place):
                raise
            for suffix in ("-wal", "-journal"):  # of changes that were made, or not made to the end
                if os.path.exists(beside := f"{self.place}{suffix}"):
                    name = os.path.basename(beside)
                    text = f"{self.place} can only be read where {name} beside it may be written"
                    raise sqlite3.OperationalError(text) from problem
            # A log that nobody has, in a folder that cannot be written: nothing changes it here, and
            # whoever may write it elsewhere is not seen, so that it serves this transaction alone.
            self.close()
            self.immutable = True
            self.db = self.open("immutable=1")
            self.reads = True
            self.db.execute("BEGIN")

    def _allow(self, *, reads: bool) -> None:
        """Nothing but reads, as a server does it."""
        if reads != self.reads:
            self.opened.execute(f"PRAGMA query_only = {reads:d}")
            self.reads = reads

    def patiently(self, sql: str, until: float) -> None:
        take_turn(self.opened, until - time.monotonic(), sql)

    def execute(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            return self.opened.execute(sql, values)
        except UnicodeDecodeError as problem:
            raise sqlite3.DatabaseError(GARBLED) from problem
        except NO_VALUE as problem:
            raise sqlite3.DataError(str(problem)) from problem

    def execute_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self.opened.executemany(sql, rows)
        except NO_VALUE as problem:
            raise sqlite3.DataError(str(problem)) from problem

    def commit(self, until: float) -> None:
        if self.db is not None:
            self.patiently("COMMIT", until)

    def lend(self, wait_s: float) -> sqlite3.Connection:
        """Give the connection away for good, outside of its transaction."""
        db = self.opened
        db.rollback()
        db.execute("PRAGMA query_only = 0")
        db.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
        self.db = None
        return db

    def rollback(self) -> None:
        self.opened.rollback()

    def idle(self) -> bool:
        """Whether it can serve another transaction; what is left of the last one is undone."""
        if self.db is not None and self.db.in_transaction:
            self.db.rollback()
        return self.db is not None and not self.immutable

    def probe(self, table: str) -> None:
        """Change something in a transaction that is not kept: what is read-only begins one all the same."""
        del table
        (number,) = self.opened.execute("PRAGMA user_version").fetchone()
        self.opened.execute(f"PRAGMA user_version = {number}")

    def log_ahead(self) -> None:
        """Change to a write-ahead log if the file's place allows it and nobody is reading."""
        try:
            self.opened.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            return

    def close(self) -> None:
        if self.db is not None:
            self.db.close()
            self.db = None

    @staticmethod
    def misses_table(problem: Exception) -> bool:
        return "no such table" in str(problem)

    def said(self, problem: Exception) -> str:
        """With what `unable to open database file` leaves out."""
        if code(problem) != sqlite3.SQLITE_CANTOPEN:
            return str(problem)
        folder, why = folder_of(self.place), ""
        if not os.path.isdir(folder):
            why = f": there is no folder {folder}"
        elif os.path.isdir(self.place):
            why = ": it is a folder"
        elif os.path.exists(self.place) and not os.access(self.place, os.R_OK, effective_ids=IDS):
            why = ": this user may not read it"
        return f"{problem}{why}"

    def meaning(self, problem: Exception) -> Literal["busy", "value", "bug", "unreachable"]:
        found = code(problem)
        if found in LOCKED:
            return "busy"
        if isinstance(problem, sqlite3.DataError):
            return "value"
        is_sql = found == sqlite3.SQLITE_ERROR and not self.misses_table(problem)
        is_write = found == sqlite3.SQLITE_READONLY and self.reads and not self.immutable
        return "bug" if is_sql or is_write or isinstance(problem, MISTAKES) else "unreachable"
