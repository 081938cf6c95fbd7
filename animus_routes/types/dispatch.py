"""The wire types of animus-queue-protocol and animus-workflow-runner-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  b29e459e57777d1f67ae87c8a3ee341d8a8ba8230c0d3c0ecfb1dbe5b6a8994c
- schemas/patches.json sha256 3084e2a7b813f0c7c15748a9b9a6abeafab3428ad9677c152cdd9532cfeb4ec4
- schemas/animus-workflow-runner-protocol/_all.json sha256
  651b63d265e370f5ab89896eb68043f702b0007f0f7de462dcaeeb565d6927f4
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
    """Full dispatch envelope handed off from queue / scheduler / trigger to the workflow runner.

    Carries the subject identity (`subject`), the workflow ref to run, and optional input +
    variables + priority + trigger source + requested-at timestamp. The shape is wire-compatible
    with the previous home in ao-cli's `protocol` crate.
    """

    subject: SubjectRef
    """The subject this dispatch targets."""

    workflow_ref: str
    """Workflow YAML ref to execute (e.g., `"standard"`, `"quick-fix"`)."""

    trigger_source: str
    """Tag identifying which subsystem produced this dispatch (e.g., `"ready-queue"`,
    `"trigger:slack"`, `"schedule:nightly"`).
    """

    requested_at: Timestamp
    """When the dispatch was created."""

    actor: Actor | None = Field(default=None, exclude_if=is_null)
    """Who caused the dispatch, if a transport vouched for someone."""

    input: Any = Field(default=None, exclude_if=is_null)
    """Optional initial input JSON for workflow variables."""

    priority: str | None = Field(default=None, exclude_if=is_null)
    """Optional priority hint (`"low"`, `"medium"`, `"high"`, `"critical"`)."""

    vars: dict[str, str] = Field(default_factory=new_dict, exclude_if=not_)
    """Workflow scalar variables."""
