"""What wraps calls: an app's middleware. Imported only by apps that have some."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import FORKED, end_child
from animus_routes.engine.program import working_directory
from animus_routes.engine.stderr import log
from animus_routes.errors import Mistake
from animus_routes.handlers.signature import is_coroutine_function, location, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.handlers.context import Context

    Call = Callable[[Any, Context], Any]

NEXT: Final = "call_next(ctx)"


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
        begun: list[Any] = []

        def call_next(inner: Context = ctx) -> Any:
            begun.append(go_on(inner))
            return begun[-1]

        async def go_on(inner: Context) -> Any:
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
        if result is None or hasattr(result, "__await__"):
            _say_unawaited(middleware, begun, result)
        if result is None and found is not None:
            _say_forgotten(middleware)
        return result

    return inside


def _say_unawaited(middleware: Callable[..., Any], begun: list[Any], result: Any) -> None:
    """Refuse what an async middleware has called and not awaited.

    Raises:
        Mistake: It returned a coroutine, or left that of `call_next` where it was.
    """
    did = ""
    for call in begun:
        if call.cr_frame is not None and not (call.cr_running or call.cr_suspended):
            call.close()  # or Python complains about it in words of its own
            did = f"called {NEXT} without `await`: write `return await {NEXT}`"
    if result is not None and not did:
        name = str(getattr(result, "__name__", type(result).__name__))
        did = f"returned a call of the async function '{name}' without `await`"
        if hasattr(result, "close"):
            result.close()
    if did:
        said = f"the middleware '{name_of(middleware)}' {did}"
        raise Mistake(said).at(_where(middleware))


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


def _where(middleware: Callable[..., Any]) -> str:
    """`file:line`, the file from the working directory."""
    return location(middleware).removeprefix(working_directory().rstrip(os.sep) + os.sep)


_forgotten: list[Callable[..., Any]] = []  # told of already: a line for each call would be too many


def _say_forgotten(middleware: Callable[..., Any]) -> None:
    if not any(told is middleware for told in _forgotten):
        _forgotten.append(middleware)
        awaits = "await " if is_coroutine_function(middleware) else ""
        log(
            f"{_where(middleware)}: the middleware '{name_of(middleware)}' returned None, though "
            f"call_next gave something: write `return {awaits}{NEXT}`"
        )


def forgetful(middlewares: Sequence[Callable[..., Any]]) -> str:
    """The place of a middleware that has returned None: what lacks is no handler's fault then."""
    found = [one for one in _forgotten if one in middlewares]
    return f"{_where(found[0])}: {name_of(found[0])}" if found else ""
