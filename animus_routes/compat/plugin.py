"""`define_plugin`: a class-based backend as an `App`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, cast

from animus_routes.app import App
from animus_routes.compat.adapter import CONTEXT_NAMES, adapted, adapted_health, second_name
from animus_routes.compat.handshake import required, validate_initialize_params
from animus_routes.compat.methods import METHODS, subject_schema
from animus_routes.compat.results import ensure_wire_subject
from animus_routes.compat.types.plugin_protocol import PluginKind
from animus_routes.compat.wire import error_response, ok_response
from animus_routes.engine.program import claim_for_program
from animus_routes.errors import INVALID_REQUEST, ConfigurationError, unknown
from animus_routes.roles import REFUSED, role
from animus_routes.serving.launch import HELP_FLAGS, MANIFEST_FLAGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.compat.types.plugin_protocol import (
        EnvRequirement,
        InitializeParams,
        PluginManifest,
        RpcResponse,
    )
    from animus_routes.names import Kind
    from animus_routes.roles import Role

__all__ = ["DefinitionError", "PluginHandle", "PluginSpec", "define_plugin", "ensure_wire_subject"]

SERVED: Final = PluginKind.ALL - {PluginKind.TASK_BACKEND, PluginKind.CUSTOM}
# The kinds whose `capabilities` the SDK advertises.
WITH_CAPABILITIES: Final = (PluginKind.TRIGGER_BACKEND, PluginKind.TRANSPORT_BACKEND)


class DefinitionError(ConfigurationError, TypeError):
    """The plugin cannot be served. Also a `TypeError`, which is what the published SDK raised."""


@dataclass
class PluginSpec:
    """What `define_plugin` was given; building one checks nothing."""

    kind: str
    impl: Any
    name: str
    version: str
    description: str
    subject_kinds: list[str] = field(default_factory=list[str])
    projections: list[str] = field(default_factory=list[str])
    capabilities: list[str] = field(default_factory=list[str])
    env_required: list[Any] = field(default_factory=list[Any])
    extra_capabilities: list[str] = field(default_factory=list[str])
    notification_buffer_size: int | None = None
    input: IO[str] | None = None
    output: IO[str] | None = None
    skip_cli_args: bool = False


class PluginHandle:
    """A defined plugin.

    Attributes:
        app: The `App` behind it, for `animus_routes.testing.TestClient`, for including routers,
            or for `animus-routes run`.
    """

    def __init__(self, app: App, spec: PluginSpec) -> None:
        self.app = app
        self._spec = spec

    def manifest(self) -> PluginManifest:
        """What `--manifest` prints."""
        from animus_routes.compat.types.plugin_protocol import PluginManifest

        return PluginManifest.model_validate(self.app.manifest())

    def initialize(self, params: InitializeParams | dict[str, Any]) -> RpcResponse:
        """The answer to `initialize`, for tests; an incompatible host gets an error response."""
        from animus_routes.describe.manifest import initialize_result

        refusal = validate_initialize_params(params)
        if refusal is not None:
            return error_response(None, INVALID_REQUEST, refusal)
        return ok_response(None, initialize_result(self.app))

    def run(self) -> None:
        """Be the plugin process, which this ends; or serve the streams that the spec names.

        `--manifest` and `--help` may stand anywhere in the arguments; others are ignored.
        """
        arguments = [] if self._spec.skip_cli_args else self._arguments(sys.argv[1:])
        if arguments or (self._spec.input is None and self._spec.output is None):
            self.app.run(arguments)
        from animus_routes.compat.streams import serve

        serve(self.app, self._spec.input or sys.stdin, self._spec.output)

    def _arguments(self, given: list[str]) -> list[str]:
        """What `App.run` reads of the command line: one flag, or a command of the role's."""
        if given[:1] and given[0] in [role.command for role in self.app.roles]:
            return given
        for flags in (MANIFEST_FLAGS, HELP_FLAGS):
            if not flags.isdisjoint(given):
                return [min(flags)]
        return []


def define_plugin(
    kind: str,
    impl: Any,
    *,
    name: str,
    version: str,
    description: str,
    subject_kinds: Sequence[str] | None = None,
    projections: Sequence[str] | None = None,
    capabilities: Sequence[str] | None = None,
    env_required: Sequence[EnvRequirement | str] | None = None,
    extra_capabilities: Sequence[str] | None = None,
    notification_buffer_size: int | None = None,
    input: IO[str] | None = None,  # noqa: A002 - the published name
    output: IO[str] | None = None,
    skip_cli_args: bool = False,
) -> PluginHandle:
    """Make a plugin from an object whose methods are named after the role's verbs.

    Args:
        kind: One of `PluginKind`, but neither `TASK_BACKEND` nor `CUSTOM`.
        impl: An object with methods such as `list(self, params, ctx)`, plain or async; `health`
            answers `health/check`. docs/moving.md says what `params` is.
        name: The published name.
        version: The plugin's semver.
        description: One sentence.
        subject_kinds: The kinds that a subject backend serves. Other plugin kinds ignore it.
        projections: The names of the projections that a subject backend can serve.
        capabilities: More tokens that hosts read; only triggers and transports have them.
        env_required: Variables the host must forward, by name or as `EnvRequirement`.
        extra_capabilities: More tokens that hosts read, for every kind.
        notification_buffer_size: How many notifications the host should buffer.
        input: What `run` reads requests from instead of stdin, in this process.
        output: What `run` writes answers to instead of stdout.
        skip_cli_args: `run` does not look at the command line.

    Raises:
        DefinitionError: Everything that is wrong with the kind or the class, at once.
    """
    if kind not in SERVED:
        raise DefinitionError([f"define_plugin(kind={kind!r}): {_advice(kind)}"])
    spec = PluginSpec(kind, impl, name, version, description)
    spec.subject_kinds = [*(subject_kinds or ())]
    spec.projections = [*(projections or ())]
    spec.capabilities = [*(capabilities or ())]
    spec.env_required = [*(env_required or ())]
    spec.extra_capabilities = [*(extra_capabilities or ())]
    spec.notification_buffer_size = notification_buffer_size
    spec.input, spec.output, spec.skip_cli_args = input, output, skip_cli_args
    return PluginHandle(_app(spec), spec)


def _app(spec: PluginSpec) -> App:
    known = role(spec.kind)
    heard = spec.capabilities if spec.kind in WITH_CAPABILITIES else []
    app = App(
        kind=cast("Kind", spec.kind),
        name=spec.name,
        version=spec.version,
        description=spec.description,
        subject_kinds=spec.subject_kinds if known.subjects else [],
        projections=spec.projections,
        capabilities=[*heard, *spec.extra_capabilities],
        env_required=[required(one).model_dump(exclude_none=True) for one in spec.env_required],
        notification_buffer_size=spec.notification_buffer_size,
    )
    _include(app, known, spec.impl)
    return app


def _include(app: App, known: Role, impl: object) -> None:
    """`App.include`, each method then called as the published SDK called it."""
    app.include(impl)
    if known.subjects and not callable(getattr(impl, "schema", None)):
        app.method("subject/schema")(subject_schema)
    rows = {row.name: row for row in known.methods}
    app.registrations = [
        found if found.function is subject_schema else adapted(found, rows[found.name])
        for found in app.registrations
        if found.name in METHODS or second_name(found.function) in CONTEXT_NAMES
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
        return unknown("plugin kind", kind, sorted(SERVED))
    return f"it has no class contract: write App(kind={kind!r}) and decorate functions"


def _claim() -> None:
    """Claim the wire as importing `App` does, for the program whose import of this led here."""
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    own = ("animus_routes.", "importlib.", "_frozen_importlib")
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(own):
        frame = frame.f_back
    claim_for_program(frame)


_claim()
