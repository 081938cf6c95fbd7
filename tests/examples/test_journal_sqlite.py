import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, INSTALLED, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

pytest_plugins = ["journal_fixtures"]

JOURNAL = [sys.executable, str(EXAMPLES / "journal_sqlite.py")]
DATABASE = Path(".animus") / "journal.sqlite3"
NOT_FREE = "the database was not free within 0.5 s"
VERBS = (
    *("save", "load", "list", "query_ids", "delete", "schema", "record", "events"),
    *("checkpoint_save", "checkpoint_load", "checkpoint_list", "checkpoint_prune"),
)


def save(journal: TestClient | Plugin, name: str, **fields: Any) -> dict[str, Any]:
    saved = {
        "workflow_id": name,
        "status": "running",
        "blob": {"step": 1},
        "created_at": "2026-01-31T09:00:00Z",
        "updated_at": "2026-01-31T09:30:00Z",
        **fields,
    }
    assert journal.call("journal/save", {"run": saved}) is None
    return saved


def load(journal: TestClient | Plugin, name: str) -> Any:
    return journal.call("journal/load", {"workflow_id": name})["run"]


def record(journal: TestClient, name: str, ts: str, **fields: Any) -> dict[str, Any]:
    event = {"run_id": name, "kind": "run_started", "ts": ts, **fields}
    assert journal.call("journal/record", {"event": event}) is None
    return event


def checkpoint(journal: TestClient, name: str, num: int, blob: Any) -> None:
    params = {"workflow_id": name, "checkpoint_num": num, "blob": blob}
    assert journal.call("journal/checkpoint_save", params) is None


def checkpoints(journal: TestClient, name: str) -> list[int]:
    found = journal.call("journal/checkpoint_list", {"workflow_id": name})
    nums: list[int] = found["checkpoint_nums"]
    return nums


def refusal(journal: TestClient, method: str, params: Any) -> RpcError:
    with pytest.raises(RpcError) as refused:
        journal.call(f"journal/{method}", params)
    return refused.value


def test_a_run_comes_back_as_it_was_saved_last(journal: TestClient) -> None:
    assert journal.call("journal/load", {"workflow_id": "w"}) == {"run": None}
    save(journal, "w")
    last = save(journal, "w", status="done", blob=None, kind="x", from_a_newer_host=[1])
    assert load(journal, "w") == last


def test_times_that_are_not_given_are_filled_in_and_the_first_one_stays(
    journal: TestClient,
) -> None:
    journal.call("journal/save", {"run": {"workflow_id": "w", "status": "running", "blob": 1}})
    first = load(journal, "w")
    assert first["created_at"] <= first["updated_at"]
    journal.call("journal/save", {"run": {"workflow_id": "w", "status": "done", "blob": 2}})
    second = load(journal, "w")
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] > first["updated_at"]


def test_runs_are_found_by_every_filter_the_newest_first(journal: TestClient) -> None:
    a = save(journal, "a", updated_at="2026-01-31T09:30:00.000000001Z", workflow_ref="x")
    b = save(journal, "b", updated_at="2026-01-31T11:30:00+02:00", status="done")
    c = save(journal, "c", updated_at="2026-01-31T09:29:59Z", status="failed", workflow_ref="x")
    for query, runs, truncated in (
        ({}, [a, b, c], False),
        ({"status": ["done", "failed"]}, [b, c], False),
        ({"workflow_ref": "x"}, [a, c], False),
        ({"workflow_ref": "x", "status": ["running"]}, [a], False),
        ({"updated_since": "2026-01-31T10:30:00+01:00"}, [a, b], False),
        ({"limit": 2}, [a, b], True),
        ({"limit": 3}, [a, b, c], False),
        ({"limit": 0}, [], True),
    ):
        assert journal.call("journal/list", query) == {"runs": runs, "truncated": truncated}
        ids = [run["workflow_id"] for run in runs]
        assert journal.call("journal/query_ids", query) == {"ids": ids, "truncated": truncated}


def test_a_list_never_grows_beyond_what_hosts_take(journal: TestClient) -> None:
    for n in range(4):
        save(journal, str(n), blob="ü" * 1_200_000)
    page = journal.call("journal/list", {})
    assert (len(page["runs"]), page["truncated"]) == (2, True)
    assert len(journal.call("journal/query_ids", {})["ids"]) == 4
    huge = {"workflow_id": "x", "status": "", "blob": "x" * 7_000_000}
    assert refusal(journal, "save", {"run": huge}).code == -32602


def test_checkpoints_are_kept_replaced_and_pruned_to_the_newest(journal: TestClient) -> None:
    for num in (1, 10, 9, 2, 2**32 - 1):
        checkpoint(journal, "w", num, {"num": num})
    checkpoint(journal, "w", 9, None)
    checkpoint(journal, "other", 1, "kept")
    assert checkpoints(journal, "w") == [1, 2, 9, 10, 2**32 - 1]
    for num, blob in ((10, {"num": 10}), (9, None), (3, None)):
        params = {"workflow_id": "w", "checkpoint_num": num}
        assert journal.call("journal/checkpoint_load", params) == {"blob": blob}
    assert journal.call("journal/checkpoint_prune", {"workflow_id": "w", "keep": 2}) is None
    assert checkpoints(journal, "w") == [10, 2**32 - 1]
    journal.call("journal/checkpoint_prune", {"workflow_id": "w", "keep": 0})
    assert (checkpoints(journal, "w"), checkpoints(journal, "other")) == ([], [1])


def test_events_come_back_in_the_order_of_their_times_and_once(journal: TestClient) -> None:
    last = record(journal, "w", "2026-01-31T09:30:00.000000002Z", detail={"a": None})
    first = record(journal, "w", "2026-01-31T10:30:00.000000001+01:00", phase="build", agent="a")
    other = record(journal, "v", "2026-01-31T09:30:01Z", kind="run_failed", status="failed")
    record(journal, "w", "2026-01-31T09:30:00.000000002Z", detail={"a": None})
    for query, events, truncated in (
        ({}, [first, last, other], False),
        ({"run_id": "w"}, [first, last], False),
        ({"since": "2026-01-31T09:30:00.000000002Z"}, [last, other], False),
        ({"limit": 1}, [first], True),
        ({"limit": 3}, [first, last, other], False),
    ):
        assert journal.call("journal/events", query) == {"events": events, "truncated": truncated}


def test_a_deleted_run_takes_its_checkpoints_and_events_along(journal: TestClient) -> None:
    for name in ("w", "other"):
        save(journal, name)
        checkpoint(journal, name, 1, 1)
        record(journal, name, "2026-01-31T09:30:00Z")
    for _ in range(2):
        assert journal.call("journal/delete", {"workflow_id": "w"}) is None
    assert (load(journal, "w"), checkpoints(journal, "w")) == (None, [])
    assert [e["run_id"] for e in journal.call("journal/events")["events"]] == ["other"]
    assert (load(journal, "other")["workflow_id"], checkpoints(journal, "other")) == ("other", [1])


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("list", {"updated_since": "2026-02-31T00:00:00Z"}, "updated_since"),
        ("list", {"status": [str(n) for n in range(1001)]}, "status"),
        ("events", {"since": "yesterday"}, "since"),
        ("checkpoint_load", {"workflow_id": "w", "checkpoint_num": -1}, "checkpoint_num"),
        ("record", {"event": {"run_id": "w", "kind": "x", "ts": ""}}, "event.kind"),
    ],
)
def test_params_that_make_no_sense_are_named(
    journal: TestClient, method: str, params: Any, path: str
) -> None:
    refused = refusal(journal, method, params)
    assert (refused.code, refused.data["issues"][0]["path"]) == (-32602, path)


def test_everything_is_advertised_and_the_schema_says_so(tmp_path: Path) -> None:
    with served(JOURNAL, tmp_path) as plugin:
        greeting = plugin.initialize_result
        assert greeting is not None
        assert {f"journal/{verb}" for verb in VERBS} <= set(greeting["capabilities"]["methods"])
        assert greeting["kind_capabilities"]["workflow_journal"]["crate_version"] == "0.1.15"
        assert set(plugin.call("journal/schema").values()) == {True}
    command = [sys.executable, "-m", "animus_routes", "routes", JOURNAL[1]]
    code, table, _ = run(command, tmp_path)
    assert (code, "missing" in table, table.count("journal/")) == (0, False, len(VERBS))


def test_the_journal_is_in_the_nearest_animus_folder_upwards(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "project" / ".animus").mkdir()
    with served(JOURNAL, inner) as plugin:
        save(plugin, "w")
    assert (tmp_path / "project" / DATABASE).is_file()
    with served(JOURNAL, tmp_path / "project") as plugin:
        assert load(plugin, "w")["workflow_id"] == "w"
    env = {**INSTALLED, "ANIMUS_JOURNAL_DB": str(tmp_path / "own.db")}
    with served(JOURNAL, inner, env=env) as plugin:
        assert load(plugin, "w") is None


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with served(JOURNAL, tmp_path) as plugin:
        requests = [
            plugin.request(
                "journal/save", {"run": {"workflow_id": str(n), "status": "", "blob": n}}
            )
            for n in range(100)
        ]
        for request in requests[:40]:
            assert plugin.reply(request) is None
        plugin.kill()
    with served(JOURNAL, tmp_path) as plugin:
        kept = plugin.call("journal/query_ids", {})["ids"]
        assert plugin.call("health/check")["status"] == "healthy"
    assert {str(n) for n in range(40)} <= set(kept)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_health_asks_the_database(journal: TestClient, tmp_path: Path) -> None:
    save(journal, "w")
    assert journal.call("health/check")["status"] == "healthy"
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        held = journal.call("health/check")
        db.execute("ROLLBACK")
    assert (held["status"], held["last_error"]) == (
        "degraded",
        f"{tmp_path / DATABASE}: {NOT_FREE}",
    )
    (tmp_path / DATABASE).rename(tmp_path / "moved.db")
    assert journal.call("health/check")["status"] == "unhealthy"
