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
BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _as_bytes(value: str | bytes | None, at: cursor) -> bytes | None:
    found = psycopg2.BINARY(value, at)
    return None if found is None else bytes(found)


BYTES: Final = new_type(psycopg2.BINARY.values, "BYTES", _as_bytes)  # as SQLite has them


@cache
def spelled(sql: str) -> str:
    """The statement with psycopg2's parameters; what stands in quotes stays."""
    marks = {"?": "%s", "%": "%%"}
    return re.sub(r"'[^']*'|[?%]", lambda m: marks.get(m[0], m[0].replace("%", "%%")), sql)


class PostgreSQL:
    """One connection, which is made by its first transaction."""

    postgresql: Final = True
    immutable: Final = False
    errors: Final = psycopg2.Error

    def __init__(self, url: str, wait_s: float) -> None:
        self.url = url
        self.wait_s = wait_s
        self.db: connection | None = None

    @property
    def opened(self) -> connection:
        if self.db is None:
            given = parse_dsn(self.url)
            options = f"{given.get('options') or ''} -c lock_timeout={int(self.wait_s * 1000)}"
            timeout = given.get("connect_timeout") or max(CONNECT_S, math.ceil(self.wait_s))
            self.db = psycopg2.connect(self.url, options=options, connect_timeout=int(timeout))
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
        self.run(BEGIN_READING if reads else "BEGIN")

    def execute(self, sql: str, values: Sequence[Any]) -> cursor:
        found = self.opened.cursor()
        try:
            found.execute(spelled(sql), tuple(values))
        except ValueError as problem:  # what no text of PostgreSQL holds: a NUL, half a surrogate
            raise psycopg2.DataError(str(problem)) from problem
        return found

    def execute_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        left, statement = iter(rows), spelled(sql)
        with self.opened.cursor() as many:
            try:
                while some := [
                    many.mogrify(statement, tuple(row)) for row in islice(left, AT_ONCE)
                ]:
                    many.execute(b";".join(some))
            except ValueError as problem:
                raise psycopg2.DataError(str(problem)) from problem

    def commit(self, until: float) -> None:
        del until
        self.run("COMMIT")

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

    def probe(self) -> None:
        """Whether it may be changed: a server that is read-only now begins a transaction all the same."""
        row = self.run("SHOW transaction_read_only").fetchone()
        if row != ("off",):
            raise psycopg2.OperationalError("the server is read-only now")

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
    def meaning(problem: Exception) -> Literal["busy", "value", "unreachable"]:
        if getattr(problem, "pgcode", None) in NOT_IN_TIME:
            return "busy"
        return "value" if isinstance(problem, psycopg2.DataError) else "unreachable"
