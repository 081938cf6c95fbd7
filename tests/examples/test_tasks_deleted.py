"""A deleted task is gone at once; what hung on it is let go in slices."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from example_apps import example, example_app
from example_host import TASKS, served

from animus_routes import RpcError
from animus_routes.testing import TestClient

tasks: Final = example("tasks_sqlite")
CHILDREN: Final = 25


class Call:
    """The context of a delete: what is done between its slices, and whether it is cancelled then."""

    def __init__(self, between: Callable[[], bool]) -> None:
        self.between = between

        self.logged: list[tuple[str, str]] = []

    @property
    def cancelled(self) -> bool:
        return self.between()

    def log(self, level: str, message: str) -> None:
        self.logged.append((level, message))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Of a store with a parent of many children, each of which has one, and of many comments."""
    monkeypatch.setattr(tasks, "SLICE", 4)
    monkeypatch.setattr(tasks, "BESIDE", 4)
    monkeypatch.chdir(tmp_path)
    with TestClient(example_app("tasks_sqlite")) as client:
        client.call("task/create", {"title": "parent"})
        for n in range(CHILDREN):
            client.call("task/create", {"title": f"{n}", "parent": "task:1", "labels": ["child"]})
            patch = {"comment": f"{n}"}
            client.call("task/update", {"id": "task:1", "patch": patch})
        client.call("task/create", {"title": "below", "parent": "task:2"})
        yield client


@pytest.fixture
def other(tmp_path: Path, client: TestClient) -> Iterator[Any]:
    """The same store, as another process has it."""
    del client
    store = tasks.Store(tmp_path / ".animus" / "tasks.sqlite3")
    yield store
    store.database.close()


def killed(store: Any, task_id: str) -> None:
    """A delete that gets no further than its first transaction."""
    store.delete(task_id, Call(lambda: True))


def left(store: Any) -> tuple[int, int, int]:
    """Children of the parent as they are stored, its comments, and deletes that are not at their end."""
    return tuple(
        store.db.execute(f"SELECT count(*) FROM {some}").fetchone()[0]
        for some in ("tasks WHERE parent = 'task:1'", "comments WHERE task = 'task:1'", "dropped")
    )


def test_nobody_sees_anything_of_a_task_after_the_first_transaction(
    client: TestClient, other: Any
) -> None:
    killed(other, "task:1")
    assert left(other)[0] > CHILDREN // 2
    listed = client.call("task/list", {"labels_any": ["child"]})["subjects"]
    assert len(listed) == CHILDREN
    seen = [*listed, client.call("task/next"), client.call("task/get", {"id": "task:20"})]
    assert [task for task in seen if "parent" in task] == []
    assert client.call("task/get", {"id": "task:2"})["children"] == ["task:27"]
    assert client.call("task/get", {"id": "task:27"})["parent"] == "task:2"
    for call in (
        ("task/get", {"id": "task:1"}),
        ("task/create", {"title": "x", "parent": "task:1"}),
        ("task/update", {"id": "task:27", "patch": {"parent": "task:1"}}),
    ):
        with pytest.raises(RpcError, match=r"task:1"):
            client.call(*call)


def test_writes_go_on_with_a_delete_that_was_killed(client: TestClient, other: Any) -> None:
    killed(other, "task:1")
    before = left(other)
    for n in range(CHILDREN):
        client.call("task/update", {"id": "task:27", "patch": {"title": f"t{n}"}})
        now = left(other)
        assert all(0 <= was - one <= 4 for was, one in zip(before, now, strict=True))
        before = now
    assert before == (0, 0, 0)
    assert len(client.call("task/list", {"labels_any": ["child"]})["subjects"]) == CHILDREN


def test_each_slice_is_a_transaction(client: TestClient, other: Any) -> None:
    assert client.call("task/get", {"id": "task:1"})["children"]
    counts: list[tuple[int, ...]] = []

    def looked() -> bool:
        counts.append(left(other))
        return False

    other.delete("task:1", Call(looked))
    assert left(other) == (0, 0, 0)
    assert len(counts) >= CHILDREN // 4
    for before, after in pairwise(counts):
        assert all(0 <= was - now <= 4 for was, now in zip(before, after, strict=True))


def test_a_few_children_and_comments_go_with_their_task(client: TestClient, other: Any) -> None:
    client.call("task/update", {"id": "task:2", "patch": {"comment": "c"}})
    killed(other, "task:2")
    stored = "SELECT parent FROM tasks WHERE id = 'task:27'"
    assert other.db.execute(stored).fetchall() == [(None,)]
    assert left(other)[2] == 0


def test_an_id_made_anew_starts_without_what_hung_on_it(client: TestClient, other: Any) -> None:
    killed(other, "task:1")
    old = tasks.wire.Subject(
        id="task:1", kind="task", title="again", status="ready", created_at=tasks.now()
    )
    with tasks.turn(other.db, 5):
        other.put(None, old)
    assert left(other) == (0, 0, 0)
    again = client.call("task/get", {"id": "task:1"})
    assert "children" not in again
    (thread,) = client.call("task/update", {"id": "task:1", "patch": {"comment": "c"}})[
        "attachments"
    ]
    assert thread["metadata"] == {"count": 1}


def test_children_say_that_they_have_changed(client: TestClient, tmp_path: Path) -> None:
    del client
    with served(TASKS, tmp_path) as plugin:
        assert plugin.call("subject/watch") == {"watching": True}
        assert plugin.call("task/delete", {"id": "task:1"}) == {"ok": True}
        events = [
            plugin.next_notification("subject/changed").params["event"] for _ in range(CHILDREN + 1)
        ]
    found = [(event["id"], event["change_kind"]) for event in events]
    assert found[0] == ("task:1", "deleted")
    assert sorted(found[1:]) == sorted((f"task:{n + 2}", "updated") for n in range(CHILDREN))
    assert [event for event in events if "parent" in event["subject"]] == []


# What other programs, or a fault of the disk, may have made of a child.
DAMAGES: Final = {
    "a priority out of range": "json_set(document, '$.priority', 9)",
    "a status nobody knows": "json_set(document, '$.native_status', 'Lost')",
    "a custom field of another type": "json_set(document, '$.custom', json('{\"risk\": 7}'))",
    "no title": "json_set(document, '$.title', '')",
    "not a task": "json_set(document, '$.labels', 'text')",
    "not UTF-8": "CAST(replace(CAST(document AS BLOB), x'6b69', x'ff') AS TEXT)",
}


def damage(path: Path, value: str, where: str = "parent = 'task:1'") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"UPDATE tasks SET document = {value} WHERE {where}")


@pytest.mark.parametrize("value", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("where", ["parent = 'task:1'", "id = 'task:20'"])
def test_damaged_children_fail_no_call(
    client: TestClient, other: Any, value: str, where: str
) -> None:
    damage(other.path, value, where)
    killed(other, "task:1")
    for n in range(CHILDREN):
        client.call("task/update", {"id": "task:27", "patch": {"title": f"t{n}"}})
    assert left(other) == (0, 0, 0)
    client.call("task/create", {"title": "parent"})
    client.call("task/delete", {"id": "task:28"})


def test_a_damaged_child_keeps_what_else_it_holds(client: TestClient, other: Any) -> None:
    damage(other.path, "json_set(document, '$.priority', 9, '$.unknown', json('[1.50]'))")
    client.call("task/delete", {"id": "task:1"})
    assert left(other) == (0, 0, 0)
    kept = 'SELECT count(*) FROM tasks WHERE document LIKE \'%"priority":9%"unknown":[1.50]%\''
    assert other.db.execute(kept).fetchone() == (CHILDREN,)


def test_a_child_that_is_no_json_is_passed(client: TestClient, tmp_path: Path) -> None:
    client.call("task/update", {"id": "task:20", "patch": {"title": "broken"}})
    path = tmp_path / ".animus" / "tasks.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(path.read_bytes().replace(b'"title":"broken"', b'"title";"broken"'))
    store = tasks.Store(path)
    store.delete("task:1", Call(lambda: False))
    assert left(store) == (1, 0, 0)
    store.update("task:27", tasks.TaskPatch(title="t"))
    store.database.close()


def test_a_slice_is_bounded_in_bytes(
    client: TestClient, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(other.path, "json_set(document, '$.description', printf('%.3000c', 'x'))")
    for n in range(3):
        patch = {"comment": f"{n}" * 3000}
        client.call("task/update", {"id": "task:1", "patch": patch})
    monkeypatch.setattr(tasks, "SLICE", 1000)
    monkeypatch.setattr(tasks, "BESIDE", 1000)
    monkeypatch.setattr(tasks, "SLICE_BYTES", 8000)
    killed(other, "task:1")
    assert left(other) == (CHILDREN - 4, CHILDREN + 3, 1)
    client.call("task/update", {"id": "task:27", "patch": {"title": "t"}})
    assert left(other) == (CHILDREN - 6, CHILDREN + 3, 1)
    monkeypatch.setattr(tasks, "SLICE_BYTES", 1)
    client.call("task/update", {"id": "task:27", "patch": {"title": "u"}})
    assert left(other) == (CHILDREN - 7, CHILDREN + 3, 1)
    for n in range(2 * CHILDREN):
        client.call("task/update", {"id": "task:27", "patch": {"title": f"v{n}"}})
    assert left(other) == (0, 0, 0)


def test_a_child_of_a_deleted_task_may_have_children(client: TestClient, other: Any) -> None:
    client.call("task/create", {"title": "y"})
    client.call("task/create", {"title": "below y", "parent": "task:28"})
    killed(other, "task:1")
    moved = client.call("task/update", {"id": "task:28", "patch": {"parent": "task:26"}})
    assert moved["parent"] == "task:26"
    with pytest.raises(RpcError, match=r"is this task or below it"):
        client.call("task/update", {"id": "task:26", "patch": {"parent": "task:29"}})


def test_a_delete_has_happened_though_a_later_slice_finds_the_store_busy(
    client: TestClient, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other.database, "wait_s", 0)
    with closing(sqlite3.connect(other.path, isolation_level=None)) as db:

        def locked() -> bool:
            db.execute("BEGIN IMMEDIATE")
            return False

        call = Call(locked)
        other.delete("task:1", call)
    assert [level for level, _ in call.logged] == ["warn"]
    assert left(other)[2] == 1
    with pytest.raises(RpcError, match=r"task:1"):
        client.call("task/get", {"id": "task:1"})
