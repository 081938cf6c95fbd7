import sqlite3
import sys
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from example_apps import example, example_app
from example_host import EXAMPLES, INSTALLED, run
from queue_calls import (
    QUEUE,
    Entry,
    add,
    ahead,
    bound,
    dispatch,
    lease,
    opened,
    refusal,
    subjects,
)

from animus_routes import RpcError
from animus_routes.host import Plugin, read_manifest
from animus_routes.testing import TestClient

pytest_plugins = ["queue_fixtures"]

HOSTS = 8
ENTRIES = 500


def test_hosts_that_race_lease_every_entry_exactly_once(
    tmp_path: Path, shared: Mapping[str, str]
) -> None:
    with ExitStack() as stack:
        hosts = [stack.enter_context(opened(tmp_path, shared)) for _ in range(HOSTS)]
        wanted = [f"TASK-{n}" for n in range(ENTRIES)]

        def fill(plugin: Plugin, told: list[str]) -> list[Entry]:
            requests = [
                plugin.request("queue/enqueue", {"subject_dispatch": dispatch(subject)})
                for subject in told
            ]
            return [plugin.reply(request) for request in requests]

        def empty(plugin: Plugin) -> list[Entry]:
            mine: list[Entry] = []
            while batch := lease(plugin, 7):
                mine += batch
            return mine

        with ThreadPoolExecutor(HOSTS) as pool:
            # Hosts are told of some subjects at the same time, and each is added only once.
            told = [wanted[:300], wanted[200:]]
            added = [entry for part in pool.map(fill, hosts, told) for entry in part]
            leased = [entry for part in pool.map(empty, hosts) for entry in part]
        stats = hosts[0].call("queue/stats")
    assert sum(entry["enqueued"] for entry in added) == ENTRIES
    assert Counter(subjects(leased)) == Counter(wanted)
    assert len({entry["workflow_id"] for entry in leased}) == ENTRIES
    assert (stats["total"], stats["assigned"], stats["pending"]) == (ENTRIES, ENTRIES, 0)
    if url := shared.get("ANIMUS_QUEUE_URL"):
        import psycopg

        # A change of a counter is a row of its own, and whoever writes folds them now and then.
        with closing(psycopg.connect(url)) as db:
            own = "SELECT count(*) FROM queue_counts WHERE queue_name = %s"
            counted = db.execute(own, [tmp_path.name]).fetchone()
        assert counted is not None
        assert counted[0] < ENTRIES * 0.8


def test_a_process_that_is_killed_loses_nothing_it_answered(
    tmp_path: Path, shared: Mapping[str, str]
) -> None:
    with opened(tmp_path, shared) as victim:
        answered = [add(victim, f"T{n}")["subject_id"] for n in range(5)]
        victim.request("queue/lease", {"max": 2})
        victim.kill()
    with opened(tmp_path, shared) as plugin:
        assert set(subjects(plugin.call("queue/list")["entries"])) == set(answered)


def test_an_immediate_enqueue_is_idempotent_per_subject(queue: TestClient) -> None:
    first = add(queue, "T1")
    assert first["enqueued"] is True
    for status in ("pending", "held", "assigned"):
        if status == "held":
            queue.call("queue/hold", {"entry_id": first["entry_id"]})
        if status == "assigned":
            queue.call("queue/release", {"entry_id": first["entry_id"]})
            lease(queue)
        again = add(queue, "T1")
        assert (again["enqueued"], again["entry_id"]) == (False, first["entry_id"])
    queue.call("queue/completion", {"entry_id": first["entry_id"], "status": "completed"})
    assert add(queue, "T1")["enqueued"] is True


def test_the_same_id_in_another_kind_is_another_subject(queue: TestClient) -> None:
    assert add(queue, "X1")["enqueued"] is True
    assert add(queue, {"kind": "linear.issue", "id": "X1"})["enqueued"] is True
    assert add(queue, {"kind": "Animus.Requirement", "id": "X1"})["enqueued"] is False


@pytest.mark.parametrize(
    ("legacy", "kind", "subject_id", "task_id"),
    [
        ({"Task": {"id": "T-9"}}, "animus.task", "T-9", "T-9"),
        ({"Requirement": {"id": "R-9"}}, "animus.requirement", "R-9", None),
        ({"Custom": {"title": "nightly", "description": "d"}}, "custom", "nightly", None),
    ],
)
def test_legacy_subjects_are_taken_and_given_back_in_todays_form(
    queue: TestClient, legacy: Any, kind: str, subject_id: str, task_id: str | None
) -> None:
    assert add(queue, legacy)["subject_id"] == subject_id
    (entry,) = lease(queue)
    assert entry["subject_dispatch"]["subject"]["kind"] == kind
    assert (entry["subject_id"], entry.get("task_id")) == (subject_id, task_id)


def test_a_deferred_entry_is_always_added_and_waits_for_its_time(queue: TestClient) -> None:
    add(queue, "T1")
    first, second = ahead(3600), ahead(7200)
    later = [add(queue, "T1", run_at=at) for at in (second, first)]
    assert [entry["enqueued"] for entry in later] == [True, True]
    assert later[0]["warning"].startswith("the subject is already in the queue: ")
    assert subjects(lease(queue)) == ["T1"]
    stats = {"total": 3, "pending": 2, "assigned": 1, "held": 0, "deferred": 2}
    assert queue.call("queue/stats") == stats
    assert queue.call("queue/next_deadline") == {"next_run_at": first}


def test_a_deferred_subject_may_also_run_now(queue: TestClient) -> None:
    add(queue, "T1", run_at=ahead(3600))
    assert add(queue, "T1")["enqueued"] is True


def test_an_entry_whose_time_has_come_is_leased(queue: TestClient) -> None:
    add(queue, "T1", run_at=ahead(-60), expire_after_secs=3600)
    (entry,) = lease(queue)
    assert entry["expire_after_secs"] == 3600
    assert queue.call("queue/next_deadline") == {}


def test_expired_entries_are_swept_before_anything_else(queue: TestClient) -> None:
    add(queue, "late", run_at=ahead(-60), expire_after_secs=30)
    add(queue, "never", run_at=ahead(-60), expire_after_secs=2**64 - 1)
    assert queue.call("queue/next_deadline") == {}
    assert queue.call("queue/stats")["total"] == 1
    assert subjects(lease(queue)) == ["never"]


def test_a_run_at_that_is_no_time_is_refusal(queue: TestClient) -> None:
    params = {"subject_dispatch": dispatch("T1"), "run_at": "tomorrow"}
    error = refusal(queue, "queue/enqueue", params)
    assert (error.code, error.data["issues"][0]["path"]) == (-32602, "run_at")


def test_priority_comes_first_and_age_second(queue: TestClient) -> None:
    for subject, priority in (("a", "low"), ("b", None), ("c", "critical"), ("d", "medium")):
        add(queue, subject, priority=priority)
    assert subjects(lease(queue)) == ["c", "b", "d", "a"]


def test_reordered_entries_take_each_others_places_across_priorities(queue: TestClient) -> None:
    ids = {s: add(queue, s, priority=p)["entry_id"] for s, p in (("a", "high"), ("b", None))}
    ids |= {s: add(queue, s, priority="low")["entry_id"] for s in ("c", "d")}
    moved = queue.call("queue/reorder", {"entry_ids": [ids["d"], ids["b"], ids["a"]]})
    assert moved == {"reordered_count": 2}
    assert subjects(queue.call("queue/list")["entries"]) == ["d", "b", "c", "a"]


@pytest.mark.parametrize("bad", ["unknown", "twice"])
def test_a_reorder_that_makes_no_sense_changes_nothing(queue: TestClient, bad: str) -> None:
    first, second = (add(queue, name)["entry_id"] for name in "ab")
    ids = [second, first, "none" if bad == "unknown" else second]
    error = refusal(queue, "queue/reorder", {"entry_ids": ids})
    assert error.code == -32204
    assert subjects(queue.call("queue/list")["entries"]) == ["a", "b"]


def test_excluded_subjects_are_passed_over_by_their_keys(queue: TestClient) -> None:
    add(queue, "T1")
    add(queue, {"kind": "linear.issue", "id": "L1"})
    add(queue, {"kind": "linear.issue", "id": "L2"})
    leased = lease(queue, exclude_subjects=["T1", "linear.issue::L1", "L2"])
    assert subjects(leased) == ["L2"]
    assert queue.call("queue/stats")["pending"] == 2


def test_a_lease_attaches_the_hosts_workflow_ids_in_order(queue: TestClient) -> None:
    for name in "ab":
        add(queue, name)
    leased = lease(queue, 3, workflow_ids=["w1", "w2", "w3"])
    assert [(e["subject_id"], e["workflow_id"], e["status"]) for e in leased] == [
        ("a", "w1", "assigned"),
        ("b", "w2", "assigned"),
    ]
    error = refusal(queue, "queue/lease", {"max": 2, "workflow_ids": ["w"]})
    assert (error.code, error.data) == (-32206, {"max": 2, "workflow_ids": 1})


def test_held_entries_are_not_leased_until_they_are_released(queue: TestClient) -> None:
    entry_id = add(queue, "T1")["entry_id"]
    held = {"entry_id": entry_id, "reason": "waits for the review"}
    assert queue.call("queue/hold", held) == {"changed": True, "not_found": False}
    assert queue.call("queue/hold", held)["changed"] is False
    assert lease(queue) == []
    assert "held_at" in queue.call("queue/list", {"status": ["held"]})["entries"][0]
    assert refusal(queue, "queue/mark_assigned", {"entry_id": entry_id}).code == -32203
    assert queue.call("queue/release", {"entry_id": entry_id})["changed"] is True
    assert queue.call("queue/release", {"entry_id": entry_id})["changed"] is False
    assert subjects(lease(queue)) == ["T1"]
    for verb in ("hold", "release"):
        error = refusal(queue, f"queue/{verb}", {"entry_id": entry_id})
        assert (error.code, error.data["status"]) == (-32203, "assigned")


def test_an_entry_is_assigned_to_one_workflow(queue: TestClient) -> None:
    entry_id = add(queue, "T1")["entry_id"]
    mark = {"entry_id": entry_id, "workflow_id": "w1"}
    assert [queue.call("queue/mark_assigned", mark)["changed"] for _ in range(2)] == [True, False]
    error = refusal(queue, "queue/mark_assigned", {**mark, "workflow_id": "w2"})
    assert (error.code, error.data["workflow_id"]) == (-32202, "w1")


def test_a_completion_ends_only_the_lease_it_speaks_of(queue: TestClient) -> None:
    entry_id = add(queue, "T1")["entry_id"]
    done = {"entry_id": entry_id, "status": "failed", "workflow_id": "w1"}
    assert queue.call("queue/completion", done)["changed"] is False
    lease(queue, 1, workflow_ids=["w2"])
    assert queue.call("queue/completion", done)["changed"] is False
    done["workflow_id"] = "w2"
    assert queue.call("queue/completion", done) == {"changed": True, "not_found": False}
    assert queue.call("queue/completion", done) == {"changed": False, "not_found": True}


def test_a_completion_of_a_lease_without_ids_is_matched_by_its_entry(queue: TestClient) -> None:
    """The host's own frames: it leases without ids, and completes with the runner's own."""
    for subject in ("T1", "T2"):
        add(queue, subject)
    first, second = queue.call("queue/lease", {"max": 2})["leased"]
    done = {"entry_id": first["entry_id"], "status": "completed", "workflow_id": "wf-of-runner"}
    assert queue.call("queue/completion", done) == {"changed": True, "not_found": False}
    mark = {"entry_id": second["entry_id"], "workflow_id": "wf-2"}
    assert [queue.call("queue/mark_assigned", mark)["changed"] for _ in range(2)] == [True, False]
    done = {"entry_id": second["entry_id"], "status": "completed", "workflow_id": "wf-of-runner"}
    assert queue.call("queue/completion", done)["changed"] is False
    assert queue.call("queue/completion", {**done, "workflow_id": "wf-2"})["changed"] is True


def test_a_lease_can_be_given_back_once(queue: TestClient) -> None:
    entry_id = add(queue, "T1")["entry_id"]
    lease(queue)
    back = {"entry_id": entry_id, "reason": "no capacity"}
    released = {"entry_id": entry_id, "status": "pending"}
    assert queue.call("queue/release_pending", back) == released
    error = refusal(queue, "queue/release_pending", back)
    assert (error.code, error.data["status"]) == (-32208, "pending")
    (entry,) = queue.call("queue/list")["entries"]
    assert "workflow_id" not in entry
    assert "assigned_at" not in entry
    assert refusal(queue, "queue/release_pending", {**back, "entry_id": "none"}).code == -32201


@pytest.mark.parametrize("verb", ["hold", "release", "drop", "mark_assigned", "completion"])
def test_a_missing_entry_is_a_flag_and_not_an_error(queue: TestClient, verb: str) -> None:
    params = {"entry_id": "none", "status": "completed"}
    assert queue.call(f"queue/{verb}", params) == {"changed": False, "not_found": True}


def test_a_list_has_pages_a_filter_and_the_whole_count(queue: TestClient) -> None:
    for name in "abcde":
        add(queue, name)
    lease(queue, 2)
    page = queue.call("queue/list", {"status": ["pending"], "limit": 2, "offset": 1})
    assert (subjects(page["entries"]), page["total"]) == (["d", "e"], 3)
    assert page["stats"]["assigned"] == 2
    queue.call("queue/drop", {"entry_id": page["entries"][0]["entry_id"]})
    assert subjects(queue.call("queue/list")["entries"]) == ["a", "b", "c", "e"]


def test_the_dispatch_comes_back_with_everything_the_host_put_in(queue: TestClient) -> None:
    envelope = dispatch(
        {"kind": "linear.issue", "id": "L1", "labels": ["x"], "metadata": {"team": 1}},
        input={"deep": [1, None]},
        vars={"branch": "main"},
        priority="high",
        actor={"user_id": "kim", "claims": ["admin"]},
    )
    queue.call("queue/enqueue", {"subject_dispatch": envelope})
    assert lease(queue)[0]["subject_dispatch"] == envelope


def test_queues_of_other_names_in_the_same_database_are_apart(
    tmp_path: Path, queue: TestClient, shared: Mapping[str, str]
) -> None:
    add(queue, "T1")
    with opened(tmp_path, {**shared, "ANIMUS_QUEUE_NAME": "another"}) as other:
        assert other.call("queue/stats")["total"] == 0


def test_a_lock_that_is_not_free_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example("queue_sql"), "LOCK_S", 0.1)
    with TestClient(example_app("queue_sql"), init_extensions=bound(tmp_path)) as queue:
        entry = {"entry_id": add(queue, "T1")["entry_id"]}
        with closing(sqlite3.connect(tmp_path / ".animus" / "queue.sqlite3")) as db:
            db.execute("BEGIN IMMEDIATE")
            error = refusal(queue, "queue/hold", entry)
            assert (error.code, "not free within 0.1 s" in error.message) == (-32205, True)
            # Reading takes no lock.
            assert queue.call("queue/stats")["total"] == 1
        assert queue.call("queue/hold", entry)["changed"] is True


def test_a_project_that_is_not_there_is_refused_at_the_handshake(tmp_path: Path) -> None:
    binding = bound(tmp_path / "none")
    with (
        Plugin.start(QUEUE, cwd=tmp_path, env=INSTALLED) as plugin,
        pytest.raises(RpcError, match=r"is not a directory here"),
    ):
        plugin.initialize(binding)


def test_what_hosts_are_told_is_what_the_queue_does(tmp_path: Path) -> None:
    with opened(tmp_path, {}) as plugin:
        answer = plugin.initialize_result or {}
    assert answer["kind_capabilities"]["queue"] == {
        "crate_version": "0.4.0",
        "extra": {
            "generation_fenced_leases_v1": True,
            "max_lease_batch": 5,
            "priority_weighted": True,
        },
    }
    methods = [name for name in answer["capabilities"]["methods"] if name.startswith("queue/")]
    assert len(methods) == 18
    manifest = read_manifest(QUEUE, cwd=EXAMPLES.parent)
    assert methods == [name for name in manifest["capabilities"] if name.startswith("queue/")]


def test_the_driver_is_loaded_for_the_database_alone(tmp_path: Path) -> None:
    script = f"""
import runpy, sys
from animus_routes.testing import TestClient
sys.path.insert(0, {str(EXAMPLES)!r})
from queue_sql import app
with TestClient(app) as client:
    print("sqlite3" in sys.modules)
    client.call("queue/stats")
    print("sqlite3" in sys.modules, "psycopg2" in sys.modules)
"""
    assert run([sys.executable, "-c", script], tmp_path)[1] == "False\nTrue False\n"
