"""The wire types of animus-queue-protocol and animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  b29e459e57777d1f67ae87c8a3ee341d8a8ba8230c0d3c0ecfb1dbe5b6a8994c
- schemas/patches.json sha256 3084e2a7b813f0c7c15748a9b9a6abeafab3428ad9677c152cdd9532cfeb4ec4
- schemas/animus-workflow-runner-protocol/_all.json sha256
  651b63d265e370f5ab89896eb68043f702b0007f0f7de462dcaeeb565d6927f4
"""

from typing import TYPE_CHECKING, Any

from msgspec import field

from animus_routes.structs._struct import (
    Timestamp,
    WireStruct,
    given,
    mend,
    object_or_empty,
    timestamp,
    unfold,
)
from animus_routes.structs.actor import Actor

__all__ = [
    "SubjectDispatch",
    "SubjectRef",
]


class SubjectRef(WireStruct, kw_only=True):
    """Backend-qualified subject reference with optional display metadata."""

    if TYPE_CHECKING:
        kind: str
        id: str
    else:
        kind: str = field(default_factory=str)
        id: str = field(default_factory=str)
        _custom: dict[str, str | None] | None = field(default=None, name="Custom")
        _requirement: dict[str, str | None] | None = field(default=None, name="Requirement")
        _task: dict[str, str | None] | None = field(default=None, name="Task")

    description: str | None = None

    labels: list[str] = []

    metadata: Any = {}

    title: str | None = None

    def __post_init__(self) -> None:
        try:
            if self.kind and self.id and self.metadata is not None:
                return
        except TypeError:
            pass
        unfold(
            self,
            _custom=("custom", "title"),
            _requirement=("animus.requirement", "id"),
            _task=("animus.task", "id"),
        )
        mend(self, kind=given, id=given, metadata=object_or_empty)


class SubjectDispatch(WireStruct, kw_only=True):
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

    actor: Actor | None = None
    """Who caused the dispatch, if a transport vouched for someone."""

    input: Any = None
    """Optional initial input JSON for workflow variables."""

    priority: str | None = None
    """Optional priority hint (`"low"`, `"medium"`, `"high"`, `"critical"`)."""

    vars: dict[str, str] = {}
    """Workflow scalar variables."""

    def __post_init__(self) -> None:
        try:
            if self.requested_at > "":
                return
        except TypeError:
            pass
        mend(self, requested_at=timestamp)
