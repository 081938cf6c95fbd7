"""Which handler serves which wire method: `Registry` knows, `Route` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.frames import HEAD, RESULT, TAIL, Response, id_bytes
from animus_routes.handlers.signature import Signature, analyse
from animus_routes.roles import Stream
from animus_routes.routing.router import Registration
from animus_routes.routing.streaming import StreamRoute
from animus_routes.values import codecs
from animus_routes.values.hints import described_by, is_generated, is_model, is_pydantic, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgspec import Raw

    from animus_routes.engine.ports import Stream as EngineStream
    from animus_routes.roles import Method, Role

PLAIN: Final = frozenset({type(None), bool, int, str, dict, list, tuple})


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
        self.rows: dict[str, tuple[Role, Method]] = {}
        for role in roles:
            for row in role.methods:
                self.rows.setdefault(row.name, (role, row))
        self.handlers: dict[str, Registration] = {}
        for registration in registrations:
            self.handlers.setdefault(registration.name, registration)
        self.served = dict(self._served())
        self._signatures: dict[str, Signature] = {}

    def has(self, name: str) -> bool:
        """Is this method of the table served by a handler of the author's?"""
        return name in self.served

    def row(self, name: str) -> tuple[Role, Method | None]:
        """The role and the table's row of a wire name; `<kind>/<verb>` has the row of its verb."""
        if name in self.rows:
            return self.rows[name]
        kind, _, verb = name.rpartition("/")
        if self.serves(kind):
            for role, row in self.rows.values():
                if row.aliases and row.verb == verb:
                    return role, row
        return self.roles[0], None

    def serves(self, kind: str) -> bool:
        """Is this one of the app's subject kinds, which may be `x.*` or `*`?"""
        return any(covers(known, kind) for known in self.subject_kinds)

    def aliases(self, name: str) -> list[str]:
        """The `<kind>/<verb>` forms of a method."""
        row = self.rows.get(name)
        if row is None or not row[1].aliases:
            return []
        return [f"{kind}/{row[1].verb}" for kind in self.subject_kinds]

    def _served(self) -> Iterator[tuple[str, Registration]]:
        """Every wire name with its handler, a method's other names included."""
        for name in self.rows:
            aliases = self.aliases(name)
            own = self.handlers.get(name)
            for alias in aliases:
                registration = self.handlers.get(alias, own)
                if registration is not None:
                    yield alias, registration
            # A handler of the only kind's verb is the verb's.
            if own is None and len(aliases) == 1:
                own = self.handlers.get(aliases[0])
            if own is not None:
                yield name, own
        yield from self.handlers.items()

    def methods(self) -> list[str]:
        """What the app serves, as it is advertised: table order, aliases after each method."""
        names: list[str] = []
        for name, (_, row) in self.rows.items():
            if row.stops is not None and row.served_with is None:
                continue
            derived = row.default is not None and row.advertised
            derived = derived or self.has(row.served_with or "")
            names += [n for n in (name, *self.aliases(name)) if derived or n in self.served]
        names += [n for n, r in self.handlers.items() if not r.inbound]
        return list(dict.fromkeys(names))

    def routes(self) -> Iterator[Route]:
        """Every route by its own name, aliases and defaults included."""
        for name, registration in self.served.items():
            yield self._route(name, registration)
        for name, (role, row) in self.rows.items():
            if row.default is not None:
                for alias in (name, *self.aliases(name)):
                    if alias not in self.served:
                        yield default_route(alias, role, row, self)
            elif name not in self.served and row.stops is not None and self._streams():
                yield bare_route(name, role, row, self)

    def _streams(self) -> bool:
        return any(self.has(name) for name, (_, row) in self.rows.items() if row.stream is not None)

    def _route(self, name: str, registration: Registration) -> Route:
        role, row = self.row(name)
        kind = None if row is None or row.name == name else name.rpartition("/")[0]
        return Route(name, role, row, self, registration, kind)

    def signature(self, registration: Registration) -> Signature:
        """A handler, read against the method it serves; read once."""
        found = self._signatures.get(registration.name)
        if found is None or found.function is not registration.function:
            _, row = self.row(registration.name)
            wire = described_by(row.params) if row is not None and row.params else None
            found = analyse(registration.function, wire, context_names=registration.context_names)
            self._signatures[registration.name] = found
        return found


def covers(known: str, kind: str) -> bool:
    """Is a subject kind the declared one, or below a declared `x.*` or `*`?"""
    return known in {kind, "*"} or (known.endswith(".*") and kind.startswith(known[:-1]))


class Route:
    """One wire method with its handler, compiled at its first call (see `engine.ports.Route`)."""

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
        self.owner = role.kind
        self.row = row
        self.registry = registry
        self.registration = registration
        self.kind = kind
        self.signature = registry.signature(registration)
        self.bare = False
        self.notification = registration.inbound or (row is not None and row.notification)
        self.stops = row.stops if row is not None else None
        self.stopped = row.stopped if row is not None else None
        self.stream: EngineStream | None = self._stream()
        self.mode = self._mode()
        self.contextual = True
        self.finish: Callable[[Any, Raw], Any] | None = None
        self.finishes: frozenset[type] = PLAIN
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
        lasting = self.row is not None and self.row.long_running
        if lasting or self.stream is not None or self.signature.is_generator:
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
            # An author's own types take part in the conveniences, the wire's need none.
            own = [part for part in members(self.signature.returns) if is_model(part)]
            own = [part for part in own if not is_generated(part)]
            self.finishes = _Everything() if row.adapts_all else PLAIN.union(own)
        if is_pydantic(self.signature.returns):
            self.answer = answer_pydantic
        return self

    def _finish(self, result: Any, params: Raw) -> Any:
        assert self.row is not None
        assert self.row.adapt_result is not None
        return self.row.adapt_result(result, codecs.plain(params), self.registry)

    def _first(self, raw: Raw) -> Any:
        """Compile at the first call: a plugin pays only for the methods that are called."""
        from animus_routes.handlers.plan import caller, params_decoder

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
