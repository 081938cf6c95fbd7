"""The rules of fenced leases, decision by decision (newer 3.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import TypeAdapter

from animus_routes.batteries import enqueues, lease_changes, leases
from animus_routes.batteries.leases import Lease, fence_of
from animus_routes.errors import InvalidRequest
from animus_routes.structs import execution, queue
from animus_routes.structs.execution import RepositoryReservation
from animus_routes.timestamps import parse
from animus_routes.types import queue as models

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
APP = RepositoryReservation(
    repository="github.com/acme/app",
    base_ref="refs/heads/main",
    head_ref="refs/heads/animus/TASK-1",
)
WAITING = Lease(entry_id="e-1", status="pending", subject_id="task:TASK-1", subject_generation=3)
LEASED = Lease(
    entry_id="e-1",
    status="assigned",
    subject_id="task:TASK-1",
    subject_generation=3,
    workflow_id="wf-1",
    workflow_generation=1,
    owner_id="daemon-a",
    generation=2,
    expires_at="2026-11-25T12:30:00Z",
    repository=APP,
)
BACK = msgspec.structs.replace(LEASED, status="pending")


def no_number(subject_id: str) -> int:
    raise AssertionError(f"no generation was to be given to {subject_id}")


def the_fence(entry: Lease | None = LEASED) -> execution.ExecutionFence:
    assert entry is not None
    fence = fence_of(entry)
    assert fence is not None
    return fence


def changed(fence: execution.ExecutionFence, path: str, value: Any) -> execution.ExecutionFence:
    """The fence with another value at a dotted path."""
    found: Any = msgspec.to_builtins(fence)
    *way, last = path.split(".")
    inner = found
    for step in way:
        inner = inner[step]
    inner[last] = value
    return msgspec.convert(found, execution.ExecutionFence)


def lease(
    *candidates: Lease,
    assigned: tuple[Lease, ...] = (),
    exclude: tuple[Any, ...] = (),
    most: int = 2,
    allocate: Callable[[str], int] = no_number,
) -> leases.LeaseDecision:
    request = queue.QueueLeaseV2Request(
        max=most,
        owner_id=" daemon-a ",
        workflow_ids=[f"wf-{number}" for number in range(1, most + 1)],
        exclude=list(exclude),
    )
    request.check()
    return leases.lease(request, candidates, assigned, allocate, NOW, 1800)


def renewal(fence: Any = None, ttl: int | None = None) -> queue.QueueLeaseRenewRequest:
    return queue.QueueLeaseRenewRequest(execution=fence or the_fence(), ttl_secs=ttl)


def recovery(fence: Any = None, ttl: int | None = None) -> queue.QueueLeaseRecoverRequest:
    return queue.QueueLeaseRecoverRequest(
        execution=fence or the_fence(), new_owner_id=" daemon-b ", ttl_secs=ttl
    )


def completion(fence: Any = None) -> queue.QueueCompletionV2Request:
    return queue.QueueCompletionV2Request(execution=fence or the_fence(), status="completed")


def return_(fence: Any = None) -> queue.QueueReleasePendingV2Request:
    return queue.QueueReleasePendingV2Request(execution=fence or the_fence(), reason="draining")


Past = lease_changes.Past
Decide = Callable[[Any, Lease | None, Any], lease_changes.Decision]
MUTATIONS: dict[str, Decide] = {
    "renew": lambda fence, entry, past: lease_changes.renew(renewal(fence), entry, past, NOW, 1800),
    "recover": lambda fence, entry, past: lease_changes.recover(
        recovery(fence), entry, past, LATER, 1800
    ),
    "complete": lambda fence, entry, past: lease_changes.complete(completion(fence), entry, past),
    "release_pending": lambda fence, entry, past: lease_changes.release_pending(
        return_(fence), entry, past
    ),
}
every_mutation = pytest.mark.parametrize("name", MUTATIONS)


# Leasing ------------------------------------------------------------------------------------------


def test_a_pending_entry_is_leased_with_a_fence_of_its_own() -> None:
    found = lease(msgspec.structs.replace(WAITING, repository=APP))
    (one,) = found.leased
    assert (one.status, one.owner_id, one.generation) == ("assigned", "daemon-a", 1)
    assert found.changed == [one]
    fence = the_fence(one)
    fence.check()
    assert fence.workflow_id == "wf-1"
    assert fence.workflow_generation == 1
    assert fence.repository == APP
    assert fence.queue_lease is not None
    assert parse(fence.queue_lease.expires_at) == NOW + timedelta(seconds=1800)


def test_no_more_are_leased_than_asked_for() -> None:
    others = [msgspec.structs.replace(WAITING, entry_id=f"e-{number}") for number in range(4)]
    found = lease(*others, most=2)
    assert [one.entry_id for one in found.leased] == ["e-0", "e-1"]
    assert [one.workflow_id for one in found.leased] == ["wf-1", "wf-2"]


def test_an_entry_that_was_put_back_keeps_its_workflow_and_uses_no_new_id() -> None:
    back = msgspec.structs.replace(BACK, workflow_id="old", repository=None)
    fresh = msgspec.structs.replace(WAITING, entry_id="e-2", subject_id="task:TASK-2")
    found = lease(back, fresh)
    assert [(one.workflow_id, one.generation) for one in found.leased] == [("old", 3), ("wf-1", 1)]
    assert found.leased[0].workflow_generation == 1


def test_no_two_entries_get_one_workflow_id() -> None:
    fresh = [msgspec.structs.replace(WAITING, entry_id=f"e-{n}") for n in range(3)]
    back = msgspec.structs.replace(BACK, entry_id="e-9", workflow_id="wf-1", repository=None)
    found = lease(fresh[0], back, *fresh[1:], most=2)
    assert [(one.entry_id, one.workflow_id) for one in found.leased] == [
        ("e-0", "wf-2"),
        ("e-9", "wf-1"),
    ]
    found = lease(*fresh, back, most=2)  # with no id left for the second
    assert [one.workflow_id for one in found.leased] == ["wf-2"]


def test_an_entry_of_v1_gets_its_generation_also_if_it_is_then_blocked() -> None:
    of_v1 = msgspec.structs.replace(WAITING, subject_generation=0)
    found = lease(of_v1, allocate=lambda subject_id: 7 if subject_id == "task:TASK-1" else 0)
    assert found.leased[0].subject_generation == 7
    mine = msgspec.structs.replace(of_v1, repository=APP)
    found = lease(mine, assigned=(LEASED,), allocate=lambda _: 7)
    assert found.leased == []
    assert [one.subject_generation for one in found.changed] == [7]
    assert found.changed[0].status == "pending"


def test_an_entry_without_a_subject_is_blocked() -> None:
    found = lease(msgspec.structs.replace(WAITING, subject_id=None))
    (block,) = found.blocked
    assert (block.entry_id, block.reason) == ("e-1", "missing_execution_identity")
    assert block.conflicts_with is None
    assert found.changed == []


def test_a_subject_generation_that_is_active_elsewhere_is_blocked() -> None:
    active = changed(the_fence(), "repository.head_ref", "refs/heads/other")
    (block,) = lease(WAITING, exclude=(active,)).blocked
    assert (block.reason, block.conflicts_with) == ("subject_generation_active", active)
    older = changed(active, "subject.generation", 2)
    assert lease(WAITING, exclude=(older,)).leased != []


@pytest.mark.parametrize("repository", ["github.com/acme/app", " GitHub.com/ACME/app"])
def test_a_ref_that_is_active_elsewhere_is_blocked(repository: str) -> None:
    mine = msgspec.structs.replace(
        WAITING,
        subject_id="task:TASK-2",
        repository=msgspec.structs.replace(APP, repository=repository),
    )
    (block,) = lease(mine, exclude=(the_fence(),)).blocked
    assert (block.reason, block.conflicts_with) == ("repository_ref_collision", the_fence())
    (block,) = lease(mine, assigned=(LEASED,)).blocked
    assert (block.reason, block.conflicts_with) == ("repository_ref_collision", the_fence())
    free = msgspec.structs.replace(
        mine, repository=msgspec.structs.replace(APP, head_ref="refs/heads/free")
    )
    assert lease(free, assigned=(LEASED,), exclude=(the_fence(),)).leased != []


def test_a_ref_is_leased_once_in_one_call() -> None:
    one = msgspec.structs.replace(WAITING, repository=APP)
    two = msgspec.structs.replace(one, entry_id="e-2", subject_id="task:TASK-2")
    found = lease(one, two)
    assert [entry.entry_id for entry in found.leased] == ["e-1"]
    (block,) = found.blocked
    assert (block.entry_id, block.conflicts_with) == ("e-2", fence_of(found.leased[0]))


def test_an_expired_assignment_still_holds_its_ref() -> None:
    mine = msgspec.structs.replace(WAITING, subject_id="task:TASK-2", repository=APP)
    gone = msgspec.structs.replace(LEASED, expires_at="2020-01-01T00:00:00Z")
    assert lease(mine, assigned=(gone,)).leased == []


def test_a_lease_looks_at_enough_entries_to_find_free_ones() -> None:
    assert [leases.candidate_count(most) for most in (1, 5, 6)] == [50, 50, 60]


# What the four have in common ---------------------------------------------------------------------


@every_mutation
def test_an_entry_that_never_was_is_not_found(name: str) -> None:
    found = MUTATIONS[name](None, None, None)
    assert (found.answer.outcome, found.changed) == ("not_found", None)


@every_mutation
@pytest.mark.parametrize("dropped", [False, True])
def test_an_entry_of_the_past_is_not_assigned(name: str, dropped: bool) -> None:
    found = MUTATIONS[name](None, None, Past(lease=LEASED, dropped=dropped))
    repeat = name == "complete" and not dropped
    assert found.answer.outcome == ("already_applied" if repeat else "not_assigned")
    assert (found.answer.execution == the_fence()) is repeat
    assert found.changed is None


def test_a_completion_of_another_fence_than_the_past_one_is_not_assigned() -> None:
    stale = changed(the_fence(), "queue_lease.generation", 1)
    found = MUTATIONS["complete"](stale, None, Past(lease=LEASED))
    assert found.answer.outcome == "not_assigned"


@every_mutation
@pytest.mark.parametrize("status", ["pending", "held"])
def test_an_entry_that_waits_is_not_assigned(name: str, status: Any) -> None:
    entry = msgspec.structs.replace(WAITING, status=status)
    found = MUTATIONS[name](None, entry, None)
    assert (found.answer.outcome, found.changed) == ("not_assigned", None)
    assert status in str(found.answer.reason)


STALE: list[tuple[str, Any]] = [
    ("workflow_id", "wf-2"),
    ("workflow_generation", 2),
    ("subject.qualified_id", "task:TASK-2"),
    ("subject.generation", 4),
    ("subject", None),
    ("queue_lease.owner_id", "daemon-b"),
    ("queue_lease.generation", 1),
    ("repository.head_ref", "refs/heads/other"),
    ("repository.base_ref", "refs/heads/other"),
    ("repository", None),
]


@every_mutation
@pytest.mark.parametrize(("path", "value"), STALE)
def test_a_fence_that_does_not_match_changes_nothing(name: str, path: str, value: Any) -> None:
    found = MUTATIONS[name](changed(the_fence(), path, value), LEASED, None)
    assert (found.answer.outcome, found.changed) == ("stale_fence", None)


@every_mutation
def test_an_entry_that_v1_has_assigned_has_no_fence_to_match(name: str) -> None:
    of_v1 = Lease(entry_id="e-1", status="assigned", workflow_id="wf-1")
    assert MUTATIONS[name](None, of_v1, None).answer.outcome == "stale_fence"


@every_mutation
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("queue_lease.expires_at", "2026-11-25T12:10:00Z"),
        ("repository.repository", "GITHUB.com/acme/App"),
    ],
)
def test_an_older_expiry_and_the_case_of_the_repository_do_not_matter(
    name: str, path: str, value: Any
) -> None:
    found = MUTATIONS[name](changed(the_fence(), path, value), LEASED, None)
    assert found.answer.outcome == "applied"


# Each of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ttl", "until"),
    [
        (None, "2026-11-25T12:59:00Z"),
        (600, "2026-11-25T12:39:00Z"),
        (86_400, "2026-11-25T12:59:00Z"),
        (1, "2026-11-25T12:30:00Z"),
    ],
)
def test_a_renewal_extends_the_lease_and_never_shortens_it(ttl: int | None, until: str) -> None:
    late = NOW + timedelta(minutes=29)
    found = lease_changes.renew(renewal(ttl=ttl), LEASED, None, late, 1800)
    assert found.answer.outcome == "applied"
    assert found.changed == msgspec.structs.replace(LEASED, expires_at=until)
    assert found.answer.execution == the_fence(found.changed)


def test_an_expired_lease_is_not_renewed() -> None:
    found = lease_changes.renew(renewal(), LEASED, None, NOW + timedelta(minutes=30), 1800)
    assert (found.answer.outcome, found.changed) == ("stale_fence", None)
    assert "requires recovery" in str(found.answer.reason)


def test_a_live_lease_is_not_recovered() -> None:
    found = lease_changes.recover(recovery(), LEASED, None, NOW, 1800)
    assert (found.answer.outcome, found.changed) == ("lease_still_live", None)
    assert found.answer.execution == the_fence()


def test_a_recovery_moves_the_lease_and_raises_its_generation_alone() -> None:
    found = lease_changes.recover(recovery(), LEASED, None, LATER, 1800)
    assert found.answer.outcome == "applied"
    assert found.changed == msgspec.structs.replace(
        LEASED, owner_id="daemon-b", generation=3, expires_at="2026-11-25T13:30:00Z"
    )
    assert found.answer.execution == the_fence(found.changed)


def test_a_completion_does_not_ask_for_the_time_and_ends_the_entry() -> None:
    found = lease_changes.complete(completion(), LEASED, None)
    assert (found.answer.outcome, found.ended) == ("applied", True)
    assert found.answer.execution == the_fence()
    assert found.changed == LEASED


def test_a_return_keeps_the_workflow_for_the_next_lease() -> None:
    found = lease_changes.release_pending(return_(), LEASED, None)
    assert (found.answer.outcome, found.answer.execution) == ("applied", None)
    assert found.changed == BACK
    again = lease_changes.release_pending(return_(), BACK, None)
    assert (again.answer.outcome, again.answer.execution) == ("already_applied", None)
    assert again.changed is None
    (leased,) = lease(BACK).leased
    assert (leased.workflow_id, leased.workflow_generation, leased.generation) == ("wf-1", 1, 3)


@pytest.mark.parametrize(
    ("setting", "length"),
    [
        (None, 1800),
        ("", 1800),
        ("0", 1800),
        ("1", 1),
        (" 60 ", 60),
        ("604800", 604_800),
        ("604801", 1800),
        ("-5", 1800),
        ("1e3", 1800),
        ("soon", 1800),
    ],
)
def test_the_length_of_a_lease_is_the_operators_within_bounds(
    setting: str | None, length: int
) -> None:
    assert leases.lease_length_s(setting) == length


# Enqueueing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "native", "qualified"),
    [
        ("task", "TASK-1", "task:TASK-1"),
        ("animus.task", "TASK-1", "task:TASK-1"),
        ("Animus.Requirement", " REQ-1 ", "requirement:REQ-1"),
        ("linear.issue", "L1", "linear.issue:L1"),
        ("task", "TASK:TASK-1", "task:TASK-1"),
        ("task", "github:1", "task:github:1"),
        (" task ", "TASK-1", "task:TASK-1"),
    ],
)
def test_a_subject_has_one_qualified_id(kind: str, native: str, qualified: str) -> None:
    assert enqueues.qualified_id(queue.SubjectRef(kind=kind, id=native)) == qualified


@pytest.mark.parametrize(("kind", "native"), [(" ", "x"), ("task", " "), ("task", "task:")])
def test_a_subject_that_is_blank_is_refused(kind: str, native: str) -> None:
    with pytest.raises(InvalidRequest, match="kind and an id"):
        enqueues.qualified_id(queue.SubjectRef(kind=kind, id=native))


def addition(**changes: Any) -> queue.QueueEnqueueV2Request:
    dispatch: dict[str, Any] = {
        "subject": {"kind": "animus.task", "id": "TASK-1"},
        "workflow_ref": "coding",
        "trigger_source": "ready-queue",
        "requested_at": "2026-11-25T12:00:00Z",
    }
    given: dict[str, Any] = {"subject_dispatch": dispatch, "idempotency_key": " k-1 "}
    for name, value in changes.items():
        (dispatch if name in dispatch else given)[name] = value
    return msgspec.convert(given, queue.QueueEnqueueV2Request)


def test_a_new_entry_gets_the_next_generation_and_its_key_a_receipt() -> None:
    found = enqueues.enqueue(addition(), "e-9", None, None, lambda _: 4)
    assert found.added == Lease(
        entry_id="e-9", status="pending", subject_id="task:TASK-1", subject_generation=4
    )
    assert msgspec.to_builtins(found.answer) == {
        "enqueued": True,
        "entry_id": "e-9",
        "subject": {"qualified_id": "task:TASK-1", "generation": 4},
    }
    assert found.receipt is not None
    assert (found.receipt.key, found.receipt.entry_id) == ("k-1", "e-9")


def receipt() -> enqueues.Receipt:
    found = enqueues.enqueue(addition(), "e-9", None, None, lambda _: 4).receipt
    assert found is not None
    return found


def test_a_repeated_key_gets_the_first_answer_however_old() -> None:
    again = addition(requested_at="2026-11-26T08:00:00Z")
    found = enqueues.enqueue(again, "e-10", receipt(), None, no_number)
    assert msgspec.to_builtins(found.answer) == {
        "enqueued": False,
        "entry_id": "e-9",
        "subject": {"qualified_id": "task:TASK-1", "generation": 4},
    }
    assert (found.added, found.changed, found.receipt) == (None, None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"workflow_ref": "other"},
        {"run_at": "2026-11-26T08:00:00Z"},
        {"subject": {"kind": "task", "id": "TASK-2"}},
        {"repository": msgspec.to_builtins(APP)},
    ],
)
def test_a_key_of_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="other content"):
        enqueues.enqueue(addition(**change), "e-10", receipt(), None, no_number)


@pytest.mark.parametrize("live", [WAITING, BACK, LEASED])
def test_a_subject_with_a_live_entry_gets_that_one_and_a_warning(live: Lease) -> None:
    assert enqueues.is_live(live)
    found = enqueues.enqueue(addition(), "e-9", None, live, no_number)
    assert (found.answer.enqueued, found.answer.entry_id) == (False, "e-1")
    assert found.answer.subject.generation == 3
    assert "e-1" in str(found.answer.warning)
    assert (found.added, found.changed) == (None, None)
    assert found.receipt is not None
    assert found.receipt.entry_id == "e-1"


def test_a_live_entry_of_v1_gets_its_generation_now() -> None:
    of_v1 = msgspec.structs.replace(WAITING, subject_generation=0)
    found = enqueues.enqueue(addition(), "e-9", None, of_v1, lambda _: 5)
    assert found.changed == msgspec.structs.replace(of_v1, subject_generation=5)
    assert found.answer.subject.generation == 5


def test_what_v1_has_assigned_does_not_stand_for_its_subject() -> None:
    assert not enqueues.is_live(Lease(entry_id="e-1", status="assigned", workflow_id="wf-1"))


def test_without_a_key_there_is_no_receipt() -> None:
    found = enqueues.enqueue(addition(idempotency_key=None), "e-9", None, None, lambda _: 1)
    assert found.receipt is None


def test_a_reservation_is_kept_trimmed() -> None:
    given = {name: f" {value} " for name, value in msgspec.to_builtins(APP).items()}
    found = enqueues.reservation_of(msgspec.convert(given, RepositoryReservation))
    assert found == APP
    assert enqueues.reservation_of(None) is None


def test_requests_of_pydantic_models_are_decided_alike() -> None:
    def model(request: Any) -> Any:
        return TypeAdapter(getattr(models, type(request).__name__)).validate_json(
            msgspec.json.encode(request)
        )

    renewed = lease_changes.renew(model(renewal()), LEASED, None, NOW, 1800)
    assert renewed.answer.outcome == "applied"
    added = enqueues.enqueue(model(addition()), "e-9", receipt(), None, no_number)
    assert added.answer.entry_id == "e-9"
    assert lease_changes.complete(model(completion()), LEASED, None).ended
