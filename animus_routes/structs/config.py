"""The wire types of animus-config-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-config-protocol/_all.json sha256
  95af8a65351338e73e581dfb36cd9f1817e21499f43d0bf458b7ca96fadb8dbd
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
"""

from typing import Any, ClassVar, Literal, TypeAlias

from msgspec import field

from animus_routes.structs._struct import UInt32, WireStruct, always
from animus_routes.structs.actor import Actor

__all__ = [
    "Actor",
    "CacheToken",
    "ConfigChangedEvent",
    "ConfigDiagnostic",
    "ConfigLoadRequest",
    "ConfigLoadResponse",
    "ConfigModel",
    "ConfigValidateRequest",
    "ConfigValidateResponse",
    "ConfigWriteRequest",
    "ConfigWriteResponse",
    "DiagnosticSeverity",
    "PhaseOwner",
    "RunnerOwner",
    "WorkflowPublicationCleanupPolicy",
    "WorkflowPublicationConfig",
    "WorkflowPublicationMigrationDiagnostic",
    "WorkflowPublicationOwner",
]


class CacheToken(WireStruct, kw_only=True):
    """Opaque cache key a config source returns so the kernel cache stays correct for non-file
    sources.

    The in-tree YAML cache keys on file content + mtime. For Postgres / API sources the plugin
    instead returns a `CacheToken`: an opaque version string (a Postgres `max(updated_at)`, an
    ETag, a content hash, ...) plus an `external_inputs` flag that reproduces today's
    `sources_have_external_inputs` cache-bypass hazard (inputs like `${VAR}` / `${secret.X}` /
    `system_prompt_file:` that change without mutating the source bytes). When `external_inputs`
    is true the kernel bypasses its disk cache for that load, matching current YAML behavior.

    RFC open question #5 (cache-token contract) is the reason this is a small structured shape
    rather than a bare opaque string: it must cover the "external inputs changed but source
    bytes didn't" case explicitly.
    """

    version: str
    """Opaque version identifier for the loaded model. The kernel keys its existing workflow cache
    on this value instead of file bytes. Two loads that produce the same canonical model should
    return the same version.
    """

    external_inputs: bool = field(default_factory=bool)
    """When true, the model embeds inputs not captured by `version` (env-var / secret
    interpolation, externally referenced prompt files, ...) that can change without changing the
    version. The kernel bypasses its disk cache for this load — preserving today's
    `sources_have_external_inputs` semantics.
    """


class ConfigChangedEvent(WireStruct, kw_only=True):
    """The params of `config/changed`, from a config source that advertises that it watches its
    configuration.

    It says that something may have changed, not what: the host calls `config/load` again. With
    a `version`, the host can skip that if it has loaded the same version already.
    """

    version: str | None = None
    """Opaque new version, if the source knows it. When present and equal to the host's
    last-compiled `CacheToken.version`, the host may skip the reload. When absent, the host
    always reloads.
    """


DiagnosticSeverity: TypeAlias = Literal[
    "error",
    "warning",
]
"""Severity of a `ConfigDiagnostic`.

- error: A fatal problem that prevents producing a canonical model.
- warning: A non-fatal advisory (e.g. an unresolved skill reference).
"""


class ConfigDiagnostic(WireStruct, kw_only=True):
    """One finding of `config/validate`, with the file and the place where the author can mend it.
    The host's own validation still decides.
    """

    severity: DiagnosticSeverity
    """How serious the diagnostic is."""

    message: str
    """Human-readable message."""

    column: UInt32 | None = None
    """1-based column number within `file`, if known."""

    file: str | None = None
    """Source file the diagnostic refers to, if applicable (e.g. a YAML overlay path). Absent for
    non-file sources.
    """

    line: UInt32 | None = None
    """1-based line number within `file`, if known."""


class ConfigLoadRequest(WireStruct, kw_only=True):
    """Parameters for `config/load`.

    Carries the project context the in-tree YAML scan reads from today: the project root (where
    `.animus/` lives) and the `repo-scope` the kernel uses to locate scoped runtime state and
    keychain entries. A Postgres/API source uses `repo_scope` to select the right rows; the YAML
    source uses `project_root` to find the overlay files.
    """

    project_root: str
    """Absolute path to the project root (the directory whose `.animus/` carries the config). The
    YAML source scans `.animus/workflows.yaml` + `.animus/workflows/*.yaml` under this root.
    """

    actor: Actor | None = None
    """Transport-asserted caller identity, relayed verbatim by the kernel. A config source may use
    it to scope which config it returns (per-user or per-tenant overlays). `None` for
    daemon/system loads with no actor.
    """

    repo_scope: str | None = None
    """The `repo-scope` identifier the kernel computed for this project. Used by non-file sources
    to scope their query and by the host secret path to resolve scoped credentials.
    """


class ConfigModel(WireStruct, kw_only=True):
    """The configuration that `config/load` returns: what was parsed, before the host derives
    anything from it or merges packs into it. It holds `workflows`, `phase_catalog`,
    `phase_definitions`, `agent_profiles`, `agent_channels`, `mcp_servers`,
    `phase_mcp_bindings`, `tools`, `tools_allowlist`, `schedules`, `triggers`, `daemon`,
    `secrets` and `default_workflow_ref`.

    `schema` and `version` say how `config` is to be read; the host checks them first.
    """

    schema_: str = field(name="schema")
    """Schema id of the embedded `config` payload. The kernel rejects a value it does not
    recognize. Expected to equal `CONFIG_MODEL_SCHEMA_ID`.
    """

    version: UInt32
    """Version of the embedded config model. Expected to equal `CONFIG_MODEL_VERSION`; the kernel
    refuses a higher, incompatible version.
    """

    config: Any
    """The configuration itself, as any JSON; its shape is that of `schema` and `version`, such as
    `animus.workflow-config.v2`.
    """


class ConfigLoadResponse(WireStruct, kw_only=True):
    """Response for `config/load`."""

    config: ConfigModel
    """The canonical config model the kernel will compile."""

    cache_token: CacheToken
    """Cache key for this load. The kernel keys its workflow cache on `CacheToken.version` and
    bypasses the cache when `CacheToken.external_inputs` is set.
    """


class ConfigValidateRequest(WireStruct, kw_only=True):
    """Parameters for `config/validate`.

    Identical context to `ConfigLoadRequest`: a plugin-side syntactic pre-check runs against the
    same project scope it would `config/load` from.
    """

    project_root: str
    """Absolute path to the project root (see `ConfigLoadRequest.project_root`)."""

    actor: Actor | None = None
    """Transport-asserted caller identity (see `ConfigLoadRequest.actor`)."""

    repo_scope: str | None = None
    """The `repo-scope` identifier (see `ConfigLoadRequest.repo_scope`)."""


class ConfigValidateResponse(WireStruct, kw_only=True):
    """Response for `config/validate`."""

    diagnostics: list[ConfigDiagnostic] = []
    """Structured diagnostics. An empty list (and no `"error"` entries) means the source pre-check
    passed.
    """


class ConfigWriteRequest(WireStruct, kw_only=True):
    """Parameters for `config/write`.

    Carries the same project context as `ConfigLoadRequest` plus the full, already-validated
    canonical `ConfigModel` the kernel wants persisted. The kernel ALWAYS validates the model
    with its authoritative validator before issuing this call, so the plugin can persist the
    payload without re-running the kernel's compiler — it only needs to honor its own storage
    constraints.

    The write is coarse and full-model: the plugin replaces whatever canonical model it
    currently serves for `repo_scope` / `project_root` with `config`. Entity-level edits (manage
    one agent/workflow) are a kernel-side read-modify-write over `config/load` → this method;
    the plugin never sees a per-entity wire method.
    """

    project_root: str
    """Absolute path to the project root (see `ConfigLoadRequest.project_root`)."""

    config: ConfigModel
    """The full, kernel-validated canonical config model to persist. Its `ConfigModel.schema` /
    `ConfigModel.version` are guaranteed compatible with this contract version.
    """

    repo_scope: str | None = None
    """The `repo-scope` identifier (see `ConfigLoadRequest.repo_scope`)."""


class ConfigWriteResponse(WireStruct, kw_only=True):
    """Response for `config/write`."""

    cache_token: CacheToken | None = None
    """Cache key for the now-persisted model, mirroring `ConfigLoadResponse.cache_token`. The
    kernel uses it to refresh its cache key so a subsequent `config/load` is recognized as the
    just-written model. When the plugin does not compute one it may return `None` and the kernel
    falls back to re-issuing `config/load`.
    """


WorkflowPublicationCleanupPolicy: TypeAlias = Literal[
    "retain",
    "after_remote_verified",
]
"""When a runner may remove a publication workspace.

- retain: Keep the workspace even after a verified publication receipt.
- after_remote_verified: Cleanup is permitted only after the remote ref has been independently
  observed at the receipt's commit SHA. Failures always retain recovery state.
"""


def _retain() -> WorkflowPublicationCleanupPolicy:
    return "retain"


class RunnerOwner(
    WireStruct, kw_only=True, tag_field="kind", tag="runner", forbid_unknown_fields=True
):
    """The workflow runner publishes after all phases have completed."""

    kind: ClassVar[Literal["runner"]] = "runner"


class PhaseOwner(
    WireStruct, kw_only=True, tag_field="kind", tag="phase", forbid_unknown_fields=True
):
    """One named phase of the workflow publishes the result and hands out the receipt."""

    kind: ClassVar[Literal["phase"]] = "phase"

    phase_id: str
    """Phase id, which must resolve exactly once in the expanded workflow."""


WorkflowPublicationOwner: TypeAlias = (
    RunnerOwner
    | PhaseOwner
)
"""The only component that may publish a workflow's result to git: the runner, or one phase. A
phase that occurs more than once cannot be it.
"""


class WorkflowPublicationConfig(WireStruct, kw_only=True, forbid_unknown_fields=True):
    """Who publishes a workflow's result, and how. Older configurations say nothing about it. Then
    publication is not configured: nobody may guess an owner from the names of workflows or
    phases.
    """

    cleanup: WorkflowPublicationCleanupPolicy = field(default_factory=_retain)
    """Workspace cleanup policy. Defaults to retaining the workspace."""

    owner: WorkflowPublicationOwner | None = None
    """Exactly one publication owner when `required` is true."""

    required: bool = field(default_factory=bool)
    """Whether successful completion requires verified publication."""

    schema_: str = field(default_factory=always("animus.workflow-publication.v1"), name="schema")
    """Stable schema id. Defaults only support concise YAML; canonical output always includes it."""

    version: UInt32 = field(default_factory=always(1))
    """The version of this policy: 1."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "WorkflowPublicationConfig")


class WorkflowPublicationMigrationDiagnostic(WireStruct, kw_only=True):
    """Explicit compatibility notice for workflows that have no publication contract. It is
    intentionally data, not an implicit behavioral fallback.
    """

    workflow_id: str

    code: str

    message: str
