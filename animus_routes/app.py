"""`App`: what an author configures and decorates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from animus_routes.errors import ConfigurationError
from animus_routes.handlers.signature import location
from animus_routes.routing.registry import Registry
from animus_routes.routing.router import Registration, Router

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from animus_routes.names import Kind, PluginNotification
    from animus_routes.roles import Role
    from animus_routes.serving.session import Session


class App(Router):
    """One plugin.

    Args:
        kind: The plugin kind, such as `subject_backend` or `custom`.
        kinds: Several kinds at once, primary first, in place of `kind`.
        name: The published name; by convention `animus-<kind>-<name>`.
        version: The plugin's semver.
        description: One sentence; hosts refuse a manifest without it.
        subject_kinds: For a subject backend: the kinds it serves, exact or `x.*`.
        env_required: Variables the host must forward: names (required), or
            `{name, description?, sensitive?, required?}`.
        capabilities: More tokens for the list of methods, such as `$vendor/...`.
        kind_capabilities: What a kind says of itself in `kind_capabilities.<kind>.extra`, such as
            `{"queue": QueueCapabilities(priority_weighted=True)}`.
        projections: Projection names a subject backend can serve.
        lifespan: A generator function or a (async) context manager function, entered once during
            the handshake and left once at the end. What it yields is `ctx.state`.
        concurrency: How many plain handlers may run at once. 1 = one after the other on the main
            thread, where sqlite3 connections and plain dicts need no locks.
        notification_buffer_size: The host's buffer of notifications, for chatty plugins.
        log_format: How `ctx.log` and standard `logging` look on stderr: readable lines or JSON.
        log_entries: Send what is logged as `log/entry` notifications too.
        exit_on_broken_stream: Where the protocol has no way to tell the host that a stream broke
            (`trigger/watch`), end the process with 1, so that its supervisor starts it anew.
        supports_mcp: False opts a provider out of MCP; None = the host's default.
    """

    def __init__(
        self,
        *,
        kind: Kind | None = None,
        kinds: Sequence[Kind] = (),
        name: str,
        version: str,
        description: str,
        subject_kinds: Sequence[str] = (),
        env_required: Sequence[Any] = (),
        capabilities: Sequence[str] = (),
        kind_capabilities: Mapping[str, Any] | None = None,
        projections: Sequence[str] = (),
        lifespan: Callable[..., Any] | None = None,
        concurrency: int = 1,
        notification_buffer_size: int | None = None,
        supports_mcp: bool | None = None,
        log_format: Literal["text", "json"] = "text",
        log_entries: bool = False,
        exit_on_broken_stream: bool = True,
    ) -> None:
        super().__init__()
        self.kinds: list[str] = [*([kind] if kind else []), *kinds]
        self.name = name
        self.version = version
        self.description = description
        self.subject_kinds = list(subject_kinds)
        self.env_required = list(env_required)
        self.capabilities = list(capabilities)
        self.kind_capabilities = dict(kind_capabilities or {})
        self.projections = list(projections)
        self.lifespan = lifespan
        self.concurrency = concurrency
        self.notification_buffer_size = notification_buffer_size
        self.supports_mcp = supports_mcp
        self.log_format = log_format
        self.log_entries = log_entries
        self.exit_on_broken_stream = exit_on_broken_stream
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._session: Session | None = None
        self._registry: Registry | None = None
        self._registered = 0

    @property
    def roles(self) -> list[Role]:
        """The roles of `kinds`.

        Raises:
            ConfigurationError: A kind is unknown, or not to be written any more.
        """
        from animus_routes.roles import role

        found: list[Role] = []
        problems: list[str] = []
        if len(set(self.kinds)) < len(self.kinds):
            problems.append(f"App(kinds={self.kinds!r}) names a kind twice")
        for kind in self.kinds:
            try:
                found.append(role(kind))
            except KeyError as error:
                problems.append(f"App(kind={kind!r}): {error.args[0]}")
        if problems or not found:
            raise ConfigurationError(problems or ["App needs kind= or kinds="])
        return found

    @property
    def registry(self) -> Registry:
        """What is registered, against the roles' tables."""
        if self._registry is None or self._registered != len(self.registrations):
            self._registered = len(self.registrations)
            self._registry = Registry(
                self.roles,
                self.registrations,
                self.subject_kinds,
                self.concurrency,
                self.middlewares,
            )
        return self._registry

    def check(self) -> None:
        """Is this app complete and consistent?

        Raises:
            ConfigurationError: Every problem at once, each with `file:line` where it has one.
        """
        from animus_routes.describe.check import problems

        found = problems(self)
        if found:
            raise ConfigurationError(found)

    def manifest(self) -> dict[str, Any]:
        """The `PluginManifest`, unset fields omitted.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.describe.manifest import manifest

        self.check()
        return manifest(self)

    def session(self) -> Session:
        """One host's connection, checked and ready to serve.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.serving.session import Session

        self.check()
        self._session = Session(self)
        return self._session

    def notify(self, method: PluginNotification | str, params: Any = None) -> None:
        """Send a notification that belongs to no request, such as `config/changed`.

        Any thread may call it. Nothing is sent while no host has finished its handshake.
        """
        if self._session is not None:
            self._session.notify(method, {} if params is None else params)

    def run(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Be the plugin process: serve on stdin and stdout, or answer `--manifest` or `--help`.

        Exits with 0 at the host's `exit` or the end of input, 1 if the app has problems, 2 on a
        terminal, which has nobody to talk the protocol.
        """
        from animus_routes.serving.launch import launch

        launch(self, list(sys.argv[1:] if argv is None else argv))

    def _include_object(self, backend: object) -> None:
        """Register an object's methods by the roles' verbs; see `Router.include`."""
        found = 0
        try:
            roles = self.roles
        except ConfigurationError:
            return  # the report says why
        for role in roles:
            for row in role.methods:
                function = getattr(backend, row.verb, None)
                if function is None or not callable(function):
                    continue
                found += 1
                self.registrations.append(
                    Registration(
                        row.name,
                        function,
                        location(function),
                        inbound=row.notification and row.stops is None and row.result is None,
                        context_names=frozenset({"ctx", "context"}),
                    )
                )
        check = getattr(backend, "health", None)
        if callable(check):
            self.health_check = check
        if not found:
            verbs = ", ".join(row.verb for role in roles for row in role.methods)
            needed = (
                f"none of the role's methods: {verbs}" if verbs else "no methods by known verbs"
            )
            self.problems.append(f"include({type(backend).__qualname__}): it has {needed}")
