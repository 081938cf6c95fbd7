"""Fenced leases of the queue example, decision by decision, on both databases (newer 3.2)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from example_host import EXAMPLES
from queue_calls import (
    APP,
    MUTATIONS,
    PAST,
    QUEUE,
    Rows,
    add,
    ahead,
    change,
    dispatch,
    entries,
    lease,
    leased,
    opened,
    other,
    outcome,
    put,
    refusal,
    subjects,
    take,
)

from animus_routes.host import read_manifest
from animus_routes.structs import queue as wire
from animus_routes.testing import TestClient
from animus_routes.timestamps import parse

pytest_plugins = ["queue_fixtures"]

every_mutation = pytest.mark.parametrize("verb", MUTATIONS)


# What hosts are told ------------------------------------------------------------------------------


def test_the_gate_of_hosts_0_7_lets_it_in(tmp_path: Path, shared: Mapping[str, str]) -> None:
    with opened(tmp_path, shared) as plugin:
        told = plugin.initialize_result or {}
    capabilities = msgspec.convert(
        told["kind_capabilities"]["queue"]["extra"], wire.QueueCapabilities
    )
    assert capabilities.generation_fenced_leases_v1
    assert capabilities.max_lease_batch >= 5
    wanted = {f"queue/v2/{verb}" for verb in ("enqueue", "lease", *MUTATIONS)}
    assert wanted <= set(told["capabilities"]["methods"])


def test_the_length_of_a_lease_is_forwarded_by_hosts() -> None:
    manifest = read_manifest(QUEUE, cwd=EXAMPLES.parent)
    declared = {one["name"]: one.get("required", False) for one in manifest["env_required"]}
    assert declared["ANIMUS_QUEUE_LEASE_TTL_SECS"] is False


@pytest.mark.parametrize(
    ("setting", "seconds"), [("60", 60), ("604800", 604_800), ("0", 1800), ("soon", 1800)]
)
def test_the_length_of_a_lease_is_a_setting(
    queue: TestClient, monkeypatch: pytest.MonkeyPatch, setting: str, seconds: int
) -> None:
    monkeypatch.setenv("ANIMUS_QUEUE_LEASE_TTL_SECS", setting)
    until = parse(leased(queue)["queue_lease"]["expires_at"])
    left = (until - datetime.now(UTC)).total_seconds()
    assert seconds - 60 < left <= seconds


# Adding -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "native", "qualified"),
    [
        ("task", "TASK-1", "task:TASK-1"),
        ("animus.task", "TASK-1", "task:TASK-1"),
        ("Animus.Requirement", "R-1", "requirement:R-1"),
        (" linear.issue ", " L-1 ", "linear.issue:L-1"),
        ("task", "TASK:TASK-1", "task:TASK-1"),
    ],
)
def test_a_subject_has_its_kind_once(
    queue: TestClient, kind: str, native: str, qualified: str
) -> None:
    answer = put(queue, subject_dispatch=dispatch({"kind": kind, "id": native}))
    assert answer["subject"] == {"qualified_id": qualified, "generation": 1}
    assert answer["enqueued"] is True


def test_a_subjects_generation_rises_with_each_entry(queue: TestClient) -> None:
    put(queue, "TASK-2")
    for generation in (1, 2, 3):
        assert put(queue, "TASK-1")["subject"]["generation"] == generation
        one = take(queue, 2)["leased"][-1]
        change(queue, "completion", one["execution"])


def test_a_key_that_is_sent_again_has_the_same_answer_for_ever(queue: TestClient) -> None:
    first = put(queue, idempotency_key=" k ", repository=APP)
    again = {**first, "enqueued": False}
    later = dispatch({"kind": "task", "id": "TASK-1"}, requested_at="2026-12-31T00:00:00Z")
    repeat: dict[str, Any] = {"idempotency_key": "k", "repository": APP, "subject_dispatch": later}
    assert put(queue, **repeat) == again
    (one,) = take(queue)["leased"]
    assert put(queue, **repeat) == again
    change(queue, "completion", one["execution"])
    assert put(queue, **repeat) == again
    assert queue.call("queue/stats")["total"] == 0


@pytest.mark.parametrize("other_content", [{"repository": APP}, {"run_at": "2999-01-01T00:00:00Z"}])
def test_a_key_belongs_to_one_content(queue: TestClient, other_content: Any) -> None:
    put(queue, idempotency_key="k")
    envelope = dispatch({"kind": "task", "id": "TASK-1"})
    asked = {"subject_dispatch": envelope, "idempotency_key": "k", **other_content}
    assert refusal(queue, "queue/v2/enqueue", asked).code == -32602
    assert queue.call("queue/stats")["total"] == 1


@pytest.mark.parametrize("state", ["pending", "held", "assigned"])
def test_a_subject_with_a_live_entry_gets_that_entry_and_its_key_is_bound_to_it(
    queue: TestClient, state: str
) -> None:
    first = put(queue)
    if state == "held":
        queue.call("queue/hold", {"entry_id": first["entry_id"]})
    if state == "assigned":
        take(queue)
    second = put(queue, idempotency_key="k", run_at=ahead(60))
    warning = second.pop("warning")
    assert (first["entry_id"] in warning, second) == (True, {**first, "enqueued": False})
    queue.call("queue/drop", {"entry_id": first["entry_id"]})
    assert put(queue)["subject"]["generation"] == 2


def test_a_key_that_got_an_entry_back_keeps_it_after_its_end(queue: TestClient) -> None:
    first = put(queue)
    put(queue, idempotency_key="k")
    queue.call("queue/drop", {"entry_id": first["entry_id"]})
    assert put(queue, idempotency_key="k") == {**first, "enqueued": False}
    assert queue.call("queue/stats")["total"] == 0


def test_an_entry_that_v1_runs_does_not_stand_for_its_subject(queue: TestClient) -> None:
    old = add(queue, "TASK-1")
    lease(queue)
    answer = put(queue)
    assert (answer["enqueued"], answer["entry_id"] != old["entry_id"]) == (True, True)


def test_an_entry_that_v1_has_waiting_gets_its_generation(queue: TestClient) -> None:
    old = add(queue, "TASK-1")
    answer = put(queue)
    assert (answer["enqueued"], answer["entry_id"]) == (False, old["entry_id"])
    assert answer["subject"] == {"qualified_id": "task:TASK-1", "generation": 1}
    assert lease(queue) == []


def test_an_entry_that_expired_is_not_live_but_its_key_is_known(
    queue: TestClient, rows: Rows
) -> None:
    deferred: dict[str, Any] = {
        "idempotency_key": "k",
        "run_at": "2026-01-01T00:00:00Z",
        "expire_after_secs": 10,
    }
    first = put(queue, **deferred)
    assert put(queue, **deferred) == {**first, "enqueued": False}
    second = put(queue)
    assert (second["enqueued"], second["subject"]["generation"]) == (True, 2)
    assert rows.ends() == ["expired"]


INVALID: dict[str, tuple[str, Any]] = {
    "no subject": ("enqueue", {"subject_dispatch": {**dispatch("x"), "subject": None}}),
    "a blank kind": ("enqueue", {"subject_dispatch": dispatch({"kind": " ", "id": "x"})}),
    "a blank id": ("enqueue", {"subject_dispatch": dispatch({"kind": "task", "id": " "})}),
    "an empty id": ("enqueue", {"subject_dispatch": dispatch({"kind": "task", "id": "task: "})}),
    "no workflow": ("enqueue", {"subject_dispatch": dispatch("x", workflow_ref=" ")}),
    "a long key": ("enqueue", {"subject_dispatch": dispatch("x"), "idempotency_key": "k" * 257}),
    "a blank key": ("enqueue", {"subject_dispatch": dispatch("x"), "idempotency_key": " "}),
    "no time": ("enqueue", {"subject_dispatch": dispatch("x"), "run_at": "tomorrow"}),
    "no end": (
        "enqueue",
        {
            "subject_dispatch": dispatch("x"),
            "run_at": "2026-01-01T00:00:00Z",
            "expire_after_secs": 2**63,
        },
    ),
    "a short ref": (
        "enqueue",
        {"subject_dispatch": dispatch("x"), "repository": {**APP, "head_ref": "main"}},
    ),
    "no entries": ("lease", {"max": 0, "owner_id": "d", "workflow_ids": []}),
    "too many": ("lease", {"max": 6, "owner_id": "d", "workflow_ids": [*"abcdef"]}),
    "no owner": ("lease", {"max": 1, "owner_id": " ", "workflow_ids": ["a"]}),
    "too few ids": ("lease", {"max": 2, "owner_id": "d", "workflow_ids": ["a"]}),
    "a blank workflow": ("lease", {"max": 2, "owner_id": "d", "workflow_ids": ["a", " "]}),
    "one id twice": ("lease", {"max": 2, "owner_id": "d", "workflow_ids": ["a", "a"]}),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_makes_no_sense_is_invalid(queue: TestClient, case: str) -> None:
    verb, params = INVALID[case]
    assert refusal(queue, f"queue/v2/{verb}", params).code == -32602
    assert queue.call("queue/stats")["total"] == 0


def test_the_longest_key_is_taken(queue: TestClient) -> None:
    assert put(queue, idempotency_key="k" * 256)["enqueued"] is True


@pytest.mark.parametrize("verb", ["enqueue", "lease", *MUTATIONS])
def test_unknown_fields_are_invalid(queue: TestClient, verb: str) -> None:
    fence = leased(queue)
    asked: dict[str, Any] = {
        "enqueue": {"subject_dispatch": dispatch("x")},
        "lease": {"max": 1, "owner_id": "d", "workflow_ids": ["w"]},
    }
    params = asked.get(verb) or {"execution": fence, **MUTATIONS[verb]}
    error = refusal(queue, f"queue/v2/{verb}", {**params, "surprise": True})
    assert (error.code, "surprise" in str(error.data)) == (-32602, True)


@every_mutation
def test_a_mutation_without_a_leases_fence_is_invalid(queue: TestClient, verb: str) -> None:
    fence = leased(queue)
    for params in (MUTATIONS[verb], {"execution": other(fence, "queue_lease", None)}):
        asked = {**MUTATIONS[verb], **params}
        assert refusal(queue, f"queue/v2/{verb}", asked).code == -32602


# Leasing ------------------------------------------------------------------------------------------


def test_a_lease_hands_out_an_entry_with_its_whole_fence(queue: TestClient) -> None:
    answer = put(queue, repository={**APP, "repository": " github.com/acme/app "})
    (one,) = take(queue, owner_id=" daemon-a ")["leased"]
    fence, entry = one["execution"], one["entry"]
    expires_at = fence["queue_lease"].pop("expires_at")
    assert parse(expires_at) - datetime.now(UTC) <= timedelta(seconds=1800)
    assert fence == {
        "schema": "animus.execution-fence.v1",
        "version": 1,
        "workflow_id": "wf-1",
        "workflow_generation": 1,
        "subject": {"qualified_id": "task:TASK-1", "generation": 1},
        "queue_lease": {
            "entry_id": answer["entry_id"],
            "owner_id": "daemon-a",
            "generation": 1,
        },
        "repository": APP,
    }
    assert (entry["status"], entry["workflow_id"]) == ("assigned", "wf-1")
    assert (entry["subject_id"], "assigned_at" in entry) == ("task:TASK-1", True)
    assert entries(queue) == [entry]


def test_entries_are_leased_in_the_queues_order_and_no_more_than_asked_for(
    queue: TestClient,
) -> None:
    for name, priority in (("a", "low"), ("b", "high"), ("c", "high")):
        envelope = dispatch({"kind": "task", "id": name}, priority=priority)
        put(queue, subject_dispatch=envelope)
    found = take(queue, 2)["leased"]
    assert [(one["entry"]["subject_id"], one["entry"]["workflow_id"]) for one in found] == [
        ("task:b", "wf-1"),
        ("task:c", "wf-2"),
    ]


def test_only_pending_entries_that_are_due_are_candidates(queue: TestClient, rows: Rows) -> None:
    held = put(queue, "held")["entry_id"]
    queue.call("queue/hold", {"entry_id": held})
    put(queue, "deferred", run_at=ahead(60))
    put(queue, "expired", run_at=ahead(-60), expire_after_secs=10)
    put(queue, "due", run_at=ahead(-60))
    found = take(queue, 5)
    assert [one["entry"]["subject_id"] for one in found["leased"]] == ["task:due"]
    assert ("blocked" in found, rows.ends()) == (False, ["expired"])
    queue.call("queue/release", {"entry_id": held})
    (one,) = take(queue)["leased"]
    assert (one["entry"]["entry_id"], "held_at" in one["entry"]) == (held, False)


def test_an_entry_whose_subject_runs_elsewhere_is_blocked(queue: TestClient) -> None:
    active = other(leased(queue, "TASK-2"), "subject.qualified_id", "task:TASK-1")
    entry_id = put(queue)["entry_id"]
    found = take(queue, exclude=[active])
    blocked = {"entry_id": entry_id, "reason": "subject_generation_active"}
    assert found == {"leased": [], "blocked": [{**blocked, "conflicts_with": active}]}
    earlier = other(active, "subject.generation", 7)
    assert len(take(queue, exclude=[earlier])["leased"]) == 1


def test_a_reservation_that_is_active_elsewhere_blocks(queue: TestClient) -> None:
    active = leased(queue, "TASK-2", repository=APP)
    change(queue, "completion", active)
    entry_id = put(queue, repository={**APP, "repository": "GitHub.com/Acme/App"})["entry_id"]
    found = take(queue, exclude=[active])
    blocked = {"entry_id": entry_id, "reason": "repository_ref_collision"}
    assert found == {"leased": [], "blocked": [{**blocked, "conflicts_with": active}]}


def test_a_reservation_of_an_assigned_entry_blocks_also_one_of_this_call(
    queue: TestClient,
) -> None:
    first = put(queue, repository=APP)["entry_id"]
    second = put(queue, "TASK-2", repository={**APP, "base_ref": "refs/heads/next"})["entry_id"]
    third = put(queue, "TASK-3", repository={**APP, "head_ref": "refs/heads/other"})["entry_id"]
    found = take(queue, 5)
    assert [one["entry"]["entry_id"] for one in found["leased"]] == [first, third]
    fence = found["leased"][0]["execution"]
    blocked = {"entry_id": second, "reason": "repository_ref_collision", "conflicts_with": fence}
    assert found["blocked"] == [blocked]
    assert take(queue, 5) == {"leased": [], "blocked": [blocked]}
    change(queue, "completion", fence)
    assert take(queue)["leased"][0]["entry"]["entry_id"] == second


def test_an_entry_that_no_fence_could_name_is_blocked(queue: TestClient) -> None:
    entry_id = queue.call("queue/enqueue", {"subject_dispatch": {**dispatch("x"), "subject": None}})
    put(queue)
    found = take(queue)
    blocked = {"entry_id": entry_id["entry_id"], "reason": "missing_execution_identity"}
    assert (len(found["leased"]), found["blocked"]) == (1, [blocked])


def test_a_lease_looks_at_the_first_fifty_candidates(queue: TestClient) -> None:
    for _ in range(50):
        queue.call("queue/enqueue", {"subject_dispatch": {**dispatch("x"), "subject": None}})
    put(queue)
    found = take(queue, 5)
    assert (found["leased"], len(found["blocked"])) == ([], 50)


def test_an_entry_that_was_put_back_keeps_its_workflow_and_takes_no_new_id(
    queue: TestClient,
) -> None:
    fence = leased(queue)
    change(queue, "release_pending", fence)
    put(queue, "TASK-2")
    again, fresh = take(queue, 2, workflow_ids=["wf-8", "wf-9"])["leased"]
    assert (again["entry"]["workflow_id"], fresh["entry"]["workflow_id"]) == ("wf-1", "wf-8")
    execution = again["execution"]
    assert execution["workflow_generation"] == 1
    assert execution["queue_lease"]["generation"] == 2
    assert outcome(queue, "completion", fence) == "stale_fence"


def test_an_entry_of_v1_gets_its_identity_at_its_first_look_also_if_it_is_blocked(
    queue: TestClient,
) -> None:
    active = other(leased(queue, "TASK-2"), "subject.qualified_id", "task:TASK-1")
    old = add(queue, "TASK-1")["entry_id"]
    (blocked,) = take(queue, exclude=[active])["blocked"]
    assert (blocked["entry_id"], blocked["reason"]) == (old, "subject_generation_active")
    assert subjects(entries(queue)) == ["task:TASK-2", "task:TASK-1"]
    assert lease(queue) == []
    (one,) = take(queue)["leased"]
    assert one["execution"]["subject"] == {"qualified_id": "task:TASK-1", "generation": 1}


def test_a_lease_that_expired_is_neither_leased_again_nor_blocked(
    queue: TestClient, rows: Rows
) -> None:
    leased(queue)
    rows.set(leased_until=PAST)
    assert take(queue) == {"leased": []}
    assert queue.call("queue/stats")["assigned"] == 1


def test_the_frames_of_the_protocol_get_their_answers(queue: TestClient) -> None:
    envelope = {
        "subject": {"kind": "task", "id": "TASK-1"},
        "workflow_ref": "coding",
        "trigger_source": "ready-queue",
        "requested_at": "2026-11-25T12:00:00Z",
    }
    added = put(queue, subject_dispatch=envelope, idempotency_key="gh-42:trg-1", repository=APP)
    entry_id = added.pop("entry_id")
    assert added == {"enqueued": True, "subject": {"qualified_id": "task:TASK-1", "generation": 1}}
    found = take(queue, 2)
    (one,) = found["leased"]
    times = {name: one["entry"].pop(name) for name in ("enqueued_at", "assigned_at")}
    assert parse(times["enqueued_at"]) <= parse(times["assigned_at"])
    assert "blocked" not in found
    assert one["entry"] == {
        "entry_id": entry_id,
        "subject_id": "task:TASK-1",
        "subject_dispatch": envelope,
        "status": "assigned",
        "workflow_id": "wf-1",
    }
    assert change(queue, "lease/recover", one["execution"]) == {
        "outcome": "lease_still_live",
        "reason": "the lease has not expired",
        "execution": one["execution"],
    }
