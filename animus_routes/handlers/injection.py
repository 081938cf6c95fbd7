"""What a handler's dependencies give it: made per request, cleaned up after it.

Imported with the first call that has some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.engine.exit import FORKED, end_child
from animus_routes.handlers.scope import scope_of
from animus_routes.handlers.signature import NOTHING, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.handlers.context import Context
    from animus_routes.handlers.depends import Dependency

    Overrides = dict[Callable[..., Any], Callable[..., Any]]


def made(dependencies: dict[str, Dependency], ctx: Context) -> dict[str, Any]:
    """The values of sync dependencies by parameter name."""
    return {name: _make(dependency, ctx) for name, dependency in dependencies.items()}


async def made_async(dependencies: dict[str, Dependency], ctx: Context) -> dict[str, Any]:
    """As `made`, for async handlers: plain and async dependencies alike."""
    return {name: await _make_async(dependency, ctx) for name, dependency in dependencies.items()}


def _overridden(dependency: Dependency, overrides: Overrides) -> Dependency:
    """What stands in for a dependency, and for that in its turn; itself if nothing does."""
    chain = [dependency.function]
    while (replacement := overrides.get(chain[-1])) is not None and replacement not in chain:
        chain.append(replacement)
    if len(chain) == 1:
        return dependency
    problems: list[str] = []
    found = resolve(chain[-1], problems)
    if found.is_async and not dependency.is_async:
        problems.append(
            f"'{found.name}' is async, but '{dependency.name}', which it replaces, is not"
        )
    if _asks_for(found, chain):
        problems.append(f"'{found.name}' depends on '{dependency.name}', which it replaces")
    if problems:
        from animus_routes.errors import ConfigurationError

        raise ConfigurationError([f"dependency_overrides: {problem}" for problem in problems])
    return found


def _asks_for(dependency: Dependency, replaced: list[Callable[..., Any]]) -> bool:
    """Would making it come back to what is replaced?"""
    return any(
        inner.function in replaced or _asks_for(inner, replaced)
        for inner in dependency.dependencies.values()
    )


def _make(dependency: Dependency, ctx: Context) -> Any:
    """The value of a sync dependency for this request, cached; cleaned up after its reply."""
    known = scope_of(ctx).made
    if dependency.function in known:
        return known[dependency.function]
    actual = _overridden(dependency, ctx.app.dependency_overrides)
    arguments = made(actual.dependencies, ctx)
    arguments.update(dict.fromkeys(actual.contexts, ctx))
    value = actual.function(**arguments)
    if hasattr(value, "__await__") and not actual.certain:
        from animus_routes.handlers.wrappers import wait_for

        value = wait_for(value)
    generator = getattr(value, "gen", value)
    if actual.is_generator and hasattr(generator, "__next__"):
        value = _entered(generator, ctx, next(generator, NOTHING), actual)
    if FORKED:
        end_child()
    known[dependency.function] = value
    return value


async def _make_async(dependency: Dependency, ctx: Context) -> Any:
    """As `_make`, but awaits what has to be awaited."""
    known = scope_of(ctx).made
    if dependency.function in known:
        return known[dependency.function]
    actual = _overridden(dependency, ctx.app.dependency_overrides)
    arguments = await made_async(actual.dependencies, ctx)
    arguments.update(dict.fromkeys(actual.contexts, ctx))
    if actual.certain or actual.is_generator:
        value = actual.function(**arguments)
    else:
        from animus_routes.handlers.wrappers import beside

        value = await beside(actual.function, **arguments)
    if hasattr(value, "__await__"):
        value = await value
    if actual.is_generator and _is_generator(getattr(value, "gen", value)):
        # `gen` is where contextlib keeps the generator of a function that it decorates.
        generator = getattr(value, "gen", value)
        is_async = hasattr(generator, "__anext__")
        first = await anext(generator, NOTHING) if is_async else next(generator, NOTHING)
        value = _entered(generator, ctx, first, actual)
    if FORKED:
        end_child()
    known[dependency.function] = value
    return value


def _is_generator(value: Any) -> bool:
    return hasattr(value, "__next__") or hasattr(value, "__anext__")


def _entered(generator: Any, ctx: Context, first: Any, dependency: Dependency) -> Any:
    if first is NOTHING:
        raise RuntimeError(f"dependency '{dependency.name}' ended without yielding a value")
    scope_of(ctx).cleanups.append(generator)
    return first
