"""A test on each of the two databases."""

from collections.abc import Iterator

import pytest
from sql_databases import postgres


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a server of PostgreSQL; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with postgres() as url:
        yield url
