"""Where a database of `batteries.sql` is, and whether it still is what was opened there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from animus_routes.batteries._transactions import Unreachable
from animus_routes.batteries.places import folder_of, unwritable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from animus_routes.batteries._transactions import Identity, Link

TAKEN: Final = (
    "sqlite:///relative.db, sqlite:////absolute.db or postgresql://user:password@server/database"
)


class Place:
    """A file, or a server's database.

    Args:
        given: A URL, or the path of a file.
        file: The path if that is None or empty.
        variable: Where a URL is from.

    Attributes:
        name: What errors call it: the file, or where its URL is from, for that may hold a password.
        file: The path of an SQLite file; None for a server's database, or none.
    """

    def __init__(
        self, given: str | os.PathLike[str] | None, file: str | None, variable: str
    ) -> None:
        path = given if isinstance(given, os.PathLike) else None if given else file
        self.makes_folder: Final = path is not None
        self.file = None if path is None else os.fspath(path)
        self._url: str | None = None
        if path is None:
            dialect, _, rest = f"{given or ''}".partition("://")
            dialect = dialect.partition("+")[0]  # the driver is ours to choose
            # Each connection to `:memory:` would be another database; options would be of the name.
            is_file = rest[:1] == "/" and rest[1:] not in {"", ":memory:"} and "?" not in rest
            if dialect == "sqlite" and is_file:
                self.file = rest[1:]
            elif dialect in {"postgres", "postgresql"}:
                self._url = f"postgresql://{rest}"
        self.name: Final = self.file or variable

    def link(self, prepare: Callable[[sqlite3.Connection], None] | None, wait_s: float) -> Link:
        """A connection that is not made yet.

        Raises:
            Unreachable: There is no driver, or it is no URL of a database.
        """
        if self.file is not None:
            from animus_routes.batteries.sqlite import SQLite

            return SQLite(self.file, prepare, wait_s, makes_folder=self.makes_folder)
        if self._url is None:
            raise Unreachable(f"{self.name} is not supported: take {TAKEN}")
        try:
            from animus_routes.batteries._postgresql import PostgreSQL
        except ImportError as problem:
            text = f"{self.name}: PostgreSQL needs the package psycopg2: {problem}"
            raise Unreachable(text) from problem
        return PostgreSQL(self._url, wait_s, self.name)

    def identity(self) -> Identity:
        """Which file it is; None for a server's database, and where there is no file yet.

        Raises:
            Unreachable: That cannot be found out.
        """
        if self.file is None:
            return None
        try:
            found = os.stat(self.file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise Unreachable(f"{self.file}: {problem.strerror}") from problem
        return found.st_dev, found.st_ino

    def confirm(self, opened: Identity) -> None:
        """Is a file that is open still there? What is written to one that has gone is lost.

        Raises:
            Unreachable: It is not.
        """
        if opened is None or (found := self.identity()) == opened:
            return
        how = "replaced by another file" if found else "removed"
        raise Unreachable(f"{self.file} has been {how} while it was open: start the plugin anew")

    def is_empty(self) -> bool:
        """Is it a file that is not made yet?

        Raises:
            Unreachable: That cannot be found out.
        """
        return self.file is not None and self.identity() is None

    def hindrance(self) -> str | None:
        """Why that file cannot be made; None if it can."""
        file = f"{self.file}"
        folder = folder_of(file)
        if self.makes_folder or os.path.isdir(folder):
            return unwritable(file)
        return f"{file} cannot be made: {folder} is no folder to write into"
