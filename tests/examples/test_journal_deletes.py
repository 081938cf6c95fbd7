"""Deletes and prunes of the journal go in slices: what is seen, saved and done meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from example_apps import example, example_app

from animus_routes import RpcError
from animus_routes.batteries.sql import Database
from animus_routes.testing import TestClient

pytest_plugins = ["journal_fixtures"]

DATABASE: Final = Path(".animus") / "journal.sqlite3"
AT: Final = "2026-01-31T09:30:00Z"
RUN: Final = {"workflow_id": "r"}
ROWS: Final = (300, 3_000)
NOTHING: Final[tuple[list[Any], list[Any]]] = ([], [])


def save(journal: TestClient, number: int = 0) -> None:
    run = {"workflow_id": f"saved {number}", "status": "done", "blob": {}}
    journal.call("journal/save", {"run": run})


def add(journal: TestClient, number: int, run: str = "r", blob: Any = None) -> None:
    """An event and a checkpoint of a run."""
    event = {"run_id": run, "kind": "run_started", "ts": AT, "n": number}
    journal.call("journal/record", {"event": event})
    params = {"workflow_id": run, "checkpoint_num": number, "blob": blob}
    journal.call("journal/checkpoint_save", params)


def seen(journal: TestClient, run: str = "r") -> tuple[list[int], list[int]]:
    """The numbers of a run's events, which are the same among those of all runs, and checkpoints."""
    own = journal.call("journal/events", {"run_id": run})["events"]
    every = journal.call("journal/events", {})["events"]
    assert [event for event in every if event["run_id"] == run] == own
    nums = journal.call("journal/checkpoint_list", {"workflow_id": run})["checkpoint_nums"]
    return [event["n"] for event in own], nums


def event_of(number: int, run: str = "r") -> str:
    return f'{{"run_id":"{run}","kind":"run_started","ts":"{AT}","n":{number}}}'


def rows(*tables: str) -> list[int]:
    """How many rows there are in the file."""
    with closing(sqlite3.connect(DATABASE)) as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def kept(rows_of_it: int, run: str = "r", blob: str = "null") -> None:
    """Events and checkpoints of a run, quickly."""
    module = example("journal_sqlite")
    with closing(sqlite3.connect(DATABASE)) as db, db:
        texts = (event_of(n, run) for n in range(rows_of_it))
        db.executemany(
            module.RECORD, ((run, f"2026-01-31T09:30:00.{n:09}", t) for n, t in enumerate(texts))
        )
        db.executemany(module.CHECKPOINT, ((run, n, blob) for n in range(rows_of_it)))


@contextmanager
def transactions(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    most: int,
    problem: BaseException | type[BaseException] = InterruptedError,
) -> Iterator[None]:
    """Whoever needs more transactions that write is killed, or meets another problem."""
    turn, left = module.turn, [most]

    def killed_at_last(*args: Any) -> Any:
        if not left[0]:
            raise problem
        left[0] -= 1
        return turn(*args)

    with monkeypatch.context() as patched:
        patched.setattr(module, "turn", killed_at_last)
        yield


def delete_killed(journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    with transactions(monkeypatch, module, 1), pytest.raises(RpcError):
        journal.call("journal/delete", RUN)


def test_a_run_made_anew_keeps_its_own_while_the_old_rows_go(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "SLICE", 3)
    for number in range(8):
        add(journal, number)
    delete_killed(journal, monkeypatch, module)
    assert seen(journal) == NOTHING
    # The last one had the highest number in its table.
    for new, number in enumerate((7, 1), 1):
        add(journal, number, blob="new")
        assert (sorted(seen(journal)[0]), len(seen(journal)[1])) == (seen(journal)[1], new)
    add(journal, 0, run="other")
    for _ in range(4):
        save(journal)
        assert seen(journal) == ([7, 1], [1, 7])
    asked = {**RUN, "checkpoint_num": 7}
    assert journal.call("journal/checkpoint_load", asked) == {"blob": "new"}
    assert rows("events", "checkpoints", "dropped") == [3, 3, 0]


def test_a_run_is_deleted_again_and_again_while_its_old_rows_go(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    for _ in range(4):
        for number in range(20):
            add(journal, number)
        assert len(seen(journal)[1]) == 20
        delete_killed(journal, monkeypatch, module)
        assert seen(journal) == NOTHING
    add(journal, 5)
    journal.call("journal/delete", RUN)
    assert seen(journal) == NOTHING
    while rows("dropped") != [0]:
        save(journal)
    # Nothing is left of all that, and the next one begins as the first.
    assert rows("events", "checkpoints", "renamed") == [0, 0, 0]
    add(journal, 6)
    assert seen(journal) == ([6], [6])


def test_numbers_of_names_are_never_used_again(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    names = []
    for _ in range(3):
        save(journal)
        kept(20)
        delete_killed(journal, monkeypatch, module)
        with closing(sqlite3.connect(DATABASE)) as db:
            names += [number for (number,) in db.execute("SELECT number FROM renamed")]
        while rows("dropped") != [0]:
            save(journal)
    assert len({*names}) == 3


def test_a_small_delete_removes_its_own_at_once_and_a_slice_of_others(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "SLICE", 5)
    save(journal)
    kept(100)
    kept(5, "small")
    delete_killed(journal, monkeypatch, module)
    left = rows("events")[0]
    with transactions(monkeypatch, module, 1):
        journal.call("journal/delete", {"workflow_id": "small"})
    assert seen(journal, "small") == NOTHING
    assert rows("events", "checkpoints", "dropped") == [left - 10, left - 10, 1]


@pytest.mark.parametrize("method", ["delete", "checkpoint_prune"])
def test_a_transaction_removes_so_many_rows_and_bytes(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType, method: str
) -> None:
    """And at least one row, however long it is."""
    monkeypatch.setattr(module, "SLICE_BYTES", 1000)
    monkeypatch.setattr(module, "PAUSE_S", 0)
    save(journal)
    for run, text, most in (("short", "x", 200), ("long", "x" * 400, 2), ("longer", "x" * 2000, 1)):
        kept(most * 3, run, f'"{text}"')
        left: list[int] = []
        params = {"workflow_id": run, **({"keep": 0} if "prune" in method else {})}
        turn = module.turn

        @contextmanager
        def counted(*args: Any, of: list[int] = left, turn: Any = turn) -> Iterator[None]:
            with turn(*args):
                yield
            of.extend(rows("checkpoints"))

        with monkeypatch.context() as patched:
            patched.setattr(module, "turn", counted)
            journal.call(f"journal/{method}", params)
        steps = [most * 3, *left]
        removed = [before - after for before, after in zip(steps, left, strict=False)]
        assert (max(removed), sum(removed)) == (most, most * 3)


def test_a_prune_that_is_killed_leaves_the_newest(
    journal: TestClient, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "SLICE", 3)
    save(journal)
    kept(10)
    with transactions(monkeypatch, module, 2), pytest.raises(RpcError):
        journal.call("journal/checkpoint_prune", {**RUN, "keep": 2})
    assert seen(journal)[1] == [6, 7, 8, 9]
    add(journal, 3)
    journal.call("journal/checkpoint_prune", {**RUN, "keep": 2})
    assert seen(journal)[1] == [8, 9]


def test_what_has_happened_is_no_error_although_the_store_is_busy_later(
    journal: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A delete has happened after its first transaction, a prune after its last."""
    busy = sqlite3.OperationalError("database is locked")
    monkeypatch.setattr(module, "SLICE", 3)
    add(journal, 0)
    kept(10)
    with transactions(monkeypatch, module, 1, busy), pytest.raises(RpcError, match="is locked"):
        journal.call("journal/checkpoint_prune", {**RUN, "keep": 0})
    assert seen(journal)[1] == [3, 4, 5, 6, 7, 8, 9]
    capfd.readouterr()
    with transactions(monkeypatch, module, 1, busy):
        assert journal.call("journal/delete", RUN) is None
    assert capfd.readouterr().err.count("database is locked") == 1
    assert seen(journal) == NOTHING
    assert rows("dropped") == [1]
    while rows("dropped") != [0]:
        save(journal)
    assert rows("events", "checkpoints", "renamed") == [0, 0, 0]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("events", {"run_id": "r", "limit": 10}),
        ("checkpoint_list", RUN),
        ("checkpoint_load", {**RUN, "checkpoint_num": 2}),
    ],
)
def test_reads_of_a_run_do_not_meet_what_is_left_of_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    steps: list[int],
    method: str,
    params: Any,
) -> None:
    """As many steps of SQLite's machine with ten times the rows."""
    found = []
    for number in ROWS:
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        with TestClient(example_app("journal_sqlite")) as journal:
            save(journal)
            kept(number)
            delete_killed(journal, monkeypatch, module)
            journal.call(f"journal/{method}", params)
            steps[0] = 0
            journal.call(f"journal/{method}", params)
            found.append(steps[0])
            assert rows("checkpoints")[0] > number - module.SLICE * 2 - 1
    assert found[0] == found[1] > 0


def test_what_an_earlier_layout_had_still_to_remove_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    """In layout 3 rows up to a number were dead, also if the run had others since."""
    monkeypatch.chdir(tmp_path)
    earlier = (
        "CREATE TABLE dropped (workflow_id TEXT PRIMARY KEY, events INTEGER, checkpoints INTEGER)",
        "INSERT INTO dropped VALUES ('r', 2, 2)",
        *(sql for sql in module.TABLES if "dropped" not in sql and "renamed" not in sql),
        *(f"INSERT INTO events VALUES ({n}, 'r', '', '{event_of(n)}')" for n in (1, 2, 3)),
        *(f"INSERT INTO checkpoints VALUES ('r', {n}, 'null')" for n in (1, 2, 3)),
        f"INSERT INTO events VALUES (4, 'other', '', '{event_of(4, 'other')}')",
    )

    def build(db: Any, _found: int) -> None:
        for sql in earlier:
            db.run(sql)

    layout = module.LAYOUT._replace(version=3, build=build)
    with closing(Database(DATABASE, layout)) as database, database.write():
        pass
    with TestClient(example_app("journal_sqlite")) as journal:
        assert seen(journal) == ([3], [3])
        journal.call("journal/delete", RUN)
    assert rows("events", "checkpoints", "dropped") == [1, 0, 0]
