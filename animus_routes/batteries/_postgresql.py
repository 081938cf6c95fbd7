"""A connection to PostgreSQL, as `batteries.sql` uses it.

The driver is psycopg2, because hosts start a process for every call: psycopg 3, asyncpg and pg8000
take three times as long to import as everything else of a first answer.
"""

from __future__ import annotations

import math
import re
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, Never

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    new_type,  # pyright: ignore[reportUnknownVariableType] - its stub is incomplete
    parse_dsn,
    register_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg2.extensions import connection, cursor

NOT_IN_TIME: Final = {"40001", "40P01", "55P03"}  # a conflict, a deadlock, lock_timeout
CONNECT_S: Final = 2  # the shortest that the server's library waits
AT_ONCE: Final = 100  # statements on one way to the server
# What the author's statement is not at fault for: a right, a table.
NOT_OURS: Final = {"42501", "42P01"}
WRONG: Final = ("0A", "21", "23", "25", "42")  # classes of what is wrong with a statement
TOO_LARGE: Final = "54"  # the class of what no index or statement takes
# Of what a URL is taken apart into, a piece of a password may be shown by nobody.
MISREAD: Final = (
    "it cannot be read as a URL: write what is neither a letter nor a digit in a user's name or"
    " password as %40 for @, %2F for / and so on"
)
RIGHTS: Final = ("INSERT", "UPDATE", "DELETE")
MAY: Final = (
    "SELECT CASE WHEN to_regclass(?) IS NULL THEN has_schema_privilege(current_schema(), 'CREATE')"
    " ELSE has_table_privilege(to_regclass(?)::oid, ?) END"
)
MAY_HAVE_AT: Final = {"user", "password", "options", "application_name", "passfile"}
UNDONE: Final = "a statement had failed before, so that the whole transaction was undone"
BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _as_bytes(value: str | bytes | None, at: cursor) -> bytes | None:
    found = psycopg2.BINARY(value, at)
    return None if found is None else bytes(found)


BYTES: Final = new_type(psycopg2.BINARY.values, "BYTES", _as_bytes)  # as SQLite has them


@cache
def spelled(sql: str) -> tuple[str, int]:
    """The statement with psycopg2's parameters, and their number; what stands in quotes or a comment stays."""
    count = 0

    def spell(found: re.Match[str]) -> str:
        nonlocal count
        count += found[0] == "?"
        return "%s" if found[0] == "?" else found[0].replace("%", "%%")

    return re.sub(r"""'[^']*'|"[^"]*"|--[^\n]*|[?%]""", spell, sql), count


def fitting(values: Sequence[Any], count: int) -> tuple[Any, ...]:
    if len(values) != count:
        text = f"the statement has {count} parameters, and there are {len(values)} values"
        raise psycopg2.ProgrammingError(text)
    return tuple(values)


def parsed(url: str) -> dict[str, Any]:
    """The parts of a URL.

    Raises:
        OperationalError: There are none, or a password has got into others.
    """
    try:
        given: dict[str, Any] = parse_dsn(url)
    except psycopg2.ProgrammingError:
        given = {"host": "@"}
    if any("@" in str(text) for part, text in given.items() if part not in MAY_HAVE_AT):
        raise psycopg2.OperationalError(MISREAD)
    return given


class PostgreSQL:
    """One connection, which is made by its first transaction."""

    postgresql: Final = True
    immutable: Final = False
    errors: Final = psycopg2.Error

    def __init__(self, url: str, wait_s: float, place: str) -> None:
        self.url = url
        self.place: Final = place
        self.wait_s = wait_s
        self.db: connection | None = None
        self.reads = False

    @property
    def opened(self) -> connection:
        if self.db is None:
            given = parsed(self.url)
            options = f"{given.get('options') or ''} -c lock_timeout={int(self.wait_s * 1000)}"
            timeout = given.get("connect_timeout") or max(CONNECT_S, math.ceil(self.wait_s))
            self.db = psycopg2.connect(self.url, options=options, connect_timeout=timeout)
            self.db.autocommit = True
            register_type(BYTES, self.db)
        return self.db

    def run(self, statement: str) -> cursor:
        """A statement of its own, without values."""
        found = self.opened.cursor()
        found.execute(statement)
        return found

    def begin(self, until: float, *, reads: bool) -> None:
        del until  # the server bounds each wait for a lock
        self.reads = reads
        self.run(BEGIN_READING if reads else "BEGIN")

    def execute(self, sql: str, values: Sequence[Any]) -> cursor:
        found = self.opened.cursor()
        statement, count = spelled(sql)
        try:
            found.execute(statement, fitting(values, count))
        except ValueError as problem:  # what no text of PostgreSQL holds: a NUL, half a surrogate
            raise psycopg2.DataError(str(problem)) from problem
        return found

    def execute_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        left, (statement, count) = iter(rows), spelled(sql)
        with self.opened.cursor() as many:
            try:
                while some := [
                    many.mogrify(statement, fitting(row, count)) for row in islice(left, AT_ONCE)
                ]:
                    many.execute(b";".join(some))
            except ValueError as problem:
                raise psycopg2.DataError(str(problem)) from problem

    def commit(self, until: float) -> None:
        del until
        if self.run("COMMIT").statusmessage != "COMMIT":
            raise psycopg2.ProgrammingError(UNDONE)

    def lend(self, wait_s: float) -> Never:
        del wait_s
        raise TypeError("only SQLite's connections are lent")

    def rollback(self) -> None:
        self.run("ROLLBACK")

    def idle(self) -> bool:
        """Whether it can serve another transaction; what is left of the last one is undone."""
        if self.db is None or self.db.closed:
            return False
        if self.db.info.transaction_status != TRANSACTION_STATUS_IDLE:
            try:
                self.rollback()
            except psycopg2.Error:
                return False
        return True

    def probe(self, table: str) -> None:
        """Whether it may be changed: a server that is read-only now begins a transaction all the same."""
        row = self.run("SHOW transaction_read_only").fetchone()
        if row != ("off",):
            raise psycopg2.OperationalError("the server is read-only now")
        for right in RIGHTS:
            found = self.execute(MAY, (table, table, right)).fetchone()
            if found != (True,):
                text = f"this user may make no tables, or has no {right} on '{table}'"
                raise psycopg2.OperationalError(text)

    def log_ahead(self) -> None:
        """It has one."""

    def close(self) -> None:
        if self.db is not None:
            self.db.close()
            self.db = None

    @staticmethod
    def misses_table(problem: Exception) -> bool:
        return isinstance(problem, errors.UndefinedTable)

    @staticmethod
    def said(problem: Exception) -> str:
        """In one line, and without the values of rows, which are in the details."""
        diagnosed = getattr(problem, "diag", None)
        return " ".join((getattr(diagnosed, "message_primary", None) or str(problem)).split())

    def meaning(self, problem: Exception) -> Literal["busy", "value", "bug", "unreachable"]:
        found = getattr(problem, "pgcode", None) or ""
        if found in NOT_IN_TIME:
            return "busy"
        if isinstance(problem, psycopg2.DataError) or found[:2] == TOO_LARGE:
            return "value"
        if isinstance(problem, errors.ReadOnlySqlTransaction) and not self.reads:
            return "unreachable"  # the server is read-only now
        is_wrong = found not in NOT_OURS and found[:2] in WRONG
        unsent = not found and isinstance(problem, psycopg2.ProgrammingError)
        return "bug" if is_wrong or unsent else "unreachable"
