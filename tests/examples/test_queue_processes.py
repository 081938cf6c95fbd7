"""Fenced leases of the queue example, with several processes, and processes that are killed."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_host import KilledCall, killed_calls
from queue_calls import (
    APP,
    PAST,
    Fence,
    Rows,
    add,
    ahead,
    change,
    dispatch,
    in_process,
    lease,
    leased,
    opened,
    put,
    tables,
)

from animus_routes.host import Plugin
from animus_routes.testing import TestClient

pytest_plugins = ["queue_fixtures"]

HOSTS = 4
WAIT_S = 20.0


@contextmanager
def hosts(project: Path, env: Mapping[str, str], number: int = HOSTS) -> Iterator[list[Plugin]]:
    with ExitStack() as stack:
        yield [stack.enter_context(opened(project, env)) for _ in range(number)]


def all_at_once(plugins: list[Plugin], work: Callable[[Plugin, int], Any]) -> list[Any]:
    together = threading.Barrier(len(plugins))

    def one(plugin: Plugin, number: int) -> Any:
        together.wait(WAIT_S)
        return work(plugin, number)

    with ThreadPoolExecutor(len(plugins)) as pool:
        return list(pool.map(one, plugins, range(len(plugins))))


def test_hosts_of_both_ages_lease_each_entry_once_and_each_reservation_one_at_a_time(
    tmp_path: Path, shared: Mapping[str, str], queue: TestClient
) -> None:
    for number in range(30):
        reserved = {**APP, "head_ref": f"refs/heads/{number % 4}"}
        put(queue, f"fenced-{number}", repository=reserved)
        add(queue, f"plain-{number}")
    active: set[str] = set()
    taken: list[str] = []
    noted = threading.Lock()

    def fenced(plugin: Plugin, number: int) -> None:
        asked = {"max": 3, "owner_id": f"d-{number}", "workflow_ids": [*"abc"]}
        while True:
            found = plugin.call("queue/v2/lease", asked)
            for one in found["leased"]:
                key = one["execution"].get("repository", {}).get("head_ref")
                with noted:
                    taken.append(one["entry"]["entry_id"])
                    assert key not in active
                    active.update([key] if key else [])
            for one in found["leased"]:
                with noted:
                    active.discard(one["execution"].get("repository", {}).get("head_ref"))
                done = {"execution": one["execution"], "status": "completed"}
                assert plugin.call("queue/v2/completion", done)["outcome"] == "applied"
            if not found["leased"] and not found.get("blocked"):
                return

    def plain(plugin: Plugin, _number: int) -> None:
        while batch := lease(plugin, 3):
            for entry in batch:
                with noted:
                    taken.append(entry["entry_id"])
                done = {"entry_id": entry["entry_id"], "status": "completed"}
                plugin.call("queue/completion", done)

    with hosts(tmp_path, shared) as plugins:
        all_at_once(plugins, lambda plugin, n: (plain if n == 0 else fenced)(plugin, n))
    assert Counter(taken).most_common(1)[0][1] == 1
    assert len(taken) == 60
    assert queue.call("queue/stats")["total"] == 0


def test_hosts_that_add_one_subject_at_once_get_one_entry(
    tmp_path: Path, shared: Mapping[str, str], queue: TestClient
) -> None:
    def adding(plugin: Plugin, number: int) -> list[Any]:
        found = []
        for subject in range(8):
            envelope = dispatch({"kind": "animus.task", "id": f"T-{subject}"})
            asked: dict[str, Any] = {"subject_dispatch": envelope}
            verb = "queue/enqueue"
            if number:
                asked["idempotency_key"] = f"{subject} of {number}"
                verb = "queue/v2/enqueue"
            found.append(plugin.call(verb, asked))
        return found

    with hosts(tmp_path, shared) as plugins:
        answers = all_at_once(plugins, adding)
    for same in zip(*answers, strict=True):
        assert sum(answer["enqueued"] for answer in same) == 1
        assert len({answer["entry_id"] for answer in same}) == 1
    assert queue.call("queue/stats")["total"] == 8


def test_of_hosts_that_take_over_one_lease_one_has_it(
    tmp_path: Path, shared: Mapping[str, str], queue: TestClient, rows: Rows
) -> None:
    fence = leased(queue)
    rows.set(leased_until=PAST)

    def taking(plugin: Plugin, number: int) -> Any:
        asked = {"execution": fence, "new_owner_id": f"d-{number}"}
        return plugin.call("queue/v2/lease/recover", asked)

    with hosts(tmp_path, shared) as plugins:
        answers = all_at_once(plugins, taking)
    outcomes = Counter(answer["outcome"] for answer in answers)
    assert outcomes == {"applied": 1, "stale_fence": HOSTS - 1}
    (taken,) = [answer["execution"] for answer in answers if answer["outcome"] == "applied"]
    assert taken["queue_lease"]["generation"] == 2
    assert change(queue, "completion", taken)["outcome"] == "applied"


def test_what_a_killed_host_had_leased_is_taken_over_after_the_leases_time(
    tmp_path: Path, shared: Mapping[str, str]
) -> None:
    env = {**shared, "ANIMUS_QUEUE_LEASE_TTL_SECS": "1"}
    asked = {"max": 1, "owner_id": "daemon-a", "workflow_ids": ["wf-1"]}
    with opened(tmp_path, env) as victim:
        envelope = dispatch({"kind": "task", "id": "TASK-1"})
        victim.call("queue/v2/enqueue", {"subject_dispatch": envelope})
        (one,) = victim.call("queue/v2/lease", asked)["leased"]
        victim.kill()
    fence: Fence = one["execution"]
    until = time.monotonic() + WAIT_S
    with opened(tmp_path, env) as plugin:
        taking = {"execution": fence, "new_owner_id": "daemon-b", "ttl_secs": 1000}
        answer = plugin.call("queue/v2/lease/recover", taking)
        while answer["outcome"] == "lease_still_live" and time.monotonic() < until:
            assert plugin.call("queue/v2/lease", asked)["leased"] == []
            answer = plugin.call("queue/v2/lease/recover", taking)
        taken = answer["execution"]["queue_lease"]
        assert (answer["outcome"], taken["generation"]) == ("applied", 2)
        done = {"execution": fence, "status": "completed"}
        assert plugin.call("queue/v2/completion", done)["outcome"] == "stale_fence"


# kill -9 between any two statements ---------------------------------------------------------------

Prepared = tuple[str, dict[str, Any]]


def adding(_queue: TestClient) -> Prepared:
    return "queue/enqueue", {"subject_dispatch": dispatch("T")}


def adding_fenced(_queue: TestClient) -> Prepared:
    envelope = dispatch({"kind": "task", "id": "T"})
    params = {"subject_dispatch": envelope, "idempotency_key": "k", "repository": APP}
    return "queue/v2/enqueue", params


def leasing(queue: TestClient) -> Prepared:
    add(queue, "T")
    return "queue/lease", {"max": 5}


def leasing_fenced(queue: TestClient) -> Prepared:
    put(queue, repository=APP)
    put(queue, "TASK-2", run_at=ahead(-60))
    put(queue, "expired", run_at=ahead(-60), expire_after_secs=1)
    add(queue, "of v1")
    params = {"max": 4, "owner_id": "daemon-a", "workflow_ids": [*"abcd"]}
    return "queue/v2/lease", params


def completing(queue: TestClient) -> Prepared:
    entry_id = add(queue, "T")["entry_id"]
    lease(queue)
    return "queue/completion", {"entry_id": entry_id, "status": "completed"}


def changing(verb: str, **params: Any) -> Callable[[TestClient], Prepared]:
    def prepare(queue: TestClient) -> Prepared:
        return f"queue/v2/{verb}", {"execution": leased(queue, repository=APP), **params}

    return prepare


CALLS: dict[str, Callable[[TestClient], Prepared]] = {
    "enqueue": adding,
    "lease": leasing,
    "completion": completing,
    "v2/enqueue": adding_fenced,
    "v2/lease": leasing_fenced,
    "v2/lease/renew": changing("lease/renew"),
    "v2/lease/recover": changing("lease/recover", new_owner_id="daemon-b"),
    "v2/completion": changing("completion", status="failed"),
    "v2/release_pending": changing("release_pending", reason="draining"),
}


LEFT_S = {"v2/lease/renew": 60, "v2/lease/recover": -60}


@pytest.fixture(scope="module")
def killed() -> Iterator[KilledCall]:
    with killed_calls("queue_sql") as call:
        yield call


def kept(project: Path, env: Mapping[str, str], name: str) -> Any:
    """What stands in the tables, but for ids and times, and whether the counters agree with it."""
    entries = (
        "SELECT subject_key, state, subject_generation, owner_id, leases, workflow_generation,"
        " named, coalesce(leased_until, '') > ? FROM queue_entries WHERE queue_name = ?"
        " ORDER BY subject_key"
    )
    others = (
        "SELECT ended FROM queue_past WHERE queue_name = ? ORDER BY ended",
        "SELECT subject_id, generation FROM queue_subjects WHERE queue_name = ? ORDER BY 1",
        "SELECT idempotency_key FROM queue_keys WHERE queue_name = ?",
    )
    counted = ", ".join(
        f"coalesce(sum({state}), 0)" for state in ("pending", "deferred", "assigned", "held")
    )
    counts = f"SELECT {counted} FROM queue_counts WHERE queue_name = ?"
    with tables(project, env) as database, database.read() as db:
        rows = db.rows(entries, ahead(600), name)
        states = Counter(row[1] for row in rows)
        wanted = [states[state] for state in ("pending", "deferred", "assigned", "held")]
        assert [int(number) for number in db.row(counts, name) or ()] == wanted
        return rows, *(db.rows(statement, name) for statement in others)


@pytest.mark.parametrize("verb", CALLS)
def test_a_call_that_is_killed_between_two_statements_was_made_or_not(
    tmp_path: Path,
    shared: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    killed: KilledCall,
    verb: str,
) -> None:
    def attempt(step: int) -> tuple[int, Any, Any, Any]:
        """How the call ended; what is kept before it, after it, and once a host has tried again."""
        name = f"{tmp_path.name} {step}"
        env = {**shared, "ANIMUS_QUEUE_NAME": name}
        with in_process(tmp_path, env, monkeypatch) as queue:
            method, params = CALLS[verb](queue)
            if verb in LEFT_S:
                Rows(tmp_path, env).set(leased_until=ahead(LEFT_S[verb]))
            before = kept(tmp_path, env, name)
            case = {"project": str(tmp_path), "env": env, "step": step}
            status = killed({**case, "method": method, "params": params})
            now = kept(tmp_path, env, name)
            queue.call(method, params)
            return status, before, now, kept(tmp_path, env, name)

    attempts = [attempt(1)]
    while attempts[-1][0] == -9:
        attempts.append(attempt(len(attempts) + 1))
    _, before, _, after = attempts[0]
    assert before != after
    # Killed at its begin it changes nothing, and killed after the commit everything.
    assert attempts[0] == (-9, before, before, after)
    assert attempts[-2:] == [(-9, before, after, after), (0, before, after, after)]
    for status, *states in attempts[:-1]:
        assert (status, states) in [(-9, [before, now, after]) for now in (before, after)]
