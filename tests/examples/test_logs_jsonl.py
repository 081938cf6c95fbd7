import fcntl
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served
from log_calls import Entry, entry, found, is_quiet, store, tail, tailed

from animus_routes import RpcError
from animus_routes.host import Plugin

LOGS = [sys.executable, str(EXAMPLES / "logs_jsonl.py")]
FOLDER = Path(".animus", "data", "animus-log-storage-jsonl")
SMALL = {"ANIMUS_LOGS_JSONL_MIB": "0.001"}  # about eight entries a file


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(LOGS, tmp_path) as plugin:
        yield plugin


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Plugin]:
    with served(LOGS, tmp_path, env=SMALL) as plugin:
        yield plugin


def at(second: int, **fields: Any) -> Entry:
    ts = f"2026-01-31T09:{second // 60:02}:{second % 60:02}Z"
    return entry(f"{second:03}", ts=ts, **fields)


def files(project: Path) -> list[str]:
    return sorted(path.name for path in (project / FOLDER).iterdir())


def own(project: Path) -> Path:
    return project / FOLDER / "logs.jsonl"


def daemons(second: int, **fields: Any) -> str:
    ts = f"2026-01-31T09:30:{second:02}.5+00:00"
    line = {"ts": ts, "level": "warn", "cat": "daemon.tick", "msg": f"tick {second}", **fields}
    return json.dumps(line) + "\n"


def test_the_frames_of_the_host_are_answered_as_it_decodes_them(
    plugin: Plugin, tmp_path: Path
) -> None:
    fields = {"a": [1, None, 2**70], "run_event": {"text": "x\u2028y\r\n", "n": 1.0}}
    whole = entry("1", level="warn", source="plugin", source_name="x", fields=fields)
    store(plugin, whole)
    query = {"min_level": "info", "since": "2026-01-31T09:30:00Z", "source_name": "x", "limit": 10}
    assert plugin.call("log_storage/query", query) == {"entries": [whole]}
    assert [json.loads(line) for line in own(tmp_path).read_text().split("\n")[:-1]] == [whole]
    schema = plugin.call("log_storage/schema")
    assert (schema["supports_query"], schema["supports_tail"], schema["supports_dedup"]) == (
        True,
    ) * 3
    assert set(schema["supports_filtering"].values()) == {True}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"min_level": "warn"}, ["error", "warn"]),
        ({"source": "plugin"}, ["plugin"]),
        ({"source_name": "queue list"}, ["cli"]),
        ({"target_glob": "plugin.*"}, ["warn"]),
        ({"target_glob": "plugin.**"}, ["warn", "plugin"]),
        ({"target_glob": "*.http?"}, ["cli"]),
        ({"since": "2026-01-31T10:30:02+01:00", "until": "2026-01-31T09:30:03Z"}, ["plugin"]),
        ({"min_level": "error", "source": "cli"}, []),
    ],
)
def test_every_filter_narrows_and_all_of_them_together(
    tmp_path: Path, query: dict[str, Any], ids: list[str], filtered: Plugin
) -> None:
    assert found(filtered, **query) == ids


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    with served(LOGS, tmp_path_factory.mktemp("filtered")) as plugin:
        ts = [f"2026-01-31T09:30:0{n}Z" for n in range(4)]
        store(
            plugin,
            entry("error", ts=ts[0], level="error", target="daemon"),
            entry("warn", ts=ts[1], level="warn", target="plugin.a"),
            entry("plugin", ts=ts[2], source="plugin", target="plugin.b.c"),
            entry("cli", ts=ts[3], source="cli", source_name="queue list", target="a.https"),
        )
        yield plugin


def test_pages_lead_through_all_files_while_entries_come_in(small: Plugin, tmp_path: Path) -> None:
    for n in range(60, 90):
        store(small, at(n))
    store(small, *(at(n) for n in range(30)))  # late ones
    assert len(files(tmp_path)) > 4
    assert found(small) == [f"{n:03}" for n in (*range(30), *range(60, 90))]
    page = small.call("log_storage/query", {"limit": 7})
    assert [e["id"] for e in page["entries"]] == [f"{n:03}" for n in range(83, 90)]
    store(small, *(at(n) for n in (40, 95)))
    rest = found(small, limit=7, cursor=page["next_cursor"])
    assert rest == [f"{n:03}" for n in (*range(30), 40, *range(60, 83))]
    same = [entry(f"s{n}", ts="2026-02-01T00:00:00Z") for n in range(25)]
    for one in same:
        store(small, one)
    assert found(small, limit=4, since="2026-02-01T00:00:00Z") == [one["id"] for one in same]
    assert small.call("log_storage/query", {"limit": 0}) == {"entries": []}


def test_an_id_counts_once(plugin: Plugin) -> None:
    store(plugin, at(1), at(2))
    store(plugin, at(2, message="again"), at(3))
    assert found(plugin) == ["001", "002", "003"]
    assert found(plugin, limit=1) == ["001", "002", "003"]


def test_times_are_compared_as_times(plugin: Plugin) -> None:
    store(
        plugin,
        entry("c", ts="2026-01-31T09:30:00.000000002Z"),
        entry("b", ts="2026-01-31T10:30:00.000000001+01:00"),
        entry("a", ts="2026-01-30t23:30:00-10:00"),
        entry("d", ts="2026-01-31 09:30:00.1Z"),
        entry("e", ts="2026-01-31T09:30:00.100000001Z"),
    )
    assert found(plugin) == ["a", "b", "c", "d", "e"]
    since = "2026-01-31T11:30:00.000000001+02:00"
    assert found(plugin, since=since, until="2026-01-31T09:30:00.10Z") == ["b", "c"]


def test_the_oldest_files_go(tmp_path: Path) -> None:
    with served(LOGS, tmp_path, env={**SMALL, "ANIMUS_LOGS_JSONL_KEEP": "2"}) as plugin:
        for n in range(60):
            store(plugin, at(n))
        assert len(files(tmp_path)) == 3
        kept = found(plugin)
        assert kept == [f"{n:03}" for n in range(60)][-len(kept) :]
        assert len(kept) > 15


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


def test_a_batch_with_one_bad_entry_stores_nothing(plugin: Plugin, tmp_path: Path) -> None:
    for bad in ({"ts": "2026-02-31T00:00:00Z"}, {"level": "loud"}, {"message": "x" * 5_000_000}):
        refusal = refused(plugin, "log_storage/store", {"entries": [entry("1"), entry("2", **bad)]})
        assert refusal.code == -32602
        assert refusal.data["issues"][0]["path"].startswith("entries.1")
    assert not own(tmp_path).exists()


def test_lines_that_are_no_entries_cost_no_other(plugin: Plugin, tmp_path: Path) -> None:
    store(plugin, at(1))
    with own(tmp_path).open("ab") as other:
        other.write(b'\n{"a": 1}\n[]\nnonsense\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
        other.write(b'{"id":"x","ts":"today","level":"info","target":"t","message":"m"}\n')
        other.write(json.dumps(at(2)).encode() + b"\r\n" + b'{"id": "torn')
    store(plugin, at(3))
    assert found(plugin) == ["001", "002", "003"]


def test_a_page_never_grows_beyond_what_hosts_take(plugin: Plugin) -> None:
    for n in range(4):
        store(plugin, at(n, message="\x01" * 600_000))
    assert [e["id"] for e in plugin.call("log_storage/query")["entries"]] == ["003"]
    assert found(plugin) == ["000", "001", "002", "003"]


def test_the_daemons_own_file_is_read_and_never_written(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    whole = daemons(1, workflow_id="w-1", run_id="r", meta={"a": [None]})
    events.with_name("events.jsonl.1").write_text(whole)
    events.write_text(daemons(2))
    with served(LOGS, tmp_path, env={"ANIMUS_LOGS_JSONL_READ": str(events)}) as plugin:
        both = {"message": "tick 2", "target": "daemon.tick", "ts": "2026-01-31T09:30:02.5Z"}
        store(plugin, entry("2", **both), entry("3", ts="2026-01-31T09:30:03Z"))
        (first, *rest) = plugin.call("log_storage/query")["entries"]
        assert [e["id"] for e in rest] == ["2", "3"]  # what the daemon stored is told once
        assert first == {
            "id": first["id"],
            "ts": "2026-01-31T09:30:01.5+00:00",
            "level": "warn",
            "source": "workflow",
            "source_name": "w-1",
            "target": "daemon.tick",
            "message": "tick 1",
            "fields": {"workflow_id": "w-1", "run_id": "r", "meta": {"a": [None]}},
        }
        assert found(plugin, source_name="w-1") == [first["id"]]
        request = tail(plugin, follow=True, since="2026-01-31T09:30:04Z")
        events.replace(events.with_name("events.jsonl.1"))
        events.write_text(daemons(5))
        store(plugin, entry("own", message="tick 5", ts="2026-01-31T09:30:05.5Z"), at(31 * 60))
        assert len({*tailed(plugin, request, 2)}) == 2
        assert is_quiet(plugin)
        assert plugin.call("health/check")["status"] == "healthy"
        events.unlink()
        events.with_name("events.jsonl.1").unlink()
        assert "events.jsonl" in plugin.call("health/check")["last_error"]
    with (
        pytest.raises(RpcError, match="the daemon's own"),
        served(LOGS, tmp_path, env={"ANIMUS_LOGS_JSONL": str(events)}),
    ):
        pass


def test_a_tail_replays_what_matches_in_order_and_ends(small: Plugin) -> None:
    for n in range(40, 0, -1):
        store(small, at(n, level="warn" if n % 2 else "info"))
    assert tailed(small, tail(small, min_level="warn"), 20) == [f"{n:03}" for n in range(1, 41, 2)]
    store(small, at(41))
    assert is_quiet(small)
    assert tailed(small, tail(small, limit=2), 2) == ["040", "041"]
    page = small.call("log_storage/query", {"limit": 3})
    assert tailed(small, tail(small, cursor=page["next_cursor"]), 2) == ["040", "041"]


def test_a_tail_follows_every_writer_across_rotations(small: Plugin, tmp_path: Path) -> None:
    store(small, at(0), at(1))
    request = tail(small, follow=True, source="daemon", limit=1)
    assert tailed(small, request, 1) == ["001"]
    with served(LOGS, tmp_path, env=SMALL) as other:
        for n in range(2, 80):
            store(small if n % 2 else other, at(n), entry(f"cli{n}", source="cli"))
    with own(tmp_path).open("ab") as shell:
        shell.write(json.dumps(at(80)).encode()[:30])
        shell.flush()
        shell.write(json.dumps(at(80)).encode()[30:] + b"\n")
    assert tailed(small, request, 79) == [f"{n:03}" for n in range(2, 81)]
    assert len(files(tmp_path)) > 10
    store(small, at(80))  # again
    small.notify("$/cancelRequest", {"id": request})
    assert is_quiet(small)


def test_a_kill_loses_nothing_answered(tmp_path: Path) -> None:
    with served(LOGS, tmp_path, env={**SMALL, "ANIMUS_LOGS_JSONL_FSYNC": "1"}) as plugin:
        requests = [
            plugin.request("log_storage/store", {"entries": [at(3 * n + k) for k in range(3)]})
            for n in range(60)
        ]
        for request in requests[:25]:
            assert plugin.reply(request) == {"stored": 3}
        plugin.kill()
    with own(tmp_path).open("ab") as other:
        other.write(b'{"id":"torn')
    with served(LOGS, tmp_path) as plugin:
        assert [f"{n:03}" for n in range(75)] == found(plugin)[:75]
        store(plugin, at(3000))
        assert found(plugin)[-1] == "3000"


def test_a_writer_that_stands_still_with_the_lock_is_told_of(
    plugin: Plugin, tmp_path: Path
) -> None:
    store(plugin, at(1))
    with own(tmp_path).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        request = plugin.request("log_storage/store", {"entries": [at(2)]})
        assert plugin.call("$/ping") == {}
        assert found(plugin) == ["001"]
    assert plugin.reply(request) == {"stored": 1}
    assert found(plugin) == ["001", "002"]


def test_a_file_that_cannot_be_written_degrades_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with served(LOGS, tmp_path, env={"ANIMUS_LOGS_JSONL": str(tmp_path / "taken")}) as plugin:
        problem = refused(plugin, "log_storage/store", {"entries": [at(1)]})
        assert (problem.code, problem.data["category"]) == (-32603, "unavailable")
        assert "taken" in problem.message
        assert plugin.call("health/check")["status"] == "degraded"


def test_a_ping_leaves_nothing_behind(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.call("log_storage/query") == {"entries": []}
    assert plugin.call("health/check")["status"] == "healthy"
    assert list(tmp_path.iterdir()) == []
