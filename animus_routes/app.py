"""`App`: what an author configures and decorates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from animus_routes.errors import ConfigurationError
from animus_routes.routing import Registration, Registry, Router
from animus_routes.signature import location

if TYPE_CHECKING:
    from animus_routes.roles import Role
    from animus_routes.session import Session


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
        projections: Projection names a subject backend can serve.
        lifespan: A generator function or a (async) context manager function, entered once during
            the handshake and left once at the end. What it yields is `ctx.state`.
        concurrency: How many plain handlers may run at once. 1 = one after the other on the main
            thread, where sqlite3 connections and plain dicts need no locks.
        notification_buffer_size: The host's buffer of notifications, for chatty plugins.
        supports_mcp: False opts a provider out of MCP; None = the host's default.
    """

    def __init__(
        self,
        *,
        kind: str | None = None,
        kinds: Sequence[str] = (),
        name: str,
        version: str,
        description: str,
        subject_kinds: Sequence[str] = (),
        env_required: Sequence[Any] = (),
        capabilities: Sequence[str] = (),
        projections: Sequence[str] = (),
        lifespan: Callable[..., Any] | None = None,
        concurrency: int = 1,
        notification_buffer_size: int | None = None,
        supports_mcp: bool | None = None,
    ) -> None:
        super().__init__()
        self.kinds = list(kinds) or ([kind] if kind else [])
        self.name = name
        self.version = version
        self.description = description
        self.subject_kinds = list(subject_kinds)
        self.env_required = list(env_required)
        self.capabilities = list(capabilities)
        self.projections = list(projections)
        self.lifespan = lifespan
        self.concurrency = concurrency
        self.notification_buffer_size = notification_buffer_size
        self.supports_mcp = supports_mcp
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
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
                self.roles, self.registrations, self.subject_kinds, self.concurrency
            )
        return self._registry

    def check(self) -> None:
        """Is this app complete and consistent?

        Raises:
            ConfigurationError: Every problem at once, each with `file:line` where it has one.
        """
        from animus_routes.check import problems

        found = problems(self)
        if found:
            raise ConfigurationError(found)

    def manifest(self) -> dict[str, Any]:
        """The `PluginManifest`, unset fields omitted.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.manifest import manifest

        self.check()
        return manifest(self)

    def session(self) -> Session:
        """One host's connection, checked and ready to serve.

        Raises:
            ConfigurationError: The app is not complete.
        """
        from animus_routes.session import Session

        self.check()
        return Session(self)

    def run(self, argv: Sequence[str] | None = None) -> NoReturn:
        """Be the plugin process: serve on stdin and stdout, or answer `--manifest` or `--help`.

        Exits with 0 at the host's `exit` or the end of input, 1 if the app has problems, 2 on a
        terminal, which has nobody to talk the protocol.
        """
        from animus_routes.launch import launch

        launch(self, list(sys.argv[1:] if argv is None else argv))

    def _include_object(self, backend: object) -> None:
        """Register an object's methods by the roles' verbs; see `Router.include`."""
        found = 0
        for role in self.roles:
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
            verbs = ", ".join(row.verb for role in self.roles for row in role.methods)
            raise ConfigurationError(
                [f"{type(backend).__qualname__} has none of the role's methods: {verbs}"]
            )
