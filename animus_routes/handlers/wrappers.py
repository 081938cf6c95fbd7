"""Handlers behind a plain decorator, of which only a call tells what they give.

Imported only for such handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

NO_LOOP = "no running event loop"


def settled(call: Callable[..., Any]) -> Callable[..., Any]:
    """A plain call around something async, as an async one.

    A decorator that runs a coroutine to its end must not do that on the event loop, so it is
    called on a thread beside it. Once it has passed something on to be awaited, it is called on
    the loop, which is faster; so is one that asks for the running loop.
    """
    passes_on = False

    async def call_settled(*arguments: Any) -> Any:
        nonlocal passes_on
        if passes_on:
            found = call(*arguments)
        else:
            found = await beside(call, *arguments)
            passes_on = hasattr(found, "__await__") or hasattr(found, "__anext__")
        return await found if hasattr(found, "__await__") else found

    return call_settled


async def beside(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a plain function gives, which may be something to await."""
    from animus_routes.handlers.alongside import on_thread

    try:
        return await on_thread(lambda: function(*arguments, **named))
    except RuntimeError as error:
        if str(error) != NO_LOOP:
            raise
        return function(*arguments, **named)


def finished(call: Callable[..., Any]) -> Callable[..., Any]:
    """A plain call that waits for what it gives, if that is to be awaited."""

    def call_finished(*arguments: Any) -> Any:
        found = call(*arguments)
        return wait_for(found) if hasattr(found, "__await__") else found

    return call_finished


def wait_for(awaitable: Any) -> Any:
    """The result of something to await, on a thread without an event loop."""
    import asyncio
    from _contextvars import Context, copy_context

    from animus_routes.handlers.variables import adopt

    left: list[Context] = []

    async def wait() -> Any:
        try:
            return await awaitable
        finally:
            left.append(copy_context())

    try:
        return asyncio.run(wait())
    finally:
        for variables in left:  # what was set in there is seen out here, too
            adopt(variables)
