import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_endpoint import PASSWORD, Endpoint, Engine, StandIn, clickhouse, real
from example_apps import example
from example_host import EXAMPLES, refused, served
from log_calls import Entry, entry, found, is_quiet, store, tail, tailed

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.structs.log_storage import LogEntry

LOGS = [sys.executable, str(EXAMPLES / "logs_clickhouse.py")]
FOLDER = Path(".animus", "data", "animus-log-storage-clickhouse")
IS_REAL = os.environ.get("ANIMUS_CLICKHOUSE") == "chdb"
TABLES = (f"logs_{number}" for number in count())
WAIT_S = 40.0


def engine() -> Engine:
    return real() if IS_REAL else StandIn()


@pytest.fixture
def there() -> Iterator[Endpoint]:
    with clickhouse(engine()) as found_there:
        yield found_there


@pytest.fixture
def table() -> str:
    return next(TABLES)


@contextmanager
def opened(project: Path, there: Endpoint, table: str, **env: str) -> Iterator[Plugin]:
    own = {
        "ANIMUS_CLICKHOUSE_URL": there.url,
        "ANIMUS_CLICKHOUSE_USER": "animus",
        "ANIMUS_CLICKHOUSE_PASSWORD": PASSWORD,
        "ANIMUS_CLICKHOUSE_TABLE": table,
    }
    with served(LOGS, project, env={**own, **env}) as plugin:
        yield plugin


@pytest.fixture
def plugin(tmp_path: Path, there: Endpoint, table: str) -> Iterator[Plugin]:
    with opened(tmp_path, there, table) as plugin:
        yield plugin


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Endpoint, Plugin]]:
    project = tmp_path_factory.mktemp("shared")
    with clickhouse(engine()) as there, opened(project, there, next(TABLES)) as plugin:
        yield there, plugin


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    project = tmp_path_factory.mktemp("filtered")
    with clickhouse(engine()) as there, opened(project, there, next(TABLES)) as plugin:
        ts = [f"2026-01-31T09:30:0{n}Z" for n in range(5)]
        store(
            plugin,
            entry("error", ts=ts[0], level="error", target="daemon"),
            entry("warn", ts=ts[1], level="warn", target="plugin.a"),
            entry("plugin", ts=ts[2], source="plugin", target="plugin.b.c"),
            entry("cli", ts=ts[3], source="cli", source_name="a 'b' \\ \n\t", target="a.https"),
            entry("odd", ts=ts[4], level="trace", target="a (b) [c] \\ \n é"),
        )
        yield plugin


def at(second: int, **fields: Any) -> Entry:
    ts = f"2026-01-31T09:{second // 60:02}:{second % 60:02}Z"
    return entry(f"{second:04}", ts=ts, **fields)


def until_told(plugin: Plugin, word: str) -> None:
    end = time.monotonic() + WAIT_S
    while word not in plugin.call("health/check").get("last_error", ""):
        assert time.monotonic() < end


def until_healthy(plugin: Plugin) -> None:
    end = time.monotonic() + WAIT_S
    while plugin.call("health/check")["status"] != "healthy":
        assert time.monotonic() < end


def test_an_entry_comes_back_as_it_came(plugin: Plugin) -> None:
    fields = {"z": [1, None, 2**70], "a": {}, "run_event": {"text": "x\u2028y\r\n", "n": 1.0}}
    whole = entry(
        "1",
        ts="2026-01-31t10:30:00.123456789+01:00",
        level="warn",
        source="plugin",
        source_name="x",
        fields=fields,
        message="a\0b\n'ü\\",
    )
    store(plugin, whole, entry("2", ts="2026-01-31T09:29:60.5Z"))
    query = {"min_level": "info", "since": "2026-01-31T09:30:00Z", "source_name": "x", "limit": 10}
    assert plugin.call("log_storage/query", query) == {"entries": [whole]}
    assert found(plugin) == ["2", "1"]
    schema = plugin.call("log_storage/schema")
    assert (schema["supports_query"], schema["supports_tail"], schema["supports_dedup"]) == (
        True,
    ) * 3
    assert set(schema["supports_filtering"].values()) == {True}
    plugin.shutdown()
    assert plugin.stderr_text() == ""  # what is stored tells of nothing that is to be stored


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"min_level": "warn"}, ["error", "warn"]),
        ({"source": "plugin"}, ["plugin"]),
        ({"source_name": "a 'b' \\ \n\t"}, ["cli"]),
        ({"source_name": "'] OR 1"}, []),
        ({"target_glob": "plugin.*"}, ["warn"]),
        ({"target_glob": "plugin.**"}, ["warn", "plugin"]),
        ({"target_glob": "*.http?"}, ["cli"]),
        ({"target_glob": "a (b) [c] \\ \n é"}, ["odd"]),
        ({"since": "2026-01-31T10:30:02+01:00", "until": "2026-01-31T09:30:03Z"}, ["plugin"]),
        (
            {
                "since": "0001-01-01T00:00:00Z",
                "until": "9999-12-31T23:59:59-10:00",
                "source": "cli",
            },
            ["cli"],
        ),
        ({"min_level": "error", "source": "cli"}, []),
    ],
)
def test_every_filter_is_pushed_down(
    filtered: Plugin, query: dict[str, Any], ids: list[str]
) -> None:
    assert found(filtered, **query) == ids


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"cursor": "tomorrow"}, "cursor"),
        ({"since": "2026-02-31T00:00:00Z"}, "since"),
        ({"until": "yesterday"}, "until"),
        ({"since": "2026-01-31T09:30:00.1Z", "until": "2026-01-31T10:30:00+01:00"}, "until"),
        ({"limit": -1}, "limit"),
    ],
)
def test_a_query_that_makes_no_sense_is_named(
    filtered: Plugin, query: dict[str, Any], path: str
) -> None:
    for method in ("log_storage/query", "log_storage/tail"):
        refusal = refused(filtered, method, query)
        assert (refusal.code, refusal.data["issues"][0]["path"]) == (-32602, path)


def test_pages_follow_each_other_while_entries_come_in(plugin: Plugin) -> None:
    store(plugin, *(at(n) for n in range(20)))
    page = plugin.call("log_storage/query", {"limit": 7})
    assert [e["id"] for e in page["entries"]] == [f"{n:04}" for n in range(13, 20)]
    store(plugin, at(50), entry("old", ts="2025-01-01T00:00:00Z"))
    rest = found(plugin, limit=7, cursor=page["next_cursor"])
    assert rest == ["old", *(f"{n:04}" for n in range(13))]
    store(plugin, at(3), at(50))  # again
    assert len(found(plugin, limit=2)) == 22
    assert plugin.call("log_storage/query", {"limit": 0}) == {"entries": []}
    same = [entry(f"s{n}", ts="2026-02-01T00:00:00Z") for n in range(9)]
    store(plugin, *same)
    assert found(plugin, limit=2, since="2026-02-01T00:00:00Z") == [one["id"] for one in same]


def test_a_page_never_grows_beyond_what_hosts_take(plugin: Plugin) -> None:
    for n in range(4):
        store(plugin, at(n, message="\x01" * 300_000))
    assert [e["id"] for e in plugin.call("log_storage/query")["entries"]] == ["0002", "0003"]
    assert found(plugin) == ["0000", "0001", "0002", "0003"]


def test_a_batch_with_one_bad_entry_stores_nothing(plugin: Plugin, there: Endpoint) -> None:
    for bad in ({"ts": "2026-02-31T00:00:00Z"}, {"level": "loud"}, {"message": "x" * 5_000_000}):
        refusal = refused(plugin, "log_storage/store", {"entries": [entry("1"), entry("2", **bad)]})
        assert refusal.data["issues"][0]["path"].startswith("entries.1")
    assert there.asked == []


def test_what_comes_one_by_one_is_inserted_in_batches(plugin: Plugin, there: Endpoint) -> None:
    for n in range(2000):
        plugin.request("log_storage/store", {"entries": [at(n)]})
    assert plugin.call("log_storage/store", {"entries": [at(2000)]}, timeout_s=WAIT_S) == {
        "stored": 1
    }
    assert len(found(plugin)) == 2001
    assert sum(there.rows) == 2001
    assert len(there.rows) < 100


def test_an_outage_is_waited_out_and_nothing_is_lost(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    there.is_down = True
    with opened(tmp_path, there, table) as plugin:
        store(plugin, *(at(n) for n in range(5)))
        until_told(plugin, "wait on disk")
        problem = refused(plugin, "log_storage/query")
        assert (problem.code, problem.data["category"]) == (-32603, "unavailable")
        assert PASSWORD not in json.dumps(plugin.call("health/check")) + plugin.stderr_text()
        store(plugin, at(5))
        plugin.kill()
    there.is_down = False
    for answer in (
        (302, "", b""),  # a proxy's: nothing has been taken
        (503, "202", b"Code: 202. DB::Exception: Too many simultaneous queries"),
        (500, "252", b"Code: 252. DB::Exception: Too many parts"),
        (200, "", b"Code: 241. DB::Exception: Memory limit exceeded"),  # in the midst of an answer
    ):
        there.answers.put(answer)
    with opened(tmp_path, there, table) as plugin:
        store(plugin, at(6))
        until_healthy_and_all(plugin, 7)
        assert there.answers.empty()


def until_healthy_and_all(plugin: Plugin, number: int) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        assert time.monotonic() < end
        with suppress(RpcError):  # it is not over yet
            if len(ids := found(plugin)) == number:
                break
    until_healthy(plugin)
    assert ids == sorted(set(ids))


def test_a_kill_between_insert_and_note_counts_nothing_twice(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    with opened(tmp_path, there, table) as plugin:
        store(plugin, *(at(n) for n in range(10)))
        assert len(found(plugin)) == 10
        plugin.kill()
    (tmp_path / FOLDER / "sent.json").unlink()
    with opened(tmp_path, there, table) as plugin:
        store(plugin, at(10))
        assert found(plugin) == [f"{n:04}" for n in range(11)]


def test_too_much_that_waits_is_refused(tmp_path: Path, there: Endpoint, table: str) -> None:
    there.is_down = True
    with opened(tmp_path, there, table, ANIMUS_CLICKHOUSE_BUFFER_MIB="0.01") as plugin:
        n = 0
        with suppress(RpcError):
            while plugin.call("log_storage/store", {"entries": [at(n)]}):
                n += 1
        problem = refused(plugin, "log_storage/store", {"entries": [at(200)]})
        assert problem.data["category"] == "quota_exceeded"
        there.is_down = False
        until_healthy_and_all(plugin, n)
        store(plugin, at(300))


def test_what_is_not_taken_for_its_content_is_put_aside(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    there.is_down = True
    with opened(tmp_path, there, table) as plugin:
        store(plugin, *(at(n) for n in range(5)))
        plugin.kill()
    waiting = tmp_path / FOLDER / "waiting.jsonl"
    waiting.write_text(waiting.read_text().replace("2026-01-31 09:00:02", "never"))
    there.is_down = False
    with opened(tmp_path, there, table) as plugin:
        until_healthy_and_all(plugin, 4)
        refused_line = (tmp_path / FOLDER / "refused.jsonl").read_text()
        assert json.loads(refused_line)["id"] == "0002"


def test_one_process_sends_what_all_store(tmp_path: Path, there: Endpoint, table: str) -> None:
    with opened(tmp_path, there, table) as first, opened(tmp_path, there, table) as second:
        store(first, at(0))
        assert found(first) == ["0000"]
        store(second, at(1))
        assert found(second) == ["0000", "0001"]
        first.kill()
        store(second, at(2))
        until_healthy_and_all(second, 3)


def test_what_was_sent_goes_and_the_count_goes_on(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    with opened(tmp_path, there, table) as plugin:
        for n in range(12):
            store(plugin, at(n, message="x" * 3_500_000))
        store(plugin, at(12))
        assert found(plugin, since="2026-01-31T09:00:12Z") == ["0012"]
        names = sorted(path.name for path in (tmp_path / FOLDER).glob("waiting*"))
    assert names in (
        ["waiting.000002.jsonl", "waiting.jsonl"],
        ["waiting.000001.jsonl", "waiting.000002.jsonl", "waiting.jsonl"],
    )


def test_entries_of_more_months_than_one_insert_may_have_are_sent(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    months = [f"{year}-{month:02}" for year in range(2000, 2009) for month in range(1, 13)]
    with opened(tmp_path, there, table) as plugin:
        store(plugin, *(entry(month, ts=f"{month}-01T00:00:00Z") for month in months))
        until_healthy_and_all(plugin, len(months))
    assert not (tmp_path / FOLDER / "refused.jsonl").exists()


@pytest.mark.parametrize(
    ("answer", "told", "category"),
    [
        ((503, "202", b"Code: 202. DB::Exception: many"), "answered 503: Code: 202", "quota"),
        ((200, "", b"{}\nCode: 241. DB::Exception: big"), "answered 200: Code: 241", "quota"),
        ((500, "62", b"Code: 62. DB::Exception: what"), "answered 500: Code: 62", "unavailable"),
        ((404, "", b"nothing here"), "answered 404: nothing here", "unavailable"),
        ((302, "", b""), "answered 302", "unavailable"),
        ((401, "", b"a proxy"), "answered 401: a proxy", "permission_denied"),
    ],
)
def test_a_refusal_is_told_as_it_was_answered(
    shared: tuple[Endpoint, Plugin], answer: Any, told: str, category: str
) -> None:
    there, plugin = shared
    there.answers.put(answer)
    refusal = refused(plugin, "log_storage/query")
    assert told in refusal.message
    assert refusal.data["category"].startswith(category)


def test_who_may_not_is_told(tmp_path: Path, there: Endpoint, table: str) -> None:
    with opened(tmp_path, there, table, ANIMUS_CLICKHOUSE_PASSWORD="wrong") as plugin:
        assert refused(plugin, "log_storage/query").data["category"] == "permission_denied"
        store(plugin, at(1))
        until_told(plugin, "Authentication failed")
    with opened(tmp_path, there, table, ANIMUS_CLICKHOUSE_TABLE="x; DROP") as plugin:
        assert "ANIMUS_CLICKHOUSE_TABLE" in refused(plugin, "log_storage/query").message


def test_a_tail_replays_and_follows_what_anybody_stores(
    tmp_path: Path, there: Endpoint, table: str
) -> None:
    with opened(tmp_path, there, table) as plugin:
        store(plugin, *(at(n, level="warn" if n % 2 else "info") for n in range(6)))
        assert tailed(plugin, tail(plugin, min_level="warn"), 3) == ["0001", "0003", "0005"]
        assert tailed(plugin, tail(plugin, limit=2), 2) == ["0004", "0005"]
        request = tail(plugin, follow=True, source="daemon", limit=1)
        assert tailed(plugin, request, 1) == ["0005"]
        beside = tmp_path / "another project"
        beside.mkdir()
        with opened(beside, there, table) as other:
            store(other, at(0), entry("late", ts="2020-01-31T09:30:00Z"), entry("c", source="cli"))
            store(plugin, at(7))
            assert sorted([*tailed(plugin, request, 2)]) == ["0007", "late"]
        assert is_quiet(plugin)
        plugin.notify("$/cancelRequest", {"id": request})


def test_a_ping_leaves_nothing_behind(tmp_path: Path, there: Endpoint, table: str) -> None:
    with opened(tmp_path, there, table) as plugin:
        assert plugin.call("health/check")["status"] == "healthy"
        assert there.asked == []
        assert found(plugin) == []
    assert list(tmp_path.iterdir()) == []
    with served(LOGS, tmp_path) as plugin:
        assert "ANIMUS_CLICKHOUSE_URL" in refused(plugin, "log_storage/query").message


if IS_REAL:

    def rows(one: Engine, sql: str, body: bytes = b"", **values: str) -> Any:
        """What an engine answers, or the code of what is wrong."""
        try:
            found = one.ask(sql, body, values)
        except RuntimeError as problem:
            return str(problem).partition(".")[0]
        return [json.loads(line) for line in found.split(b"\n") if line]

    def test_the_stand_in_answers_as_the_engine_does() -> None:
        module = example("logs_clickhouse")
        one, other = StandIn(), real()
        names = {"table": next(TABLES)}
        entries = [
            at(n % 7, level=level, source=source, target=target, message="\x01'\\" * (n % 3))
            for n, (level, source, target) in enumerate(
                product(module.LEVELS, ("daemon", "cli"), ("a.b", "a.b.c", "ü (x)"))
            )
        ]
        entries = [
            {**entry, "id": f"{n % 20}", "fields": {"n": n}} for n, entry in enumerate(entries)
        ]
        body = b"".join(module.row_of("", msgspec.convert(entry, LogEntry)) for entry in entries)
        ts = "2026-01-31 09:00:03.000000000"
        values: list[dict[str, str]] = [
            {},
            {"since": ts},
            {"until": ts, "source": "cli"},
            {"levels": module.written(["warn", "error"])},
            {"target": module.written(module.pattern("a.*"))},
            {"target": module.written(module.pattern("ü (?)")), "source_name": "x"},
            {"before": ts, "before_id": "5"},
            {"after": ts, "after_id": "5", "from_insert": "2026-01-01 00:00:00.000000"},
        ]
        insert = module.INSERT.format(**names)
        statements: list[tuple[str, bytes, dict[str, str]]] = [
            (insert, body, {}),
            (module.TABLE.format(**names), b"", {}),
            (insert, body, {}),
            (insert, body[: body.index(b"\n") + 1], {}),
            (insert, body.replace(b"2026-", b"never"), {}),
            ("SELEKT 1", b"", {}),
        ]
        for given, way, (limit, most) in product(
            values, ("ASC", "DESC"), (("100", "1000000"), ("7", "1000000"), ("100", "900"))
        ):
            where = " AND ".join(sql for n, sql in module.CONDITIONS.items() if n in given) or "1"
            sql = module.SELECT.format(where=where, way=way, **names)
            statements.append((sql, b"", {**given, "limit": limit, "bytes": most}))
        for sql, text, given in statements:
            answers = [rows(engine, sql, text, **given) for engine in (one, other)]
            for answer in answers:
                for row in answer if isinstance(answer, list) else ():
                    assert len(row.pop("seen_at")) == 26
            assert answers[0] == answers[1], sql
        one.close()
