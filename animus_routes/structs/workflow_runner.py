"""The wire types of animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-workflow-runner-protocol/_all.json sha256
  651b63d265e370f5ab89896eb68043f702b0007f0f7de462dcaeeb565d6927f4
- schemas/patches.json sha256 3084e2a7b813f0c7c15748a9b9a6abeafab3428ad9677c152cdd9532cfeb4ec4
"""

from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    UInt32,
    UInt64,
    WireStruct,
    mend,
    new_list,
    uint64,
    uint64_or_null,
)
from animus_routes.structs.actor import Actor
from animus_routes.structs.dispatch import SubjectDispatch, SubjectRef

__all__ = [
    "Actor",
    "PhaseCompleted",
    "PhaseDecision",
    "PhaseEvent",
    "PhaseResultSnapshot",
    "PhaseStarted",
    "SubjectDispatch",
    "SubjectRef",
    "WorkflowExecuteRequest",
    "WorkflowExecuteResult",
    "WorkflowPhaseRunRequest",
    "WorkflowPhaseRunResult",
    "WorkflowRunnerCapabilities",
    "WorkflowRunnerManifest",
]


class PhaseStarted(WireStruct, kw_only=True, tag_field="kind", tag="started"):
    """Phase started."""

    kind: ClassVar[Literal["started"]] = "started"

    phase_id: str
    """Phase id."""

    attempt: UInt32
    """Attempt number (0, 1, ...)."""

    ts: str
    """RFC 3339 timestamp."""


class PhaseDecision(WireStruct, kw_only=True, tag_field="kind", tag="decision"):
    """Phase recorded a decision contract verdict."""

    kind: ClassVar[Literal["decision"]] = "decision"

    phase_id: str
    """Phase id."""

    verdict: str
    """`"advance"`, `"rework"`, `"skip"`, `"fail"`."""

    ts: str
    """RFC 3339 timestamp."""

    confidence: float | None = None
    """Optional confidence score, 0.0 – 1.0."""


class PhaseCompleted(WireStruct, kw_only=True, tag_field="kind", tag="completed"):
    """Phase finished with a final status."""

    kind: ClassVar[Literal["completed"]] = "completed"

    phase_id: str
    """Phase id."""

    status: str
    """Status; one of `phase_status` values."""

    ts: str
    """RFC 3339 timestamp."""


PhaseEvent: TypeAlias = (
    PhaseStarted
    | PhaseDecision
    | PhaseCompleted
)
"""Event emitted by the runner during a workflow. Daemon callers receive the full vector in
`WorkflowExecuteResult.phase_events`; real-time streaming is deferred to v0.6.
"""


class PhaseResultSnapshot(WireStruct, kw_only=True):
    """A single phase's result snapshot returned in `WorkflowExecuteResult`."""

    phase_id: str
    """Phase id (workflow-local)."""

    status: str
    """Status; one of `phase_status` values."""

    duration_secs: UInt64
    """Duration of this phase in seconds."""

    outcome: Any
    """Backend-specific outcome payload."""

    metadata: Any
    """Backend-specific metadata payload."""

    close_reason: str | None = None
    """Close reason if verdict was a skip / close."""

    next_phase_id: str | None = None
    """Next phase id, if available."""

    def __post_init__(self) -> None:
        try:
            if self.duration_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, duration_secs=uint64)


class WorkflowExecuteRequest(WireStruct, kw_only=True):
    """Parameters for `METHOD_WORKFLOW_EXECUTE`.

    Either `subject_dispatch` must be set OR (`subject_ref` + one of `task_id` /
    `requirement_id` / (`title` + `description`)). Generic subject backends MUST use
    `subject_dispatch`; task and requirement backends MAY use the convenience fields.
    """

    actor: Actor | None = None
    """Who asked for the run, if a transport vouched for someone."""

    description: str | None = None
    """For custom ad-hoc subjects."""

    input: Any = None
    """Initial input JSON for workflow variables."""

    mcp_config: Any = None
    """Opaque MCP runtime config."""

    model: str | None = None
    """Force a specific model."""

    phase_filter: str | None = None
    """Single-phase filter: run only this phase id."""

    phase_routing: Any = None
    """Opaque phase routing config (backend-specific)."""

    phase_timeout_secs: UInt64 | None = None
    """Per-phase timeout in seconds."""

    requirement_id: str | None = None
    """Requirement id."""

    subject_dispatch: SubjectDispatch | None = None
    """Generic dispatch envelope (preferred for non-task/requirement subjects)."""

    subject_ref: SubjectRef | None = None
    """Identifies which subject to run when `subject_dispatch` is not set."""

    task_id: str | None = None
    """Task id (used only when `subject_dispatch` is None and `subject_ref.kind == "animus.task"`).
    """

    title: str | None = None
    """For custom ad-hoc subjects without an existing `subject_ref`."""

    tool: str | None = None
    """Force a specific tool (`"claude"`, `"codex"`, `"gemini"`, ...)."""

    vars: dict[str, str] = {}
    """Workflow scalar variables."""

    workflow_id: str | None = None
    """Existing workflow id to resume, or `None` to start a fresh run."""

    workflow_ref: str | None = None
    """Workflow YAML ref (e.g., `"standard"`, `"research-first"`)."""

    def __post_init__(self) -> None:
        try:
            if self.phase_timeout_secs is None or self.phase_timeout_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, phase_timeout_secs=uint64_or_null)


class WorkflowExecuteResult(WireStruct, kw_only=True):
    """Result of `METHOD_WORKFLOW_EXECUTE`."""

    workflow_id: str
    """Unique workflow id (echoed on resume or freshly allocated on start)."""

    workflow_ref: str
    """Resolved workflow ref."""

    workflow_status: str
    """Final status; one of `workflow_status` values."""

    subject_id: str
    """Subject id this run targeted."""

    execution_cwd: str
    """Working directory used for phases."""

    phases_requested: list[str]
    """Phase ids that were requested by this run."""

    phases_completed: UInt64
    """Number of phases completed."""

    phases_total: UInt64
    """Total phases in the workflow."""

    total_duration_secs: UInt64
    """Total wall-clock duration."""

    phase_results: list[PhaseResultSnapshot]
    """Per-phase results."""

    post_success: Any
    """Post-success action outcome (push, PR creation, merge, etc.)."""

    success: bool
    """True iff `workflow_status == COMPLETED`."""

    phase_events: list[PhaseEvent] = field(default_factory=new_list)
    """Phase events emitted during execution (replaces in-process callback)."""

    def __post_init__(self) -> None:
        try:
            if (
                self.phases_completed <= MAX_UINT64
                and self.phases_total <= MAX_UINT64
                and self.total_duration_secs <= MAX_UINT64
            ):
                return
        except TypeError:
            pass
        mend(self, phases_completed=uint64, phases_total=uint64, total_duration_secs=uint64)


class WorkflowPhaseRunRequest(WireStruct, kw_only=True):
    """Parameters for `METHOD_WORKFLOW_RUN_PHASE`."""

    execution_cwd: str
    """Execution working directory for the phase."""

    workflow_id: str
    """Workflow id."""

    workflow_ref: str
    """Workflow ref."""

    subject_id: str
    """Subject id."""

    subject_title: str
    """Subject title for prompts."""

    subject_description: str
    """Subject description for prompts."""

    phase_id: str
    """Phase id to run."""

    phase_attempt: UInt32
    """Attempt counter (0, 1, 2, ...)."""

    actor: Actor | None = None
    """Who asked for the run, if a transport vouched for someone."""

    dispatch_input: str | None = None
    """Dispatch input JSON (opaque)."""

    mcp_config: Any = None
    """Opaque MCP runtime config — same shape as `WorkflowExecuteRequest.mcp_config`. Lets
    phase-level retries pass MCP server config to the agent runner.
    """

    model_override: str | None = None
    """Model override."""

    phase_routing: Any = None
    """Phase routing config (opaque)."""

    phase_timeout_secs: UInt64 | None = None
    """Optional timeout override (seconds)."""

    pipeline_vars: dict[str, str] = {}
    """Pipeline variables."""

    rework_context: str | None = None
    """Rework context from a prior phase's `rework` verdict."""

    schedule_input: str | None = None
    """Schedule input JSON (opaque)."""

    task_complexity: str | None = None
    """Task complexity hint: `"minimal" | "low" | "medium" | "high" | "critical"`."""

    tool_override: str | None = None
    """Tool override."""

    def __post_init__(self) -> None:
        try:
            if self.phase_timeout_secs is None or self.phase_timeout_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, phase_timeout_secs=uint64_or_null)


class WorkflowPhaseRunResult(WireStruct, kw_only=True):
    """Result of `METHOD_WORKFLOW_RUN_PHASE`."""

    phase_status: str
    """One of `"completed"`, `"manual_pending"`, `"failed"`."""

    duration_secs: UInt64
    """Duration in seconds."""

    outcome: Any
    """Backend-specific outcome."""

    metadata: Any
    """Backend-specific metadata."""

    model: str | None = None
    """Model used."""

    signals: list[Any] = field(default_factory=new_list)
    """Execution signals emitted during the phase."""

    tool: str | None = None
    """Tool used."""

    def __post_init__(self) -> None:
        try:
            if self.duration_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, duration_secs=uint64)


class WorkflowRunnerCapabilities(WireStruct, kw_only=True):
    """Backend-specific capability flags serialized into
    `animus_plugin_protocol.KindCapability.extra`.
    """

    crash_recovery: bool = field(default_factory=bool)
    """Plugin replays persisted phase markers on restart."""

    manual_pause_support: bool = field(default_factory=bool)
    """Plugin honors `manual_pending` phase statuses."""

    phase_decision_parsing: bool = field(default_factory=bool)
    """Plugin parses agent text output to extract `PhaseDecision`."""

    post_success_actions: bool = field(default_factory=bool)
    """Plugin executes post-success actions (push / merge / PR)."""

    rework_context_support: bool = field(default_factory=bool)
    """Plugin propagates `rework_context` to subsequent phases."""


class WorkflowRunnerManifest(WireStruct, kw_only=True):
    """Static manifest a workflow_runner plugin declares at install time."""

    name: str
    """Plugin name."""

    version: str
    """Plugin semver."""

    description: str
    """Description."""

    capabilities: WorkflowRunnerCapabilities
    """Capability flags."""
