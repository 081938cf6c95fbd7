"""Rows of the memory example that have expired or were deleted, and are still there.

What reads cost is counted in steps of SQLite's machine, as `test_stores_count.py` does it.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_apps import example

from animus_routes import RpcError
from animus_routes.batteries.sqlite import turn
from animus_routes.structs import memory_store as wire
from animus_routes.testing import TestClient

STORE = example("memory_sqlite")
DATABASE = Path(".animus") / "memory.sqlite3"
FAR = time.time() + 10**6
PAST = time.time() - 10
ROWS = (500, 5_000)
RATIO = 1.5
CONSTANT = 600

Values = tuple[str, float | None]  # a project and a deadline


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.chdir(tmp_path)
    with TestClient(STORE.app) as client:
        yield client


def scope(project: str) -> str:
    return f'["{project}",null,null]'


def filled(path: Path, rows: Iterator[Values], *deleted: str) -> Any:
    """A store with a value for each row; what was deleted of it is still there."""
    made = STORE.Store(path, None)
    insert = STORE.PUT.replace("RETURNING seq", "")
    with turn(made.db, 10):
        made.db.executemany(
            insert,
            (
                (project, scope(project), f"k{n}", "1", "common", until)
                for n, (project, until) in enumerate(rows)
            ),
        )
        for project in deleted:
            made.db.execute(STORE.DROP, [scope(project)])
    return made


def steps(made: Any, read: Callable[[Any], Any]) -> tuple[int, Any]:
    read(made)
    found = 0

    def add() -> int:
        nonlocal found
        found += 1
        return 0

    made.db.set_progress_handler(add, 1)
    answer = read(made)
    made.db.set_progress_handler(None, 1)
    return found, answer


def projects(made: Any, size: int = 5, **query: Any) -> list[str]:
    request = wire.ListScopesRequest(page_size=size, **query)
    return [found.project_id for found in made.scopes(request).scopes]


def pages(made: Any, size: int) -> Iterator[list[str]]:
    cursor = None
    while True:
        page = made.scopes(wire.ListScopesRequest(page_size=size, cursor=cursor))
        yield [found.project_id for found in page.scopes]
        cursor = page.next_cursor
        if cursor is None:
            return


def keys(made: Any) -> list[str]:
    own = wire.MemoryScope(project_id="big")
    request = wire.QueryMemoryRequest(scope=own, query="common", top_k=5)
    return [found.key for found in made.query(request)]


def one_big(until: float | None, *last: Values) -> Callable[[int], Iterator[Values]]:
    def rows(number: int) -> Iterator[Values]:
        yield from (("big", until) for _ in range(number))
        yield from last

    return rows


def many_small(until: float | None, *last: Values) -> Callable[[int], Iterator[Values]]:
    def rows(number: int) -> Iterator[Values]:
        yield from ((f"a{n:06}", until) for n in range(number))
        yield from last

    return rows


def mixed(number: int) -> Iterator[Values]:
    """Every scope has values with a time to live, and all that come first have none that lasts."""
    yield from ((f"a{n // 2:06}", FAR) for n in range(number))
    yield from (("z", until) for until in (PAST, FAR, None))


def alive_after_expired(number: int) -> Iterator[Values]:
    yield from ((f"a{n:06}", PAST) for n in range(STORE.PROBED * 3 // 2))
    yield from ((f"b{n:06}", FAR) for n in range(number))


LAST = (("z", None), ("y", FAR))
READS = {
    "scopes beside a deleted one": (one_big(None, *LAST), ["big"], projects, ["y", "z"]),
    "scopes beside a deleted one with times": (one_big(FAR, *LAST), ["big"], projects, ["y", "z"]),
    "words of a deleted scope": (one_big(None, *LAST), ["big"], keys, []),
    "scopes beside many expired": (many_small(PAST, *LAST), [], projects, ["y", "z"]),
    "scopes beside a big one that has expired": (one_big(PAST, *LAST), [], projects, ["y", "z"]),
    "scopes of a big one that has expired but for one": (
        one_big(PAST, ("big", None), *LAST),
        [],
        projects,
        ["big", "y", "z"],
    ),
    "scopes behind some that have expired": (
        alive_after_expired,
        [],
        projects,
        [f"b{n:06}" for n in range(5)],
    ),
    "scopes, all of them with times": (mixed, [], projects, [f"a{n:06}" for n in range(5)]),
}


@pytest.mark.parametrize("title", READS)
def test_a_read_passes_no_row_that_is_gone(title: str, tmp_path: Path) -> None:
    rows, deleted, read, expected = READS[title]
    found = []
    for number in ROWS:
        made = filled(tmp_path / f"{number}.sqlite3", rows(number), *deleted)
        with closing(made.database):
            count, answer = steps(made, read)
        assert answer == expected
        found.append(count)
    assert 0 < found[1] <= found[0] * RATIO + CONSTANT


@pytest.mark.parametrize("probed", [1, 2, 1000])
def test_scopes_are_those_that_have_a_value_whatever_they_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probed: int
) -> None:
    monkeypatch.setattr(STORE, "PROBED", probed)
    lives = {"lasting": None, "coming": FAR, "over": PAST}
    both = [(f"{one} {other}", life) for one in lives for other in lives for life in (one, other)]
    rows = [(name, lives[life]) for name, life in both]
    gone = [(f"deleted {name}", until) for name, until in rows]
    deleted = [name for name, _ in gone]
    made = filled(tmp_path / "m.sqlite3", iter([*rows, *gone]), *dict.fromkeys(deleted))
    with closing(made.database), turn(made.db, 10):
        expected = sorted({name for name, until in rows if until != PAST})
        assert projects(made, 100) == expected
        for name, until in (("deleted lasting coming", PAST), ("deleted over over", FAR)):
            made.db.execute(STORE.PUT, [name, scope(name), "new", "1", "", until]).fetchall()
        expected = sorted([*expected, "deleted over over"])
        assert [name for page in pages(made, 2) for name in page] == expected
        assert projects(made, 100, project_id="lasting over") == ["lasting over"]
        assert projects(made, 100, project_id="lasting") == projects(made, project_id="~") == []


def test_a_page_of_long_scopes_fits_into_a_frame(tmp_path: Path) -> None:
    long = [f"{n}" * 1024 * 1024 for n in range(6)]
    made = filled(tmp_path / "m.sqlite3", iter([(name, None) for name in long]))
    with closing(made.database):
        assert list(pages(made, 10)) == [long[:3], long[3:]]


def put(memory: TestClient, project: str, key: str, value: str = "x", **more: Any) -> None:
    item = {"scope": {"project_id": project}, "key": key, "value": value, **more}
    memory.call("memory/put", item)


def delete(memory: TestClient, project: str) -> Any:
    return memory.call("memory/delete_scope", {"scope": {"project_id": project}})


def killed(memory: TestClient, project: str) -> None:
    """A delete that is killed in front of the rows."""

    def interrupted(*_: Any) -> bool:
        raise InterruptedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(STORE.Store, "clear", interrupted)
        with pytest.raises(RpcError):
            delete(memory, project)


def left(project: str) -> int:
    with closing(sqlite3.connect(DATABASE)) as db:
        count = "SELECT count(*) FROM memories WHERE project_id = ?"
        return int(db.execute(count, [project]).fetchone()[0])


def test_a_small_delete_does_not_wait_for_the_end_of_a_large_one(
    memory: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(memory, "large", str(number))
        put(memory, "small", str(number))
    killed(memory, "large")
    monkeypatch.setattr(STORE, "SLICE", 3)
    assert delete(memory, "small") == {"ack": True}
    assert (left("small"), left("large")) == (0, 20)
    put(memory, "other", "0")
    assert left("large") == 17


def test_a_slice_of_long_values_has_few_of_them(
    memory: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(STORE, "SLICE_BYTES", 1000)
    for number in range(3):
        put(memory, "deleted", str(number), "long" * 500)
        put(memory, "expired", str(number), "long" * 500, ttl_secs=1000)
    killed(memory, "deleted")
    with closing(sqlite3.connect(DATABASE)) as db:
        STORE.prepare(db)
        db.execute("UPDATE memories SET expires_at = ? WHERE project_id = 'expired'", [PAST])
        db.commit()
    found = []
    for number in range(3):
        put(memory, "other", str(number))
        found.append((left("deleted"), left("expired")))
    assert found == [(2, 2), (1, 1), (0, 0)]


def test_a_scope_is_forgotten_although_its_rows_cannot_be_removed_now(
    memory: TestClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    put(memory, "p", "0", "words")

    def full(*_: Any) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(STORE.Store, "clear", full)
        assert delete(memory, "p") == {"ack": True}
    assert "disk is full" in capfd.readouterr().err
    assert memory.call("memory/list_scopes", {})["scopes"] == []
    assert left("p") == 1
    put(memory, "other", "0")
    assert left("p") == 0
