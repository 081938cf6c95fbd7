"""What is advertised is served, what is served is advertised, and tokens mean what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.codes import ABSENT
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.overlay import real
from animus_routes.conformance.rows import advertised, called, reads, roles_of, row_of, serves
from animus_routes.conformance.shapes import object_of
from animus_routes.conformance.start import HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.conformance.bench import Bench
    from animus_routes.roles import Role, Together

CANCELS: Final = "agent/cancel"
# What a schema says of the plugin -> the method that it is about.
FLAGS: Final[Mapping[str, Mapping[str, str]]] = {
    "subject/schema": {
        "supports_watch": "subject/watch",
        "supports_create": "subject/create",
        "supports_delete": "subject/delete",
    },
    "log_storage/schema": {
        "supports_query": "log_storage/query",
        "supports_tail": "log_storage/tail",
    },
    "notifier/schema": {"supports_flush": "notifier/flush"},
    "journal/schema": {
        "supports_checkpoints": "journal/checkpoint_save",
        "supports_events": "journal/events",
    },
    "channel/schema": {"supports_delivery_status": "channel/status"},
}


def _served(bench: Bench) -> None:
    tried = 0
    for name in advertised(bench):
        row = row_of(bench, name)
        if row is None or row.one_way or row.stream is not None or not reads(bench, name):
            continue
        tried += 1
        answer = bench.shared.ask(name, (real(bench, name) or [{}])[0])
        expect(answer.code not in ABSENT, f"{name} is advertised, and answered with {answer}")
    if not tried:
        raise Skipped("none of its methods is known to read only")


def _unadvertised(bench: Bench) -> None:
    tried = 0
    for role in roles_of(bench):
        for row in role.methods:
            if not row.reads or row.one_way or serves(bench, row.name):
                continue
            tried += 1
            name = called(bench, row.name)
            answer = bench.shared.ask(name, {})
            expect(
                answer.code in ABSENT,
                f"{name} is not advertised, and answered with {answer}: hosts never call it",
            )
    if not tried:
        raise Skipped("it advertises every method of its kinds that only reads")


def _required(bench: Bench) -> None:
    missing = [
        row.name
        for role in roles_of(bench)
        for row in role.methods
        if row.required and not serves(bench, row.name)
    ]
    expect(not missing, f"a plugin of its kind has to serve {', '.join(missing)} as well")


def _flags(bench: Bench) -> None:
    found = {name: flags for name, flags in FLAGS.items() if serves(bench, name)}
    if not found:
        raise Skipped("it has no schema that names its methods")
    for name, flags in found.items():
        schema = object_of(bench.shared.result(called(bench, name), {}))
        for flag, method in flags.items():
            said, is_served = bool(schema.get(flag)), serves(bench, method)
            expect(
                said == is_served,
                f"{name} says {flag} = {said}, and {method} is {'' if is_served else 'not '}advertised",
            )


def _tokens(bench: Bench) -> None:
    manifest = [t for t in bench.tokens if t.startswith("subject_kind:")]
    greeted = bench.capabilities.get("subject_kinds")
    for role in roles_of(bench):
        if role.subjects:
            expect(manifest, "its manifest has no token subject_kind:<kind>, by which hosts route")
            expect(greeted, "initialize names no subject_kinds, by which other hosts route")
        for method, token in role.tokens.items():
            expect(
                (token in bench.tokens) == serves(bench, method),
                f"the manifest {'has' if token in bench.tokens else 'lacks'} the token {token}, and "
                f"{method} is {'' if serves(bench, method) else 'not '}advertised",
            )
        for together in role.together:
            _whole(bench, role, together)
    if serves(bench, CANCELS):
        expect(
            bench.capabilities.get("cancellation") is True,
            f"{CANCELS} is advertised, but capabilities.cancellation is not true: hosts never cancel",
        )


def _whole(bench: Bench, role: Role, together: Together) -> None:
    """A set of methods that counts only together, with the tokens and flags that announce it."""
    missing = [name for name in together.methods if not serves(bench, name)]
    some = 0 < len(missing) < len(together.methods)
    if together.whole and some:
        fail(f"{', '.join(missing)} are not advertised: {together.whole}")
    for token in together.tokens:
        if token in bench.tokens and missing:
            fail(f"the manifest has the token {token}, and not {', '.join(missing)}")
        if token not in bench.tokens and not missing:
            bench.warnings.append(
                f"without the token {token}, hosts do not use {together.methods[0]}"
            )
    if together.flag:
        kinds = object_of(bench.greeting.get("kind_capabilities"))
        extra = object_of(object_of(kinds.get(role.kind)).get("extra"))
        said = extra.get(together.flag) is True
        expect(
            said == (not missing),
            f"kind_capabilities say {together.flag} = {said}, and "
            f"{', '.join(missing) or 'all of its methods'} are {'not ' if missing else ''}advertised",
        )
        for name, least in together.figures.items():
            if said and not int(extra.get(name) or 0) >= least:
                fail(f"kind_capabilities say {name} = {extra.get(name)}, hosts want {least}")
        if not said:
            bench.warnings.append(
                f"daemons of 0.7 refuse a plugin of its kind without {together.flag}"
            )


def _check(name: str, title: str, source: str, run: Any, after: str = HANDSHAKE) -> Check:
    return Check(f"promises.{name}", title, source, run, after=(after,))


CHECKS: Final = (
    _check(
        "required",
        "It has every method that its kind needs",
        "facts 3; host 4: hosts call them without asking",
        _required,
    ),
    _check(
        "served",
        "What it advertises it serves",
        "facts 3: capabilities.methods is the list that hosts read",
        _served,
    ),
    _check(
        "unadvertised",
        "What it does not advertise it does not serve",
        "facts 3: -32601, or -32001 for one of its kind's",
        _unadvertised,
        "lifecycle.unknown-methods",
    ),
    _check(
        "flags",
        "Its schema says what it advertises",
        "host 7: the test kit wants supports_query and the like to be equal to the methods",
        _flags,
        "promises.served",
    ),
    _check(
        "tokens",
        "Tokens and capabilities promise what is there",
        "host 4.1, 4.9, 5; newer 3.2.1 and 3.4.3",
        _tokens,
    ),
)
