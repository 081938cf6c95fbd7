"""The wire types of animus-queue-protocol and animus-workflow-runner-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
"""

from operator import not_
from typing import Any

from pydantic import Field, model_validator

from animus_routes.types._model import (
    Timestamp,
    WireModel,
    flatten_legacy,
    is_empty_object,
    is_null,
    new_dict,
    new_list,
)
from animus_routes.types.actor import Actor

__all__ = [
    "SubjectDispatch",
    "SubjectRef",
]


class SubjectRef(WireModel):
    """Backend-qualified subject reference with optional display metadata."""

    kind: str

    id: str

    description: str | None = Field(default=None, exclude_if=is_null)

    labels: list[str] = Field(default_factory=new_list, exclude_if=not_)

    metadata: Any = Field(default_factory=new_dict, exclude_if=is_empty_object)

    title: str | None = Field(default=None, exclude_if=is_null)

    _legacy = model_validator(mode="before")(
        flatten_legacy(
            Custom=("custom", "title"),
            Requirement=("animus.requirement", "id"),
            Task=("animus.task", "id"),
        )
    )


class SubjectDispatch(WireModel):
    """What a workflow is started with: the subject, the workflow to run, and optionally input,
    variables, priority and where the start came from. A queue keeps it and hands it to the
    workflow runner.
    """

    workflow_ref: str
    """Workflow YAML ref to execute (e.g., `"standard"`, `"quick-fix"`)."""

    trigger_source: str
    """Tag identifying which subsystem produced this dispatch (e.g., `"ready-queue"`,
    `"trigger:slack"`, `"schedule:nightly"`).
    """

    requested_at: Timestamp
    """When the dispatch was created."""

    actor: Actor | None = Field(default=None, exclude_if=is_null)
    """Who the run is for; `None` for a run of the system's. The daemon hands it to the workflow
    runner, so that everything the run touches is the owner's.
    """

    input: Any = Field(default=None, exclude_if=is_null)
    """Optional initial input JSON for workflow variables."""

    priority: str | None = Field(default=None, exclude_if=is_null)
    """Optional priority hint (`"low"`, `"medium"`, `"high"`, `"critical"`)."""

    subject: SubjectRef | None = Field(default=None, exclude_if=is_null)
    """The subject of the run; null for a run without one. Older hosts always send one."""

    vars: dict[str, str] = Field(default_factory=new_dict, exclude_if=not_)
    """Workflow scalar variables."""
