"""The work of a call does not grow with its store: counted, not timed, at 500 and at 5,000 rows.

On SQLite a step is an instruction of its machine: EXPLAIN calls a full read of an index a search. On
PostgreSQL it is a page that a statement touches or a row that it reads, also to leave it out.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from _stores.cases import CASES, Case
from _stores.filling import NAME, SQL
from _stores.places import Place, Places
from example_apps import example, example_app
from sql_databases import postgres

from animus_routes.batteries._postgresql import PostgreSQL
from animus_routes.testing import TestClient

ROWS: Final = (500, 5_000)
CALLS: Final = 3
RATIO: Final = 1.5
CONSTANT: Final = {"sqlite": 600, "postgresql": 60}
EXPLAINED: Final = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
# A sort of what few rows match, or ranking, or a plan that the planner takes for small tables alone.
EXCEPTIONS: Final = frozenset(
    {
        ("memory_sqlite", "put"),  # the full-text index is merged now and then
        ("memory_sqlite", "put, again"),
        ("logs_sqlite", "store"),
    }
)


class Counter:
    """Counts what the databases do."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, server: str) -> Places:
    return Places(tmp_path_factory.mktemp("stores"), server, ("sqlite", "postgresql"))


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Counts the work of whatever is connected while the test runs."""
    found = Counter()
    connect = sqlite3.connect

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **options)
        db.set_progress_handler(found.step, 1)
        return db

    monkeypatch.setattr(sqlite3, "connect", counted)
    execute = PostgreSQL.execute

    def explained(link: PostgreSQL, sql: str, values: Any) -> Any:
        if EXPLAINED.match(sql.strip()):
            link.opened.execute(b"SAVEPOINT explained")
            plan = execute(link, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
            row = plan.fetchone()
            assert row is not None
            found.steps += work(row[0][0]["Plan"])
            link.opened.execute(b"ROLLBACK TO explained")
        return execute(link, sql, values)

    monkeypatch.setattr(PostgreSQL, "execute", explained)
    return found


def work(plan: dict[str, Any], *, top: bool = True) -> int:
    """Pages that were touched, and rows that were read or removed."""
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] if top else 0
    removed = sum(n for name, n in plan.items() if name.startswith("Rows Removed"))
    rows = int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return pages + rows + sum(work(inner, top=False) for inner in plan.get("Plans", []))


def counted(case: Case, place: Place, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> int:
    """The median of some calls, after one that opens the store."""
    prefix = SQL.get(case.example)
    if hasattr(example(case.example), "PROBED"):
        monkeypatch.setattr(example(case.example), "PROBED", 100)  # reached in both
    monkeypatch.chdir(place.project)
    for name in [name for name in os.environ if name.startswith("ANIMUS_")]:
        monkeypatch.delenv(name)
    if prefix is not None:
        monkeypatch.setenv(f"{prefix}_NAME", NAME)
    if place.url is not None:
        monkeypatch.setenv(f"{prefix}_URL", place.url)
    bound = {"project_binding": {"project_root": str(place.project)}} if prefix else None
    with TestClient(example_app(case.example), init_extensions=bound) as client:
        client.call(case.method, case.params(0))
        found = []
        for number in range(1, CALLS + 1):
            counter.steps = 0
            client.call(case.method, case.params(number))
            found.append(counter.steps)
    return sorted(found)[CALLS // 2]


COUNTED: Final = [
    pytest.param(case, kind, id=f"{case.example}-{kind}-{case.title}")
    for case in CASES
    for kind in (("sqlite", "postgresql") if case.example in SQL else ("sqlite",))
    if (case.example, case.title) not in EXCEPTIONS
]
STORES: Final[dict[tuple[str, str, int], Place]] = {}


@pytest.mark.parametrize(("case", "kind"), COUNTED)
def test_a_call_does_as_much_on_a_store_of_ten_times_the_rows(
    case: Case,
    kind: str,
    places: Places,
    counter: Counter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (
        counted(case, store(places, case.example, kind, rows), counter, monkeypatch)
        for rows in ROWS
    )
    assert 0 < many <= few * RATIO + CONSTANT[kind]


def store(places: Places, example: str, kind: str, rows: int) -> Place:
    """The tests of an example share its stores."""
    key = (example, kind, rows)
    if key not in STORES:
        STORES[key] = places.make(example, kind, rows)
    return STORES[key]


def test_a_full_read_is_seen(tmp_path: Path, counter: Counter) -> None:
    """The count tells what EXPLAIN does not."""
    db = sqlite3.connect(tmp_path / "counted.sqlite3")
    db.execute("CREATE TABLE entries (queue TEXT, number INTEGER)")
    db.execute("CREATE INDEX entries_of_queue ON entries (queue, number)")
    found = []
    for rows in ROWS:
        db.executemany("INSERT INTO entries VALUES ('q', ?)", ((n,) for n in range(rows)))
        counter.steps = 0
        db.execute("SELECT max(number + 0) FROM entries WHERE queue = 'q'").fetchone()
        found.append(counter.steps)
    db.close()
    assert found[1] > found[0] * RATIO + CONSTANT["sqlite"]
