"""`define_plugin`: a class-based backend as an `App`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, cast

from msgspec.structs import replace

from animus_routes.app import App
from animus_routes.compat.adapter import adapted, adapted_health
from animus_routes.compat.handshake import RpcResponse, ok_response, validate_initialize_params
from animus_routes.errors import INVALID_REQUEST, ConfigurationError, unknown
from animus_routes.roles import REFUSED, role
from animus_routes.types.plugin import InitializeParams, PluginManifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.names import Kind
    from animus_routes.roles import Role

__all__ = ["DefinitionError", "PluginHandle", "PluginKind", "define_plugin"]


class PluginKind:
    """The kinds by name; `ALL` holds those that `define_plugin` accepts."""

    PROVIDER: Final = "provider"
    SUBJECT_BACKEND: Final = "subject_backend"
    TASK_BACKEND: Final = "task_backend"
    TRIGGER_BACKEND: Final = "trigger_backend"
    LOG_STORAGE_BACKEND: Final = "log_storage_backend"
    TRANSPORT_BACKEND: Final = "transport_backend"
    WORKFLOW_RUNNER: Final = "workflow_runner"
    QUEUE: Final = "queue"
    DURABLE_STORE: Final = "durable_store"
    MEMORY_STORE: Final = "memory_store"
    NOTIFIER: Final = "notifier"
    CUSTOM: Final = "custom"

    ALL: ClassVar[frozenset[str]] = frozenset(
        {
            PROVIDER,
            SUBJECT_BACKEND,
            TRIGGER_BACKEND,
            LOG_STORAGE_BACKEND,
            TRANSPORT_BACKEND,
            WORKFLOW_RUNNER,
            QUEUE,
            DURABLE_STORE,
            MEMORY_STORE,
            NOTIFIER,
        }
    )


class DefinitionError(ConfigurationError, TypeError):
    """The plugin cannot be served. Also a `TypeError`, which is what the published SDK raised."""


class PluginHandle:
    """A defined plugin.

    Attributes:
        app: The `App` behind it, for `animus_routes.testing.TestClient`, for including routers,
            or for `animus-routes run`.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def manifest(self) -> PluginManifest:
        """What `--manifest` prints."""
        return PluginManifest.model_validate(self.app.manifest())

    def initialize(self, params: InitializeParams | dict[str, Any]) -> RpcResponse:
        """The answer to `initialize`, for tests; an incompatible host gets an error response."""
        from animus_routes.compat.handshake import error_response
        from animus_routes.describe.manifest import initialize_result

        refusal = validate_initialize_params(params)
        if refusal is not None:
            return error_response(None, INVALID_REQUEST, refusal)
        return ok_response(None, initialize_result(self.app))

    def run(self) -> NoReturn:
        """Be the plugin process; see `App.run`."""
        self.app.run()


def define_plugin(
    kind: str,
    impl: object,
    *,
    name: str,
    version: str,
    description: str,
    subject_kinds: Sequence[str] | None = None,
    projections: Sequence[str] | None = None,
    capabilities: Sequence[str] | None = None,
    env_required: Sequence[Any] | None = None,
    extra_capabilities: Sequence[str] | None = None,
    notification_buffer_size: int | None = None,
) -> PluginHandle:
    """Make a plugin from an object whose methods are named after the role's verbs.

    Args:
        kind: One of `PluginKind.ALL`.
        impl: An object with methods such as `list(self, params, ctx)`, plain or async; `health`
            answers `health/check`. `params` is what its hint says if that is a model, otherwise a
            `Params`; `ctx` is a `CallContext`. A method may omit `params`, or both.
        name: The published name.
        version: The plugin's semver.
        description: One sentence.
        subject_kinds: The kinds that a subject backend serves. Other plugin kinds ignore it.
        projections: The names of the projections that a subject backend can serve.
        capabilities: More tokens for the list of capabilities that hosts read.
        env_required: Variables the host must forward, by name or as `EnvRequirement`.
        extra_capabilities: As `capabilities`.
        notification_buffer_size: How many notifications the host should buffer.

    Raises:
        DefinitionError: Everything that is wrong with the kind or the class, at once.
    """
    if kind not in PluginKind.ALL:
        raise DefinitionError([f"define_plugin(kind={kind!r}): {_advice(kind)}"])
    known = role(kind)
    app = App(
        kind=cast("Kind", kind),
        name=name,
        version=version,
        description=description,
        subject_kinds=(subject_kinds or ()) if known.subjects else (),
        projections=projections or (),
        capabilities=[*(capabilities or ()), *(extra_capabilities or ())],
        env_required=[_required(item) for item in env_required or ()],
        notification_buffer_size=notification_buffer_size,
    )
    _include(app, known, impl)
    return PluginHandle(app)


def _include(app: App, known: Role, impl: object) -> None:
    """`App.include`, each method then called as the published SDK called it."""
    app.include(impl)
    app.registrations = [
        replace(found, function=adapted(found.function, known.method(found.name)))
        for found in app.registrations
    ]
    if app.health_check is not None:
        app.health_check = adapted_health(app.health_check)
    try:
        app.check()
    except ConfigurationError as error:
        raise DefinitionError(error.problems) from None


def _advice(kind: str) -> str:
    if kind in REFUSED:
        return REFUSED[kind]
    try:
        role(kind)
    except KeyError:
        return unknown("plugin kind", kind, sorted(PluginKind.ALL))
    return f"it has no class contract: write App(kind={kind!r}) and decorate functions"


def _required(item: Any) -> Any:
    """An `EnvRequirement` that does not say otherwise is required, as in the published SDK."""
    if "required" in getattr(item, "model_fields_set", {"required"}):
        return item
    return item.model_copy(update={"required": True})
