"""A connection to PostgreSQL, as `batteries.sql` uses it."""

from __future__ import annotations

import gc
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Never

_was_on = gc.isenabled()
gc.disable()  # to look for garbage among what an import makes takes a tenth of its time
try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
finally:
    if _was_on:
        gc.enable()

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOT_IN_TIME: Final = {"40001", "40P01", "55P03"}  # a conflict, a deadlock, lock_timeout
CONNECT_S: Final = 2  # the shortest that psycopg waits
BEGIN_READING: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@cache
def spelled(sql: str) -> bytes:
    """The statement with psycopg's parameters; what stands in quotes stays."""
    marks = {"?": "%s", "%": "%%"}
    return re.sub(r"'[^']*'|[?%]", lambda m: marks.get(m[0], m[0].replace("%", "%%")), sql).encode()


class PostgreSQL:
    """One connection, which is made by its first transaction."""

    postgresql: Final = True
    immutable: Final = False
    errors: Final = psycopg.Error

    def __init__(self, url: str, wait_s: float) -> None:
        self.url = url
        self.wait_s = wait_s
        self.db: psycopg.Connection | None = None

    @property
    def opened(self) -> psycopg.Connection:
        if self.db is None:
            given = conninfo_to_dict(self.url)
            options = f"{given.get('options') or ''} -c lock_timeout={int(self.wait_s * 1000)}"
            timeout = given.get("connect_timeout") or max(CONNECT_S, math.ceil(self.wait_s))
            # A host starts a process for every call: statements are not prepared for the next one.
            self.db = psycopg.connect(
                self.url,
                autocommit=True,
                prepare_threshold=None,
                options=options,
                connect_timeout=int(timeout),
            )
        return self.db

    def begin(self, until: float, *, reads: bool) -> None:
        del until  # the server bounds each wait for a lock
        self.opened.execute(BEGIN_READING if reads else b"BEGIN")

    def execute(self, sql: str, values: Sequence[Any]) -> psycopg.Cursor:
        try:
            return self.opened.execute(spelled(sql), values)
        except UnicodeEncodeError as problem:
            raise psycopg.DataError(str(problem)) from problem

    def execute_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self.opened.cursor() as cursor:
            try:
                cursor.executemany(spelled(sql), rows)
            except UnicodeEncodeError as problem:
                raise psycopg.DataError(str(problem)) from problem

    def commit(self, until: float) -> None:
        del until
        self.opened.execute(b"COMMIT")

    def lend(self, wait_s: float) -> Never:
        del wait_s
        raise TypeError("only SQLite's connections are lent")

    def rollback(self) -> None:
        self.opened.execute(b"ROLLBACK")

    def idle(self) -> bool:
        """Whether it can serve another transaction; what is left of the last one is undone."""
        if self.db is None or self.db.closed or self.db.broken:
            return False
        if self.db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            try:
                self.rollback()
            except psycopg.Error:
                return False
        return True

    def probe(self) -> None:
        """Whether it may be changed: a server that is read-only now begins a transaction all the same."""
        row = self.opened.execute(b"SHOW transaction_read_only").fetchone()
        if row != ("off",):
            raise psycopg.OperationalError("the server is read-only now")

    def log_ahead(self) -> None:
        """It has one."""

    def close(self) -> None:
        if self.db is not None:
            self.db.close()
            self.db = None

    @staticmethod
    def misses_table(problem: Exception) -> bool:
        return isinstance(problem, psycopg.errors.UndefinedTable)

    @staticmethod
    def meaning(problem: Exception) -> Literal["busy", "value", "unreachable"]:
        if getattr(problem, "sqlstate", None) in NOT_IN_TIME:
            return "busy"
        return "value" if isinstance(problem, psycopg.DataError) else "unreachable"
