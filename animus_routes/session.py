"""The app as the engine serves it: what a route, a context, an error frame is made of.

Implements `engine.plugin.Plugin`. One session is one connection of one host.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from animus_routes import codecs
from animus_routes.context import Context
from animus_routes.engine.frames import Request, error_frame
from animus_routes.engine.server import HEALTH
from animus_routes.errors import (
    CANCELLED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    PARSE_ERROR,
    NamedError,
    NotSupported,
    RpcError,
)
from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.routing import Route, answer_any

if TYPE_CHECKING:
    from animus_routes.app import App
    from animus_routes.engine.server import Server


class Value(Struct):
    """A result that an exception handler gave."""

    value: Any


class Internal:
    """A lifecycle handler as a route, so that the standby covers it like any other."""

    mode = "inline"
    contextual = False
    bare = False
    notification = False
    stops = None
    stream = None
    finish = None
    finishes: frozenset[type] = frozenset()

    def __init__(self, name: str, call: Callable[[Raw], Any]) -> None:
        self.name = name
        self.call: Callable[..., Any] = call
        self.answer = answer_any

    def decode(self, raw: Raw) -> Raw:
        """The handler reads its params itself."""
        return raw


class Session:
    """One host's connection to the app.

    Attributes:
        greeting: The params of `initialize`; empty before it.
        state: What the lifespan yielded.
        failures: What went wrong on the author's side, for the test client; None = only logged.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.greeting: dict[str, Any] = {}
        self.state: Any = None
        self.failures: list[BaseException] | None = None
        self._registry = app.registry
        self._routes: dict[str, Route] = {}
        for route in self._registry.routes():
            route.middlewares = app.middlewares
            self._routes.setdefault(route.name, route.ready())
        self._started = monotonic()
        self._lifespan: Callable[[], None] | None = None
        self._health: Internal | None = None

    @property
    def concurrency(self) -> int:
        """Sync handlers at once in the pool; `concurrent=True` alone gets the machine's cores."""
        return self.app.concurrency if self.app.concurrency > 1 else (os.cpu_count() or 2) + 2

    # Routes ---------------------------------------------------------------------------------------

    def find(self, method: str) -> Route | None:
        """The route of a method; the longest `x.*` of the subject kinds, then `*`."""
        route = self._routes.get(method)
        if route is not None:
            return route
        kind, _, verb = method.rpartition("/")
        for glob in sorted(self._registry.subject_kinds, key=len, reverse=True):
            if glob == "*" or (glob.endswith(".*") and kind.startswith(glob[:-1])):
                known = self._routes.get(f"{glob}/{verb}")
                if known is not None:
                    return self._adopt(method, kind, known)
        return None

    def _adopt(self, method: str, kind: str, known: Route) -> Route:
        route = Route(method, known.role, known.row, known.registry, known.registration, kind)
        route.middlewares = known.middlewares
        self._routes[method] = route.ready()
        return route

    def inline(self) -> Mapping[str, Route]:
        """The routes of the fast path."""
        return {
            name: route
            for name, route in self._routes.items()
            if route.mode == "inline" and not route.bare and route.stops is None
        }

    def knows(self, method: str) -> bool:
        """Is it a method of the role that is not registered here?"""
        return self._registry.row(method)[1] is not None

    def internal(self, handler: Callable[[Raw], Any]) -> Internal:
        """A route around a lifecycle handler."""
        return Internal("lifecycle", handler)

    def context(self, server: Server, route: Any, request: Request) -> Context:
        """A context for one request."""
        return Context(self, server, request, getattr(route, "kind", None))

    def field(self, params: Raw, name: str, *, raw: bool = False) -> Any:
        """One field of params that may be anything; None if it is not there."""
        try:
            value = msgspec.json.decode(params, type=dict[str, Raw]).get(name)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if value is None or raw:
            return value
        return msgspec.json.decode(value)

    # Lifecycle ------------------------------------------------------------------------------------

    def initialize(self, server: Server, params: Raw) -> dict[str, Any]:
        """Check the version, run the hooks, enter the lifespan, describe the plugin."""
        from animus_routes.manifest import initialize_result

        greeting = codecs.plain(params)
        _check_version(greeting.get("protocol_version"))
        self.greeting = greeting
        ctx = Context(self, server, Request("initialize", 0, params), None)
        for hook in self.app.initialize_hooks:
            self._run_hook(server, hook, params, ctx)
        if self._lifespan is None:
            from animus_routes.lifespan import enter

            self.state, self._lifespan = enter(self.app, ctx, lambda: server.calls.loop)
        return initialize_result(self.app)

    def _run_hook(
        self, server: Server, hook: Callable[..., Any], params: Raw, ctx: Context
    ) -> Any:
        from animus_routes.plan import caller, params_decoder
        from animus_routes.signature import analyse

        signature = analyse(hook)
        arguments = (params_decoder(signature, None, None)(params),)
        call = caller(signature, [])
        result = call(*arguments, ctx) if signature.contextual else call(*arguments)
        return server.calls.loop.run(result) if signature.is_async else result

    def stop(self) -> None:
        """Leave the lifespan, once."""
        leave, self._lifespan = self._lifespan, None
        if leave is not None:
            try:
                leave()
            except BaseException as error:  # noqa: BLE001 - the end goes on
                self.report("the lifespan's exit failed", error)

    # Health ---------------------------------------------------------------------------------------

    def health_route(self) -> Internal | None:
        """The author's check as a route; an async one runs on the loop."""
        check = self.app.health_check
        if check is None:
            return None
        if self._health is None:
            self._health = self._health_check(check)
        return self._health

    def _health_check(self, check: Callable[..., Any]) -> Internal:
        from animus_routes.plan import caller
        from animus_routes.signature import analyse

        signature = analyse(check)
        call = caller(signature, [])
        route = Internal(HEALTH, call)
        route.contextual = signature.contextual
        if signature.is_async:
            route.mode = "async"

            async def checked(values: Raw, *ctx: Context) -> dict[str, Any]:
                try:
                    return self._health_result(await call(values, *ctx))
                except Exception as error:  # noqa: BLE001 - a failing check is an answer
                    return self._unhealthy(error)

            route.call = checked
            return route

        def checked_plain(values: Raw, *ctx: Context) -> dict[str, Any]:
            try:
                return self._health_result(call(values, *ctx))
            except Exception as error:  # noqa: BLE001 - as above
                return self._unhealthy(error)

        route.call = checked_plain
        return route

    def _health_result(self, found: Any) -> dict[str, Any]:
        if found is None or found is True:
            given: dict[str, Any] = {"status": "healthy"}
        elif found is False:
            given = {"status": "unhealthy"}
        elif isinstance(found, str):
            given = {"status": "degraded", "last_error": found}
        else:
            given = codecs.to_builtins(found)
        return {**given, **{k: v for k, v in self._vitals().items() if k not in given}}

    def _unhealthy(self, error: Exception) -> dict[str, Any]:
        text = error.message if isinstance(error, RpcError) else self.report(HEALTH, error)
        return {"status": "unhealthy", "last_error": text, **self._vitals()}

    def _vitals(self) -> dict[str, Any]:
        vitals: dict[str, Any] = {"uptime_ms": int((monotonic() - self._started) * 1000)}
        try:
            with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - pathlib costs 5 ms
                pages = int(statm.read().split()[1])
            vitals["memory_usage_bytes"] = pages * os.sysconf("SC_PAGESIZE")
        except (OSError, ValueError):
            pass  # only Linux tells cheaply; the field is optional
        return vitals

    def health(self) -> bytes:
        """The default answer: alive."""
        return codecs.encode(self._health_result(None))

    # Errors ---------------------------------------------------------------------------------------

    def refuse(self, route: Any, request: Request, error: Exception) -> bytes:
        """-32602 with every issue for params that do not decode; a bug in a validator is ours."""
        invalid = codecs.explain(error)
        if invalid is None:
            return self._internal_error(route.name, request.id, error)
        code = PARSE_ERROR if invalid.malformed else INVALID_PARAMS
        data = {"category": "invalid_request", "issues": invalid.issues}
        return error_frame(request.id, code, f"invalid params: {invalid}", data)

    def rescue(
        self, server: Server, route: Any, request: Request, error: BaseException
    ) -> bytes | Value:
        """What a handler raised: an error of its own, one with a handler, or a bug."""
        for kind in type(error).__mro__:
            handler = self.app.exception_handlers.get(kind)
            if handler is not None:
                try:
                    found = handler(self.context(server, route, request), error)
                except BaseException as raised:  # noqa: BLE001 - it may raise the answer
                    error = raised
                else:
                    if not isinstance(found, RpcError):
                        return Value(found)
                    error = found
                break
        if isinstance(error, RpcError):
            if self.failures is not None:
                self.failures.append(error)
            return error_frame(request.id, *self._wire_error(route, error))
        if type(error).__name__ in ENDED:
            text = "cancelled: the plugin is ending"
            return error_frame(request.id, CANCELLED, text, {"category": "cancelled"})
        invalid = codecs.explain(error) if hasattr(error, "issues") else None
        if invalid is not None:
            return self.refuse(route, request, invalid)
        return self._internal_error(route.name, request.id, error)

    def _wire_error(self, route: Any, error: RpcError) -> tuple[int, str, Any]:
        """The role's own code, category and prefix for a named error."""
        if not isinstance(error, NamedError):
            return error.code, error.message, error.data
        role = getattr(route, "role", None)
        row = role.errors.get(error.name) if role is not None else None
        code, category, prefix = error.code, error.name, error.prefix
        if row is not None:
            code = code if row.code is None else row.code
            category = row.category or category
            prefix = prefix if row.prefix is None else row.prefix
        return code, prefix + error.message, {**error.data, "category": category}

    def unwritable(self, route: Any, request_id: int | Raw, error: BaseException) -> bytes:
        """-32603 for a result that cannot be encoded."""
        return self._internal_error(f"the result of {route.name}", request_id, error)

    def not_supported(self, request: Request) -> bytes:
        """-32001 for a method of the role that is not registered."""
        role, _ = self._registry.row(request.method)
        error = NotSupported(f"method '{request.method}' is not supported by this plugin")
        stand_in = Internal(request.method, lambda _raw: None)
        stand_in.role = role  # type: ignore[attr-defined]
        return error_frame(request.id, *self._wire_error(stand_in, error))

    def stream_failed(self, route: Any, error: BaseException) -> None:
        """A stream broke after its ack."""
        self.report(f"the stream of {route.name} failed", error)

    def _internal_error(self, name: str, request_id: int | Raw, error: BaseException) -> bytes:
        found = self.report(name, error)
        data = {"category": "other", "error_id": found.rpartition(" ")[2]}
        return error_frame(request_id, INTERNAL_ERROR, "internal error", data)

    def report(self, what: str, error: BaseException) -> str:
        """Tell the operator, with the traceback; the id is what the host is told."""
        from traceback import format_exception

        from animus_routes.engine.wire import log

        error_id = os.urandom(4).hex()
        if self.failures is not None:
            self.failures.append(error)
        log(f"error {error_id} in {what}\n{''.join(format_exception(error)).rstrip()}")
        return f"internal error, id {error_id}"


ENDED = frozenset({"Interrupted", "CancelledError"})


def _check_version(version: Any) -> None:
    """Majors must agree (spec section 8)."""
    if not isinstance(version, str) or not version.partition(".")[0].isdecimal():
        text = f"initialize needs `protocol_version`, such as '{PROTOCOL_VERSION}'"
        issue = {"path": "protocol_version", "message": text, "code": "missing"}
        raise RpcError(INVALID_PARAMS, text, {"category": "invalid_request", "issues": [issue]})
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        text = f"the host speaks protocol {version}, this plugin {PROTOCOL_VERSION}"
        raise RpcError(INVALID_PARAMS, text, {"category": "invalid_request"})
