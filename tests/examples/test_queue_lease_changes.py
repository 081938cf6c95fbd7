"""What becomes of the queue example's fenced leases, decision by decision (newer 3.2.4)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from queue_calls import (
    APP,
    MUTATIONS,
    PAST,
    Fence,
    Rows,
    accepted_by_the_daemon,
    ahead,
    change,
    entries,
    lease,
    leased,
    other,
    outcome,
    put,
    refusal,
    subjects,
    take,
)

from animus_routes.testing import TestClient
from animus_routes.timestamps import parse

pytest_plugins = ["queue_fixtures"]

every_mutation = pytest.mark.parametrize("verb", MUTATIONS)
all_but_completion = pytest.mark.parametrize("verb", sorted(MUTATIONS.keys() - {"completion"}))
all_but_release_pending = pytest.mark.parametrize(
    "verb", sorted(MUTATIONS.keys() - {"release_pending"})
)


def until(fence: Fence) -> datetime:
    return parse(fence["queue_lease"]["expires_at"])


# Entries that are gone ----------------------------------------------------------------------------


@every_mutation
def test_an_entry_that_never_was_is_not_found(queue: TestClient, verb: str) -> None:
    fence = other(leased(queue), "queue_lease.entry_id", "e-0")
    answer = change(queue, verb, fence)
    assert (answer["outcome"], "execution" in answer) == ("not_found", False)


def test_a_completion_that_is_repeated_was_applied_and_the_first_status_stays(
    queue: TestClient, rows: Rows
) -> None:
    fence = leased(queue)
    assert change(queue, "completion", fence) == {"outcome": "applied", "execution": fence}
    again = change(queue, "completion", fence, status="failed")
    assert again == {"outcome": "already_applied", "execution": fence}
    assert rows.ends() == ["completed"]


def test_a_completion_with_another_fence_is_not_of_the_entry_that_is_gone(
    queue: TestClient,
) -> None:
    fence = leased(queue)
    change(queue, "completion", fence)
    later = other(fence, "queue_lease.generation", 2)
    assert outcome(queue, "completion", later) == "not_assigned"


@all_but_completion
def test_an_entry_that_is_completed_is_not_assigned(queue: TestClient, verb: str) -> None:
    fence = leased(queue)
    change(queue, "completion", fence)
    answer = change(queue, verb, fence)
    assert (answer["outcome"], "completed" in answer["reason"]) == ("not_assigned", True)


@every_mutation
def test_an_entry_that_is_dropped_is_not_assigned(queue: TestClient, rows: Rows, verb: str) -> None:
    fence = leased(queue)
    queue.call("queue/drop", {"entry_id": fence["queue_lease"]["entry_id"]})
    answer = change(queue, verb, fence)
    assert (answer["outcome"], "dropped" in answer["reason"]) == ("not_assigned", True)
    assert rows.ends() == ["dropped"]


@every_mutation
def test_an_entry_that_was_put_back_and_expired_is_not_assigned(
    queue: TestClient, rows: Rows, verb: str
) -> None:
    fence = leased(queue, run_at=ahead(-60), expire_after_secs=3600)
    change(queue, "release_pending", fence)
    rows.set(expires_us=1)
    assert outcome(queue, verb, fence) == "not_assigned"
    assert rows.ends() == ["expired"]


# Entries that are not assigned --------------------------------------------------------------------


def test_what_was_put_back_is_put_back_once(queue: TestClient) -> None:
    fence = leased(queue)
    assert change(queue, "release_pending", fence) == {"outcome": "applied"}
    assert change(queue, "release_pending", fence) == {"outcome": "already_applied"}
    (entry,) = entries(queue)
    assert (entry["status"], entry["workflow_id"]) == ("pending", "wf-1")
    assert "assigned_at" not in entry


@all_but_release_pending
def test_an_entry_that_waits_is_not_assigned(queue: TestClient, verb: str) -> None:
    fence = leased(queue)
    change(queue, "release_pending", fence)
    answer = change(queue, verb, fence)
    assert (answer["outcome"], "pending" in answer["reason"]) == ("not_assigned", True)


def test_another_fence_does_not_put_back_what_waits(queue: TestClient) -> None:
    fence = leased(queue)
    change(queue, "release_pending", fence)
    later = other(fence, "queue_lease.owner_id", "daemon-b")
    assert outcome(queue, "release_pending", later) == "not_assigned"


@every_mutation
def test_an_entry_that_is_held_is_not_assigned(queue: TestClient, verb: str) -> None:
    fence = leased(queue)
    change(queue, "release_pending", fence)
    queue.call("queue/hold", {"entry_id": fence["queue_lease"]["entry_id"]})
    answer = change(queue, verb, fence)
    assert (answer["outcome"], "held" in answer["reason"]) == ("not_assigned", True)


# Fences that do not match -------------------------------------------------------------------------

OTHER: list[tuple[str, Any]] = [
    ("workflow_id", "wf-2"),
    ("workflow_generation", 2),
    ("subject.qualified_id", "task:TASK-2"),
    ("subject.generation", 2),
    ("subject", None),
    ("queue_lease.owner_id", "daemon-b"),
    ("queue_lease.generation", 2),
    ("repository.repository", "github.com/acme/other"),
    ("repository.base_ref", "refs/heads/next"),
    ("repository.head_ref", "refs/heads/other"),
    ("repository", None),
]


@pytest.mark.parametrize(("path", "value"), OTHER, ids=[path for path, _ in OTHER])
def test_a_fence_that_differs_is_stale_and_changes_nothing(
    queue: TestClient, path: str, value: Any
) -> None:
    fence = leased(queue, repository=APP)
    before = entries(queue)
    for verb in MUTATIONS:
        params = {"new_owner_id": "daemon-c"} if verb == "lease/recover" else {}
        assert outcome(queue, verb, other(fence, path, value), **params) == "stale_fence"
    assert entries(queue) == before
    assert outcome(queue, "completion", fence) == "applied"


def test_a_reservation_that_was_not_there_is_stale(queue: TestClient) -> None:
    fence = leased(queue)
    assert outcome(queue, "completion", {**fence, "repository": APP}) == "stale_fence"


def test_neither_the_expiry_nor_the_case_of_the_repository_is_compared(queue: TestClient) -> None:
    fence = leased(queue, repository=APP)
    fence = other(fence, "queue_lease.expires_at", PAST)
    fence = other(fence, "repository.repository", " GitHub.com/ACME/app ")
    assert outcome(queue, "completion", fence) == "applied"


# The operations -----------------------------------------------------------------------------------


def test_a_renewal_moves_the_expiry_and_nothing_else(queue: TestClient, rows: Rows) -> None:
    fence = leased(queue, repository=APP)
    rows.set(leased_until=ahead(60))
    answer = change(queue, "lease/renew", fence)
    renewed = answer["execution"]
    assert answer["outcome"] == "applied"
    assert (until(renewed) - datetime.now(UTC)).total_seconds() > 1700
    assert other(renewed, "queue_lease.expires_at", "") == other(
        fence, "queue_lease.expires_at", ""
    )
    assert accepted_by_the_daemon(fence, renewed)


def test_a_renewal_never_shortens_a_lease(queue: TestClient) -> None:
    fence = leased(queue, repository=APP)
    assert change(queue, "lease/renew", fence, ttl_secs=1) == {
        "outcome": "applied",
        "execution": fence,
    }


def test_a_lease_that_expired_is_not_renewed(queue: TestClient, rows: Rows) -> None:
    fence = leased(queue)
    rows.set(leased_until=PAST)
    answer = change(queue, "lease/renew", fence)
    assert (answer["outcome"], "requires recovery" in answer["reason"]) == ("stale_fence", True)


@pytest.mark.parametrize("owner", [" ", "daemon-a", " daemon-a "])
def test_a_lease_is_taken_over_by_another_owner(queue: TestClient, owner: str) -> None:
    asked = {"execution": leased(queue), "new_owner_id": owner}
    assert refusal(queue, "queue/v2/lease/recover", asked).code == -32602


def test_a_lease_that_is_live_is_not_taken_over(queue: TestClient) -> None:
    fence = leased(queue)
    answer = change(queue, "lease/recover", other(fence, "queue_lease.expires_at", PAST))
    assert (answer["outcome"], answer["execution"]) == ("lease_still_live", fence)


def test_a_lease_that_expired_is_taken_over_with_the_next_generation(
    queue: TestClient, rows: Rows
) -> None:
    fence = leased(queue, repository=APP)
    rows.set(leased_until=PAST)
    answer = change(queue, "lease/recover", fence, new_owner_id=" daemon-b ")
    taken = answer["execution"]
    lease_now = {"owner_id": "daemon-b", "generation": 2}
    assert answer["outcome"] == "applied"
    assert taken["queue_lease"].items() >= lease_now.items()
    assert until(taken) > datetime.now(UTC)
    assert accepted_by_the_daemon(fence, taken)
    for verb in MUTATIONS:
        assert outcome(queue, verb, fence, **OWNER.get(verb, {})) == "stale_fence"
    assert outcome(queue, "completion", taken) == "applied"


OWNER = {"lease/recover": {"new_owner_id": "daemon-c"}}


@pytest.mark.parametrize("verb", ["completion", "release_pending"])
def test_an_expired_lease_that_nobody_took_over_ends_as_any_other(
    queue: TestClient, rows: Rows, verb: str
) -> None:
    fence = leased(queue)
    rows.set(leased_until=PAST)
    assert outcome(queue, verb, fence) == "applied"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_completion_moves_the_entry_to_the_past(
    queue: TestClient, rows: Rows, status: str
) -> None:
    fence = leased(queue)
    assert outcome(queue, "completion", fence, status=status, workflow_ref="coding") == "applied"
    assert (rows.ends(), queue.call("queue/stats")["total"]) == ([status], 0)


def test_a_completion_has_one_of_three_statuses(queue: TestClient) -> None:
    asked = {"execution": leased(queue), "status": "done"}
    assert refusal(queue, "queue/v2/completion", asked).code == -32602


@pytest.mark.parametrize("verb", ["lease/renew", "lease/recover"])
@pytest.mark.parametrize(("asked", "given"), [(60, 60), (10**9, 1800), (None, 1800)])
def test_a_lease_is_as_long_as_asked_for_but_no_longer_than_set(
    queue: TestClient, rows: Rows, verb: str, asked: int | None, given: int
) -> None:
    fence = leased(queue)
    rows.set(leased_until=PAST if verb == "lease/recover" else ahead(5))
    params = {} if asked is None else {"ttl_secs": asked}
    left = until(change(queue, verb, fence, **params)["execution"]) - datetime.now(UTC)
    assert given - 30 < left.total_seconds() <= given


@pytest.mark.parametrize("verb", ["lease/renew", "lease/recover"])
def test_a_lease_of_no_time_is_invalid(queue: TestClient, verb: str) -> None:
    asked = {"execution": leased(queue), **MUTATIONS[verb], "ttl_secs": 0}
    assert refusal(queue, f"queue/v2/{verb}", asked).code == -32602


# Calls of v1 on entries with a fence --------------------------------------------------------------


def test_v1_lists_counts_holds_releases_reorders_and_drops_fenced_entries(
    queue: TestClient, rows: Rows
) -> None:
    first, second = (put(queue, name)["entry_id"] for name in "ab")
    put(queue, "later", run_at="2999-01-01T00:00:00Z")
    assert queue.call("queue/stats")["deferred"] == 1
    assert queue.call("queue/next_deadline") == {"next_run_at": "2999-01-01T00:00:00Z"}
    queue.call("queue/reorder", {"entry_ids": [second, first]})
    assert subjects(entries(queue)) == ["task:b", "task:a", "task:later"]
    assert queue.call("queue/hold", {"entry_id": second})["changed"] is True
    assert queue.call("queue/release", {"entry_id": second})["changed"] is True
    (one,) = take(queue)["leased"]
    assert one["entry"]["entry_id"] == second
    assert queue.call("queue/drop", {"entry_id": second})["changed"] is True
    assert (rows.ends(), queue.call("queue/stats")["total"]) == (["dropped"], 2)


def test_a_hold_keeps_the_fence_of_an_entry_that_was_put_back(queue: TestClient) -> None:
    fence = leased(queue)
    entry = {"entry_id": fence["queue_lease"]["entry_id"]}
    change(queue, "release_pending", fence)
    for verb in ("hold", "release"):
        queue.call(f"queue/{verb}", entry)
    assert outcome(queue, "release_pending", fence) == "already_applied"
    (one,) = take(queue, workflow_ids=["wf-9"])["leased"]
    assert one["execution"]["workflow_id"] == "wf-1"


def test_v1_leaves_fenced_entries_to_v2(queue: TestClient) -> None:
    entry = {"entry_id": put(queue)["entry_id"]}
    assert lease(queue) == []
    error = refusal(queue, "queue/mark_assigned", entry)
    assert (error.code, "only queue/v2 leases it" in error.message) == (-32203, True)
    (one,) = take(queue)["leased"]
    back = {**entry, "reason": "no capacity"}
    assert refusal(queue, "queue/release_pending", back).code == -32208
    assert outcome(queue, "completion", one["execution"]) == "applied"


def test_v1_completes_a_fenced_entry_of_its_workflow(queue: TestClient, rows: Rows) -> None:
    fence = leased(queue)
    done = {"entry_id": fence["queue_lease"]["entry_id"], "status": "failed"}
    assert queue.call("queue/completion", {**done, "workflow_id": "wf-2"})["changed"] is False
    assert queue.call("queue/completion", {**done, "workflow_id": "wf-1"})["changed"] is True
    assert outcome(queue, "completion", fence) == "already_applied"
    assert rows.ends() == ["failed"]
