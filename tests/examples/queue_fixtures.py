"""The queue example, on each database."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from queue_calls import Rows, environment, in_process
from sql_databases import postgres

from animus_routes.testing import TestClient


@pytest.fixture(scope="session")
def queue_server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """The environment of every host of one queue, which is the test's own."""
    if request.param == "sqlite":
        return environment(None, tmp_path)
    return environment(request.getfixturevalue("queue_server"), tmp_path)


@pytest.fixture
def queue(
    tmp_path: Path, shared: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    with in_process(tmp_path, shared, monkeypatch) as client:
        yield client


@pytest.fixture
def rows(tmp_path: Path, shared: Mapping[str, str]) -> Rows:
    return Rows(tmp_path, shared)
