"""What wraps calls: an app's middleware. Imported only by apps that have some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.engine.forked import FORKED, end_child
from animus_routes.handlers.signature import is_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.handlers.context import Context

    Call = Callable[[Any, Context], Any]


def wrapped(call: Call, middlewares: Sequence[Callable[..., Any]], *, is_async: bool) -> Call:
    """A call with every middleware around it, the first one outermost."""
    wrap = _wrap_async if is_async else _wrap
    for middleware in reversed(middlewares):
        call = wrap(middleware, call)
    return call


def _wrap(middleware: Callable[..., Any], call: Call) -> Call:
    """A plain middleware around a plain handler."""

    def inside(values: Any, ctx: Context) -> Any:
        def call_next(inner: Context = ctx) -> Any:
            try:
                found = call(values, inner)
            except BaseException as error:
                if FORKED:
                    end_child(error)
                raise
            if FORKED:
                end_child()
            return found

        return middleware(ctx, call_next)

    return inside


def _wrap_async(middleware: Callable[..., Any], call: Call) -> Call:
    """Any middleware around an async handler."""
    if not is_coroutine_function(middleware):
        from animus_routes.handlers.alongside import wrap_beside

        return wrap_beside(middleware, call)

    async def inside(values: Any, ctx: Context) -> Any:
        async def call_next(inner: Context = ctx) -> Any:
            try:
                found = await call(values, inner)
            except BaseException as error:
                if FORKED:
                    end_child(error)
                raise
            if FORKED:
                end_child()
            return found

        return await middleware(ctx, call_next)

    return inside
