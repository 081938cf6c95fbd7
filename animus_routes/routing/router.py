"""`Router`: collects handlers. Its decorators return every function unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from animus_routes.handlers.signature import location

if TYPE_CHECKING:
    from animus_routes.names import HandledNotification, MethodName, PluginNotification

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Registration(Struct, frozen=True):
    """One use of a decorator.

    Attributes:
        where: `file:line` of the function, "" if it has none.
        items_as: The notification that a generator's items go out as.
        inbound: It handles a notification of the host's.
        context_names: Bare parameter names that mean the context.
    """

    name: str
    function: Callable[..., Any]
    where: str
    concurrent: bool = False
    items_as: str | None = None
    extra: bool = False
    tool: bool = False
    inbound: bool = False
    context_names: frozenset[str] = frozenset()


class Router:
    """Collects handlers; an `App` is a router, and adds other routers with `include`.

    Every decorator returns the function unchanged, so it can still be called and tested.
    """

    def __init__(self) -> None:
        self.registrations: list[Registration] = []
        self.middlewares: list[Callable[..., Any]] = []
        self.exception_handlers: dict[type[BaseException], Callable[..., Any]] = {}
        self.initialize_hooks: list[Callable[..., Any]] = []
        self.health_check: Callable[..., Any] | None = None
        self.problems: list[str] = []

    def method(
        self,
        name: MethodName | str,
        *,
        concurrent: bool = False,
        notification: PluginNotification | str | None = None,
        extra: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Serve a wire method.

        Args:
            name: The name in the role's table, such as `subject/list`; any name for kind `custom`.
            concurrent: Run a plain function on the app's thread pool instead of one at a time.
            notification: For a generator, if the method has no stream of its own: each item goes out
                as this notification, `{"id": <request id>, "event": <item>}`.
            extra: The method is deliberately not one from the role's table.
        """
        if callable(name):
            raise TypeError('name the wire method: @app.method("group/verb")')

        def register(function: Handler) -> Handler:
            self._add(name, function, concurrent=concurrent, items_as=notification, extra=extra)
            return function

        return register

    def tool(self, name: str | None = None) -> Callable[[Handler], Handler]:
        """Serve a method and publish it as an MCP tool of the same name (kind `custom`).

        Args:
            name: The tool's name; by default the function's. The input schema comes from the
                hints, the descriptions from the docstring (Google, NumPy or Sphinx style).
        """
        if callable(name):
            raise TypeError("write @app.tool() with its parentheses")

        def register(function: Handler) -> Handler:
            self._add(name or _name(function), function, tool=True)
            return function

        return register

    def notification(self, name: HandledNotification | str) -> Callable[[Handler], Handler]:
        """Handle a notification from the host; it is never answered."""

        def register(function: Handler) -> Handler:
            self._add(name, function, inbound=True)
            return function

        return register

    def middleware(self, function: Handler) -> Handler:
        """Wrap every call: `def timed(ctx, call_next): ...; return call_next(ctx)`.

        A plain middleware wraps both plain and async handlers. An async one, which awaits
        `call_next(ctx)`, can wrap only async handlers.
        """
        self.middlewares.append(function)
        return function

    def exception_handler(self, error: type[BaseException]) -> Callable[[Handler], Handler]:
        """Turn an exception of your own, or of a subclass, into an answer.

        The function is a plain one and takes `(ctx, error)`. An `RpcError` that it returns or
        raises is the answer; any other value that it returns is the result.
        """
        if not hasattr(error, "__mro__"):
            raise TypeError("name the exception: @app.exception_handler(SomeError)")

        def register(function: Handler) -> Handler:
            self.exception_handlers[error] = function
            return function

        return register

    def on_initialize(self, function: Handler) -> Handler:
        """Run during the handshake, before it is answered; raise an `RpcError` to refuse it.

        The function may take the `initialize` params (whole or by field) and a `Context`.
        """
        self.initialize_hooks.append(function)
        return function

    def health(self, function: Handler) -> Handler:
        """Answer `health/check`.

        The function returns None or True for healthy, False for unhealthy, a string for degraded
        with that reason, or a `HealthCheckResult`. If it raises, the plugin is unhealthy.
        """
        self.health_check = function
        return function

    def include(self, other: Router | object) -> None:
        """Add another router, or an object whose methods are named after the role's verbs.

        A router's middleware and exception handlers then apply to the whole app. An object's
        methods may be written `(self, params, ctx)`: `params` is the plain dict, `ctx` the
        `Context`.
        """
        if not isinstance(other, Router):
            self._include_object(other)
            return
        self.registrations += other.registrations
        self.middlewares += other.middlewares
        self.exception_handlers |= other.exception_handlers
        self.initialize_hooks += other.initialize_hooks
        self.health_check = other.health_check or self.health_check
        self.problems += other.problems

    def _include_object(self, backend: object) -> None:
        raise TypeError(
            f"include({type(backend).__qualname__}): only an App knows its role; include an object "
            "in the App, not in a Router"
        )

    def _add(self, name: str, function: Callable[..., Any], **options: Any) -> None:
        self.registrations.append(Registration(name, function, location(function), **options))


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)
