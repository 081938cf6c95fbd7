"""The wire types of animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import (
    MAX_UINT64,
    Timestamp,
    UInt32,
    UInt64,
    WireStruct,
    mend,
    new_list,
    timestamp,
    uint64,
    uint64_or_null,
)
from animus_routes.structs.actor import Actor
from animus_routes.structs.dispatch import SubjectDispatch, SubjectRef
from animus_routes.structs.execution import (
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
"""What happened during a workflow, in `WorkflowExecuteResult.phase_events`."""


class RunnerIssuer(
    WireStruct, kw_only=True, tag_field="kind", tag="runner", forbid_unknown_fields=True
):
    """The workflow runner owns publication."""

    kind: ClassVar[Literal["runner"]] = "runner"

    component: str
    """Concrete runner/plugin name."""

    version: str
    """Concrete runner/plugin version."""


class PhaseIssuer(
    WireStruct, kw_only=True, tag_field="kind", tag="phase", forbid_unknown_fields=True
):
    """A named workflow phase owns publication."""

    kind: ClassVar[Literal["phase"]] = "phase"

    phase_id: str
    """Phase id declared by the workflow publication contract."""

    component: str
    """Component or command implementation that emitted the receipt."""

    version: str
    """Concrete component/command version."""


PublicationReceiptIssuer: TypeAlias = (
    RunnerIssuer
    | PhaseIssuer
)
"""Component that issued a publication receipt."""


class PublicationPullRequest(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Pull-request proof attached to a publication receipt."""

    number: UInt64
    """Repository-local pull request number."""

    url: str
    """Canonical pull request URL."""

    head_sha: str
    """Head SHA observed from the pull request provider after create/update."""

    def __post_init__(self) -> None:
        try:
            if self.number <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, number=uint64)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationPullRequest")


class PublicationSubjectGeneration(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Qualified subject identity and generation fenced into a publication.

    `qualified_id` uses the canonical `<kind>:<native-id>` shape (for example `task:TASK-1173`).
    `generation` is the subject generation leased for this execution; a receipt for an older
    generation must never satisfy a newer run.
    """

    qualified_id: str
    """Canonical qualified subject id."""

    generation: UInt64
    """Subject generation leased by this workflow execution."""

    def __post_init__(self) -> None:
        try:
            if self.generation <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, generation=uint64)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationSubjectGeneration")


class PublicationReceipt(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """The proof that exactly one owner has published a workflow's result. Its schema is
    `animus.publication-receipt.v1`, its version 1; any other is refused.
    """

    schema_: str = field(name="schema")
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

    pull_request: PublicationPullRequest | None = None
    """Pull-request proof when the publication policy requires a PR."""

    def __post_init__(self) -> None:
        try:
            if self.workflow_generation <= MAX_UINT64 and self.issued_at > "":
                return
        except TypeError:
            pass
        mend(self, workflow_generation=uint64, issued_at=timestamp)

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "PublicationReceipt")


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

    publication_receipt: PublicationReceipt | None = None
    """Receipt emitted by this phase when it is the declared publication owner."""

    def __post_init__(self) -> None:
        try:
            if self.duration_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, duration_secs=uint64)


class WorkflowExecuteRequest(WireStruct, kw_only=True):
    """Parameters for `workflow/execute`.

    Either `subject_dispatch` must be set OR (`subject_ref` + one of `task_id` /
    `requirement_id` / (`title` + `description`)). Generic subject backends must use
    `subject_dispatch`; task and requirement backends may use the convenience fields.
    """

    actor: Actor | None = None
    """Transport-asserted caller identity, relayed verbatim from the daemon so the runner can pass
    it to subject/journal/config plugins for scoping. `None` for system-initiated runs with no
    actor.
    """

    description: str | None = None
    """For custom ad-hoc subjects."""

    execution_fence: ExecutionFence | None = None
    """Exact generation/lease/reservation authority for this execution. Hosts requiring resilient
    coding must provide it and runners must fail closed when it is absent or mismatched.
    Optional only for legacy/non-fenced workflows during migration.
    """

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

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "WorkflowExecuteRequest")


class WorkflowExecuteResult(WireStruct, kw_only=True):
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

    success: bool
    """True if, and only if, `workflow_status == COMPLETED`."""

    execution_fence: ExecutionFence | None = None
    """Echo of the validated execution fence. A parent uses this to ensure the terminal result and
    publication receipt belong to the leased generation.
    """

    phase_events: list[PhaseEvent] = field(default_factory=new_list)
    """Phase events emitted during execution (replaces in-process callback)."""

    publication_receipt: PublicationReceipt | None = None
    """The proof of publication. The host requires it before a workflow that has to publish counts
    as completed.
    """

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

    actor: Actor | None = None
    """Transport-asserted caller identity (see `WorkflowExecuteRequest.actor`)."""

    dispatch_input: str | None = None
    """Dispatch input JSON (opaque)."""

    execution_fence: ExecutionFence | None = None
    """Exact execution authority inherited from the full workflow request."""

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

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "WorkflowPhaseRunRequest")


class WorkflowPhaseRunResult(WireStruct, kw_only=True):
    """Result of `workflow/run_phase`."""

    phase_status: str
    """One of `"completed"`, `"manual_pending"`, `"failed"`."""

    duration_secs: UInt64
    """Duration in seconds."""

    outcome: Any
    """Backend-specific outcome."""

    metadata: Any
    """Backend-specific metadata."""

    execution_fence: ExecutionFence | None = None
    """Echo of the validated execution fence for parent-side generation checks."""

    model: str | None = None
    """Model used."""

    publication_receipt: PublicationReceipt | None = None
    """Receipt emitted by this phase when it is the declared publication owner."""

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
    """What a workflow runner declares in `kind_capabilities`."""

    crash_recovery: bool = field(default_factory=bool)
    """Plugin replays persisted phase markers on restart."""

    execution_fence_v1: bool = field(default_factory=bool)
    """Validates and echoes `animus.execution-fence.v1`, and validates any publication receipt
    against its workflow/subject generation.
    """

    manual_pause_support: bool = field(default_factory=bool)
    """Plugin honors `manual_pending` phase statuses."""

    phase_decision_parsing: bool = field(default_factory=bool)
    """Plugin parses agent text output to extract `PhaseDecision`."""

    post_success_actions: bool = field(default_factory=bool)
    """Plugin executes post-success actions (push / merge / PR)."""

    publication_receipt_v1: bool = field(default_factory=bool)
    """Plugin validates and returns `animus.publication-receipt.v1` and obeys explicit single-owner
    publication config.
    """

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
