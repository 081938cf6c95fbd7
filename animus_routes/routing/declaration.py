"""What an author states: an app's data and its handlers. How they are served is `App`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from animus_routes.engine.program import expect_run
from animus_routes.errors import ConfigurationError
from animus_routes.routing.registry import Registry
from animus_routes.routing.router import Item, Router, calling_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.names import Kind, PluginNotification
    from animus_routes.roles import Role


class Declaration(Router):
    """An app as it is written; see `App` for the arguments."""

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
        self.where = calling_place(self)
        expect_run(name, self.where)
        self.kinds: list[str] = [*([kind] if kind else []), *self._list("kinds", kinds)]
        self.name = name
        self.version = version
        self.description = description
        self.subject_kinds = self._list("subject_kinds", subject_kinds)
        self.env_required = self._list("env_required", env_required)
        self.capabilities = self._list("capabilities", capabilities)
        self.kind_capabilities = dict(kind_capabilities or {})
        self.projections = self._list("projections", projections)
        self.lifespan = lifespan
        self.concurrency = concurrency
        self.notification_buffer_size = notification_buffer_size
        self.supports_mcp = supports_mcp
        self.log_format = log_format
        self.log_entries = log_entries
        self.exit_on_broken_stream = exit_on_broken_stream
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._send: Callable[[str, Any], None] | None = None
        self._registry: Registry | None = None
        self._registered: object = None

    def _list(self, name: str, given: Any) -> list[Any]:
        """An argument as a list; a string is not meant as a list of its letters."""
        if hasattr(given, "__iter__") and not isinstance(given, str | bytes | Mapping):
            return list(given)
        kept: list[Any] = [given] if isinstance(given, str | Mapping) and given else []
        advice = f": write {name}={kept!r}" if kept else ""
        problem = f"{self.where}: App({name}={given!r}) is not a list{advice}"
        self._collect(Item("problems", problem))
        return kept

    @property
    def roles(self) -> list[Role]:
        """The roles of `kinds`.

        Raises:
            ConfigurationError: A kind is unknown or retired.
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
        """What is registered, matched with the roles' tables."""
        asked = (
            self.kinds.copy(),
            self.registrations.copy(),
            self.subject_kinds.copy(),
            self.concurrency,
            self.middlewares.copy(),
        )
        if self._registry is None or self._registered != asked:
            self._registered = asked
            self._registry = Registry(self.roles, *asked[1:])
        return self._registry

    def notify(self, method: PluginNotification | str, params: Any = None) -> None:
        """Send a notification that belongs to no request, such as `config/changed`.

        Any thread may call it. Nothing is sent before a host has completed the handshake.

        Raises:
            TypeError: The params cannot be written as JSON.
            ValueError: They are larger than hosts accept.
        """
        if self._send is not None:
            self._send(method, {} if params is None else params)

    def _include_object(self, backend: object, where: str) -> None:
        """Register an object's methods that are named after the roles' verbs; see `Router.include`."""
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
                self._add(
                    row.name,
                    function,
                    inbound=row.one_way and row.stops is None and row.result is None,
                    context_names=frozenset({"ctx", "context"}),
                )
        check = getattr(backend, "health", None)
        if callable(check):
            self.health(check)
        if not found:
            verbs = ", ".join(row.verb for role in roles for row in role.methods)
            needed = (
                f"none of the role's methods: {verbs}" if verbs else "no methods by known verbs"
            )
            problem = f"{where}: include({type(backend).__qualname__}): it has {needed}"
            self._collect(Item("problems", problem))
