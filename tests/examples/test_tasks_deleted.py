"""A deleted task is gone at once; what hung on it is let go in slices."""

from collections.abc import Callable, Iterator
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

    @property
    def cancelled(self) -> bool:
        return self.between()


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
