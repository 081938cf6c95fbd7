"""`journal/list`: two conditions at once, how many values it takes, and that it tells of one moment."""

import json
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from example_apps import example_app

from animus_routes.testing import TestClient

pytest_plugins = ["journal_fixtures"]

AT: Final = "2026-01-31T09:30:00Z"
ROWS: Final = (500, 5_000)
RATIO: Final = 1.5
CONSTANT: Final = 600
LIMIT: Final = 10


def run(number: int, status: str, ref: str) -> dict[str, Any]:
    at = f"2026-01-31T09:30:00.{number:09}Z"
    own = {"workflow_id": f"r{number:05}", "status": status, "workflow_ref": ref}
    return {**own, "blob": {}, "created_at": AT, "updated_at": at}


def kept(module: ModuleType, runs: list[dict[str, Any]]) -> None:
    """Runs, quickly; each is newer than the one before."""
    with closing(module.Store(Path(".animus/journal.sqlite3")).db) as db, module.turn(db, 5):
        rows = (
            (
                r["workflow_id"],
                r["status"],
                r["workflow_ref"],
                AT,
                r["updated_at"][:-1],
                json.dumps(r),
            )
            for r in runs
        )
        db.executemany(module.SAVE, rows)


# Status and reference of run `n` of so many; the query has the status "s" and the reference "r".
SHAPES: Final[dict[str, Callable[[int, int], tuple[str, str]]]] = {
    "all have the status, the oldest have the reference": lambda n, of: ("s", "r" * (n < of // 50)),
    "all have the reference, the oldest have the status": lambda n, of: ("s" * (n < of // 50), "r"),
    "many have both": lambda n, _: ("s" if n % 3 else "t", "r" if n % 2 else "q"),
    "half have the status, half the reference, few both": lambda n, of: (
        "s" if n < of // 2 + 5 else "t",
        "r" if n >= of // 2 else "q",
    ),
    "few have both, and none of them is new": lambda n, of: ("s" * (n < of // 2), "r" * (n < 10)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_two_conditions_cost_the_same_however_often_they_meet(
    shape: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    steps: list[int],
) -> None:
    """Steps of SQLite's machine, at ten times the rows."""
    found = []
    for rows in ROWS:
        (tmp_path / str(rows)).mkdir()
        monkeypatch.chdir(tmp_path / str(rows))
        runs = [run(n, *SHAPES[shape](n, rows)) for n in range(rows)]
        kept(module, runs)
        query = {"status": ["s"], "workflow_ref": "r", "limit": LIMIT}
        with TestClient(example_app("journal_sqlite")) as journal:
            journal.call("journal/list", query)
            steps[0] = 0
            listed = journal.call("journal/list", query)["runs"]
            found.append(steps[0])
        match = [one for one in runs if (one["status"], one["workflow_ref"]) == ("s", "r")]
        assert listed == match[::-1][:LIMIT]
    assert 0 < found[1] <= found[0] * RATIO + CONSTANT


def test_every_list_is_what_a_full_read_would_find(journal: TestClient, module: ModuleType) -> None:
    chance = random.Random(1)
    runs = []
    for number in range(300):
        made = run(number, f"s{chance.randrange(6)}", f"r{chance.randrange(4)}")
        at = f"2026-01-31T09:30:{chance.randrange(20):02}.000000000Z"  # many at the same time
        runs.append({**made, "updated_at": at})
    kept(module, runs)
    runs.sort(key=lambda one: one["workflow_id"])
    runs.sort(key=lambda one: one["updated_at"], reverse=True)
    for _ in range(200):
        query: dict[str, Any] = {"limit": chance.choice([0, 1, 5, 40, 1000])}
        if statuses := chance.sample(["s0", "s1", "s2", "s3", "none"], chance.randrange(5)):
            query["status"] = statuses
        if ref := chance.choice([None, "r0", "r1", "none"]):
            query["workflow_ref"] = ref
        if chance.random() < 0.5:
            query["updated_since"] = f"2026-01-31T09:30:{chance.randrange(20):02}Z"
        match = [
            one
            for one in runs
            if (not statuses or one["status"] in statuses)
            and (not ref or one["workflow_ref"] == ref)
            and one["updated_at"] >= query.get("updated_since", "")[:-1]
        ]
        limit = query["limit"]
        wanted = {"runs": match[:limit], "truncated": len(match) > limit}
        assert journal.call("journal/list", query) == wanted, query
        ids = [one["workflow_id"] for one in match[:limit]]
        answer = {"ids": ids, "truncated": len(match) > limit}
        assert journal.call("journal/query_ids", query) == answer, query


def test_a_list_takes_a_thousand_statuses(journal: TestClient, module: ModuleType) -> None:
    kept(module, [run(n, f"s{n % 700}", "r") for n in range(1400)])
    asked = {"status": [f"s{n}" for n in range(100, 1100)], "limit": 700}
    for query in (asked, {**asked, "workflow_ref": "r"}):
        listed = journal.call("journal/list", query)
        found = [one["workflow_id"] for one in listed["runs"]]
        wanted = [f"r{n:05}" for n in range(1399, -1, -1) if n % 700 >= 100]
        assert (found, listed["truncated"]) == (wanted[:700], True)


def test_a_list_is_of_one_moment(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    """Another process changes and deletes what was found, before it is read."""
    runs = [run(n, "s", "r") for n in range(6)]
    kept(module, runs)
    ids = module.Store.ids

    def found_and_changed(*args: Any) -> Any:
        found = ids(*args)
        with closing(module.Store(Path(".animus/journal.sqlite3")).db) as db:
            db.execute("""UPDATE runs SET status = 't', run = replace(run, '"s"', '"t"')""")
            db.execute("DELETE FROM runs WHERE workflow > 'r00001'")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(module.Store, "ids", found_and_changed)
        listed = journal.call("journal/list", {"status": ["s"], "limit": 3})
    assert listed == {"runs": runs[:2:-1], "truncated": True}
    assert journal.call("journal/list", {"status": ["s"]})["runs"] == []
