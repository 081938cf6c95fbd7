"""Whichever way entries are found by, the answer is the same, and others than these are not read."""

import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_apps import example
from example_host import served
from log_calls import entry, found, store
from test_logs_sqlite import DATABASE, LOGS

from animus_routes.batteries.sqlite import turn

PATTERNS = (
    *("app", "app.*", "app.**", "**", "*", "*.x", "?pp.x", "app*", "**x", "*few*", "*.zz", ""),
    *("**.info", "**.INFO", "app.t?.info", "app.t??.*", "app.*.info", "app.few.*", "app.few.?"),
    *(
        'a"b.*',
        '*"b.c',
        "t\0u.*",
        "*\0u.v",
        "数据.*",
        "*.目标v1",
        "über.*",
        "ü*.x",
        "app.*.e\u0301",
    ),
)
TEXTS = ("old", "new", "rare", "zzz", "old new", "old !!!", "!!!", "t", "info")
TARGETS = (
    *("app", "app.x", "app.few.a", "app.few.b", "über.x", "app.q.e\u0301", 'a"b.c', "t\0u.v"),
    *("数据.目标v1", ""),
)
# How many entries came later than they are from, of a hundred.
LATE = (0, 2, 100)
# What the search decides by: its own numbers never decide among so few entries.
SMALL: tuple[dict[str, int], ...] = (
    {},
    {"PROBED": 20, "MOST_LEADS": 10},
    {"PROBED": 4, "MOST_LEADS": 2, "AT_ONCE": 3},
)
CALLS = 120


def made(path: Path, entries: list[dict[str, Any]]) -> Any:
    logs = example("logs_sqlite")
    kept = logs.Store(path / "logs.sqlite3", None)
    rows = [logs.row_of("e", logs.wire.LogEntry(**fields)) for fields in entries]
    with turn(kept.db, 5):
        kept.db.executemany(logs.STORE, rows)
    return kept


def some_entries(chance: random.Random, late: int, number: int = 1500) -> list[dict[str, Any]]:
    def one(n: int) -> dict[str, Any]:
        at = chance.randrange(number) if chance.randrange(100) < late else n // 3
        words = ["old"] if n < number // 2 else ["new"]
        words += ["rare"] if chance.randrange(80) == 0 else ["old"] if n == number - 1 else []
        own = f"app.t{chance.randrange(90)}.info"
        return entry(
            f"{n:04}",
            ts=f"2026-01-31T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z",
            level=chance.choice(["debug", "info", "error"]),
            source=chance.choice(["daemon", "cli"]),
            target=chance.choice([*TARGETS, own, own]),
            message=" ".join(words) or "-",
        )

    return [one(n) for n in range(number)]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text))


def matches(one: dict[str, Any], query: dict[str, Any]) -> bool:
    logs = example("logs_sqlite")
    pattern, text = query.get("target_glob"), query.get("text")
    levels = logs.LEVELS
    return (
        (pattern is None or logs.glob(pattern).fullmatch(one["target"]) is not None)
        and (
            text is None
            or (words(text) != set() and words(text) <= words(f"{one['message']} {one['target']}"))
        )
        and levels.index(one["level"]) >= levels.index(query.get("min_level", "trace"))
        and query.get("source", one["source"]) == one["source"]
        and query.get("since", "") <= one["ts"] < query.get("until", "~")
    )


def queries(chance: random.Random) -> Iterator[dict[str, Any]]:
    may_be = {
        "target_glob": PATTERNS,
        "text": TEXTS,
        "min_level": ["info", "error"],
        "source": ["daemon", "plugin"],
        "since": ["2026-01-31T00:02:00Z"],
        "until": ["2026-01-31T00:06:00Z", "2026-01-31T00:20:00Z"],
    }
    odds = {"target_glob": 0.7, "text": 0.6}
    for _ in range(CALLS):
        chosen = {name: chance.choice(of) for name, of in may_be.items()}
        yield {name: of for name, of in chosen.items() if chance.random() < odds.get(name, 0.25)}


@pytest.mark.parametrize("small", SMALL, ids=["as it is", "smaller", "small"])
@pytest.mark.parametrize("late", LATE)
def test_every_way_to_find_entries_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: int, small: dict[str, int]
) -> None:
    logs, chance = example("logs_sqlite"), random.Random(late)
    for name, number in small.items():
        monkeypatch.setattr(logs, name, number)
    entries = some_entries(chance, late)
    kept = made(tmp_path, entries)
    in_order = sorted(entries, key=lambda one: (one["ts"], one["id"]))
    for query in queries(chance):
        asked = logs.msgspec.convert({**query, "limit": chance.choice([7, 400])}, logs.Query)
        expected = [one["id"] for one in in_order if matches(one, query)]
        pages, cursor = list[str](), None
        while True:
            page = kept.query(logs.msgspec.structs.replace(asked, cursor=cursor))
            pages[:0] = [one.id for one in page.entries]
            if (cursor := page.next_cursor) is None:
                break
        assert (query, pages) == (query, expected)
        oldest_first = [row[3] for row in logs.Matches.of(asked).rows(kept.db)]
        assert (query, oldest_first) == (query, expected)
    kept.database.close()


def steps(kept: Any, **query: Any) -> int:
    """What SQLite does for a query, after one that prepares its statements."""
    logs, done = example("logs_sqlite"), [0]
    asked = logs.msgspec.convert({**query, "limit": 10}, logs.Query)
    kept.query(asked)

    def count() -> int:
        done[0] += 1
        return 0

    kept.db.set_progress_handler(count, 1)
    kept.query(asked)
    kept.db.set_progress_handler(None, 1)
    return done[0]


@pytest.mark.parametrize(
    "query",
    [
        {"target_glob": "*.?wn*.**"},
        {"target_glob": "ap?.own*.t"},
        {"target_glob": "**.o?n*.t"},
        {"text": "old", "source": "daemon"},
        {"text": "old", "target_glob": "app.**"},
    ],
)
def test_what_is_looked_through_does_not_grow_with_the_store(
    tmp_path: Path, query: dict[str, str]
) -> None:
    """Few entries of more targets than are read side by side, and words that went out of use."""
    counts = []
    for number in (1400, 14_000):
        (tmp_path / str(number)).mkdir()
        every = number // 70
        entries = [
            entry(
                f"{n}",
                target=f"app.own{n // every}.t" if n % every == 0 else "app.many.t",
                message=f"{'old' if n < number // 2 else 'new'} {'few' if n % every == 0 else ''}",
            )
            for n in range(number)
        ]
        kept = made(tmp_path / str(number), entries)
        counts.append(steps(kept, **query))
        kept.database.close()
    assert counts[1] <= counts[0] * 1.5


def test_what_follows_reads_what_is_new_alone(tmp_path: Path) -> None:
    """However many entries an index has of what is asked for."""
    logs = example("logs_sqlite")
    kept = made(tmp_path, [entry(str(n), source_name="a") for n in range(20)])
    for condition in logs.CONDITIONS.values():
        plan = kept.db.execute(
            f"EXPLAIN QUERY PLAN {logs.NEWS.format(condition)}",
            dict.fromkeys(("seq", "end", *logs.CONDITIONS), 1),
        ).fetchall()
        assert [row[3] for row in plan] == [
            "SEARCH entries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
        ]
    kept.database.close()


@pytest.mark.parametrize("first", [0, 1000], ids=["among others", "among the last"])
def test_an_entry_that_is_dropped_while_its_page_is_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    logs = example("logs_sqlite")
    monkeypatch.setattr(logs, "PROBED", 100)
    kept = made(tmp_path, [entry(f"{n:04}", message="common") for n in range(first, 1200)])
    asked = logs.Matches.of(logs.Query(text="common"))
    rows = asked.rows(kept.db, newest_first=True)
    assert next(rows)[3] == "1199"
    with turn(kept.db, 5):
        kept.db.execute("DELETE FROM entries WHERE id < '1100'")
    assert [row[3] for row in rows] == [f"{n:04}" for n in range(1198, 1099, -1)]
    kept.database.close()


def test_the_times_of_dropped_entries_are_dropped(tmp_path: Path) -> None:
    with served(LOGS, tmp_path, env={"ANIMUS_LOGS_KEEP_DAYS": "1"}) as plugin:
        for first in range(0, 900, 300):
            old = [entry(str(n), ts="2020-01-01T00:00:00Z") for n in range(first, first + 300)]
            store(plugin, *old)
        store(plugin, entry("new", ts="2100-01-01T00:00:00Z", message="needle"))
        assert found(plugin) == found(plugin, text="needle") == ["new"]
    db = sqlite3.connect(tmp_path / DATABASE)
    assert db.execute("SELECT count(*) FROM blocks").fetchone() == (1,)
    db.close()


def test_common_words_of_a_store_of_the_layout_before_are_found(tmp_path: Path) -> None:
    logs = example("logs_sqlite")
    entries = some_entries(random.Random(1), late=2)
    kept = made(tmp_path, entries[:1000])
    with turn(kept.db, 5):
        kept.db.execute("DROP TRIGGER entry_placed")
        kept.db.execute("DROP TABLE blocks")
        kept.db.execute("UPDATE animus_layouts SET version = 4")
    kept.database.close()
    kept = made(tmp_path, entries[1000:])
    expected = sorted((one["ts"], one["id"]) for one in entries if "old" in words(one["message"]))
    rows = logs.Matches.of(logs.Query(text="old")).rows(kept.db)
    assert [row[3] for row in rows] == [name for _, name in expected]
    kept.database.close()
