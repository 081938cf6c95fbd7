"""The start-up report: every problem of an app at once, each where it can be fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args, get_origin

from animus_routes.codecs import is_model
from animus_routes.roles import unknown
from animus_routes.routing import wire_type
from animus_routes.signature import NOTHING, Parameter, Signature

if TYPE_CHECKING:
    from animus_routes.app import App
    from animus_routes.roles import Method
    from animus_routes.routing import Registration, Registry

LIFECYCLE = {
    "initialize": "use @app.on_initialize",
    "initialized": "the framework takes it",
    "$/ping": "the framework answers it",
    "$/cancelRequest": "look at ctx.cancelled",
    "health/check": "use @app.health",
    "shutdown": "use lifespan=",
    "exit": "use lifespan=",
}
GENERATED = ("animus_routes.types.", "animus_routes.structs.")


def problems(app: App) -> list[str]:
    """What is wrong with an app, in the order an author would fix it."""
    return [*_of_app(app), *_of_methods(app), *_of_handlers(app)]


def _of_app(app: App) -> Iterator[str]:
    for field in ("name", "version", "description"):
        if not getattr(app, field):
            yield f"App({field}=...) is empty: hosts refuse a manifest without it"
    if any(role.subjects for role in app.roles):
        if not app.subject_kinds:
            yield "App(subject_kinds=[...]) is missing: hosts route by it, such as ['task']"
    elif app.subject_kinds:
        yield f"App(subject_kinds=...) has no meaning for kind '{app.kinds[0]}'"
    names = [name for role in app.roles for name in (row.name for row in role.methods)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two of the kinds {', '.join(app.kinds)} have the method '{name}'"


def _of_methods(app: App) -> Iterator[str]:
    registry = app.registry
    seen: dict[str, Registration] = {}
    for registration in app.registrations:
        name, where = registration.name, registration.where
        if name in seen:
            yield f"{where}: '{name}' is registered twice, first at {seen[name].where}"
        seen.setdefault(name, registration)
        if name in LIFECYCLE:
            yield f"{where}: '{name}' is not for handlers: {LIFECYCLE[name]}"
        elif not _known(registry, registration):
            yield f"{where}: {unknown('method', name, _names(registry))}"
        if registration.tool and not any(role.tools for role in registry.roles):
            yield f"{where}: tool '{name}': only a plugin of kind 'custom' has MCP tools"
    for role in registry.roles:
        for row in role.methods:
            if row.required and row.default is None and not registry.has(row.name):
                near = f'@app.method("{row.name}")'
                yield f"'{row.name}' is required for kind '{role.kind}': add {near}"


def _known(registry: Registry, registration: Registration) -> bool:
    return (
        registration.extra
        or registration.inbound
        or any(role.open for role in registry.roles)
        or registry.row(registration.name)[1] is not None
    )


def _names(registry: Registry) -> list[str]:
    return [name for row in registry.rows for name in (row, *registry.aliases(row))]


def _of_handlers(app: App) -> Iterator[str]:
    registry = app.registry
    async_only = [m for m in app.middlewares if _is_async(m)]
    for name, registration in registry.handlers.items():
        signature = registry.signature(registration)
        _, row = registry.row(name)
        found = [
            *signature.problems,
            *_of_kind(registration, signature, row),
            *(_of_params(signature, row) if row is not None else ()),
            *(_of_result(signature, row) if row is not None else ()),
        ]
        if async_only and not signature.is_async:
            found.append(
                f"the async middleware '{async_only[0].__qualname__}' cannot wrap a plain "
                "handler: write the middleware as a plain function"
            )
        for problem in found:
            yield f"{registration.where}: '{name}': {problem}"


def _is_async(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & 0x80)


def _of_kind(registration: Registration, signature: Signature, row: Method | None) -> Iterator[str]:
    streams = registration.notification is not None or (row is not None and row.stream is not None)
    if signature.is_generator and not streams:
        yield (
            "a generator needs somewhere for its items to go: "
            'name their notification with @app.method(..., notification="...")'
        )
    if registration.concurrent and signature.is_async:
        yield "concurrent=True is for plain functions; async ones always run concurrently"


def _of_params(signature: Signature, row: Method) -> Iterator[str]:
    """Do the parameters fit what the wire sends?"""
    if row.params is None:
        return
    wire = wire_type(row.params)
    fields: dict[str, Any] = wire.__annotations__
    if signature.whole:
        hint = signature.fields[0].hint
        if _is_generated(hint) and hint.__name__ != wire.__name__:
            yield f"takes a {hint.__name__}, but the params are a {wire.__name__}"
        return
    for field in signature.fields:
        if field.name not in fields:
            if not field.has_default:
                what = unknown("field", field.name, list(fields))
                yield f"{what}; the params are a {wire.__name__}"
        else:
            yield from _of_field(field, str(fields[field.name]), wire)


def _of_field(field: Parameter, written: str, wire: Any) -> Iterator[str]:
    """Is one parameter's hint of the JSON type the wire sends? Only what is certain is said."""
    hint = field.hint
    parts = [part for part in get_args(hint) if part is not type(None)]
    if len(parts) == 1 and type(None) in get_args(hint):
        hint = parts[0]
    base = get_origin(hint) or hint
    if _is_generated(base) and is_model(base):
        if base.__name__ not in written and "Any" not in written:
            yield f"parameter '{field.name}' is a {base.__name__}, the wire's is {written}"
        return
    sent = _json_type(written, wire)
    if sent is not None and base in JSON_TYPES and base is not sent:
        if not (base is float and sent is int):
            yield f"parameter '{field.name}' is {base.__name__}, the wire's is {written}"


JSON_TYPES = (str, int, float, bool, list, dict)


def _json_type(written: str, wire: Any) -> type | None:
    """The Python type of a field as the generated module writes it; None if it says too little."""
    name = written.partition("|")[0].partition("[")[0].strip()
    for base in JSON_TYPES:
        if name == base.__name__:
            return base
    import sys

    found = getattr(sys.modules[wire.__module__], name, None)
    if isinstance(found, type):
        return found if found in JSON_TYPES else dict
    return str if get_args(found) and isinstance(get_args(found)[0], str) else None


def _of_result(signature: Signature, row: Method) -> Iterator[str]:
    """Does the result hint fit what the wire wants?"""
    if row.result is None or signature.is_generator:
        return
    wanted = row.result.rpartition(".")[2]
    returns = signature.returns
    for part in get_args(returns) or (returns,):
        if part is NOTHING or part is type(None) or part.__class__ is str:
            continue
        base = get_origin(part) or part
        named = getattr(base, "__name__", "")
        if _is_generated(base) and named != wanted and get_origin(returns) is not list:
            yield f"returns a {named}, but the result is a {wanted}"
        elif base in (str, int, float) and get_origin(returns) is not dict:
            yield f"returns {named}, but the result is a {wanted}"


def _is_generated(hint: Any) -> bool:
    return str(getattr(hint, "__module__", "")).startswith(GENERATED)


__all__ = ["problems"]
