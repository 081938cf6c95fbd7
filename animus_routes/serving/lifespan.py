"""The lifespan: entered once during the handshake, left once at the end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from animus_routes.engine.exit import ASYNC_EXIT_S
from animus_routes.handlers.signature import analyse, name_of

if TYPE_CHECKING:
    from _contextvars import Context as Variables
    from collections.abc import Callable

    from animus_routes.handlers.context import Context
    from animus_routes.routing.declaration import Declaration


def enter(
    app: Declaration, ctx: Context, run: Callable[..., Any], variables: Variables
) -> tuple[Any, Callable[[], object] | None]:
    """Enter the app's lifespan.

    Args:
        app: Its `lifespan` is a generator function, an async one, or a function that returns a
            context manager of either sort. It may take the app, or a `Context`.
        ctx: The context of the handshake.
        run: Runs a coroutine in the one task that enters and leaves.
        variables: The context variables that it runs with, and that stay as it leaves them.

    Returns:
        What it yielded, and a function that leaves it.

    Raises:
        TypeError: It cannot be entered.
    """
    if not app.lifespan:
        return None, None
    signature = analyse(app.lifespan)
    arguments: dict[str, Any] = dict.fromkeys(signature.contexts, ctx)
    # Of dependencies, a lifespan is given the settings alone: the report refuses others.
    given = signature.dependencies.items()
    arguments.update((name, dependency.function(ctx)) for name, dependency in given)
    arguments.update((f.name, app) for f in signature.fields if not f.has_default)
    here = variables.run
    entered = here(partial(app.lifespan, **arguments))
    if hasattr(entered, "__aenter__"):

        def leave() -> None:
            run(entered.__aexit__(None, None, None), ASYNC_EXIT_S)

        return run(entered.__aenter__()), leave
    if hasattr(entered, "__enter__"):
        return here(entered.__enter__), partial(here, entered.__exit__, None, None, None)
    if hasattr(entered, "__anext__"):
        return run(_first(entered)), lambda: run(_last(entered), ASYNC_EXIT_S)
    if hasattr(entered, "__next__"):
        return here(next, entered), partial(here, next, entered, None)
    if hasattr(entered, "close"):
        entered.close()  # a coroutine, which would complain that nobody awaited it
    from animus_routes.describe.hooks import (
        NO_YIELD,  # the report does not see it in every lifespan
    )

    raise TypeError(f"the lifespan '{name_of(app.lifespan)}' {NO_YIELD}")


async def _first(entered: Any) -> Any:
    return await anext(entered)


async def _last(entered: Any) -> None:
    await anext(entered, None)
