"""A database of either kind that is empty for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from notes_store import opened

from animus_routes.batteries.sql import Database


@pytest.fixture
def url(database: str | None, tmp_path: Path) -> str:
    """An empty database of the test's own."""
    if database is None:
        return f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
    return database.replace("/postgres?", f"/{name}?")


@pytest.fixture
def notes(url: str) -> Iterator[Database]:
    with opened(url) as found:
        yield found
