import sqlite3
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, run, served
from log_calls import entry, found, is_quiet, store, tail, tailed

from animus_routes import RpcError
from animus_routes.host import Plugin

LOGS = [sys.executable, str(EXAMPLES / "logs_sqlite.py")]
DATABASE = Path(".animus") / "logs.sqlite3"
NOT_FREE = "the database was not free within 0.5 s"

# The first layout, as it was made before words without spaces were found.
OLD = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    moment TEXT NOT NULL, ts TEXT NOT NULL, level INTEGER NOT NULL, source TEXT NOT NULL,
    source_name TEXT, target TEXT NOT NULL, message TEXT NOT NULL, fields TEXT,
    size INTEGER NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    message, target, fields, content = 'entries', content_rowid = 'seq');
CREATE TRIGGER entry_stored AFTER INSERT ON entries BEGIN
    INSERT INTO words (rowid, message, target, fields)
        VALUES (new.seq, new.message, new.target, new.fields); END;
CREATE TRIGGER entry_dropped AFTER DELETE ON entries BEGIN
    INSERT INTO words (words, rowid, message, target, fields)
        VALUES ('delete', old.seq, old.message, old.target, old.fields); END;
PRAGMA user_version = 1;
"""
TEXTS = {
    "zh": "我们使用数据库来存储配置。库存不足",
    "ja": "東京タワーに行きました。猫が好き",
    "ko": "데이터베이스를 사용합니다",
    "mixed": "升级到PostgreSQL数据库, version 16 café",
    "en": "The servers were restarted on Monday",
    "odd": "𠮷野家、ｶﾀｶﾅ、々〆、ㄅㄆ",
}
# What is asked, and what has it.
ASKED = {
    "数据库": {"zh", "mixed"},
    "配置": {"zh"},
    "库": {"zh", "mixed"},
    "配置库存": set(),  # a word does not run from one sentence into the next
    "東京": {"ja"},
    "タワー": {"ja"},
    "猫": {"ja"},
    "行きました": {"ja"},
    "데이터베이스": {"ko"},
    "데이터베이스를": {"ko"},
    "데": {"ko"},
    unicodedata.normalize("NFD", "데이터베이스"): {"ko"},
    "PostgreSQL": {"mixed"},
    "PostgreSQL数据库": {"mixed"},
    "16": {"mixed"},
    "cafe": {"mixed"},
    "RESTARTED": {"en"},
    "𠮷野家": {"odd"},
    "ｶﾀｶﾅ": {"odd"},
    "ㄅㄆ": {"odd"},
    "库数据": set(),
}


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(LOGS, tmp_path) as plugin:
        yield plugin


def test_the_frames_of_the_host_are_answered_as_it_decodes_them(plugin: Plugin) -> None:
    whole = entry(
        "1", level="warn", source="plugin", source_name="x", fields={"a": [1, None, 2**70]}
    )
    store(plugin, whole)
    query = {"min_level": "info", "since": "2026-01-31T09:30:00Z", "source_name": "x", "limit": 10}
    assert plugin.call("log_storage/query", query) == {"entries": [whole]}
    assert plugin.call("log_storage/query") == {"entries": [whole]}


def test_the_schema_agrees_with_what_is_advertised(plugin: Plugin) -> None:
    assert plugin.initialize_result is not None
    methods = plugin.initialize_result["capabilities"]["methods"]
    schema = plugin.call("log_storage/schema")
    assert schema["supports_query"] == ("log_storage/query" in methods) is True
    assert schema["supports_tail"] == ("log_storage/tail" in methods) is True
    assert schema["supports_dedup"] is True
    assert set(schema["supports_filtering"].values()) == {True}
    assert "retention_hint" not in schema


def test_an_entry_comes_back_as_it_came_and_its_id_counts_once(plugin: Plugin) -> None:
    first = entry("1", ts="2026-01-31t09:30:00.123456789+05:30", message="a\0b\nü")
    store(plugin, first)
    store(plugin, entry("1", message="changed"), entry("2"))
    assert plugin.call("log_storage/query")["entries"] == [first, entry("2")]


def test_a_batch_with_one_bad_entry_stores_nothing(plugin: Plugin) -> None:
    for bad in ({"ts": "2026-02-31T00:00:00Z"}, {"level": "loud"}, {"message": "x" * 5_000_000}):
        refusal = refused(plugin, "log_storage/store", {"entries": [entry("1"), entry("2", **bad)]})
        assert refusal.code == -32602
        assert refusal.data["issues"][0]["path"].startswith("entries.1")
    assert found(plugin) == []


def test_a_batch_that_breaks_half_way_stores_nothing(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.call("log_storage/query")["entries"] == []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute(
            "CREATE TRIGGER broken AFTER INSERT ON entries WHEN new.id = '3' "
            "BEGIN SELECT raise(ABORT, 'disk trouble'); END"
        )
    batch = {"entries": [entry(str(n)) for n in range(5)]}
    refusal = refused(plugin, "log_storage/store", batch)
    assert (refusal.code, refusal.data["category"]) == (-32603, "unavailable")
    assert found(plugin) == []


def test_times_are_compared_as_times_to_the_nanosecond(plugin: Plugin) -> None:
    store(
        plugin,
        entry("leap", ts="2026-01-31T09:29:60.5Z"),
        entry("c", ts="2026-01-31T09:30:00.000000002Z"),
        entry("b", ts="2026-01-31T10:30:00.000000001+01:00"),
        entry("a", ts="2026-01-30T23:30:00-10:00"),
        entry("d", ts="2026-01-31 09:30:00.1Z"),
    )
    assert found(plugin) == ["leap", "a", "b", "c", "d"]
    since = "2026-01-31T11:30:00.000000001+02:00"
    assert found(plugin, since=since) == ["b", "c", "d"]
    assert found(plugin, until=since) == ["leap", "a"]
    assert found(plugin, since=since, until="2026-01-31T09:30:00.000000002Z") == ["b"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"min_level": "warn"}, ["error", "warn"]),
        ({"min_level": "trace"}, ["error", "warn", "plugin", "cli"]),
        ({"source": "plugin"}, ["plugin"]),
        ({"source_name": "queue list"}, ["cli"]),
        ({"source_name": "queue"}, []),
        ({"target_glob": "plugin.*"}, ["warn"]),
        ({"target_glob": "plugin.**"}, ["warn", "plugin"]),
        ({"target_glob": "*.http?"}, ["cli"]),
        ({"target_glob": "plugin.[a]"}, []),
        ({"text": "disk"}, ["error", "warn"]),
        ({"text": 'disk "almost'}, ["warn"]),
        ({"text": "a-17"}, ["plugin"]),
        ({"text": " \0 "}, ["error", "warn", "plugin", "cli"]),
        ({"text": '""'}, []),
        ({"text": "disk", "min_level": "error", "source": "daemon"}, ["error"]),
    ],
)
def test_every_filter_narrows_and_all_of_them_together(
    plugin: Plugin, query: dict[str, Any], ids: list[str]
) -> None:
    store(
        plugin,
        entry("error", level="error", message="The disk is full", target="daemon"),
        entry("warn", level="warn", message="The disk is almost full", target="plugin.a"),
        entry("plugin", source="plugin", target="plugin.b.c", fields={"order": "a-17"}),
        entry("cli", source="cli", source_name="queue list", target="a.https", level="trace"),
    )
    assert found(plugin, **query) == ids


def check_asked(plugin: Plugin) -> None:
    for text, names in ASKED.items():
        assert (text, set(found(plugin, text=text))) == (text, names)
    assert found(plugin, text="数据库 version") == ["mixed"]


def test_words_are_found_in_scripts_without_spaces(plugin: Plugin) -> None:
    store(plugin, *(entry(name, message=text) for name, text in TEXTS.items()))
    check_asked(plugin)
    store(plugin, entry("7", target="数据.目标"), entry("8", fields={"城市": "京都", "n": "东"}))
    assert found(plugin, text="目标") == ["7"]
    assert found(plugin, text="京都") == found(plugin, text="城市") == ["8"]
    assert found(plugin, text="市京") == []


def test_a_database_of_the_first_layout_is_searchable_afterwards(tmp_path: Path) -> None:
    (tmp_path / DATABASE).parent.mkdir()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.executescript(OLD)
        for name, text in TEXTS.items():
            values = [name, "2020-01-31T09:30:00.000000000", "2020-01-31T09:30:00Z", text]
            db.execute(
                """INSERT INTO entries (id, moment, ts, level, source, target, message, size)
                VALUES (?, ?, ?, 2, 'daemon', 't', ?, 100)""",
                values,
            )
        db.commit()
    with served(LOGS, tmp_path) as first, served(LOGS, tmp_path) as second:
        check_asked(first)
        check_asked(second)
    with served(LOGS, tmp_path, env={"ANIMUS_LOGS_KEEP_DAYS": "1"}) as plugin:
        now = datetime.now(UTC).isoformat()
        store(plugin, entry("new", ts=now, message="数据库"))
        assert found(plugin, text="数据库") == ["new"]
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        layouts = db.execute("SELECT name, version FROM animus_layouts").fetchall()
        assert layouts == [("logs", 5)]


def test_pages_follow_each_other_while_entries_come_in(plugin: Plugin) -> None:
    store(plugin, *(entry(f"{n:02}") for n in range(10)))
    page = plugin.call("log_storage/query", {"limit": 4})
    assert [e["id"] for e in page["entries"]] == ["06", "07", "08", "09"]
    store(plugin, entry("older", ts="2025-01-01T00:00:00Z"), entry("10"))
    rest = found(plugin, limit=4, cursor=page["next_cursor"])
    assert rest == ["older", *(f"{n:02}" for n in range(6))]
    nothing = plugin.call("log_storage/query", {"limit": 0})
    assert nothing == {"entries": []}
    assert len(found(plugin, limit=2**64 - 1)) == 12


def test_a_host_that_asks_once_gets_the_newest_entries_oldest_first(plugin: Plugin) -> None:
    """The daemon's own frames: it follows no cursor."""
    for first in range(0, 500, 100):
        store(plugin, *(entry(f"{n:03}") for n in range(first, first + 100)))
    asked = {"min_level": "info", "since": "2020-01-01T00:00:00Z", "limit": 200}
    page = plugin.call("log_storage/query", asked)
    assert [e["id"] for e in page["entries"]] == [f"{n:03}" for n in range(300, 500)]


def test_a_page_never_grows_beyond_what_hosts_take(plugin: Plugin) -> None:
    for n in range(4):
        store(plugin, entry(str(n), message="\x01" * 600_000))
    page = plugin.call("log_storage/query")
    assert [e["id"] for e in page["entries"]] == ["3"]
    assert found(plugin) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"cursor": "tomorrow"}, "cursor"),
        ({"since": "2026-02-31T00:00:00Z"}, "since"),
        ({"until": "yesterday"}, "until"),
        ({"limit": -1}, "limit"),
    ],
)
def test_a_query_that_makes_no_sense_is_named(
    plugin: Plugin, query: dict[str, Any], path: str
) -> None:
    for method in ("log_storage/query", "log_storage/tail"):
        refusal = refused(plugin, method, query)
        assert (refusal.code, refusal.data["issues"][0]["path"]) == (-32602, path)


def test_a_tail_without_follow_replays_what_matches_and_ends(plugin: Plugin) -> None:
    store(plugin, *(entry(str(n), level="warn" if n % 2 else "info") for n in range(6)))
    request = tail(plugin, min_level="warn")
    assert tailed(plugin, request, 3) == ["1", "3", "5"]
    store(plugin, entry("late", level="error"))
    assert is_quiet(plugin)
    request = tail(plugin, limit=2)
    assert tailed(plugin, request, 2) == ["5", "late"]
    assert is_quiet(plugin)


def test_a_tail_replays_every_page_in_order(plugin: Plugin) -> None:
    ids = [f"{n:04}" for n in range(2500)]
    store(plugin, *map(entry, ids))
    assert tailed(plugin, tail(plugin), 2500) == ids


def test_a_tail_that_follows_sees_what_every_process_stores(plugin: Plugin, tmp_path: Path) -> None:
    store(plugin, entry("0"), entry("1"))
    request = tail(plugin, follow=True, source="daemon", limit=1)
    assert tailed(plugin, request, 1) == ["1"]
    store(plugin, entry("2", ts="2020-01-01T00:00:00Z"), entry("other", source="cli"))
    assert tailed(plugin, request, 1) == ["2"]
    with served(LOGS, tmp_path) as other:
        store(other, entry("3"), entry("0"))
    store(plugin, *(entry(str(n)) for n in range(4, 1504)))
    assert tailed(plugin, request, 1501) == [str(n) for n in range(3, 1504)]


def test_a_cancelled_tail_ends_and_a_second_one_lives_on(plugin: Plugin) -> None:
    first, second = tail(plugin, follow=True), tail(plugin, follow=True)
    plugin.notify("$/cancelRequest", {"id": first})
    plugin.call("$/ping")
    store(plugin, entry("1"))
    assert tailed(plugin, second, 1) == ["1"]
    assert is_quiet(plugin)


def test_old_entries_go_when_a_retention_is_set(tmp_path: Path) -> None:
    moment = datetime.now(UTC)
    old, young = (
        entry(name, ts=(moment - timedelta(days=days)).isoformat(), message="needle")
        for name, days in (("old", 3), ("young", 1))
    )
    with served(LOGS, tmp_path) as plugin:
        store(plugin, old, young)
        assert found(plugin, text="needle") == ["old", "young"]
    with served(LOGS, tmp_path, env={"ANIMUS_LOGS_KEEP_DAYS": "1.5"}) as plugin:
        assert plugin.call("log_storage/schema")["retention_hint"] == 129_600_000
        store(plugin, entry("new", ts=moment.isoformat()))
        assert found(plugin) == ["young", "new"]
        assert found(plugin, text="needle") == ["young"]
    with (
        pytest.raises(RpcError, match="KEEP_DAYS"),
        served(LOGS, tmp_path, env={"ANIMUS_LOGS_KEEP_DAYS": "nan"}),
    ):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_nothing_answered_and_splits_no_batch(tmp_path: Path, seed: int) -> None:
    with served(LOGS, tmp_path) as plugin:
        requests = [
            plugin.request(
                "log_storage/store", {"entries": [entry(f"{n}.{part}") for part in range(3)]}
            )
            for n in range(60)
        ]
        answered = 5 + 20 * seed
        for request in requests[:answered]:
            assert plugin.reply(request) == {"stored": 3}
        plugin.kill()
    with served(LOGS, tmp_path) as plugin:
        kept = found(plugin)
        assert plugin.call("health/check")["status"] == "healthy"
    batches = {name.partition(".")[0] for name in kept}
    assert len(kept) == 3 * len(batches)
    assert {str(n) for n in range(answered)} <= batches
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_health_asks_the_database(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.call("log_storage/query")["entries"] == []
    assert plugin.call("health/check")["status"] == "healthy"
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        held = plugin.call("health/check")
        db.execute("ROLLBACK")
    assert (held["status"], held["last_error"]) == (
        "degraded",
        f"{tmp_path / DATABASE}: {NOT_FREE}",
    )
    (tmp_path / DATABASE).rename(tmp_path / "moved.db")
    assert plugin.call("health/check")["status"] == "unhealthy"


def test_the_table_of_routes_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "animus_routes", "routes", LOGS[1]]
    code, table, _ = run(command, tmp_path)
    assert code == 0
    assert "missing" not in table
    for verb in ("store", "query", "tail", "schema"):
        assert f"log_storage/{verb}" in table


def test_what_many_have_is_found_behind_many_others(plugin: Plugin) -> None:
    day = datetime(2026, 1, 31, tzinfo=UTC)

    def some(number: int, word: str, first: int) -> list[dict[str, Any]]:
        times = (
            (n, (day + timedelta(seconds=n)).isoformat()) for n in range(first, first + number)
        )
        return [entry(f"{n:05}", ts=ts, message=f"{word} {n}") for n, ts in times]

    store(plugin, *some(1100, "needle", 0), *some(2200, "hay", 10_000))
    assert found(plugin, text="needle", limit=400) == [f"{n:05}" for n in range(1100)]
    assert found(plugin, text="hay needle") == []
