"""Execution fences: what they have to hold where, and what two of them have in common.

A fence is the authority for one run of one workflow: `animus_routes.types.execution.ExecutionFence`
or that of `animus_routes.structs`. These functions take either family's, also mixed.
"""

from __future__ import annotations

from typing import Any

from animus_routes.rules import at, hold, present

__all__ = [
    "check_coding",
    "check_queue_backed",
    "check_receipt",
    "collision_key",
    "same_execution_generation",
]


def check_queue_backed(fence: Any) -> None:
    """Hold a fence's rules, and that it has a queue's lease.

    Args:
        fence: An `ExecutionFence` of either family.

    Raises:
        Invalid: Each issue names a field.
    """
    fence.check()
    hold(present("queue_lease")(fence))


def check_coding(fence: Any) -> None:
    """Hold what a run that changes a repository needs: lease, subject and reservation.

    Args:
        fence: An `ExecutionFence` of either family.

    Raises:
        Invalid: Each issue names a field.
    """
    fence.check()
    rules = (present("queue_lease"), present("subject"), present("repository"))
    hold(found for rule in rules for found in rule(fence))


def check_receipt(receipt: Any, fence: Any) -> None:
    """Hold that a receipt is one of the execution that a fence stands for.

    Args:
        receipt: A `PublicationReceipt` of either family.
        fence: An `ExecutionFence` of either family.

    Raises:
        Invalid: It breaks a rule of its own, or is of another workflow, subject, generation or
            ref; each issue names a field of the receipt.
    """
    receipt.check()
    wanted = {
        "workflow_id": fence.workflow_id,
        "workflow_generation": fence.workflow_generation,
        "subject.qualified_id": at(fence, "subject.qualified_id"),
        "subject.generation": at(fence, "subject.generation"),
    }
    reserved = at(fence, "repository.head_ref")
    if reserved is not None:
        wanted["remote_ref"] = reserved
    hold(
        (path, f"Expected the execution fence's: {value}")
        for path, value in wanted.items()
        if at(receipt, path) != value
    )


def same_execution_generation(one: Any, other: Any) -> bool:
    """Do two fences stand for the same execution?

    Compares the workflow's id and generation and the subject; neither the lease nor the
    repository.

    Args:
        one: An `ExecutionFence` of either family.
        other: Another.
    """
    paths = (
        "workflow_id",
        "workflow_generation",
        "subject.qualified_id",
        "subject.generation",
    )
    return all(at(one, path) == at(other, path) for path in paths)


def collision_key(reservation: Any) -> str:
    """What no two active executions may share: the repository, ignoring case, and the head ref.

    Args:
        reservation: A `RepositoryReservation` of either family.
    """
    return f"{reservation.repository.strip().lower()}\n{reservation.head_ref}"
