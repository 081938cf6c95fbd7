"""A signature compiled into the two functions of the call path: decode params, call the handler.

Imported with the first domain request, not before: the handshake does not need it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import NODEFAULT, Raw

from animus_routes import codecs
from animus_routes.signature import NOTHING, Parameter, Signature

if TYPE_CHECKING:
    from animus_routes.context import Context
    from animus_routes.roles import Method

Middlewares = list[Callable[..., Any]]


def params_decoder(
    signature: Signature, row: Method | None, kind: str | None
) -> Callable[[Raw], Any]:
    """From the bytes of `params` to what `caller`'s function takes."""
    decode = _decoder(signature)
    adapt = row.adapt_params if row is not None else None
    if adapt is None:
        return decode
    return lambda raw: decode(Raw(codecs.encode(adapt(codecs.plain(raw), kind))))


def _decoder(signature: Signature) -> Callable[[Raw], Any]:
    fields = signature.fields
    if not fields:
        return lambda _raw: None
    if signature.whole:
        hint = fields[0].hint
        open_object = hint is NOTHING or hint is Any or hint is dict
        return codecs.plain if open_object else codecs.decoder(hint)
    return codecs.fields_decoder([(f.name, _hint(f), _default(f)) for f in fields])


def _default(field: Parameter) -> Any:
    return field.default if field.has_default else NODEFAULT


def _hint(field: Parameter) -> Any:
    return Any if field.hint is NOTHING else field.hint


def caller(signature: Signature, middlewares: Middlewares) -> Callable[..., Any]:
    """From decoded params (and a context, if the call needs one) to the handler's result."""
    if not signature.contextual and not middlewares:
        return _direct(signature)
    bind = _binder(signature)
    if not signature.is_async:
        call: Callable[..., Any] = lambda values, ctx: _call(signature, bind, values, ctx)  # noqa: E731
        for middleware in reversed(middlewares):
            call = _wrap(middleware, call)
        return call

    async def call_async(values: Any, ctx: Context) -> Any:
        found = _invoke(signature, await _arguments_async(signature, bind, values, ctx))
        return found if signature.is_generator else await found

    call = call_async
    for middleware in reversed(middlewares):
        call = _wrap_async(middleware, call)
    return call


def _direct(signature: Signature) -> Callable[..., Any]:
    function, fields = signature.function, signature.fields
    if not fields:
        return lambda _values: function()
    if len(fields) == 1 and not fields[0].keyword_only:
        return function
    if not any(field.keyword_only for field in fields):
        return lambda values: function(*values)
    bind = _binder(signature)
    return lambda values: function(**bind(values))


def _binder(signature: Signature) -> Callable[[Any], dict[str, Any]]:
    """Decoded values by parameter name."""
    names = [field.name for field in signature.fields]
    if not names:
        return lambda _values: {}
    if len(names) == 1:
        return lambda value: {names[0]: value}
    return lambda values: dict(zip(names, values, strict=True))


def _call(
    signature: Signature, bind: Callable[[Any], dict[str, Any]], values: Any, ctx: Context
) -> Any:
    from animus_routes.depends import make

    arguments = bind(values)
    for name in signature.contexts:
        arguments[name] = ctx
    for name, dependency in signature.dependencies.items():
        arguments[name] = make(dependency, ctx)
    return _invoke(signature, arguments)


def _invoke(signature: Signature, arguments: dict[str, Any]) -> Any:
    positional = [arguments.pop(p.name) for p in signature.parameters if p.positional_only]
    return signature.function(*positional, **arguments)


async def _arguments_async(
    signature: Signature, bind: Callable[[Any], dict[str, Any]], values: Any, ctx: Context
) -> dict[str, Any]:
    from animus_routes.depends import make_async

    arguments = bind(values)
    for name in signature.contexts:
        arguments[name] = ctx
    for name, dependency in signature.dependencies.items():
        arguments[name] = await make_async(dependency, ctx)
    return arguments


def _wrap(middleware: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """A plain middleware around a plain handler."""

    def wrapped(values: Any, ctx: Context) -> Any:
        return middleware(ctx, lambda inner=ctx: call(values, inner))

    return wrapped


def _wrap_async(middleware: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """Any middleware around an async handler; a plain one runs beside the loop."""
    code = getattr(middleware, "__code__", None)
    if code is not None and code.co_flags & 0x80:

        async def wrapped(values: Any, ctx: Context) -> Any:
            return await middleware(ctx, lambda inner=ctx: call(values, inner))

        return wrapped

    async def wrapped_plain(values: Any, ctx: Context) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()

        def call_next(inner: Context = ctx) -> Any:
            return asyncio.run_coroutine_threadsafe(call(values, inner), loop).result()

        return await asyncio.to_thread(middleware, ctx, call_next)

    return wrapped_plain
