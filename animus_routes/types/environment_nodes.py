"""The wire types of animus-environment-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-environment-protocol/_all.json sha256
  5a9b187666fa4c98c27999017ca8a3bfe79fe9196114d16004b218e6dc48f327
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from operator import not_

from pydantic import Field

from animus_routes.types._model import Bool, UInt64, WireModel, is_null, new_list
from animus_routes.types.environment import EnvironmentHandle
from animus_routes.types.execution import ExecutionFence

__all__ = [
    "EnvironmentNode",
    "ExecSessionRequest",
    "ExecSessionResponse",
    "GetNodeRequest",
    "GetNodeResponse",
    "ListNodesRequest",
    "ListNodesResponse",
    "ReapRequest",
    "ReapResponse",
    "TeardownNodeRequest",
    "TeardownNodeResponse",
]


class EnvironmentNode(WireModel):
    """A managed environment instance (a "node") as reported by the node-management surface.
    Substrate-agnostic: a Railway service, a Docker container, a k8s pod.
    """

    id: str
    """Substrate-native id (railway service id, container id, ...)."""

    name: str
    """Human-facing name (e.g. `animus-run-<hash>`)."""

    state: str
    """Lifecycle state as the substrate reports it (`SUCCESS`, `FAILED`, `CRASHED`, `unknown`,
    ...).
    """

    orphan: Bool
    """True when the node has no live owning run (a reap candidate)."""

    created_at: str | None = Field(default=None, exclude_if=is_null)
    """Creation timestamp (ISO 8601) when the substrate exposes it."""

    image: str | None = Field(default=None, exclude_if=is_null)
    """The image that the node runs, if it is known."""

    run_id: str | None = Field(default=None, exclude_if=is_null)
    """The animus run id this node serves, when recoverable."""


class ExecSessionRequest(WireModel):
    """The params of `environment/exec_session`: run a whole workflow for a subject inside the
    environment, by the Animus that runs there.
    """

    handle: EnvironmentHandle
    """The prepared context (whose in-container animus runs the subject)."""

    subject_id: str
    """The subject to dispatch, qualified `kind:id` (e.g. `task:TASK-1`)."""

    dispatch_input: str | None = Field(default=None, exclude_if=is_null)
    """Optional dispatch input forwarded to the node's run."""

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Exact workflow/subject/queue generation authority delegated to the remote node.
    Generation-aware environments must validate that `workflow_id` matches this fence and pass
    it unchanged to node Animus.
    """

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """The id of the run that delegates. If it is set, the node has to run under this id, which is
    already in its journal, so that there is exactly one run. `None`: the node makes an id of
    its own, as older ones do.
    """

    workflow_ref: str | None = Field(default=None, exclude_if=is_null)
    """Workflow to run the subject through. `None` uses the node's default routing for the
    subject's kind.
    """

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ExecSessionRequest")


class ExecSessionResponse(WireModel):
    """Response payload for `environment/exec_session`: the node-local run id the dispatch spawned
    and its terminal status.
    """

    status: str
    """Terminal status of the node-local run (e.g. `completed`, `failed`, `escalated`, `cancelled`,
    or `no-run` when nothing was dispatched).
    """

    execution_fence: ExecutionFence | None = Field(default=None, exclude_if=is_null)
    """Echo of the generation fence validated by the node. The parent rejects a terminal response
    that omits or changes a required fence.
    """

    workflow_id: str | None = Field(default=None, exclude_if=is_null)
    """The node-local workflow run id, when one was spawned."""


class GetNodeRequest(WireModel):
    """Request payload for `environment/get`."""

    id: str
    """Substrate id or name of the node to describe."""


class GetNodeResponse(WireModel):
    """Response payload for `environment/get`."""

    node: EnvironmentNode | None = None
    """The node, or null when no node matched."""


class ListNodesRequest(WireModel):
    """Request payload for `environment/list` (no parameters)."""


class ListNodesResponse(WireModel):
    """Response payload for `environment/list`."""

    nodes: list[EnvironmentNode] = Field(default_factory=new_list)
    """Every known environment node."""


class ReapRequest(WireModel):
    """Request payload for `environment/reap`. With no fields set, reap deletes only dead nodes
    (always safe — a live node is never dead).
    """

    all: Bool = Field(default=False, exclude_if=not_)
    """Also reap non-dead nodes that have no live owning run (needs `force`)."""

    dry_run: Bool = Field(default=False, exclude_if=not_)
    """Report what WOULD be reaped without deleting anything."""

    force: Bool = Field(default=False, exclude_if=not_)
    """Required alongside `all` — guards a fresh (no-liveness) reaper from treating every healthy
    node as an orphan.
    """

    older_than_secs: UInt64 | None = Field(default=None, exclude_if=is_null)
    """Only reap nodes at least this many seconds old."""


class ReapResponse(WireModel):
    """Response payload for `environment/reap`."""

    deleted: list[str] = Field(default_factory=new_list)
    """Substrate ids deleted (or that WOULD be deleted, when `dry_run`)."""

    dry_run: Bool = False
    """Echoes the request's `dry_run`."""

    kept: list[EnvironmentNode] = Field(default_factory=new_list)
    """Nodes spared."""


class TeardownNodeRequest(WireModel):
    """Request payload for `environment/teardown_node`."""

    id: str
    """Substrate id or name of the node to destroy."""


class TeardownNodeResponse(WireModel):
    """Response payload for `environment/teardown_node`. Idempotent — an already-gone node yields
    an empty `deleted`.
    """

    deleted: list[str] = Field(default_factory=new_list)
    """Substrate ids actually deleted."""
