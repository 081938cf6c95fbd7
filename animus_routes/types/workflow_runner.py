"""The wire types of animus-workflow-runner-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-workflow-runner-protocol/_all.json sha256
  651b63d265e370f5ab89896eb68043f702b0007f0f7de462dcaeeb565d6927f4
- schemas/patches.json sha256 3084e2a7b813f0c7c15748a9b9a6abeafab3428ad9677c152cdd9532cfeb4ec4
"""

from operator import not_
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from animus_routes.types._model import (
    Bool,
    Float,
    UInt32,
    UInt64,
    WireModel,
    is_null,
    new_dict,
    new_list,
)
from animus_routes.types.actor import Actor
from animus_routes.types.dispatch import SubjectDispatch, SubjectRef

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


class PhaseStarted(WireModel):
    """Phase started."""

    kind: Literal["started"] = "started"

    phase_id: str
    """Phase id."""

    attempt: UInt32
    """Attempt number (0, 1, ...)."""

    ts: str
    """RFC 3339 timestamp."""


class PhaseDecision(WireModel):
    """Phase recorded a decision contract verdict."""

    kind: Literal["decision"] = "decision"

    phase_id: str
    """Phase id."""

    verdict: str
    """`"advance"`, `"rework"`, `"skip"`, `"fail"`."""

    ts: str
    """RFC 3339 timestamp."""

    confidence: Float | None = Field(default=None, exclude_if=is_null)
    """Optional confidence score, 0.0 – 1.0."""


class PhaseCompleted(WireModel):
    """Phase finished with a final status."""

    kind: Literal["completed"] = "completed"

    phase_id: str
    """Phase id."""

    status: str
    """Status; one of `phase_status` values."""

    ts: str
    """RFC 3339 timestamp."""


PhaseEvent: TypeAlias = Annotated[
    PhaseStarted | PhaseDecision | PhaseCompleted,
    Field(discriminator="kind"),
]
"""Event emitted by the runner during a workflow. Daemon callers receive the full vector in
`WorkflowExecuteResult.phase_events`; real-time streaming is deferred to v0.6.
"""


class PhaseResultSnapshot(WireModel):
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

    close_reason: str | None = Field(default=None, exclude_if=is_null)
    """Close reason if verdict was a skip / close."""

    next_phase_id: str | None = Field(default=None, exclude_if=is_null)
    """Next phase id, if available."""


class WorkflowExecuteRequest(WireModel):
    """Parameters for `METHOD_WORKFLOW_EXECUTE`.

    Either `subject_dispatch` must be set OR (`subject_ref` + one of `task_id` /
    `requirement_id` / (`title` + `description`)). Generic subject backends MUST use
    `subject_dispatch`; task and requirement backends MAY use the convenience fields.
    """

    actor: Actor | None = Field(default=None, exclude_if=is_null)
    """Who asked for the run, if a transport vouched for someone."""

    description: str | None = Field(default=None, exclude_if=is_null)
    """For custom ad-hoc subjects."""

    input: Any = Field(default=None, exclude_if=is_null)
    """Initial input JSON for workflow variables."""

    mcp_config: Any = Field(default=None, exclude_if=is_null)
    """Opaque MCP runtime config."""

    model: str | None = Field(default=None, exclude_if=is_null)
    """Force a specific model."""

    phase_filter: str | None = Field(default=None, exclude_if=is_null)
    """Single-phase filter: run only this phase id."""

    phase_routing: Any = Field(default=None, exclude_if=is_null)
    """Opaque phase routing config (backend-specific)."""

    phase_timeout_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Per-phase timeout in seconds."""

    requirement_id: str | None = Field(default=None, exclude_if=is_null)
    """Requirement id."""

    subject_dispatch: SubjectDispatch | None = Field(default=None, exclude_if=is_null)
    """Generic dispatch envelope (preferred for non-task/requirement subjects)."""

    subject_ref: SubjectRef | None = Field(default=None, exclude_if=is_null)
    """Identifies which subject to run when `subject_dispatch` is not set."""

    task_id: str | None = Field(default=None, exclude_if=is_null)
    """Task id (used only when `subject_dispatch` is None and `subject_ref.kind == "animus.task"`).
    """

    title: str | None = Field(default=None, exclude_if=is_null)
    """For custom ad-hoc subjects without an existing `subject_ref`."""

    tool: str | None = Field(default=None, exclude_if=is_null)
    """Force a specific tool (`"claude"`, `"codex"`, `"gemini"`, ...)."""

    vars: dict[str, str] = Field(default_factory=new_dict, exclude_if=not_)
    """Workflow scalar variables."""

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """Existing workflow id to resume, or `None` to start a fresh run."""

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow YAML ref (e.g., `"standard"`, `"research-first"`)."""


class WorkflowExecuteResult(WireModel):
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

    success: Bool
    """True iff `workflow_status == COMPLETED`."""

    phase_events: list[PhaseEvent] = Field(default_factory=new_list)
    """Phase events emitted during execution (replaces in-process callback)."""


class WorkflowPhaseRunRequest(WireModel):
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

    actor: Actor | None = Field(default=None, exclude_if=is_null)
    """Who asked for the run, if a transport vouched for someone."""

    dispatch_input: str | None = Field(default=None, exclude_if=is_null)
    """Dispatch input JSON (opaque)."""

    mcp_config: Any = Field(default=None, exclude_if=is_null)
    """Opaque MCP runtime config — same shape as `WorkflowExecuteRequest.mcp_config`. Lets
    phase-level retries pass MCP server config to the agent runner.
    """

    model_override: str | None = Field(default=None, exclude_if=is_null)
    """Model override."""

    phase_routing: Any = Field(default=None, exclude_if=is_null)
    """Phase routing config (opaque)."""

    phase_timeout_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Optional timeout override (seconds)."""

    pipeline_vars: dict[str, str] = Field(default_factory=new_dict, exclude_if=not_)
    """Pipeline variables."""

    rework_context: str | None = Field(default=None, exclude_if=is_null)
    """Rework context from a prior phase's `rework` verdict."""

    schedule_input: str | None = Field(default=None, exclude_if=is_null)
    """Schedule input JSON (opaque)."""

    task_complexity: str | None = Field(default=None, exclude_if=is_null)
    """Task complexity hint: `"minimal" | "low" | "medium" | "high" | "critical"`."""

    tool_override: str | None = Field(default=None, exclude_if=is_null)
    """Tool override."""


class WorkflowPhaseRunResult(WireModel):
    """Result of `METHOD_WORKFLOW_RUN_PHASE`."""

    phase_status: str
    """One of `"completed"`, `"manual_pending"`, `"failed"`."""

    duration_secs: UInt64
    """Duration in seconds."""

    outcome: Any
    """Backend-specific outcome."""

    metadata: Any
    """Backend-specific metadata."""

    model: str | None = Field(default=None, exclude_if=is_null)
    """Model used."""

    signals: list[Any] = Field(default_factory=new_list)
    """Execution signals emitted during the phase."""

    tool: str | None = Field(default=None, exclude_if=is_null)
    """Tool used."""


class WorkflowRunnerCapabilities(WireModel):
    """Backend-specific capability flags serialized into
    `animus_plugin_protocol.KindCapability.extra`.
    """

    crash_recovery: Bool = False
    """Plugin replays persisted phase markers on restart."""

    manual_pause_support: Bool = False
    """Plugin honors `manual_pending` phase statuses."""

    phase_decision_parsing: Bool = False
    """Plugin parses agent text output to extract `PhaseDecision`."""

    post_success_actions: Bool = False
    """Plugin executes post-success actions (push / merge / PR)."""

    rework_context_support: Bool = False
    """Plugin propagates `rework_context` to subsequent phases."""


class WorkflowRunnerManifest(WireModel):
    """Static manifest a workflow_runner plugin declares at install time."""

    name: str
    """Plugin name."""

    version: str
    """Plugin semver."""

    description: str
    """Description."""

    capabilities: WorkflowRunnerCapabilities
    """Capability flags."""
