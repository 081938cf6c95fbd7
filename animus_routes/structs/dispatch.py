"""The wire types of animus-queue-protocol and animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
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

    actor: Actor | None = None
    """Who the run is for; `None` for a run of the system's. The daemon hands it to the workflow
    runner, so that everything the run touches is the owner's.
    """

    input: Any = None
    """Optional initial input JSON for workflow variables."""

    priority: str | None = None
    """Optional priority hint (`"low"`, `"medium"`, `"high"`, `"critical"`)."""

    subject: SubjectRef | None = None
    """The subject of the run; null for a run without one. Older hosts always send one."""

    vars: dict[str, str] = {}
    """Workflow scalar variables."""

    def __post_init__(self) -> None:
        try:
            if self.requested_at > "":
                return
        except TypeError:
            pass
        mend(self, requested_at=timestamp)
