"""What a list finds, held against a look at every task."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from example_apps import example
from example_host import TASKS, create, every_task, served, update
from msgspec.structs import replace

from animus_routes.structs import subject as wire

tasks: Final = example("tasks_sqlite")
TASKS_MADE: Final = 700  # in three of the blocks that a time is looked for in
LABELS: Final = ["a", "b", "c", "a\0b", "a\ufffdb", r"a\u0000b", r"a\ufffdb", "common"]
ASSIGNEES: Final = [None, "kim", "lee", "k\0m"]
KINDS: Final = ["task"] * 9 + ["bug"]
OWNERS: Final = [None, '["kim","t"]', '["kim",null]']
NATIVES: Final = ["Todo"] * 20 + ["Backlog", "In Progress", "In Review", "Done"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    made = tasks.Store(tmp_path / "tasks.sqlite3")
    yield made
    made.database.close()


def at(minute: int) -> str:
    return f"2026-01-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00.000000Z"


def random_task(chance: random.Random, number: int) -> wire.Subject:
    native = chance.choice(NATIVES)
    labels = {"common", *chance.sample(LABELS, chance.randrange(3))}
    kinds = chance.sample(["pr", "p\0r", "url"], chance.randrange(2))
    # Half of them were changed in the order in which they were made.
    minute = number if chance.random() < 0.5 else chance.randrange(TASKS_MADE)
    return wire.Subject(
        id=f"task:{number}",
        kind=chance.choice(KINDS),
        title=f"{number}",
        status=tasks.HINTS[native].maps_to,
        native_status=native,
        created_at=at(0),
        updated_at=at(minute),
        labels=sorted(labels),
        assignee=chance.choice(ASSIGNEES),
        attachments=[wire.SubjectAttachment(id=kind, kind=kind, uri="u:x") for kind in kinds],
    )


def random_query(chance: random.Random) -> wire.SubjectFilter:
    given: dict[str, Any] = {
        "status": chance.sample(["ready", "in-progress", "done", "blocked"], 2),
        "native_status": chance.choice(["In Review", "Todo", "Blocked", ""]),
        "dispatch_label": chance.choice(["implement", "code-review", "none", ""]),
        "assignee": chance.sample(["kim", "lee", "k\0m", "k", "nobody"], 2),
        "kind": chance.choice([["task"], ["bug"], ["other"], ["task", "bug"]]),
        "labels_any": chance.sample(LABELS, 2),
        "labels_all": chance.sample(LABELS, chance.randrange(3)),
        "has_attachment_kind": chance.choice(["pr", "p\0r", "p", "url"]),
        "updated_since": at(chance.randrange(TASKS_MADE + 50)),
    }
    names = chance.sample(sorted(given), chance.randrange(4))
    return wire.SubjectFilter(**{name: given[name] for name in names})


def fits(query: wire.SubjectFilter, task: wire.Subject) -> bool:
    label = tasks.HINTS[task.native_status].dispatch_label
    rest = replace(query, dispatch_label=None, native_status=query.native_status or None)
    return query.dispatch_label in {None, "", label} and rest.matches(task)


def listed(store: Any, query: wire.SubjectFilter, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.page(replace(query, limit=limit, cursor=cursor))
        assert len(page.subjects) <= limit
        found += [task.id for task in page.subjects]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("seed", range(4))
def test_pages_hold_what_fits_in_order_by_whatever_it_is_found(store: Any, seed: int) -> None:
    chance = random.Random(seed)
    every = [(random_task(chance, n), chance.choice(OWNERS)) for n in range(1, TASKS_MADE)]
    gone = {task.id for task, _ in chance.sample(every, 50)}
    with store.db as db:
        rows = [(msgspec.json.encode(task).decode(), owner) for task, owner in every]
        db.execute("BEGIN")
        db.executemany(tasks.ADD, rows)
        db.executemany("DELETE FROM tasks WHERE id = ?", [(name,) for name in gone])
    for _ in range(150):
        query, owner = random_query(chance), chance.choice(OWNERS)
        seen = store if owner is None else store.of(owner)
        expected = [
            task.id
            for task, its in every
            if owner in {None, its} and task.id not in gone and fits(query, task)
        ]
        assert listed(seen, query, chance.choice([1, 3, 10, 500])) == expected, query


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("labels_any", ["a{}"]),
        ("labels_all", ["a{}"]),
        ("assignee", ["a{}"]),
        ("has_attachment_kind", "a{}"),
    ],
)
def test_a_text_with_a_nul_is_found_by_all_of_it(tmp_path: Path, field: str, asked: Any) -> None:
    def found(rest: str) -> list[str]:
        value = (
            asked.format(rest) if isinstance(asked, str) else [one.format(rest) for one in asked]
        )
        return [task["title"] for task in every_task(plugin, **{field: value})]

    with served(TASKS, tmp_path) as plugin:
        for title, text in (("nul", "a\0b"), ("other", "a\ufffdb")):
            kind = {"id": "1", "kind": text, "uri": "https://example.com"}
            create(plugin, title, labels=[text], assignee=text, attachments=[kind])
        assert found("\0b") == ["nul"]
        assert found("\ufffdb") == ["other"]
        assert found("") == found("b") == found("\0") == []


def test_a_watch_looks_at_the_whole_of_a_text_too(tmp_path: Path) -> None:
    with served(TASKS, tmp_path) as plugin:
        assert plugin.call("subject/watch", {"filter": {"labels_any": ["a"]}}) == {"watching": True}
        create(plugin, "not this", labels=["a\0b"])
        create(plugin, "this", labels=["a"])
        event = plugin.next_notification("subject/changed").params["event"]
        assert event["subject"]["title"] == "this"


def test_a_store_of_the_layout_before_is_found_and_counted_as_one_of_today(tmp_path: Path) -> None:
    with served(TASKS, tmp_path) as plugin:
        task = create(plugin, "x", labels=["a\0b"])
        update(plugin, task, comment="first")
        update(plugin, task, comment="second")
    with closing(sqlite3.connect(tmp_path / ".animus" / "tasks.sqlite3")) as db, db:
        for event in ("made", "changed", "gone"):
            db.execute(f"DROP TRIGGER task_{event}")
        for statement in (
            "DROP INDEX tasks_by_block",
            "DROP TABLE blocks",
            "DROP TABLE dropped",
            "ALTER TABLE comments DROP COLUMN number",
            "CREATE INDEX tasks_by_update ON tasks (updated_at)",
            "UPDATE task_keys SET key = 'label:a' WHERE key LIKE 'label:%'",
            "UPDATE animus_layouts SET version = 4",
            "PRAGMA user_version = 4",
        ):
            db.execute(statement)
    with served(TASKS, tmp_path) as plugin:
        since = {"labels_any": ["a\0b"], "updated_since": task["updated_at"]}
        assert [found["id"] for found in every_task(plugin, **since)] == [task["id"]]
        for number in (3, 4):
            (thread,) = update(plugin, task, comment="more")["attachments"]
            assert thread["metadata"] == {"count": number}
