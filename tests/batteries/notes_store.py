"""A store of notes that the tests of `batteries.sql` use, on both databases."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from animus_routes.batteries.sql import Database, Layout, Transaction


def build(transaction: Transaction, found: int) -> None:
    if found == 0:
        transaction.run("CREATE TABLE notes (number BIGINT PRIMARY KEY, text TEXT)")
    transaction.run("INSERT INTO notes VALUES (?, ?)", -1 - found, "built")


NOTES = Layout("notes", 2, "notes", build)


@contextmanager
def opened(
    place: str | Path, layout: Layout = NOTES, wait_s: float = 10.0, *, wal: bool = False
) -> Iterator[Database]:
    with closing(Database(place, layout, wait_s=wait_s, wal=wal)) as database:
        yield database


def server_of(database: Database) -> bool:
    with database.read() as transaction:
        return transaction.postgresql


def texts(database: Database) -> list[str]:
    with database.read() as transaction:
        return [text for (text,) in transaction.rows("SELECT text FROM notes ORDER BY number")]


def write(database: Database, number: int, text: str = "x") -> None:
    with database.write() as transaction:
        transaction.run("INSERT INTO notes VALUES (?, ?)", number, text)


def journal_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as db:
        mode: str = db.execute("PRAGMA journal_mode").fetchone()[0]
        return mode
