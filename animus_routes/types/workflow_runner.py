"""The wire types of animus-workflow-runner-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field

from animus_routes.types._model import (
    Bool,
    Float,
    Timestamp,
    UInt32,
    UInt64,
    WireModel,
    is_null,
    new_dict,
    new_list,
)
from animus_routes.types.actor import Actor
from animus_routes.types.dispatch import SubjectDispatch, SubjectRef
from animus_routes.types.execution import (
    ExecutionFence,
    QueueLeaseFence,
    RepositoryReservation,
    SubjectGeneration,
)

__all__ = [
    "Actor",
    "ExecutionFence",
    "PhaseCompleted",
    "PhaseDecision",
    "PhaseEvent",
    "PhaseIssuer",
    "PhaseResultSnapshot",
    "PhaseStarted",
    "PublicationPullRequest",
    "PublicationReceipt",
    "PublicationReceiptIssuer",
    "PublicationSubjectGeneration",
    "QueueLeaseFence",
    "RepositoryReservation",
    "RunnerIssuer",
    "SubjectDispatch",
    "SubjectGeneration",
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
"""What happened during a workflow, in `WorkflowExecuteResult.phase_events`."""


class RunnerIssuer(WireModel):
    """The workflow runner owns publication."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["runner"] = "runner"

    component: str
    """Concrete runner/plugin name."""

    version: str
    """Concrete runner/plugin version."""


class PhaseIssuer(WireModel):
    """A named workflow phase owns publication."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["phase"] = "phase"

    phase_id: str
    """Phase id declared by the workflow publication contract."""

    component: str
    """Component or command implementation that emitted the receipt."""

    version: str
    """Concrete component/command version."""


PublicationReceiptIssuer: TypeAlias = Annotated[
    RunnerIssuer | PhaseIssuer,
    Field(discriminator="kind"),
]
"""Component that issued a publication receipt."""


class PublicationPullRequest(WireModel):
    """Pull-request proof attached to a publication receipt."""

    model_config = ConfigDict(extra="forbid")

    number: UInt64
    """Repository-local pull request number."""

    url: str
    """Canonical pull request URL."""

    head_sha: str
    """Head SHA observed from the pull request provider after create/update."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationPullRequest")


class PublicationSubjectGeneration(WireModel):
    """Qualified subject identity and generation fenced into a publication.

    `qualified_id` uses the canonical `<kind>:<native-id>` shape (for example `task:TASK-1173`).
    `generation` is the subject generation leased for this execution; a receipt for an older
    generation must never satisfy a newer run.
    """

    model_config = ConfigDict(extra="forbid")

    qualified_id: str
    """Canonical qualified subject id."""

    generation: UInt64
    """Subject generation leased by this workflow execution."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationSubjectGeneration")


class PublicationReceipt(WireModel):
    """The proof that exactly one owner has published a workflow's result. Its schema is
    `animus.publication-receipt.v1`, its version 1; any other is refused.
    """

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field(validation_alias="schema", serialization_alias="schema")
    """Stable schema id; must equal `PUBLICATION_RECEIPT_SCHEMA_ID`."""

    version: UInt32
    """Receipt version; must equal `PUBLICATION_RECEIPT_VERSION`."""

    workflow_id: str
    """Workflow execution id."""

    workflow_generation: UInt64
    """Workflow generation fenced into the publication lease."""

    subject: PublicationSubjectGeneration
    """Qualified subject/task and its leased generation."""

    commit_sha: str
    """Commit SHA produced by the workflow."""

    tree_sha: str
    """Git tree SHA for the published commit."""

    remote: str
    """Canonical remote URL used for publication."""

    remote_ref: str
    """Fully qualified remote ref, for example `refs/heads/animus/TASK-1173`."""

    observed_remote_sha: str
    """SHA independently observed at `remote_ref` after publication."""

    recovery_ref: str
    """Durable ref from which unpublished/recovery work can be restored."""

    issuer: PublicationReceiptIssuer
    """Exact owner/component that issued this receipt."""

    issued_at: Timestamp
    """UTC RFC 3339 issue timestamp."""

    pull_request: PublicationPullRequest | None = Field(default=None, exclude_if=is_null)
    """Pull-request proof when the publication policy requires a PR."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationReceipt")


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

    publication_receipt: PublicationReceipt | None = Field(default=None, exclude_if=is_null)
    """Receipt emitted by this phase when it is the declared publication owner."""


class WorkflowExecuteRequest(WireModel):
    """Parameters for `workflow/execute`.

    Either `subject_dispatch` must be set OR (`subject_ref` + one of `task_id` /
    `requirement_id` / (`title` + `description`)). Generic subject backends must use
    `subject_dispatch`; task and requirement backends may use the convenience fields.
    """

    actor: Actor | None = Field(default=None, exclude_if=is_null)
    """Transport-asserted caller identity, relayed verbatim from the daemon so the runner can pass
    it to subject/journal/config plugins for scoping. `None` for system-initiated runs with no
    actor.
    """

    description: str | None = Field(default=None, exclude_if=is_null)
    """For custom ad-hoc subjects."""

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Exact generation/lease/reservation authority for this execution. Hosts requiring resilient
    coding must provide it and runners must fail closed when it is absent or mismatched.
    Optional only for legacy/non-fenced workflows during migration.
    """

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

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "WorkflowExecuteRequest")


class WorkflowExecuteResult(WireModel):
    """Result of `workflow/execute`."""

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
    """Legacy opaque post-success action outcome. New publication-aware consumers use
    `publication_receipt` instead.
    """

    success: Bool
    """True if, and only if, `workflow_status == COMPLETED`."""

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Echo of the validated execution fence. A parent uses this to ensure the terminal result and
    publication receipt belong to the leased generation.
    """

    phase_events: list[PhaseEvent] = Field(default_factory=new_list)
    """Phase events emitted during execution (replaces in-process callback)."""

    publication_receipt: PublicationReceipt | None = Field(default=None, exclude_if=is_null)
    """The proof of publication. The host requires it before a workflow that has to publish counts
    as completed.
    """


class WorkflowPhaseRunRequest(WireModel):
    """Parameters for `workflow/run_phase`."""

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
    """Transport-asserted caller identity (see `WorkflowExecuteRequest.actor`)."""

    dispatch_input: str | None = Field(default=None, exclude_if=is_null)
    """Dispatch input JSON (opaque)."""

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Exact execution authority inherited from the full workflow request."""

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

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "WorkflowPhaseRunRequest")


class WorkflowPhaseRunResult(WireModel):
    """Result of `workflow/run_phase`."""

    phase_status: str
    """One of `"completed"`, `"manual_pending"`, `"failed"`."""

    duration_secs: UInt64
    """Duration in seconds."""

    outcome: Any
    """Backend-specific outcome."""

    metadata: Any
    """Backend-specific metadata."""

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Echo of the validated execution fence for parent-side generation checks."""

    model: str | None = Field(default=None, exclude_if=is_null)
    """Model used."""

    publication_receipt: PublicationReceipt | None = Field(default=None, exclude_if=is_null)
    """Receipt emitted by this phase when it is the declared publication owner."""

    signals: list[Any] = Field(default_factory=new_list)
    """Execution signals emitted during the phase."""

    tool: str | None = Field(default=None, exclude_if=is_null)
    """Tool used."""


class WorkflowRunnerCapabilities(WireModel):
    """What a workflow runner declares in `kind_capabilities`."""

    crash_recovery: Bool = False
    """Plugin replays persisted phase markers on restart."""

    execution_fence_v1: Bool = False
    """Validates and echoes `animus.execution-fence.v1`, and validates any publication receipt
    against its workflow/subject generation.
    """

    manual_pause_support: Bool = False
    """Plugin honors `manual_pending` phase statuses."""

    phase_decision_parsing: Bool = False
    """Plugin parses agent text output to extract `PhaseDecision`."""

    post_success_actions: Bool = False
    """Plugin executes post-success actions (push / merge / PR)."""

    publication_receipt_v1: Bool = False
    """Plugin validates and returns `animus.publication-receipt.v1` and obeys explicit single-owner
    publication config.
    """

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
