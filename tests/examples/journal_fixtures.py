"""The journal example in this process, and how much its database works."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from example_apps import example, example_app

from animus_routes.testing import TestClient


@pytest.fixture
def module() -> ModuleType:
    found: ModuleType = example("journal_sqlite")
    return found


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANIMUS_JOURNAL_DB", raising=False)
    with TestClient(example_app("journal_sqlite")) as client:
        yield client


@pytest.fixture
def steps(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One number: the steps that SQLite's machine has taken since it was last set to 0."""
    monkeypatch.delenv("ANIMUS_JOURNAL_DB", raising=False)
    counted = [0]

    def step() -> int:
        counted[0] += 1
        return 0

    monkeypatch.setattr(module, "prepare", lambda db: db.set_progress_handler(step, 1))
    return counted
