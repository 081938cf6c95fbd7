"""`Router`: collects handlers. Its decorators return every function unchanged."""

from __future__ import annotations

import sys
from _weakref import ref
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from msgspec import Struct

from animus_routes.engine.program import calling_place
from animus_routes.handlers.signature import location, name_of

if TYPE_CHECKING:
    from types import FrameType

    from animus_routes.names import HandledNotification, MethodName, PluginNotification
    from animus_routes.roles import MethodRow

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Registration(Struct, frozen=True):
    """One use of a decorator.

    Attributes:
        where: `file:line` of the function, "" if it has none.
        items_as: The notification that a generator's items go out as.
        one_way: It handles a notification of the host's.
        context_names: Bare parameter names that mean the context.
        timeout_s: How long a call may take.
        row: How the method is served, where that is not as the role's table says.
    """

    name: str
    function: Callable[..., Any]
    where: str
    concurrent: bool = False
    items_as: str | None = None
    extra: bool = False
    tool: bool = False
    one_way: bool = False
    context_names: frozenset[str] = frozenset()
    timeout_s: float | None = None
    row: MethodRow | None = None


class Item(Struct, frozen=True, eq=False):
    """One thing that a router collected, the same object in every router that it reaches.

    Attributes:
        what: The router's attribute that holds it.
        only: Set where there can be one of its sort: what it would be the second of.
        where: `file:line` of a hook, or of the call that registered it.
        called: What the author's code has registered it with: `app` or `router`.
    """

    what: str
    value: Any
    only: type[BaseException] | str | None = None
    where: str = ""
    called: str = "app"


NO_ITEM: Final = Item("", None)


class Written(Struct, frozen=True):
    """The author's line that a router was made by, in the module whose import led there.

    Attributes:
        namespace: The `id` of the module's globals.
    """

    module: str
    file: str
    line: int
    namespace: int


LIVE: dict[Any, None] = {}  # in the order in which they were made


def _collected(gone: Any) -> None:
    LIVE.pop(gone, None)


def routers() -> list[Router]:
    """Every router and app that there is."""
    # Copied in one step: one that is collected meanwhile takes itself out.
    return [router for found in LIVE.copy() if (router := found()) is not None]


def _written() -> Written:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        names = frame.f_globals
        module = str(names.get("__name__", ""))
        if frame.f_code.co_name == "<module>" and not module.startswith("animus_routes."):
            file = str(names.get("__file__") or frame.f_code.co_filename)
            return Written(module, file, frame.f_lineno, id(names))
        frame = frame.f_back
    return Written("", "", 0, 0)


def _bare(decorator: Handler) -> Handler:
    """A decorator that takes no parentheses; given some, it works, and the report says so."""

    @wraps(decorator)
    def used(self: Router, *given: Any, **named: Any) -> Any:
        functions = [*given, *named.values()]
        if len(functions) == 1 and callable(functions[0]):
            return decorator(self, functions[0])
        words = "@{0} takes no parentheses: write @{0} alone"
        if given and len(functions) == 1:
            words = f"@{{0}}: {given[0]!r} is not a function"
        self.misused(decorator.__name__, None, words)
        return partial(decorator, self)

    return cast("Handler", used)


def _needs(
    key: str, fits: Callable[[Any], bool], words: str, *, unserved: bool = False
) -> Callable[[Handler], Handler]:
    """A decorator that needs exactly one argument; without it, the report says so.

    Args:
        key: The argument's name.
        fits: Is a value such an argument?
        words: What the report says; `{0}` stands for the decorator.
        unserved: Without the argument, a handler is lost that the role may require.
    """

    def needing(decorator: Handler) -> Handler:
        @wraps(decorator)
        def used(self: Router, *given: Any, **named: Any) -> Any:
            values = [*given, *(named[name] for name in named if name == key)]
            if len(values) == 1 and fits(values[0]):
                return decorator(self, *given, **named)
            value = values[0] if len(values) == 1 else None
            return self.misused(decorator.__name__, value, words, unserved=unserved)

        return cast("Handler", used)

    return needing


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


class Router:
    """Collects handlers; an `App` is a router, and adds other routers with `include`.

    Every decorator returns the function unchanged, so it can still be called and tested.

    Attributes:
        problems: What the report says of what was collected, each with its place.
        unserved: Those of them for which a handler that the role requires may be missing.
    """

    _called = "router"

    def __init__(self) -> None:
        self.registrations: list[Registration] = []
        self.middlewares: list[Callable[..., Any]] = []
        self.exception_handlers: dict[type[BaseException], Callable[..., Any]] = {}
        self.initialize_hooks: list[Callable[..., Any]] = []
        self.health_check: Callable[..., Any] | None = None
        self.problems: list[str] = []
        self.unserved: list[str] = []
        self.included: list[tuple[Router, str]] = []
        self._items: dict[Item, None] = {}
        self._only: dict[Any, Callable[..., Any]] = {}
        self._includers: dict[Router, str] = {}
        self.written = _written()
        LIVE[ref(self, _collected)] = None

    @property
    def is_included(self) -> bool:
        """Does another router have what this one collects?"""
        return bool(self._includers)

    def collected(self) -> list[Item]:
        """Everything that was registered, in order."""
        return list(self._items)

    @_needs("name", _is_name, 'name the wire method: @{0}("group/verb")', unserved=True)
    def method(
        self,
        name: MethodName | str,
        *,
        concurrent: bool = False,
        notification: PluginNotification | str | None = None,
        extra: bool = False,
        timeout_s: float | None = None,
    ) -> Callable[[Handler], Handler]:
        """Serve a wire method.

        Args:
            name: The name in the role's table, such as `subject/list`; any name for kind `custom`.
            concurrent: Run a plain function on the app's thread pool instead of one at a time.
            notification: For a generator, if the method has no stream of its own: each item goes out
                as this notification, `{"id": <request id>, "event": <item>}`.
            extra: The method is deliberately not one from the role's table.
            timeout_s: The host gets a `Timeout` if the handler takes longer, and the call is
                cancelled: `ctx.cancelled` is set, an async handler's task is cancelled.
        """

        def register(function: Handler) -> Handler:
            given = {"concurrent": concurrent, "items_as": notification, "extra": extra}
            self._add(name, function, **given, timeout_s=timeout_s)
            return function

        return register

    def tool(self, name: str | None = None) -> Callable[[Handler], Handler]:
        """Serve a method and publish it as an MCP tool of the same name (kind `custom`).

        Args:
            name: The tool's name; by default the function's. The input schema comes from the
                hints, the descriptions from the docstring (Google, NumPy or Sphinx style).
        """
        if not isinstance(cast("object", name), str | None):
            return self.misused("tool", name, "@{0} needs its parentheses: write @{0}()")

        def register(function: Handler) -> Handler:
            self._add(name or _name(function), function, tool=True)
            return function

        return register

    @_needs("name", _is_name, 'name the notification: @{0}("group/verb")')
    def notification(self, name: HandledNotification | str) -> Callable[[Handler], Handler]:
        """Handle a notification from the host; it is never answered."""

        def register(function: Handler) -> Handler:
            self._add(name, function, one_way=True)
            return function

        return register

    def misused(
        self, name: str, given: Any, words: str, *, unserved: bool = False
    ) -> Callable[[Handler], Handler]:
        """A decorator that was not given what it needs: the start-up report says so.

        Without parentheses, `given` is the function itself, and has to stay in its place.
        """
        is_function = callable(given) and not isinstance(given, type)
        where = location(given) if is_function else calling_place()
        said = words.replace("{0}", f"{self._called}.{name}")
        self._tell(f"{where or calling_place()}: {said}", unserved=unserved)
        return cast("Callable[[Handler], Handler]", given) if is_function else _as_it_is

    def _tell(self, problem: str, *, unserved: bool = False) -> None:
        self._collect(Item("problems", problem))
        if unserved:
            self._collect(Item("unserved", problem))

    def item_of(self, function: Any) -> Item:
        """How a hook was registered."""
        return next((item for item in self._items if item.value is function), NO_ITEM)

    def _hook(self, what: str, function: Any, only: type[BaseException] | str | None = None) -> Any:
        self._collect(Item(what, function, only, _place(function), self._called))
        return function

    @_bare
    def middleware(self, function: Handler) -> Handler:
        """Wrap every call: `def timed(ctx, call_next): ...; return call_next(ctx)`.

        A plain middleware wraps both plain and async handlers. An async one, which awaits
        `call_next(ctx)`, can wrap only async handlers.
        """
        return cast("Handler", self._hook("middlewares", function))

    @_needs("error", _is_exception, "name the exception: @{0}(SomeError)")
    def exception_handler(self, error: type[BaseException]) -> Callable[[Handler], Handler]:
        """Turn an exception of your own, or of a subclass, into an answer.

        The function is a plain one and takes `(ctx, error)`. An `RpcError` that it returns or
        raises is the answer; any other value that it returns is the result.
        """

        def register(function: Handler) -> Handler:
            return cast("Handler", self._hook("exception_handlers", function, error))

        return register

    @_bare
    def on_initialize(self, function: Handler) -> Handler:
        """Run during the handshake, before it is answered; raise an `RpcError` to refuse it.

        The function may take the `initialize` params (whole or by field) and a `Context`.
        """
        return cast("Handler", self._hook("initialize_hooks", function))

    @_bare
    def health(self, function: Handler) -> Handler:
        """Answer `health/check`.

        The function returns None or True for healthy, False for unhealthy, a string for degraded
        with that reason, or a `HealthCheckResult`. If it raises, the plugin is unhealthy.
        """
        return cast("Handler", self._hook("health_check", function, "health"))

    def include(self, other: Router | object) -> None:
        """Add another router, or an object whose methods are named after the role's verbs.

        A router's middleware and exception handlers then hold for the whole app. What is added
        to the router later is taken in too.
        Such methods may be written `(self, params, ctx)`: `params` is the plain dict, `ctx` the
        `Context`.
        """
        where = calling_place()
        if isinstance(other, type):
            name = other.__qualname__
            words = f"{where}: include({name}): it is a class: write include({name}())"
            self._tell(words, unserved=True)
            return
        if not isinstance(other, Router):
            self._include_object(other, where)
            return
        for item in other._hand_to(self, where):  # noqa: SLF001 - it is a Router too
            self._collect(item)

    def _hand_to(self, includer: Router, where: str) -> list[Item]:
        """What there is now; what is added later is handed on as it comes."""
        first = self._includers.setdefault(includer, where)
        if first is where:
            return [Item("included", (self, where)), *self._items]
        return [Item("problems", f"{where}: this router is included twice, first at {first}")]

    def _include_object(self, backend: object, where: str) -> None:
        raise TypeError(
            f"{where}: include({type(backend).__qualname__}): only an App knows its role; include "
            "an object in the App, not in a Router"
        )

    def _add(self, name: str, function: Callable[..., Any], **options: Any) -> None:
        registration = Registration(name, function, _place(function), **options)
        self._collect(Item("registrations", registration))

    def _collect(self, item: Item) -> None:
        """Keep an item, once however many ways lead here, and hand it on to who includes this."""
        if item in self._items:
            return
        self._items[item] = None
        if item.only is None:
            getattr(self, item.what).append(item.value)
        else:
            self._keep_only(item, item.only)
        for includer in self._includers:
            includer._collect(item)  # noqa: SLF001 - as above

    def _keep_only(self, item: Item, sort: type[BaseException] | str) -> None:
        function = item.value
        first = self._only.setdefault(sort, function)
        if first is not function:
            of = "health" if isinstance(sort, str) else f"exception_handler({sort.__name__})"
            self.problems.append(
                f"{item.where}: @{item.called}.{of} '{name_of(function)}': there is one already, "
                f"'{name_of(first)}' at {self.item_of(first).where}"
            )
        elif isinstance(sort, str):
            self.health_check = function
        else:
            self.exception_handlers[sort] = function


def _place(function: Any) -> str:
    """`file:line` of a function; of the author's line that registers it if it has no Python code."""
    return location(function) or calling_place()


def _as_it_is(function: Handler) -> Handler:
    return function


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)
