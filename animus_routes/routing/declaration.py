"""What an author states: an app's data and its handlers. How they are served is `App`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast

from animus_routes.engine.program import calling_place, expect_run
from animus_routes.errors import ConfigurationError
from animus_routes.handlers.depends import BARE_CONTEXTS
from animus_routes.routing.registry import Registry
from animus_routes.routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from animus_routes.names import Kind, PluginNotification
    from animus_routes.roles import Role

LISTS: Final = ("kinds", "subject_kinds", "env_required", "capabilities", "projections")


class Names(list[Any]):
    """A list that a string is added to as one item, and not letter by letter; the report says so."""

    letters: str | bytes | None = None

    def extend(self, more: Iterable[Any]) -> None:
        """As of any list."""
        if isinstance(more, str | bytes):
            self.letters = more
            more = [more]
        super().extend(more)

    def __iadd__(self, more: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(more)
        return self


class Listed:
    """An argument that is a list, whether `App(...)` gets it or it is assigned later.

    A string is not meant as a list of its letters: it is kept as one item, for the report.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __set__(self, app: Declaration, given: Any) -> None:
        if isinstance(given, Names) and given is app.__dict__.get(self._name):
            return  # after `+=`
        app.unlisted.pop(self._name, None)
        if hasattr(given, "__iter__") and not isinstance(given, str | bytes | Mapping):
            app.__dict__[self._name] = Names(given)
            return
        app.__dict__[self._name] = kept = Names(_meant(given))
        advice = f": write {self._name}={kept!r}" if kept else ""
        app.unlisted[self._name] = f"App({self._name}={given!r}) is not a list{advice}"


class NoLifespan:
    """What `app.lifespan` is without one: false, and no decorator, as the report says."""

    def __init__(self, app: Declaration) -> None:
        self._app = app

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, NoLifespan)

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, *given: Any) -> Any:
        """`@app.lifespan`, as an author may write it."""
        words = "@{0} is no decorator: write App(lifespan=...) with the function"
        return self._app.misused("lifespan", given[0] if given else None, words)


def _meant(given: Any) -> list[Any]:
    """The list that was probably meant: of a string, of what describes one item, of a dict's keys."""
    if isinstance(given, Mapping) and "name" not in given:
        return list(cast("Mapping[object, object]", given))
    return [given] if isinstance(given, str | Mapping) and given else []


def _copied(given: Any) -> dict[str, Any]:
    """A dict of one's own; what is none is left to the report."""
    return dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else given


class Declaration(Router):
    """An app as it is written; see `App` for the arguments.

    Attributes:
        where: `file:line` of the call that made it.
        unlisted: What the report says of arguments that are not lists, by name.
    """

    _called = "app"
    kinds: list[str]
    subject_kinds: list[str]
    env_required: list[Any]
    capabilities: list[str]
    projections: list[str]

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
        settings: type[Any] | None = None,
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
        self.unlisted: dict[str, str] = {}
        self._set_kinds(kind, kinds)
        lists = (subject_kinds, env_required, capabilities, projections)
        for argument, given in zip(LISTS[1:], lists, strict=True):
            setattr(self, argument, given)
        self.name = name
        self.version = version
        self.description = description
        self.kind_capabilities = _copied(kind_capabilities or {})
        self.settings = settings
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

    def _set_kinds(self, kind: Any, kinds: Any) -> None:
        self.kinds = kinds
        if kind and not (kind in self.kinds and self.unlisted):
            self.kinds.insert(0, kind)

    @property
    def lifespan(self) -> Callable[..., Any] | NoLifespan:
        """Entered at the handshake and left at the end; false if there is none."""
        return NoLifespan(self) if self._lifespan is None else self._lifespan

    @lifespan.setter
    def lifespan(self, given: Callable[..., Any] | None) -> None:
        self._lifespan = given

    @property
    def roles(self) -> list[Role]:
        """The roles of `kinds`.

        Raises:
            ConfigurationError: A kind is unknown or retired.
        """
        from animus_routes.roles import role

        found: list[Role] = []
        problems: list[str] = []
        if any(self.kinds.count(kind) > 1 for kind in self.kinds):
            problems.append(f"App(kinds={self.kinds!r}) names a kind twice")
        for kind in self.kinds:
            if not isinstance(cast("object", kind), str):
                problems.append(
                    f"App(kind={kind!r}) is not the name of a kind, such as 'custom'; several "
                    "go in kinds=[...]"
                )
                continue
            try:
                found.append(role(kind))
            except KeyError as error:
                problems.append(f"App(kind={kind!r}): {error.args[0]}")
        if problems or not found:
            missing = self.unlisted.get("kinds", "App needs kind= or kinds=")
            raise ConfigurationError(problems or [missing])
        return found

    @property
    def registry(self) -> Registry:
        """What is registered, matched with the roles' tables."""
        asked = (
            self.kinds.copy(),
            self.registrations.copy(),
            [kind for kind in self.subject_kinds if isinstance(cast("object", kind), str)],
            self.concurrency,
            self.middlewares.copy(),
            self.kind_capabilities,
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
                function = getattr(backend, row.attribute, None)
                if function is None or not callable(function):
                    continue
                found += 1
                self._add(
                    row.name,
                    function,
                    one_way=row.one_way and row.stops is None and row.result is None,
                    context_names=BARE_CONTEXTS,
                )
        check = getattr(backend, "health", None)
        if callable(check):
            self.health(check)
        if not found:
            verbs = ", ".join(row.attribute for role in roles for row in role.methods)
            needed = (
                f"none of the role's methods: {verbs}" if verbs else "no methods by known verbs"
            )
            problem = f"{where}: include({type(backend).__qualname__}): it has {needed}"
            self._tell(problem, unserved=True)


# What Python says of arguments that are missing or unknown names what the author wrote.
Declaration.__init__.__qualname__ = "App"

# Not in the class's body: type checkers are to see the lists that are read.
for argument in LISTS:
    setattr(Declaration, argument, Listed(argument))
