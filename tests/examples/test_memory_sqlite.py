import json
import sqlite3
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_apps import example
from example_host import EXAMPLES, refused, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

MEMORY = [sys.executable, str(EXAMPLES / "memory_sqlite.py")]
DATABASE = Path(".animus") / "memory.sqlite3"
NOT_FREE = "the database was not free within 0.5 s"
PROJECT = {"project_id": "p"}
AGENT = {"project_id": "p", "agent_id": "a"}
TASK = {"project_id": "p", "agent_id": "a", "task_id": "t"}

# The first layout, as it was made before words without spaces were found.
OLD = """
CREATE TABLE projects (root TEXT PRIMARY KEY, project_id TEXT NOT NULL UNIQUE);
CREATE TABLE memories (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, project_id TEXT NOT NULL, scope TEXT NOT NULL,
    key TEXT NOT NULL, value TEXT NOT NULL, text TEXT NOT NULL, expires_at REAL,
    UNIQUE (scope, key));
CREATE VIRTUAL TABLE words USING fts5 (
    key, text, content = 'memories', content_rowid = 'seq', tokenize = 'porter unicode61');
CREATE TRIGGER memory_put AFTER INSERT ON memories BEGIN
    INSERT INTO words (rowid, key, text) VALUES (new.seq, new.key, new.text); END;
CREATE TRIGGER memory_gone AFTER DELETE ON memories BEGIN
    INSERT INTO words (words, rowid, key, text) VALUES ('delete', old.seq, old.key, old.text); END;
CREATE TRIGGER memory_changed AFTER UPDATE ON memories BEGIN
    INSERT INTO words (words, rowid, key, text) VALUES ('delete', old.seq, old.key, old.text);
    INSERT INTO words (rowid, key, text) VALUES (new.seq, new.key, new.text); END;
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
    "PostgreSQL数据库": {"zh", "mixed"},  # any of its words
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
    with served(MEMORY, tmp_path) as plugin:
        yield plugin


def put(plugin: Plugin, key: str, value: Any, scope: Any = PROJECT, **more: Any) -> str:
    request = {"scope": scope, "key": key, "value": value, **more}
    done = plugin.call("memory/put", request)
    assert (done["ack"], done["indexed_immediately"]) == (True, True)
    record_id: str = done["record_id"]
    return record_id


def get(plugin: Plugin, key: str, scope: Any = PROJECT) -> dict[str, Any]:
    found: dict[str, Any] = plugin.call("memory/get", {"scope": scope, "key": key})
    return found


def query(plugin: Plugin, text: str, scope: Any = PROJECT, top_k: int = 10) -> list[str]:
    request = {"scope": scope, "query": text, "top_k": top_k}
    results = plugin.call("memory/query", request)["results"]
    scores = [hit["score"] for hit in results]
    assert scores == sorted(scores, reverse=True)
    return [hit["key"] for hit in results]


def scopes(plugin: Plugin, **request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = plugin.call("memory/list_scopes", request)
        found += page["scopes"]
        if "next_cursor" not in page:
            return found
        request["cursor"] = page["next_cursor"]


def bound_to(root: Path) -> dict[str, Any]:
    return {"project_binding": {"project_root": str(root), "repo_scope": root.name}}


def test_capabilities_say_what_the_store_can_do(plugin: Plugin) -> None:
    assert plugin.initialize_result is not None
    assert plugin.initialize_result["kind_capabilities"]["memory_store"] == {
        "crate_version": "0.1.0",
        "extra": {
            "native_ttl": True,
            "native_key_get": True,
            "strong_consistency": True,
            "max_query_top_k": 100,
        },
    }


@pytest.mark.parametrize("value", [None, False, 0, "", "a\0b", [], {"a": [1.5, None, 2**70]}])
def test_a_value_comes_back_as_it_was_put(plugin: Plugin, value: Any) -> None:
    put(plugin, "key", value)
    found = get(plugin, "key")
    assert (found["found"], found.get("value")) == (True, value)


def test_a_null_is_a_value_and_stands_in_the_results(plugin: Plugin) -> None:
    put(plugin, "nothing much", None)
    request = {"scope": PROJECT, "query": "nothing", "top_k": 1}
    (hit,) = plugin.call("memory/query", request)["results"]
    assert (hit["key"], hit["value"]) == ("nothing much", None)
    assert hit["score"] > 0


def test_a_key_that_nobody_put_is_not_found(plugin: Plugin) -> None:
    assert get(plugin, "key") == {"found": False}
    put(plugin, "key", 1, scope=TASK)
    assert get(plugin, "key", AGENT) == {"found": False}


def test_a_second_put_replaces_the_value_and_what_it_is_found_by(plugin: Plugin) -> None:
    first = put(plugin, "key", "the old way")
    assert put(plugin, "key", "a new road") == first
    assert get(plugin, "key")["value"] == "a new road"
    assert query(plugin, "way") == []
    assert query(plugin, "road") == ["key"]


def test_a_query_ranks_by_how_well_the_words_fit(plugin: Plugin) -> None:
    put(plugin, "both", {"note": "deploys run on Fridays", "who": ["Kim"]})
    put(plugin, "one", "deploying takes an hour")
    put(plugin, "none", "lunch is at noon")
    put(plugin, "elsewhere", "deploys run on Fridays", scope=AGENT)
    assert query(plugin, "When do we deploy? Friday?") == ["both", "one"]
    assert query(plugin, "kim NOT (NEAR") == ["both"]
    assert query(plugin, "deploy", AGENT) == ["elsewhere"]
    assert query(plugin, '"*?') == query(plugin, "") == []


def check_asked(plugin: Plugin) -> None:
    for text, keys in ASKED.items():
        assert (text, set(query(plugin, text))) == (text, keys)


def test_words_are_found_in_scripts_without_spaces(plugin: Plugin) -> None:
    for key, value in TEXTS.items():
        put(plugin, key, "nothing")
        put(plugin, key, {"in": [value]})
    check_asked(plugin)
    put(plugin, "键名", 1)
    assert query(plugin, "键名") == query(plugin, "名") == ["键名"]
    put(plugin, "zh", "没有")
    assert set(query(plugin, "数据库")) == {"mixed"}
    plugin.call("memory/delete_scope", {"scope": PROJECT})
    assert query(plugin, "数据库") == []


def test_a_database_of_the_first_layout_is_searchable_afterwards(tmp_path: Path) -> None:
    (tmp_path / DATABASE).parent.mkdir()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.executescript(OLD)
        insert = "INSERT INTO memories (project_id, scope, key, value, text) VALUES (?, ?, ?, ?, ?)"
        for key, value in TEXTS.items():
            document = json.dumps(value)
            db.execute(insert, ["p", '["p",null,null]', key, document, value])
        db.commit()
    with served(MEMORY, tmp_path) as first, served(MEMORY, tmp_path) as second:
        check_asked(first)
        check_asked(second)
        put(first, "zh", "没有")
        assert query(second, "数据库") == ["mixed"]
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        layouts = db.execute("SELECT name, version FROM animus_layouts").fetchall()
        assert layouts == [("memory", 5)]


def test_top_k_is_clamped_to_what_the_capabilities_say(plugin: Plugin) -> None:
    for n in range(120):
        put(plugin, str(n), "same words")
    assert len(query(plugin, "words", top_k=2**32 - 1)) == 100
    assert len(query(plugin, "words", top_k=3)) == 3
    assert query(plugin, "words", top_k=0) == []
    refusal = refused(plugin, "memory/query", {"scope": PROJECT, "query": "x", "top_k": -1})
    assert (refusal.code, refusal.data["issues"][0]["path"]) == (-32602, "top_k")


def test_results_never_grow_beyond_what_hosts_take(plugin: Plugin) -> None:
    for n in range(6):
        put(plugin, str(n), "words " + "ü" * 500_000)
    assert 0 < len(query(plugin, "words")) < 6


def test_a_value_is_gone_when_its_time_is_over(plugin: Plugin) -> None:
    put(plugin, "short", "words", scope=TASK, ttl_secs=1)
    put(plugin, "long", "words", scope=PROJECT, ttl_secs=2**64 - 1)
    put(plugin, "never", "words", scope=PROJECT, ttl_secs=0)
    assert get(plugin, "short", TASK)["found"] is True
    deadline = time.monotonic() + 5
    while get(plugin, "short", TASK)["found"] and time.monotonic() < deadline:
        plugin.call("$/ping")
    assert get(plugin, "short", TASK) == {"found": False}
    assert query(plugin, "words", TASK) == []
    assert query(plugin, "words") == ["long"]
    assert scopes(plugin) == [PROJECT]


def test_a_put_without_a_time_to_live_takes_the_old_one_away(plugin: Plugin) -> None:
    put(plugin, "key", 1, ttl_secs=0)
    put(plugin, "key", 2)
    assert get(plugin, "key") == {"found": True, "value": 2}


def test_scopes_are_listed_in_pages_and_by_project(plugin: Plugin) -> None:
    known = [PROJECT, AGENT, TASK, *({"project_id": f"q{n}"} for n in range(5))]
    for scope in known:
        put(plugin, "one", 1, scope)
        put(plugin, "two", 2, scope)
    assert sorted(map(str, scopes(plugin, page_size=3))) == sorted(map(str, known))
    assert sorted(map(str, scopes(plugin, project_id="p"))) == sorted(map(str, known[:3]))
    first = plugin.call("memory/list_scopes", {"page_size": 3})
    assert len(first["scopes"]) == 3


def test_a_scope_is_deleted_alone_and_as_often_as_one_likes(plugin: Plugin) -> None:
    for scope in (PROJECT, AGENT, TASK):
        put(plugin, "key", "words", scope)
    for _ in range(2):
        assert plugin.call("memory/delete_scope", {"scope": AGENT}) == {"ack": True}
    assert scopes(plugin) == [TASK, PROJECT] or scopes(plugin) == [PROJECT, TASK]
    assert query(plugin, "words", AGENT) == []


def test_what_is_left_of_a_deleted_scope_is_seen_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = example("memory_sqlite")
    monkeypatch.setattr(module, "SLICE", 3)
    scope, other = {"project_id": "p"}, {"project_id": "q"}
    with TestClient(module.app) as memory:
        for number in range(10):
            item = {"scope": scope, "key": str(number), "value": f"word {number}"}
            memory.call("memory/put", item)
        with monkeypatch.context() as killed:
            killed.setattr(module.Store, "clear", killed_here)
            with pytest.raises(RpcError):
                memory.call("memory/delete_scope", {"scope": scope})
            found = memory.call("memory/query", {"scope": scope, "query": "word", "top_k": 5})
            assert found["results"] == []
            assert memory.call("memory/get", {"scope": scope, "key": "1"})["found"] is False
            assert memory.call("memory/list_scopes", {})["scopes"] == []
        memory.call("memory/put", {"scope": scope, "key": "9", "value": "new word"})
        found = memory.call("memory/query", {"scope": scope, "query": "word", "top_k": 5})
        assert [result["value"] for result in found["results"]] == ["new word"]
        for number in range(5):
            memory.call("memory/put", {"scope": other, "key": str(number), "value": "x"})
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("SELECT count(*) FROM memories").fetchone() == (6,)
        assert db.execute("SELECT count(*) FROM dropped").fetchone() == (0,)


def killed_here(*_: Any) -> bool:
    raise InterruptedError


@pytest.mark.parametrize("scope", [{"project_id": ""}, {"project_id": "p", "task_id": "t"}])
def test_a_scope_that_has_no_place_is_refused(plugin: Plugin, scope: dict[str, Any]) -> None:
    refusal = refused(plugin, "memory/put", {"scope": scope, "key": "k", "value": 1})
    assert refusal.code == -32602
    assert refusal.data["issues"][0]["path"].startswith("scope.")


def test_scopes_that_look_alike_are_kept_apart(plugin: Plugin) -> None:
    put(plugin, "key", 1, {"project_id": 'p","a'})
    put(plugin, "key", 2, {"project_id": "p", "agent_id": ""})
    put(plugin, "key", 3)
    assert get(plugin, "key", {"project_id": 'p","a'})["value"] == 1
    assert get(plugin, "key", {"project_id": "p", "agent_id": ""})["value"] == 2


def test_a_bound_process_serves_its_project_only(tmp_path: Path) -> None:
    with served(MEMORY, tmp_path, init_extensions=bound_to(tmp_path)) as plugin:
        put(plugin, "key", 1)
        other = {"project_id": "other"}
        for method, params in (
            ("memory/put", {"scope": other, "key": "k", "value": 1}),
            ("memory/get", {"scope": other, "key": "k"}),
            ("memory/query", {"scope": other, "query": "k", "top_k": 1}),
            ("memory/list_scopes", {"project_id": "other"}),
            ("memory/delete_scope", {"scope": other}),
        ):
            refusal = refused(plugin, method, params)
            assert (refusal.code, "other" in refusal.message) == (-32407, True)
    with served(MEMORY, tmp_path) as unbound:
        put(unbound, "key", 2, other)
        assert len(scopes(unbound)) == 2
    with served(MEMORY, tmp_path, init_extensions=bound_to(tmp_path)) as plugin:
        assert scopes(plugin) == [PROJECT]
        assert refused(plugin, "memory/get", {"scope": other, "key": "key"}).code == -32407


def test_projects_that_share_a_file_do_not_reach_each_other(tmp_path: Path) -> None:
    env = {"ANIMUS_MEMORY_DB": str(tmp_path / "shared.db")}
    one, two = tmp_path / "one", tmp_path / "two"
    for root in (one, two):
        root.mkdir()
    with (
        served(MEMORY, one, env=env, init_extensions=bound_to(one)) as first,
        served(MEMORY, two, env=env, init_extensions=bound_to(two)) as second,
    ):
        put(first, "key", 1)
        stolen = {"scope": PROJECT, "key": "key", "value": 2}
        assert refused(second, "memory/put", stolen).code == -32407
        assert refused(second, "memory/get", {"scope": PROJECT, "key": "key"}).code == -32407
        put(second, "key", 2, {"project_id": "q"})
        assert scopes(first) == [PROJECT]
        assert get(first, "key")["value"] == 1


def test_a_put_is_seen_by_every_process_at_once(plugin: Plugin, tmp_path: Path) -> None:
    with served(MEMORY, tmp_path) as other:
        put(other, "key", "words")
        assert get(plugin, "key")["value"] == "words"
        assert query(plugin, "words") == ["key"]


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with served(MEMORY, tmp_path) as plugin:
        requests = [
            plugin.request("memory/put", {"scope": PROJECT, "key": str(n % 30), "value": n})
            for n in range(90)
        ]
        for request in requests[:50]:
            plugin.reply(request)
        plugin.kill()
    with served(MEMORY, tmp_path) as plugin:
        values = [get(plugin, str(n))["value"] for n in range(30)]
    assert all(value % 30 == n for n, value in enumerate(values))
    assert all(value >= 20 for value in values)
    assert all(value >= 30 for value in values[:20])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.execute("INSERT INTO placed_words (placed_words) VALUES ('integrity-check')")


def test_a_database_that_fails_has_the_protocols_own_code(plugin: Plugin, tmp_path: Path) -> None:
    plugin.call("memory/get", {"scope": PROJECT, "key": "k"})
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("DROP TABLE memories")
    refusal = refused(plugin, "memory/get", {"scope": PROJECT, "key": "k"})
    assert (refusal.code, "memories" in refusal.message) == (-32404, True)
    assert plugin.call("health/check")["status"] == "unhealthy"


def test_health_asks_the_database(plugin: Plugin, tmp_path: Path) -> None:
    plugin.call("memory/get", {"scope": PROJECT, "key": "k"})
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
    command = [sys.executable, "-m", "animus_routes", "routes", MEMORY[1]]
    code, table, _ = run(command, tmp_path)
    assert (code, "missing" in table) == (0, False)
    for verb in ("put", "get", "query", "list_scopes", "delete_scope"):
        assert f"memory/{verb}" in table
