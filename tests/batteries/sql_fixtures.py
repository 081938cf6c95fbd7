"""The two databases of `batteries.sql`, each empty for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from notes_store import opened
from sql_databases import postgres

from animus_routes.batteries.sql import Database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    with postgres() as url:
        yield url


@pytest.fixture
def url(server: str | None, tmp_path: Path) -> str:
    """An empty database of the test's own."""
    if server is None:
        return f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def notes(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database
