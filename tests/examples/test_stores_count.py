"""The work of a call does not grow with its store: counted, not timed, at 500 and at 5,000 rows.

On SQLite a step is an instruction of its machine: EXPLAIN calls a full read of an index a search. On
PostgreSQL it is a page that a statement touches or a row that it reads, also to leave it out.
"""

import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from _stores.calls import Case
from _stores.cases import CASES
from _stores.filling import SQL, module
from _stores.places import Place, Places
from example_apps import example, example_app
from sql_databases import postgres

from animus_routes.batteries._postgresql import PostgreSQL
from animus_routes.testing import TestClient

ROWS: Final = (500, 5_000)
CALLS: Final = 3
RATIO: Final = 1.5
STEPS: Final = 5  # that count one entry
CONSTANT: Final = {"sqlite": 600, "postgresql": 60}
EXPLAINED: Final = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
EXCEPTIONS: Final = {
    ("memory_sqlite", "put"): "the full-text index is merged now and then",
    ("memory_sqlite", "put, again"): "the same",
    ("logs_sqlite", "store"): "the same",
}
# Methods of the stores that have no case.
UNCOUNTED: Final = {
    "log_storage/tail": "a stream, which reads as log_storage/query does",
    "task/watch": "a stream, which reads what is new",
}
# What the sum of a call's statements is kept as.
ALL: Final = "all of them"


class Work:
    """What the databases do, statement by statement."""

    def __init__(self) -> None:
        self.of = Counter[str]()
        self.statement = ""

    def add(self, steps: int = 1) -> int:
        self.of[self.statement] += steps
        return 0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, server: str) -> Places:
    return Places(tmp_path_factory.mktemp("stores"), server, ("sqlite", "postgresql"))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """The work of whatever is connected while the test runs."""
    found = Work()

    class Reading(sqlite3.Cursor):
        """Several may be read in turn: each row is the work of its own statement."""

        sql = ""

        def __next__(self) -> Any:
            found.statement = self.sql
            return super().__next__()

    class Counted(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            reading = self.cursor(Reading)
            reading.sql = found.statement = sql
            return reading.execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
            found.statement = sql
            return super().executemany(sql, *values)

    connect: Any = sqlite3.connect

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **options, factory=Counted)
        db.set_progress_handler(found.add, 1)
        return db

    monkeypatch.setattr(sqlite3, "connect", counted)
    execute, execute_each = PostgreSQL.execute, PostgreSQL.execute_each

    def explain(link: PostgreSQL, sql: str, values: Any) -> None:
        if not EXPLAINED.match(sql.strip()):
            return
        link.run("SAVEPOINT explained")
        plan = execute(link, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
        row = plan.fetchone()
        assert row is not None
        found.statement = sql
        found.add(planned(row[0][0]["Plan"]))
        link.run("ROLLBACK TO explained")

    def explained(link: PostgreSQL, sql: str, values: Any) -> Any:
        explain(link, sql, values)
        return execute(link, sql, values)

    def each_explained(link: PostgreSQL, sql: str, rows: Any) -> None:
        every = [*rows]
        for values in every:
            explain(link, sql, values)
        execute_each(link, sql, every)

    monkeypatch.setattr(PostgreSQL, "execute", explained)
    monkeypatch.setattr(PostgreSQL, "execute_each", each_explained)
    return found


def planned(plan: dict[str, Any], *, top: bool = True) -> int:
    """Pages that were touched, and rows that were read or removed."""
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] if top else 0
    removed = sum(n for name, n in plan.items() if name.startswith("Rows Removed"))
    rows = int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return pages + rows + sum(planned(inner, top=False) for inner in plan.get("Plans", []))


def counted(
    case: Case, place: Place, work: Work, monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    """The work of each statement of a call: medians of some calls, after one that opens the store."""
    # Reached in both. That one call in 32 sums counters up, at most 1,000, is for the clock to decide.
    for limit, reached in (("PROBED", 100), ("FOLD_EVERY", 2**62)):
        if hasattr(example(case.example), limit):
            monkeypatch.setattr(example(case.example), limit, reached)
    monkeypatch.chdir(place.project)
    for name in [name for name in os.environ if name.startswith("ANIMUS_")]:
        monkeypatch.delenv(name)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    bound = {"project_binding": {"project_root": str(place.project)}}
    with TestClient(
        example_app(case.example), init_extensions=bound if case.example in SQL else None
    ) as client:
        client.call(case.method, case.asked(client.call, 0))
        found: list[Counter[str]] = []
        for number in range(1, CALLS + 1):
            params = case.asked(client.call, number)
            work.of.clear()
            client.call(case.method, params)
            found.append(Counter({**work.of, ALL: work.of.total()}))
    every = {statement for of in found for statement in of}
    return {statement: sorted(of[statement] for of in found)[CALLS // 2] for statement in every}


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
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (
        counted(case, store(places, case.example, kind, rows), work, monkeypatch) for rows in ROWS
    )
    assert many[ALL] > 0
    bounds = {statement: few.get(statement, 0) * RATIO + CONSTANT[kind] for statement in many}
    assert {one: (few.get(one), n) for one, n in many.items() if n > bounds[one]} == {}


def test_several_values_are_weighed_together(
    places: Places, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern that many targets match: all of them are counted together, up to the same number."""
    asked = {case.title: case for case in CASES if case.example == "logs_sqlite"}["glob of many"]
    place = store(places, "logs_sqlite", "sqlite", ROWS[1])
    probed: int = module("logs_sqlite").PROBED
    assert counted(asked, place, work, monkeypatch)[ALL] <= probed * STEPS + CONSTANT["sqlite"]


def test_a_kind_that_no_task_has_is_not_looked_for(
    places: Places, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which only `subject/list` may ask for."""
    asked = next(case for case in CASES if case.method == "task/list")
    one = replace(asked, method="subject/list", params=lambda _: {"kind": ["bug"], "limit": 10})
    few, many = (
        counted(one, store(places, one.example, "sqlite", rows), work, monkeypatch)[ALL]
        for rows in ROWS
    )
    assert many <= few * RATIO + CONSTANT["sqlite"]


@pytest.mark.parametrize("name", sorted({case.example for case in CASES}))
def test_every_method_of_a_store_is_counted(name: str) -> None:
    served = {found.replace("subject/", "task/") for found in example_app(name).registry.handlers}
    left = served - {case.method for case in CASES if case.example == name}
    assert {method for method in left if not method.endswith("/schema")} <= UNCOUNTED.keys()


def store(places: Places, example: str, kind: str, rows: int) -> Place:
    """The tests of an example share its stores."""
    key = (example, kind, rows)
    if key not in STORES:
        STORES[key] = places.make(example, kind, rows)
    return STORES[key]


def test_a_full_read_is_seen(tmp_path: Path, work: Work) -> None:
    """The count tells what EXPLAIN does not."""
    db = sqlite3.connect(tmp_path / "counted.sqlite3")
    db.execute("CREATE TABLE entries (queue TEXT, number INTEGER)")
    db.execute("CREATE INDEX entries_of_queue ON entries (queue, number)")
    found = []
    read = "SELECT max(number + 0) FROM entries WHERE queue = 'q'"
    for rows in ROWS:
        db.executemany("INSERT INTO entries VALUES ('q', ?)", ((n,) for n in range(rows)))
        work.of.clear()
        db.execute(read).fetchone()
        found.append(work.of[read])
    db.close()
    assert found[1] > found[0] * RATIO + CONSTANT["sqlite"]
