"""What wraps calls: an app's middleware. Imported only by apps that have some."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from animus_routes.engine.exit import FORKED, end_child
from animus_routes.engine.program import working_directory
from animus_routes.engine.stderr import log
from animus_routes.handlers.signature import is_coroutine_function, location, name_of

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
        found: Any = None

        def call_next(inner: Context = ctx) -> Any:
            nonlocal found
            try:
                found = call(values, inner)
            except BaseException as error:
                if FORKED:
                    end_child(error)
                raise
            if FORKED:
                end_child()
            return found

        result = middleware(ctx, call_next)
        if result is None and found is not None:
            _say_forgotten(middleware)
        return result

    return inside


def _wrap_async(middleware: Callable[..., Any], call: Call) -> Call:
    """Any middleware around an async handler."""
    if not is_coroutine_function(middleware):
        from animus_routes.handlers.alongside import wrap_beside

        return wrap_beside(_watched(middleware), call)

    async def inside(values: Any, ctx: Context) -> Any:
        found: Any = None

        async def call_next(inner: Context = ctx) -> Any:
            nonlocal found
            try:
                found = await call(values, inner)
            except BaseException as error:
                if FORKED:
                    end_child(error)
                raise
            if FORKED:
                end_child()
            return found

        result = await middleware(ctx, call_next)
        if result is None and found is not None:
            _say_forgotten(middleware)
        return result

    return inside


def _watched(middleware: Callable[..., Any]) -> Callable[..., Any]:
    """A plain middleware that says so where it returns nothing of what it was given."""

    def watched(ctx: Context, call_next: Callable[..., Any]) -> Any:
        found: Any = None

        def remembered(*inner: Context) -> Any:
            nonlocal found
            found = call_next(*inner)
            return found

        result = middleware(ctx, remembered)
        if result is None and found is not None:
            _say_forgotten(middleware)
        return result

    return watched


_forgotten: list[Callable[..., Any]] = []  # told of already: a line for each call would be too many


def _say_forgotten(middleware: Callable[..., Any]) -> None:
    if not any(told is middleware for told in _forgotten):
        _forgotten.append(middleware)
        here = working_directory().rstrip(os.sep) + os.sep
        log(
            f"{location(middleware).removeprefix(here)}: the middleware '{name_of(middleware)}' "
            "returned None, though call_next gave something: write `return call_next(ctx)`"
        )
