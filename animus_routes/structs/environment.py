"""The wire types of animus-environment-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-environment-protocol/_all.json sha256
  5a9b187666fa4c98c27999017ca8a3bfe79fe9196114d16004b218e6dc48f327
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from animus_routes.structs._struct import (
    MAX_UINT64,
    Int32,
    UInt64,
    WireStruct,
    mend,
    uint64_or_null,
)

__all__ = [
    "EnvironmentHandle",
    "EnvironmentNode",
    "EnvironmentSpec",
    "ExecJournal",
    "ExecNotification",
    "ExecOutput",
    "ExecRequest",
    "ExecResponse",
    "ExecSessionRequest",
    "ExecSessionResponse",
    "ExecStream",
    "ExecutionFence",
    "GetNodeRequest",
    "GetNodeResponse",
    "HarnessCommand",
    "ListNodesRequest",
    "ListNodesResponse",
    "PrepareRequest",
    "PrepareResponse",
    "QueueLeaseFence",
    "ReapRequest",
    "ReapResponse",
    "RepoRef",
    "RepositoryReservation",
    "SubjectGeneration",
    "TeardownNodeRequest",
    "TeardownNodeResponse",
    "TeardownRequest",
    "TeardownResponse",
]


class EnvironmentHandle(WireStruct, kw_only=True):
    """Handle to a prepared execution context.

    The kernel treats `id` as opaque and passes the whole handle back on every `ExecRequest` /
    `TeardownRequest`; only the originating plugin interprets the id. `workspace_root` is the
    absolute path (on the plugin's side of the world) that command `cwd`s resolve against.
    """

    id: str
    """Opaque, plugin-assigned identifier for this prepared context."""

    workspace_root: str
    """Absolute path to the root of the materialized workspace. Command `cwd`s
    (`HarnessCommand.cwd`) resolve relative to this path; for a multi-repo workspace each
    `RepoRef` lives in a subdirectory under it.
    """

    metadata: Any = None
    """Free-form plugin-specific metadata about the prepared context (container id, remote host,
    allocated ports, ...). Carried opaquely.
    """


class RepoRef(WireStruct, kw_only=True):
    """A single repository in an environment's workspace (repo set).

    A multi-repo workspace (see the top-level `workspace:` config) checks out more than one
    `RepoRef` under `EnvironmentHandle.workspace_root`, each in its own subdirectory named by
    `RepoRef.name` (or derived from `RepoRef.url` when `name` is unset).
    """

    url: str
    """Clone URL or local path for the repository. The originating environment plugin interprets
    the value (an `https://`/`git@` remote for the worktree/container/remote runners, or a local
    path for a bind-mount).
    """

    git_ref: str | None = None
    """Git ref (branch, tag, or commit) to check out. When unset, the plugin uses the remote's
    default branch.
    """

    name: str | None = None
    """Subdirectory name to check the repo out under, relative to
    `EnvironmentHandle.workspace_root`. When unset, the plugin derives it from the last path
    segment of `url`.
    """

    primary: bool = False
    """True when this repo is the primary workspace repo (the one a single-repo subject maps to,
    and the default `cwd` for `HarnessCommand`). At most one repo in a set should be primary;
    when none is marked, the first entry is primary.
    """


class EnvironmentSpec(WireStruct, kw_only=True):
    """Declarative description of the execution context to materialize.

    `kind` names the environment plugin id (e.g. `"worktree"`, `"container"`, `"railway"`) so
    the kernel can route a `prepare` call to the right plugin. The rest of the spec is
    intentionally open: `image`, `resources`, and `metadata` carry plugin-specific knobs that
    the kernel passes through opaquely.
    """

    kind: str
    """Environment plugin id that should service this spec (the plugin's declared environment kind,
    not `animus_plugin_protocol.PluginKind`).
    """

    env: dict[str, str] = {}
    """Environment variables to inject into every command run in this context. Non-secret config
    only — secrets flow through the kernel's secret store, not this field.
    """

    image: str | None = None
    """Container/VM image reference for image-based environments (Docker tag, OCI ref, AMI id,
    ...). Ignored by the worktree environment.
    """

    metadata: Any = None
    """Free-form plugin-specific metadata (labels, base_ref, network mode, mounts, ...). Carried
    opaquely by the kernel.
    """

    repos: list[RepoRef] = []
    """The repo set / workspace to materialize. May be empty for a repo-less environment (e.g. a
    scratch container).
    """

    resources: Any = None
    """Resource requests/limits for the environment (cpu, memory, disk, timeout, region, ...).
    Shape is plugin-defined; carried opaquely.
    """


ExecStream: TypeAlias = Literal[
    "stdout",
    "stderr",
]
"""Which output stream an `ExecNotification` delta belongs to.

- stdout: Standard output.
- stderr: Standard error.
"""


class ExecOutput(WireStruct, kw_only=True, tag_field="kind", tag="output"):
    """Incremental stdout/stderr the command has produced. Maps to `environment/output`."""

    kind: ClassVar[Literal["output"]] = "output"

    handle_id: str
    """Handle id of the environment this exec runs in."""

    stream: ExecStream
    """Which stream this delta belongs to."""

    text: str
    """The output delta (UTF-8)."""


class ExecJournal(WireStruct, kw_only=True, tag_field="kind", tag="journal"):
    """One journal event from an in-flight `environment/exec_session`, forwarded verbatim from the
    node's own workflow journal. Maps to `environment/journal`.
    """

    kind: ClassVar[Literal["journal"]] = "journal"

    handle_id: str
    """Handle id of the environment this session runs in."""

    event_kind: str
    """The journal event kind (e.g. `phase_started`, `output_chunk`, `tool_call`, `run_failed`)."""

    ts: str
    """Event timestamp (RFC 3339)."""

    payload: Any
    """The event's full payload, forwarded verbatim."""

    phase_id: str | None = None
    """Phase this event belongs to, when phase-scoped."""

    status: str | None = None
    """Event status discriminator, when present."""

    terminal: bool = False
    """True on the final event of the session (the run reached a terminal status), signalling the
    host to settle.
    """

    workflow_id: str | None = None
    """The node-local run id this event belongs to."""


ExecNotification: TypeAlias = (
    ExecOutput
    | ExecJournal
)
"""A streaming notification an environment plugin emits mid-exec during a `environment/exec_stream`
call.

The runtime wraps these into `environment/output` JSON-RPC notifications and forwards them to
the host on the same channel as the eventual `ExecResponse` reply. This mirrors
`animus-provider-protocol`'s `AgentNotification` server-streaming surface.
"""


class HarnessCommand(WireStruct, kw_only=True):
    """A command to run inside a prepared environment.

    This is the harness invocation the provider layer would otherwise run directly on the host;
    the environment plugin runs it inside the prepared context instead.
    """

    program: str
    """Executable to run (looked up on the environment's `PATH` unless absolute)."""

    args: list[str] = []
    """Arguments passed to `program`, not including `argv[0]`."""

    cwd: str | None = None
    """Working directory for the command, relative to `EnvironmentHandle.workspace_root`. When
    unset, runs in the primary repo's directory (or the workspace root when there is no primary
    repo).
    """

    env: dict[str, str] = {}
    """Extra environment variables for this command, merged over (and overriding)
    `EnvironmentSpec.env`.
    """


class ExecRequest(WireStruct, kw_only=True):
    """Request payload for `environment/exec` and `environment/exec_stream`."""

    handle: EnvironmentHandle
    """The prepared context to run in."""

    command: HarnessCommand
    """The command to run."""

    stdin: str | None = None
    """Bytes to feed to the command's stdin, up front, as a UTF-8 string."""

    timeout_secs: UInt64 | None = None
    """Hard wall-clock timeout in seconds. When exceeded the environment kills the command and
    returns `ExecResponse.timed_out` = true. `None` means no explicit timeout (the environment
    may still impose its own).
    """

    def __post_init__(self) -> None:
        try:
            if self.timeout_secs is None or self.timeout_secs <= MAX_UINT64:
                return
        except TypeError:
            pass
        mend(self, timeout_secs=uint64_or_null)


class ExecResponse(WireStruct, kw_only=True):
    """Response payload for `environment/exec` / `environment/exec_stream`.

    For `environment/exec_stream`, `stdout` / `stderr` carry the aggregated output already
    delivered incrementally via `ExecNotification`s; a client that consumed the stream can
    ignore them.
    """

    exit_code: Int32 | None = None
    """Process exit code. `None` when the process was terminated by a signal or killed on timeout
    without producing an exit code.
    """

    stderr: str = ""
    """Aggregated stderr captured from the command."""

    stdout: str = ""
    """Aggregated stdout captured from the command."""

    timed_out: bool = False
    """True when the command was killed because it exceeded `ExecRequest.timeout_secs`."""


class PrepareRequest(WireStruct, kw_only=True):
    """Request payload for `environment/prepare`."""

    spec: EnvironmentSpec
    """The environment to materialize."""


class PrepareResponse(WireStruct, kw_only=True):
    """Response payload for `environment/prepare`."""

    handle: EnvironmentHandle
    """Handle to the materialized context, used for subsequent `exec` and `teardown` calls."""


class TeardownRequest(WireStruct, kw_only=True):
    """Request payload for `environment/teardown`."""

    handle: EnvironmentHandle
    """The prepared context to dispose of."""


class TeardownResponse(WireStruct, kw_only=True):
    """The answer of `environment/teardown`: empty."""


if TYPE_CHECKING:
    from animus_routes.structs.environment_nodes import (
        EnvironmentNode,
        ExecSessionRequest,
        ExecSessionResponse,
        GetNodeRequest,
        GetNodeResponse,
        ListNodesRequest,
        ListNodesResponse,
        ReapRequest,
        ReapResponse,
        TeardownNodeRequest,
        TeardownNodeResponse,
    )
    from animus_routes.structs.execution import (
        ExecutionFence,
        QueueLeaseFence,
        RepositoryReservation,
        SubjectGeneration,
    )
else:
    _LATER = {
        "EnvironmentNode": "animus_routes.structs.environment_nodes",
        "ExecSessionRequest": "animus_routes.structs.environment_nodes",
        "ExecSessionResponse": "animus_routes.structs.environment_nodes",
        "GetNodeRequest": "animus_routes.structs.environment_nodes",
        "GetNodeResponse": "animus_routes.structs.environment_nodes",
        "ListNodesRequest": "animus_routes.structs.environment_nodes",
        "ListNodesResponse": "animus_routes.structs.environment_nodes",
        "ReapRequest": "animus_routes.structs.environment_nodes",
        "ReapResponse": "animus_routes.structs.environment_nodes",
        "TeardownNodeRequest": "animus_routes.structs.environment_nodes",
        "TeardownNodeResponse": "animus_routes.structs.environment_nodes",
        "ExecutionFence": "animus_routes.structs.execution",
        "QueueLeaseFence": "animus_routes.structs.execution",
        "RepositoryReservation": "animus_routes.structs.execution",
        "SubjectGeneration": "animus_routes.structs.execution",
    }

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            return getattr(__import__(_LATER[name], fromlist=[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
