"""What the protocol demands of its types beyond their schemas, in both families."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from rule_cases import CASES, FENCE, RECEIPT, RESERVATION, Json
from wire_payloads import FAMILIES, decode, payload, python_type

from animus_routes import fences, rules
from animus_routes.errors import Invalid

BROKEN = [
    pytest.param(name, case, id=f"{name} {case[0]}={str(case[1])[:20]}")
    for name, (_, cases) in CASES.items()
    for case in cases
]
family = pytest.mark.parametrize("family", FAMILIES)


def changed(given: Json, path: str, value: Any) -> Json:
    """A copy with another value at a dotted path."""
    found = copy.deepcopy(given)
    *way, last = path.split(".")
    inner: Any = found
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[last] = value
    return found


def made(family: str, name: str, given: Json) -> Any:
    module, _, wire = name.partition(".")
    if name.endswith("WorkflowPhaseRunRequest"):
        given = phase(given)
    return decode(family, module, wire, given)


def phase(given: Json) -> Json:
    """With the rest of what a phase's request needs, which has no rules."""
    rest: Json = payload("workflow_runner", "WorkflowPhaseRunRequest", full=False)
    return rest | given


def test_every_type_with_rules_has_a_case() -> None:
    assert {name.rpartition(".")[2] for name in CASES} == set(rules.RULES)


@family
@pytest.mark.parametrize("name", CASES)
def test_what_holds_every_rule_passes(family: str, name: str) -> None:
    made(family, name, CASES[name][0]).check()
    module, _, wire = name.partition(".")
    assert "check" in vars(python_type(family, module, wire))


@family
@pytest.mark.parametrize(("name", "case"), BROKEN)
def test_a_broken_rule_names_its_field(family: str, name: str, case: tuple[str, Any]) -> None:
    path, value = case
    one = made(family, name, changed(CASES[name][0], path, value))
    with pytest.raises(Invalid) as caught:
        one.check()
    assert path in {issue["path"] for issue in caught.value.issues}


@family
def test_every_broken_rule_is_told_at_once(family: str) -> None:
    given = changed(changed(FENCE, "version", 2), "queue_lease.owner_id", "")
    with pytest.raises(
        Invalid, match=r"version: Expected 1; queue_lease\.owner_id: Expected a str"
    ):
        made(family, "execution.ExecutionFence", given).check()


@family
def test_what_only_some_calls_need_is_held_where_it_is_asked_for(family: str) -> None:
    whole = made(family, "execution.ExecutionFence", FENCE)
    fences.check_queue_backed(whole)
    fences.check_coding(whole)
    for missing in ("queue_lease", "subject", "repository"):
        fence = made(family, "execution.ExecutionFence", changed(FENCE, missing, None))
        fence.check()
        with pytest.raises(Invalid, match=f"{missing}: Field required"):
            fences.check_coding(fence)
        if missing == "queue_lease":
            with pytest.raises(Invalid, match=f"{missing}: Field required"):
                fences.check_queue_backed(fence)


@family
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("workflow_id", "wf-2"),
        ("workflow_generation", 2),
        ("subject.qualified_id", "task:TASK-2"),
        ("subject.generation", 4),
        ("remote_ref", "refs/heads/other"),
    ],
)
def test_a_receipt_of_another_execution_is_told(family: str, path: str, value: Any) -> None:
    fence = made(family, "execution.ExecutionFence", FENCE)
    fences.check_receipt(made(family, "workflow_runner.PublicationReceipt", RECEIPT), fence)
    other = made(family, "workflow_runner.PublicationReceipt", changed(RECEIPT, path, value))
    with pytest.raises(Invalid, match=f"{path}: Expected the execution fence's"):
        fences.check_receipt(other, fence)


@family
@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("workflow_id", "wf-2", False),
        ("workflow_generation", 2, False),
        ("subject.generation", 4, False),
        ("subject", None, False),
        ("queue_lease", None, True),
        ("repository", None, True),
    ],
)
def test_an_execution_is_told_by_workflow_and_subject(
    family: str, path: str, value: Any, same: bool
) -> None:
    one = made(family, "execution.ExecutionFence", FENCE)
    other = made("structs", "execution.ExecutionFence", changed(FENCE, path, value))
    assert fences.same_execution_generation(one, other) is same


@family
def test_reservations_collide_whatever_the_case_of_the_repository(family: str) -> None:
    one = made(family, "execution.RepositoryReservation", RESERVATION)
    other = made(
        family,
        "execution.RepositoryReservation",
        RESERVATION | {"repository": " GitHub.com/Acme/App "},
    )
    assert fences.collision_key(one) == fences.collision_key(other)
    assert fences.collision_key(one) == "github.com/acme/app\nrefs/heads/animus/TASK-1"
