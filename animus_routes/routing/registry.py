"""Which handler serves which wire method: what is registered, against the roles' tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import structs

from animus_routes.handlers.signature import Signature, analyse
from animus_routes.routing.route import bare, handled
from animus_routes.routing.router import Registration
from animus_routes.values.codecs import to_builtins
from animus_routes.values.hints import bare as bare_hint
from animus_routes.values.hints import described_by, is_generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from animus_routes.roles import MethodRow, Role
    from animus_routes.routing.route import Route


class Registry:
    """The app's registrations, matched with its roles' tables.

    Attributes:
        roles: Primary first.
        rows: Every method of every role, by name.
        handlers: What is registered, by wire name, without aliases.
    """

    def __init__(
        self,
        roles: list[Role],
        registrations: list[Registration],
        subject_kinds: list[str],
        concurrency: int,
        middlewares: Sequence[Callable[..., Any]],
        kind_capabilities: Mapping[str, Any],
    ) -> None:
        self.roles = roles
        self._kind_capabilities = kind_capabilities
        self.subject_kinds = subject_kinds
        self._concurrency = concurrency
        self._middlewares = middlewares
        self.rows: dict[str, tuple[Role, MethodRow]] = {}
        for role in roles:
            for row in role.methods:
                self.rows.setdefault(row.name, (role, row))
        self.handlers: dict[str, Registration] = {}
        for registration in registrations:
            self.handlers.setdefault(registration.name, registration)
        self.served = dict(self._served())
        self._signatures: dict[str, Signature] = {}

    def has(self, name: str) -> bool:
        """Does a handler of the author's serve this method?"""
        return name in self.served

    def figure(self, kind: str, name: str) -> Any:
        """What the app says under this name in its `kind_capabilities`; None if nothing."""
        said: dict[str, Any] = to_builtins(self._kind_capabilities.get(kind)) or {}
        return said.get(name)

    def row(self, name: str) -> tuple[Role, MethodRow | None]:
        """The role and the table's row of a wire name; `<kind>/<verb>` has the row of its verb."""
        if name in self.rows:
            return self.rows[name]
        subject_kind, _, verb = name.partition("/")
        if self.serves(subject_kind):
            for role, row in self.rows.values():
                if row.aliases and row.verb == verb:
                    return role, row
        return self.roles[0], None

    def row_for(self, registration: Registration) -> MethodRow | None:
        """The row by which a handler is called: its own, its method's, or the one that is like it."""
        if registration.row is not None:
            return registration.row
        _, row = self.row(registration.name)
        if row is None or row.like is None:
            return row
        signature = analyse(registration.function, context_names=registration.context_names)
        if takes_own_type(signature, row.params or ""):
            return row
        return structs.replace(
            self.rows[row.like.name][1],
            name=row.name,
            adapt_params=row.like.adapt_params,
            decoded=row.decoded,
            actor=row.actor,
        )

    def serves(self, subject_kind: str) -> bool:
        """Is this one of the app's subject kinds, which may be `x.*` or `*`?"""
        return any(covers(known, subject_kind) for known in self.subject_kinds)

    def aliases(self, name: str) -> list[str]:
        """The `<kind>/<verb>` forms of a method."""
        row = self.rows.get(name)
        if row is None or not row[1].aliases:
            return []
        return [f"{subject_kind}/{row[1].verb}" for subject_kind in self.subject_kinds]

    def _served(self) -> Iterator[tuple[str, Registration]]:
        """Every wire name with its handler, a method's other names included."""
        for name in self.rows:
            aliases = self.aliases(name)
            own = self.handlers.get(name)
            for alias in aliases:
                registration = self.handlers.get(alias, own)
                if registration is not None:
                    yield alias, registration
            # If there is one kind, a handler for `<kind>/<verb>` also serves the method itself.
            if own is None and len(aliases) == 1:
                own = self.handlers.get(aliases[0])
            if own is not None:
                yield name, own
        yield from self.handlers.items()

    def methods(self) -> list[str]:
        """What the app serves, as advertised: in the table's order, aliases after each method."""
        names: list[str] = []
        for name, (_, row) in self.rows.items():
            if row.stops is not None and row.served_with is None:
                continue
            derived = row.default is not None and row.advertised
            derived = derived or self.has(row.served_with or "")
            names += [n for n in (name, *self.aliases(name)) if derived or n in self.served]
        names += [n for n, r in self.handlers.items() if not r.one_way]
        return list(dict.fromkeys(names))

    def routes(self) -> Iterator[Route]:
        """Every route by its own name, aliases and defaults included."""
        for name, registration in self.served.items():
            yield self._route(name, registration)
        for name, (role, row) in self.rows.items():
            if row.default is not None:
                for alias in (name, *self.aliases(name)):
                    if alias not in self.served:
                        yield self._default(alias, row.default)
            elif name not in self.served and row.stops is not None and self._streams():
                yield bare(role, row)

    def streams(self, name: str) -> bool:
        """Does a served method send items before its answer?"""
        _, row = self.row(name)
        own = self.served[name].items_as is not None
        return own or (row is not None and row.stream is not None)

    def _streams(self) -> bool:
        return any(self.has(name) for name, (_, row) in self.rows.items() if row.stream is not None)

    def _default(self, name: str, default: Callable[[Registry], Any]) -> Route:
        """A route answered from the table, because the author registered no handler."""
        function = partial(default, self)
        return self._route(name, Registration(name, function, ""), Signature(function, []))

    def _route(
        self, name: str, registration: Registration, signature: Signature | None = None
    ) -> Route:
        role, row = self.row(name)
        if registration.row is not None or (row is not None and row.like is not None):
            row = self.row_for(registration)
        return handled(
            name,
            role,
            row,
            registration,
            signature or self.signature(registration),
            subject_kind=None if row is None or row.name == name else name.partition("/")[0],
            registered=self,
            concurrency=self._concurrency,
            middlewares=self._middlewares,
        )

    def signature(self, registration: Registration) -> Signature:
        """A handler's signature in the light of the method that it serves; read once."""
        found = self._signatures.get(registration.name)
        if found is None or found.function is not registration.function:
            row = self.row_for(registration)
            wire = described_by(row.params) if row is not None and row.params else None
            beside = row.sent_beside if row is not None else ()
            names = registration.context_names
            found = analyse(registration.function, wire, beside, context_names=names)
            self._signatures[registration.name] = found
        return found


def takes_own_type(signature: Signature, wire: str) -> bool:
    """Does a handler take the whole params as this wire type, of either family, or a subclass?"""
    if len(signature.fields) != 1:
        return False
    hint = bare_hint(signature.fields[0].hint)
    names = [base.__name__ for base in getattr(hint, "__mro__", ())]
    return is_generated(hint) and wire.rpartition(".")[2] in names


def covers(known: str, subject_kind: str) -> bool:
    """Is a subject kind the declared one, or below a declared `x.*` or `*`?"""
    below = known.endswith(".*") and subject_kind.startswith(known[:-1])
    return known in {subject_kind, "*"} or below
