"""What type checkers say of wire types that several crates have: each is one type.

Checked by mypy and pyright with the rest of the tree; nothing here runs.
"""

from __future__ import annotations

from typing import assert_type

from animus_routes import structs, types
from animus_routes.structs import dispatch


def structs_run_what_the_queue_gave(
    entry: structs.queue.QueueEntry,
) -> structs.workflow_runner.WorkflowExecuteRequest:
    assert_type(entry.subject_dispatch, dispatch.SubjectDispatch)
    return structs.workflow_runner.WorkflowExecuteRequest(
        subject_dispatch=entry.subject_dispatch,
        subject_ref=entry.subject_dispatch.subject,
        actor=entry.subject_dispatch.actor,
    )


def models_run_what_the_queue_gave(
    entry: types.queue.QueueEntry,
) -> types.workflow_runner.WorkflowExecuteRequest:
    return types.workflow_runner.WorkflowExecuteRequest(
        subject_dispatch=entry.subject_dispatch,
        subject_ref=entry.subject_dispatch.subject,
        actor=entry.subject_dispatch.actor,
    )
