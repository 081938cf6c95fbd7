"""Which handler serves which wire method: `Router` collects, `Registry` knows, `Route` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from msgspec import Raw, Struct

from animus_routes import codecs
from animus_routes.engine.frames import (
    HEAD,
    NOTIFICATION,
    PARAMS,
    RESULT,
    TAIL,
    Response,
    encoder,
    id_bytes,
    notification_frame,
)
from animus_routes.roles import Method, Role, Run, Stream
from animus_routes.signature import NOTHING, Signature, analyse, location

if TYPE_CHECKING:
    from animus_routes.engine.plugin import Write

Handler = TypeVar("Handler", bound=Callable[..., Any])
PLAIN: Final = frozenset({type(None), bool, dict, list})


class Registration(Struct, frozen=True):
    """One use of a decorator."""

    name: str
    function: Callable[..., Any]
    where: str
    concurrent: bool = False
    notification: str | None = None
    extra: bool = False
    tool: bool = False
    inbound: bool = False
    context_names: frozenset[str] = frozenset()


class Router:
    """Collects handlers; an `App` is one, and takes others in with `include`.

    Every decorator returns the function as it is, so it can still be called and tested.
    """

    def __init__(self) -> None:
        self.registrations: list[Registration] = []
        self.middlewares: list[Callable[..., Any]] = []
        self.exception_handlers: dict[type[BaseException], Callable[..., Any]] = {}
        self.initialize_hooks: list[Callable[..., Any]] = []
        self.health_check: Callable[..., Any] | None = None

    def method(
        self,
        name: str,
        *,
        concurrent: bool = False,
        notification: str | None = None,
        extra: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Serve a wire method.

        Args:
            name: As the role's table writes it, such as `subject/list`. Any name for `custom`.
            concurrent: Run a plain function on the app's thread pool instead of one at a time.
            notification: For a generator of a method without a stream of its own: each item goes
                out as this notification, `{"id": <request id>, "event": <item>}`.
            extra: The method is beyond the role's table on purpose.
        """

        def register(function: Handler) -> Handler:
            self._add(name, function, concurrent=concurrent, notification=notification, extra=extra)
            return function

        return register

    def tool(self, name: str | None = None) -> Callable[[Handler], Handler]:
        """Serve a method and publish it as an MCP tool of the same name (kind `custom`).

        Args:
            name: The tool's name; the function's own if left out. Its input schema comes from
                the hints, its descriptions from the docstring (google, numpy or sphinx style).
        """

        def register(function: Handler) -> Handler:
            self._add(name or _name(function), function, tool=True)
            return function

        return register

    def notification(self, name: str) -> Callable[[Handler], Handler]:
        """Handle a notification from the host; it is never answered."""

        def register(function: Handler) -> Handler:
            self._add(name, function, inbound=True)
            return function

        return register

    def middleware(self, function: Handler) -> Handler:
        """Wrap every call: `def timed(ctx, call_next): ...; return call_next(ctx)`.

        A plain middleware wraps plain and async handlers alike. An async one, awaiting
        `call_next(ctx)`, can only wrap async handlers.
        """
        self.middlewares.append(function)
        return function

    def exception_handler(self, error: type[BaseException]) -> Callable[[Handler], Handler]:
        """Turn an exception of the author's into an answer, for subclasses too.

        The function takes `(ctx, error)`; an `RpcError` that it returns or raises is the answer,
        any other value is the result.
        """

        def register(function: Handler) -> Handler:
            self.exception_handlers[error] = function
            return function

        return register

    def on_initialize(self, function: Handler) -> Handler:
        """Run during the handshake, before it is answered; raise an `RpcError` to refuse it.

        The function may take the initialize params (whole or by field) and a `Context`.
        """
        self.initialize_hooks.append(function)
        return function

    def health(self, function: Handler) -> Handler:
        """Answer `health/check`.

        The function returns None or True for healthy, False for unhealthy, a string for degraded
        with that reason, or a `HealthCheckResult`. What it raises is unhealthy, with the reason.
        """
        self.health_check = function
        return function

    def include(self, other: Router | object) -> None:
        """Take in another router, or an object whose methods are named as the role's verbs are.

        Such methods may be written `(self, params, ctx)`: `params` is the plain dict, `ctx` the
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

    def _include_object(self, backend: object) -> None:
        raise TypeError("only an App knows its role: include an object in the App, not a Router")

    def _add(self, name: str, function: Callable[..., Any], **options: Any) -> None:
        self.registrations.append(Registration(name, function, location(function), **options))


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


class Registry:
    """The app's registrations against its roles' tables.

    Attributes:
        roles: Primary first.
        rows: Every method of every role, by name.
        handlers: What is registered, by wire name, aliases not spelled out.
    """

    def __init__(
        self,
        roles: list[Role],
        registrations: list[Registration],
        subject_kinds: list[str],
        concurrency: int,
    ) -> None:
        self.roles = roles
        self.subject_kinds = subject_kinds
        self.concurrency = concurrency
        self.rows = {row.name: (role, row) for role in reversed(roles) for row in role.methods}
        self.handlers: dict[str, Registration] = {}
        for registration in registrations:
            self.handlers.setdefault(registration.name, registration)

    def has(self, name: str) -> bool:
        """Is this method served, whatever under which of its names?"""
        return name in self.handlers or any(alias in self.handlers for alias in self.aliases(name))

    def row(self, name: str) -> tuple[Role, Method | None]:
        """The role and the table's row of a wire name; `<kind>/<verb>` has the row of its verb."""
        if name in self.rows:
            return self.rows[name]
        kind, _, verb = name.rpartition("/")
        if kind in self.subject_kinds:
            role, row = self.rows.get(f"subject/{verb}", (self.roles[0], None))
            if row is not None and row.aliases:
                return role, row
        return self.roles[0], None

    def aliases(self, name: str) -> list[str]:
        """The `<kind>/<verb>` forms of a method."""
        row = self.rows.get(name)
        if row is None or not row[1].aliases:
            return []
        return [f"{kind}/{row[1].verb}" for kind in self.subject_kinds]

    def methods(self) -> list[str]:
        """What the app serves, as it is advertised: table order, aliases after each method."""
        names: list[str] = []
        for name, (_, row) in self.rows.items():
            if row.stops is not None and row.served_with is None:
                continue
            derived = row.default is not None or self.has(row.served_with or "")
            if self.has(name) or derived:
                names += [name, *self.aliases(name)]
        names += [n for n, r in self.handlers.items() if not r.inbound]
        return list(dict.fromkeys(names))

    def routes(self) -> Iterator[Route]:
        """Every route by its own name, aliases and defaults included."""
        for name, registration in self.handlers.items():
            yield self._route(name, registration, None)
            for kind in self.subject_kinds:
                alias = f"{kind}/{name.rpartition('/')[2]}"
                if alias in self.aliases(name) and alias not in self.handlers:
                    yield self._route(alias, registration, kind)
        for name, (role, row) in self.rows.items():
            if name in self.handlers:
                continue
            if row.default is not None:
                for alias in (name, *self.aliases(name)):
                    yield default_route(alias, role, row, self)
            elif row.stops is not None and any(
                self.has(other) for other, (_, r) in self.rows.items() if r.stream is not None
            ):
                yield bare_route(name, role, row, self)

    def _route(self, name: str, registration: Registration, kind: str | None) -> Route:
        role, row = self.row(name)
        if kind is None and row is not None and row.name != name:
            kind = name.rpartition("/")[0]
        return Route(name, role, row, self, registration, kind)

    def signature(self, registration: Registration) -> Signature:
        """A handler, read against the method it serves."""
        _, row = self.row(registration.name)
        fields = wire_fields(row.params) if row is not None and row.params else None
        return analyse(registration.function, fields, context_names=registration.context_names)


def wire_type(name: str) -> Any:
    """A wire type by `crate.Name`, of the msgspec family."""
    crate, _, cls = name.partition(".")
    module = __import__(f"animus_routes.structs.{crate}", fromlist=[cls])
    return getattr(module, cls)


def wire_fields(name: str) -> dict[str, str]:
    """The fields of a wire type and how the generated module writes their types."""
    return {f: str(hint) for f, hint in wire_type(name).__annotations__.items()}


class Route:
    """One wire method with its handler, compiled at its first call (see `engine.plugin.Route`)."""

    def __init__(
        self,
        name: str,
        role: Role,
        row: Method | None,
        registry: Registry,
        registration: Registration,
        kind: str | None,
    ) -> None:
        self.name = name
        self.role = role
        self.row = row
        self.registry = registry
        self.registration = registration
        self.kind = kind
        self.signature = registry.signature(registration)
        self.bare = False
        self.notification = registration.inbound or (row is not None and row.notification)
        self.stops = row.stops if row is not None else None
        self.stopped = row.stopped if row is not None else None
        self.stream = self._stream()
        self.mode = self._mode()
        self.contextual = True
        self.finish: Callable[[Any, Raw], Any] | None = None
        self.finishes = PLAIN
        self.middlewares: list[Callable[..., Any]] = []
        self.answer: Callable[[int | Raw, Any, bytearray], None] = answer_any
        self.decode: Callable[[Raw], Any] = self._first
        self.call: Callable[..., Any] = self._first

    def _stream(self) -> StreamRoute | None:
        row, name = self.row, self.registration.notification
        stream = row.stream if row is not None else None
        if name is not None:
            stream = Stream(name)
        return StreamRoute(stream, self.signature) if stream is not None else None

    def _mode(self) -> str:
        if self.signature.is_async:
            return "async"
        if self.signature.is_generator or (self.row is not None and self.row.long_running):
            return "thread"
        if self.registration.concurrent or self.registry.concurrency > 1:
            return "pool"
        return "inline"

    def ready(self) -> Route:
        """Settle what the engine must know before the first call."""
        self.contextual = self.signature.contextual or bool(self.middlewares)
        row = self.row
        if row is not None and row.adapt_result is not None:
            self.finish = self._finish
            if row.adapts_all:
                self.finishes = _Everything()
        if codecs.is_pydantic(self.signature.returns):
            self.answer = answer_pydantic
        return self

    def _finish(self, result: Any, params: Raw) -> Any:
        assert self.row is not None
        assert self.row.adapt_result is not None
        return self.row.adapt_result(result, codecs.plain(params), self.registry)

    def _first(self, raw: Raw) -> Any:
        """Compile at the first call: a plugin pays only for the methods that are called."""
        from animus_routes.plan import caller, params_decoder

        self.call = caller(self.signature, self.middlewares)
        self.decode = params_decoder(self.signature, self.row, self.kind)
        return self.decode(raw)


class _Everything(frozenset[type]):
    """Contains every class."""

    def __contains__(self, item: object) -> bool:
        return True


def answer_any(request_id: int | Raw, result: Any, out: bytearray) -> None:
    """Append an answer whose result msgspec writes, pydantic objects inside it included."""
    codecs.encode_into(Response(request_id, result), out, -1)
    out += b"\n"


def answer_pydantic(request_id: int | Raw, result: Any, out: bytearray) -> None:
    """Append an answer whose result is declared as a pydantic model."""
    write = codecs.json_writer(result)
    if write is None:
        answer_any(request_id, result, out)
    else:
        out += b"".join((HEAD, id_bytes(request_id), RESULT, write(result), TAIL))


class StreamRoute:
    """A stream's ack and how one call of it writes its items (see `engine.plugin.Stream`)."""

    def __init__(self, stream: Stream, signature: Signature) -> None:
        self.stream = stream
        self.ack = None if stream.ack is None else encoder.encode(stream.ack)
        self.fatal = stream.fatal
        returns = signature.returns
        item = get_args(returns)[0] if returns is not NOTHING and get_args(returns) else None
        self.typed_pydantic = codecs.is_pydantic(item)

    def open(self, request_id: int | Raw, params: Raw) -> EventRun | ItemRun:
        """One call."""
        if self.stream.run is None:
            return EventRun(self, request_id)
        return ItemRun(self.stream.run(codecs.lenient(params)))


class EventRun:
    """Items that all become the same notification: `{"id": <request id>, <key>: item}`."""

    def __init__(self, route: StreamRoute, request_id: int | Raw) -> None:
        self.names = {id_bytes(request_id).decode().strip('"')}
        self._ack = route.stream.ack
        self.write = self._writer(route, request_id)

    def complete(self, result: Any) -> Any:
        """A handler that is no generator may leave the ack to the framework."""
        return self._ack if result is None else result

    def farewell(self) -> bytes:
        """Nothing."""
        return b""

    @staticmethod
    def _writer(route: StreamRoute, request_id: int | Raw) -> Write:
        stream = route.stream
        before, after = b"", TAIL
        if stream.key:
            key = encoder.encode(stream.key)
            before, after = b'{"id":' + id_bytes(request_id) + b"," + key + b":", b"}" + TAIL
        prefix = NOTIFICATION + encoder.encode(stream.notification) + PARAMS + before
        encode_into = codecs.encode_into

        def write_pydantic(item: Any, out: bytearray) -> None:
            write = codecs.json_writer(item)
            out += prefix
            out += write(item) if write is not None else codecs.encode(item)
            out += after

        def write_any(item: Any, out: bytearray) -> None:
            out += prefix
            encode_into(item, out, -1)
            out += after

        return write_pydantic if route.typed_pydantic else write_any


class ItemRun:
    """Items that a role's `Run` turns into notifications, each into its own."""

    def __init__(self, run: Run) -> None:
        self.names = run.names
        self.complete = run.complete
        self._run = run

    def write(self, item: Any, out: bytearray) -> None:
        """Append one item's notification frame."""
        method, params = self._run.notification(item)
        out += notification_frame(method, codecs.encode(params))

    def farewell(self) -> bytes:
        """The role's last word, if it has one."""
        found = self._run.farewell()
        return b"" if found is None else notification_frame(found[0], codecs.encode(found[1]))


def default_route(name: str, role: Role, row: Method, registry: Registry) -> Route:
    """A route that the table answers, because the author registered nothing."""

    def default() -> Any:
        assert row.default is not None
        return row.default(registry)

    return Route(name, role, row, registry, Registration(name, default, ""), None)


def bare_route(name: str, role: Role, row: Method, registry: Registry) -> Route:
    """A route that the engine serves: the end of a watch."""

    def nothing() -> None:
        return None

    route = Route(name, role, row, registry, Registration(name, nothing, ""), None)
    route.bare = True
    return route
