"""The start-up report: every problem of an app at once, each with the place to fix it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from animus_routes.describe.arguments import of_arguments, of_included, of_options
from animus_routes.engine.program import is_used, working_directory
from animus_routes.errors import ConfigurationError
from animus_routes.handlers.depends import BARE_CONTEXTS, unfilled
from animus_routes.handlers.signature import (
    NOTHING,
    Parameter,
    Signature,
    analyse,
)
from animus_routes.routing.router import routers
from animus_routes.values.hints import (
    bare,
    described_by,
    is_generated,
    is_object,
    is_open,
    json_type,
    members,
    shown,
    wire_fields,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from animus_routes.roles import MethodRow, StreamRow
    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.registry import Registry
    from animus_routes.routing.router import Registration, Router

LIFECYCLE = {
    "initialize": "use @app.on_initialize",
    "initialized": "the framework handles it",
    "$/ping": "the framework answers it",
    "$/cancelRequest": "check ctx.cancelled",
    "health/check": "use @app.health",
    "shutdown": "use lifespan=",
    "exit": "use lifespan=",
}
SCALARS = (str, int, float, bool)
SLIP = 0.83  # 'stauts' is nearer to 'status' than that, 'subject' to 'subject_id' is not


def problems(app: Declaration) -> list[str]:
    """What is wrong with an app, in the order in which an author would fix it.

    Files below the working directory are named relative to it; what is written in C has no file.
    """
    is_used()
    here = working_directory().rstrip(os.sep) + os.sep
    found = [problem.removeprefix(": ") for problem in (*_of_twins(app), *_problems(app))]
    return found if here == os.sep else [problem.replace(here, "") for problem in found]


def _of_twins(app: Declaration) -> Iterator[str]:
    made = routers()
    if len(made) > 1:
        from animus_routes.describe.twice import lost

        yield from lost(app, made)


def _problems(app: Declaration) -> list[str]:
    arguments = [*of_arguments(app)]
    try:
        registry = app.registry
    except ConfigurationError as error:
        # Without a role, nothing can be said about methods, but hints can be wrong regardless.
        hints = (
            f"{registration.where}: '{registration.name}': {problem}"
            for registration in app.registrations
            for problem in analyse(registration.function).problems
        )
        arguments = [*dict.fromkeys([*error.problems, *arguments])]
        return [*_placed(app, arguments), *app.problems, *of_included(app), *hints, *_of_hooks(app)]
    arguments += _of_roles(app)
    names = [*_of_names(app, registry)]
    required = [*_of_required(app, registry, names)]
    return [
        *_placed(app, arguments),
        *_of_settings(app, registry),
        *app.problems,
        *of_included(app),
        *names,
        *required,
        *_of_forgotten(app, required),
        *_of_together(app, registry),
        *_of_handlers(registry),
        *_of_hooks(app, [*_plain(registry)]),
    ]


def _of_settings(app: Declaration, registry: Registry) -> Iterator[str]:
    if app.settings is not None or "animus_routes.handlers.settings" in sys.modules:
        from animus_routes.describe.settings import of_settings, of_wanted

        yield from _placed(app, [] if app.settings is None else [*of_settings(app)])
        for name, registration in registry.handlers.items():
            for problem in of_wanted(app, registry.signature(registration)):
                yield f"{registration.where}: '{name}': {problem}"


def _placed(app: Declaration, problems: Iterable[str]) -> Iterator[str]:
    """Problems of the arguments, where `App(...)` was called."""
    return (f"{app.where}: {problem}" for problem in problems)


def _of_roles(app: Declaration) -> Iterator[str]:
    if any(role.subjects for role in app.roles):
        if not app.subject_kinds and "subject_kinds" not in app.unlisted:
            yield "App(subject_kinds=[...]) is missing: hosts route by it, such as ['task']"
    elif app.subject_kinds:
        yield f"App(subject_kinds=...) has no meaning for kind '{app.kinds[0]}'"
    names = [name for role in app.roles for name in (row.name for row in role.methods)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two of the kinds {', '.join(app.kinds)} have the method '{name}'"


def _of_names(app: Declaration, registry: Registry) -> Iterator[str]:
    foreign = [row for other in _of_other_kinds(app) for row in other.registrations]
    seen: dict[str, Registration] = {}
    for registration in app.registrations:
        name, where = registration.name, registration.where
        if name in seen:
            yield f"{where}: '{name}' is registered twice, first at {seen[name].where}"
            continue
        seen.setdefault(name, registration)
        if name.split() != [name]:
            yield f"{where}: {name!r} is not a method's name: it is one word, such as 'group/verb'"
        elif name in LIFECYCLE:
            yield f"{where}: '{name}' is not for handlers: {LIFECYCLE[name]}"
        elif name.startswith("$/"):
            yield f"{where}: '{name}': names that start with $/ belong to the protocol"
        elif registration.tool and not any(role.tools for role in registry.roles):
            yield f"{where}: tool '{name}': only a plugin of kind 'custom' has MCP tools"
        elif not _known(registry, registration) and registration not in foreign:
            from animus_routes.describe.advice import on_unknown_method

            yield f"{where}: {on_unknown_method(name, registry)}"


def _of_other_kinds(app: Declaration) -> Iterator[Router]:
    """Included apps of kinds that this one is not: that is said of the whole app, once."""
    for other, _ in app.included:
        if any(kind not in app.kinds for kind in getattr(other, "kinds", ())):
            yield other


def _known(registry: Registry, registration: Registration) -> bool:
    return (
        registration.extra
        or registration.one_way
        or any(role.open for role in registry.roles)
        or registry.row(registration.name)[1] is not None
    )


def _of_required(app: Declaration, registry: Registry, said: list[str]) -> Iterator[str]:
    """Required methods that nobody serves, unless what was said already explains why."""
    if app.unserved:
        return
    if not app.registrations and all(role.open for role in registry.roles):
        from animus_routes.describe.advice import on_no_methods

        yield from (f"{app.where}: {problem}" for problem in on_no_methods(app))
    meant = {problem.rpartition("did you mean '")[2] for problem in said}
    for role in registry.roles:
        for row in role.methods:
            if not row.required or row.default is not None:
                continue
            # The names that hosts call: one for each kind, where there are kinds.
            missing = [n for n in registry.aliases(row.name) or [row.name] if not registry.has(n)]
            slips = {f"{name}'?" for name in (row.name, *missing)}
            if missing and not registry.has(row.name) and meant.isdisjoint(slips):
                near = f'@app.method("{row.name}")'
                some = len(missing) < len(registry.aliases(row.name))
                what = ", ".join(f"'{name}'" for name in missing) if some else f"'{row.name}'"
                advice = _in_a_router(app, {row.name, *missing}) or f"add {near}"
                yield f"{app.where}: {what} is required for kind '{role.kind}': {advice}"


def _in_a_router(app: Declaration, names: set[str]) -> str:
    """Where a missing method is, if a router has it that nobody includes."""
    if len(routers()) == 1:
        return ""
    from animus_routes.describe.twice import left_out

    for router in left_out(app):
        if not names.isdisjoint(row.name for row in router.registrations):
            return (
                f"the Router made at {router.written.file}:{router.written.line} has it: include it"
            )
    return ""


def _of_forgotten(app: Declaration, said: list[str]) -> Iterator[str]:
    if len(routers()) > 1:
        from animus_routes.describe.advice import on_forgotten

        yield from on_forgotten(app, said)


def _of_together(app: Declaration, registry: Registry) -> Iterator[str]:
    for role in registry.roles:
        for together in role.together:
            if any(registry.has(name) for name in together.methods):
                from animus_routes.describe.together import of_together

                yield from _placed(app, of_together(registry, role, together))


def _of_handlers(registry: Registry) -> Iterator[str]:
    for name, registration in registry.handlers.items():
        signature = registry.signature(registration)
        row = registry.row_for(registration)
        meant = [*_of_meant(signature)]
        found = [
            *signature.problems,
            *_of_kind(registration, signature, row),
            *(meant or (_of_params(signature, row) if row is not None else ())),
            *(_of_result(signature, row) if row is not None else ()),
            *(() if meant else _undecodable(signature)),
        ]
        for problem in found:
            yield f"{registration.where}: '{name}': {problem}"


def _of_hooks(app: Declaration, plain: Sequence[str] = ()) -> Iterator[str]:
    hooks = app.initialize_hooks or app.middlewares or app.exception_handlers or app.health_check
    if not hooks and not app.lifespan:
        return
    from animus_routes.describe.hooks import INITIALIZE, of_hooks, read_hook, told

    for hook in app.initialize_hooks:
        signature = read_hook(hook)
        meant = [*_of_meant(signature)]
        found = [*signature.problems, *(meant or _of_params(signature, INITIALIZE))]
        yield from told(app, "on_initialize", hook, found)
    yield from of_hooks(app, plain)


def _plain(registry: Registry) -> Iterator[str]:
    """The methods whose handlers are not async."""
    for name, registration in registry.handlers.items():
        if not registry.signature(registration).is_async:
            yield name


def _of_meant(signature: Signature) -> Iterator[str]:
    """Parameters without a hint whose names say what the author takes them for."""
    for place, field in enumerate(signature.fields):
        if field.hint is not NOTHING or field.has_default:
            continue
        if any(f"of parameter '{field.name}' cannot" in said for said in signature.problems):
            continue  # it has one, which cannot be resolved
        if field.name in BARE_CONTEXTS:
            yield unfilled(field.name, hinted=False)
        elif field.name in ("self", "cls") and place == 0:
            yield (
                f"it takes '{field.name}': handlers are plain functions; for the methods of an "
                "object, use app.include(obj)"
            )


def _of_kind(
    registration: Registration, signature: Signature, row: MethodRow | None
) -> Iterator[str]:
    streams = registration.items_as is not None or (row is not None and row.stream is not None)
    if signature.is_generator and signature.certain and not streams:
        from animus_routes.describe.advice import on_generator

        yield on_generator(row)
    elif row is not None and row.stream is not None and row.stream.ack is not None:
        for base in () if signature.is_generator else members(signature.returns):
            if base in (*SCALARS, list, tuple, set):
                yield f"returns {base.__name__}, but {row.name} is a stream: yield the items"
    yield from of_options(registration, row)
    if registration.concurrent and signature.is_async:
        yield "concurrent=True is for plain functions; async ones always run concurrently"


def _of_params(signature: Signature, row: MethodRow) -> Iterator[str]:
    """Do the parameters fit what is sent on the wire?"""
    if row.params is None:
        for field in signature.fields:
            known = field.has_default or field.wire_name in row.sent_beside
            if not known and not signature.whole:
                yield f"parameter '{field.name}' cannot be filled: {row.name} has no params"
        return
    wire = described_by(row.params)
    fields = wire_fields(wire)
    if signature.whole:
        hint = bare(signature.fields[0].hint)
        if _is_wire(hint) and hint.__name__ != wire.__name__:
            yield f"takes a {hint.__name__}, but the params are a {wire.__name__}"
        elif hint is NOTHING or is_open(hint):
            yield from _of_slip(signature.fields[0].name, fields)
        return
    for field in signature.fields:
        if field.wire_name in fields:
            yield from _of_field(field, fields[field.wire_name])
        elif field.wire_name not in row.sent_beside:
            from animus_routes.describe.advice import on_unknown_field

            yield from on_unknown_field(field, wire)


def _of_slip(name: str, fields: dict[str, Any]) -> Iterator[str]:
    """A name for the whole params that is a field's, but for a typing error."""
    if name in fields or name == "params":
        return
    from difflib import get_close_matches

    for near in get_close_matches(name, fields, n=1, cutoff=SLIP):
        yield f"parameter '{name}' would get the whole params; did you mean '{near}'?"


def _of_field(field: Parameter, hint: Any) -> Iterator[str]:
    """Is one parameter's hint of the JSON type on the wire? Only what is certain is reported."""
    written, sent = shown(hint), json_type(hint)
    for base in members(field.hint) if field.hint is not NOTHING else ():
        if _is_wire(base):
            if base.__name__ not in written and "Any" not in written:
                yield f"parameter '{field.name}' is a {base.__name__}, the wire's is {written}"
                return
        elif sent is not None and (is_object(base) or base in (*SCALARS, list)):
            is_kind = dict if is_object(base) else base
            if is_kind is not sent and not (is_kind is float and sent is int):
                yield f"parameter '{field.name}' is {base.__name__}, the wire's is {written}"
                return


def _of_result(signature: Signature, row: MethodRow) -> Iterator[str]:
    """Does the result hint fit what the wire needs?"""
    if signature.is_generator and row.stream is not None:
        yield from _of_items(signature, row.stream)
    if row.result is None or signature.is_generator or signature.returns is NOTHING:
        return
    wanted = row.result.rpartition(".")[2]
    allowed = {wanted, *(name.rpartition(".")[2] for name in row.returns)}
    for base in members(signature.returns):
        named = getattr(base, "__name__", str(base))
        if named not in allowed and (_is_wire(base) or base in (*SCALARS, list)):
            yield f"returns {named}, but the result is a {wanted}"


def _of_items(signature: Signature, stream: StreamRow) -> Iterator[str]:
    """Does what a generator yields fit? An author's own types are read when they come."""
    wanted = {name.rpartition(".")[2] for name in stream.items.values()}
    given = get_args(signature.returns) if signature.returns is not NOTHING else ()
    for base in members(given[0]) if given and wanted else ():
        if _is_wire(base) and base.__name__ not in wanted:
            yield f"yields {base.__name__}, but the items are {' or '.join(sorted(wanted))}"


def _is_wire(hint: Any) -> bool:
    """Is it a wire type itself? A subclass is the author's own."""
    return isinstance(hint, type) and is_generated(hint) and _own_module(hint)


def _own_module(hint: type) -> bool:
    return hint.__module__.startswith(("animus_routes.types.", "animus_routes.structs."))


def _undecodable(signature: Signature) -> Iterator[str]:
    """Hints that no decoder can be made for; wire types, scalars and words are known to be fine."""
    for field in signature.fields:
        base = bare(field.hint)
        if base in SCALARS or is_open(base) or base is NOTHING or _is_wire(base):
            continue
        origin, inside = get_origin(base), get_args(base)
        if origin is list and inside and inside[0] in SCALARS:
            continue
        if origin is Literal and all(type(word) is str for word in inside):
            continue
        from animus_routes.describe.undecodable import why_not

        yield from why_not(field)
