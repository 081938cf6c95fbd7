"""The wire types of animus-workflow-runner-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator

from animus_routes.compat.types._model import GeneratedModel, UInt32, UInt64, new_dict, new_list
from animus_routes.types._model import flatten_legacy

__all__ = [
    "Actor",
    "ExecutionFence",
    "PhaseEvent",
    "PhaseEventVariant0",
    "PhaseEventVariant1",
    "PhaseEventVariant2",
    "PhaseIssuer",
    "PhaseResultSnapshot",
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


class Actor(GeneratedModel):
    """Who is behind a call, as the transport asserts it after it has authenticated the caller. The
    host hands it on as it is; plugins use it to decide what the caller may see.
    """

    claims: list[str] = Field(default_factory=new_list)
    tenant_id: str | None = None
    user_id: str


class QueueLeaseFence(GeneratedModel):
    """Compare-and-swap identity for the queue lease currently owning a workflow."""

    entry_id: str
    expires_at: str
    generation: UInt64
    owner_id: str


class RepositoryReservation(GeneratedModel):
    """Repository/ref ownership reserved for one execution generation."""

    base_ref: str
    head_ref: str
    repository: str


class SubjectGeneration(GeneratedModel):
    """A canonical subject identity and the immutable generation being executed."""

    generation: UInt64
    qualified_id: str


class ExecutionFence(GeneratedModel):
    """Complete ownership envelope for one workflow execution generation."""

    queue_lease: QueueLeaseFence | None = None
    repository: RepositoryReservation | None = None
    schema_: str = Field(alias="schema")
    subject: SubjectGeneration | None = None
    version: UInt32
    workflow_generation: UInt64
    workflow_id: str


class PhaseEventVariant0(GeneratedModel):
    """Phase started."""

    attempt: UInt32
    kind: Literal["started"] = "started"
    phase_id: str
    ts: str


class PhaseEventVariant1(GeneratedModel):
    """Phase recorded a decision contract verdict."""

    confidence: float | None = None
    kind: Literal["decision"] = "decision"
    phase_id: str
    ts: str
    verdict: str


class PhaseEventVariant2(GeneratedModel):
    """Phase finished with a final status."""

    kind: Literal["completed"] = "completed"
    phase_id: str
    status: str
    ts: str


PhaseEvent: TypeAlias = (
    PhaseEventVariant0
    | PhaseEventVariant1
    | PhaseEventVariant2
)
"""What happened during a workflow, in `WorkflowExecuteResult.phase_events`."""


class RunnerIssuer(GeneratedModel):
    """The workflow runner owns publication."""

    component: str
    kind: Literal["runner"] = "runner"
    version: str


class PhaseIssuer(GeneratedModel):
    """A named workflow phase owns publication."""

    component: str
    kind: Literal["phase"] = "phase"
    phase_id: str
    version: str


PublicationReceiptIssuer: TypeAlias = (
    RunnerIssuer
    | PhaseIssuer
)
"""Component that issued a publication receipt."""


class PublicationPullRequest(GeneratedModel):
    """Pull-request proof attached to a publication receipt."""

    head_sha: str
    number: UInt64
    url: str


class PublicationSubjectGeneration(GeneratedModel):
    """Qualified subject identity and generation fenced into a publication.

    `qualified_id` uses the canonical `<kind>:<native-id>` shape (for example `task:TASK-1173`).
    `generation` is the subject generation leased for this execution; a receipt for an older
    generation must never satisfy a newer run.
    """

    generation: UInt64
    qualified_id: str


class PublicationReceipt(GeneratedModel):
    """The proof that exactly one owner has published a workflow's result. Its schema is
    `animus.publication-receipt.v1`, its version 1; any other is refused.
    """

    commit_sha: str
    issued_at: str
    issuer: PublicationReceiptIssuer
    observed_remote_sha: str
    pull_request: PublicationPullRequest | None = None
    recovery_ref: str
    remote: str
    remote_ref: str
    schema_: str = Field(alias="schema")
    subject: PublicationSubjectGeneration
    tree_sha: str
    version: UInt32
    workflow_generation: UInt64
    workflow_id: str


class PhaseResultSnapshot(GeneratedModel):
    """A single phase's result snapshot returned in `WorkflowExecuteResult`."""

    close_reason: str | None = None
    duration_secs: UInt64
    metadata: Any
    next_phase_id: str | None = None
    outcome: Any
    phase_id: str
    publication_receipt: PublicationReceipt | None = None
    status: str


class SubjectRef(GeneratedModel):
    """Backend-qualified subject reference with optional display metadata."""

    description: str | None = None
    id: str
    kind: str
    labels: list[str] = Field(default_factory=new_list)
    metadata: Any = None
    title: str | None = None

    _legacy = model_validator(mode="before")(
        flatten_legacy(
            Custom=("custom", "title"),
            Requirement=("animus.requirement", "id"),
            Task=("animus.task", "id"),
        )
    )


class SubjectDispatch(GeneratedModel):
    """What a workflow is started with: the subject, the workflow to run, and optionally input,
    variables, priority and where the start came from. A queue keeps it and hands it to the
    workflow runner.
    """

    actor: Actor | None = None
    input: Any = None
    priority: str | None = None
    requested_at: str
    subject: SubjectRef | None = None
    trigger_source: str
    vars: dict[str, str] = Field(default_factory=new_dict)
    workflow_ref: str


class WorkflowExecuteRequest(GeneratedModel):
    """Parameters for `workflow/execute`.

    Either `subject_dispatch` must be set OR (`subject_ref` + one of `task_id` /
    `requirement_id` / (`title` + `description`)). Generic subject backends must use
    `subject_dispatch`; task and requirement backends may use the convenience fields.
    """

    actor: Actor | None = None
    description: str | None = None
    execution_fence: ExecutionFence | None = None
    input: Any = None
    mcp_config: Any = None
    model: str | None = None
    phase_filter: str | None = None
    phase_routing: Any = None
    phase_timeout_secs: UInt64 | None = None
    requirement_id: str | None = None
    subject_dispatch: SubjectDispatch | None = None
    subject_ref: SubjectRef | None = None
    task_id: str | None = None
    title: str | None = None
    tool: str | None = None
    vars: dict[str, str] = Field(default_factory=new_dict)
    workflow_id: str | None = None
    workflow_ref: str | None = None


class WorkflowExecuteResult(GeneratedModel):
    """Result of `workflow/execute`."""

    execution_cwd: str
    execution_fence: ExecutionFence | None = None
    phase_events: list[PhaseEvent] = Field(default_factory=new_list)
    phase_results: list[PhaseResultSnapshot]
    phases_completed: UInt64
    phases_requested: list[str]
    phases_total: UInt64
    post_success: Any
    publication_receipt: PublicationReceipt | None = None
    subject_id: str
    success: bool
    total_duration_secs: UInt64
    workflow_id: str
    workflow_ref: str
    workflow_status: str


class WorkflowPhaseRunRequest(GeneratedModel):
    """Parameters for `workflow/run_phase`."""

    actor: Actor | None = None
    dispatch_input: str | None = None
    execution_cwd: str
    execution_fence: ExecutionFence | None = None
    mcp_config: Any = None
    model_override_: str | None = Field(alias="model_override", default=None)
    phase_attempt: UInt32
    phase_id: str
    phase_routing: Any = None
    phase_timeout_secs: UInt64 | None = None
    pipeline_vars: dict[str, str] = Field(default_factory=new_dict)
    rework_context: str | None = None
    schedule_input: str | None = None
    subject_description: str
    subject_id: str
    subject_title: str
    task_complexity: str | None = None
    tool_override: str | None = None
    workflow_id: str
    workflow_ref: str


class WorkflowPhaseRunResult(GeneratedModel):
    """Result of `workflow/run_phase`."""

    duration_secs: UInt64
    execution_fence: ExecutionFence | None = None
    metadata: Any
    model: str | None = None
    outcome: Any
    phase_status: str
    publication_receipt: PublicationReceipt | None = None
    signals: list[Any] = Field(default_factory=new_list)
    tool: str | None = None


class WorkflowRunnerCapabilities(GeneratedModel):
    """What a workflow runner declares in `kind_capabilities`."""

    crash_recovery: bool | None = None
    execution_fence_v1: bool | None = None
    manual_pause_support: bool | None = None
    phase_decision_parsing: bool | None = None
    post_success_actions: bool | None = None
    publication_receipt_v1: bool | None = None
    rework_context_support: bool | None = None


class WorkflowRunnerManifest(GeneratedModel):
    """Static manifest a workflow_runner plugin declares at install time."""

    capabilities: WorkflowRunnerCapabilities
    description: str
    name: str
    version: str
