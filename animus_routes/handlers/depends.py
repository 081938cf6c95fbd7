"""`Depends`: what a handler needs beside its params, made per request and cleaned up after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from animus_routes.handlers.context import Context


class Depends:
    """Marks a parameter as the result of another function: `Annotated[Db, Depends(open_db)]`.

    Args:
        function: Called once per request, with its own `Context` and `Depends` parameters. A
            generator function's value is what it yields; the rest of it runs after the reply, and
            sees the handler's exception at the `yield` if there was one.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


class Dependency(Struct):
    """A dependency's function, read once."""

    function: Callable[..., Any]
    name: str
    is_async: bool
    is_generator: bool
    contexts: list[str]
    dependencies: dict[str, Dependency]


Overrides = dict[Callable[..., Any], Callable[..., Any]]

NOTHING: Final = object()

_chain: list[Callable[..., Any]] = []


def resolve(marker: Depends, problems: list[str]) -> Dependency:
    """Read a dependency and everything it depends on; what is wrong goes to `problems`."""
    from animus_routes.handlers.signature import NOT_PYTHON, analyse, name_of

    function = marker.function
    name = name_of(function)
    if any(other is function for other in _chain):
        problems.append(f"dependency '{name}' depends on itself")
        return _broken(function, name)
    _chain.append(function)
    try:
        signature = analyse(function)
    finally:
        _chain.pop()
    problems.extend(
        f"dependency '{name}': {problem}" for problem in signature.problems if problem != NOT_PYTHON
    )
    problems.extend(
        f"dependency '{name}': parameter '{field.name}' is neither a Context nor a Depends"
        for field in signature.fields
        if not field.has_default
    )
    is_async = signature.is_async or any(d.is_async for d in signature.dependencies.values())
    return Dependency(
        function,
        name,
        is_async,
        signature.is_generator,
        signature.contexts,
        signature.dependencies,
    )


def _broken(function: Any, name: str) -> Dependency:
    return Dependency(function, name, False, False, [], {})


def _overridden(dependency: Dependency, overrides: Overrides) -> Dependency:
    replacement = overrides.get(dependency.function)
    if replacement is None:
        return dependency
    problems: list[str] = []
    found = resolve(Depends(replacement), problems)
    if found.is_async and not dependency.is_async:
        problems.append(f"'{found.name}' is async, '{dependency.name}' that it replaces is not")
    if problems:
        from animus_routes.errors import ConfigurationError

        raise ConfigurationError([f"dependency_overrides: {problem}" for problem in problems])
    return found


def make(dependency: Dependency, ctx: Context) -> Any:
    """The value of a sync dependency for this request, cached; cleaned up by `ctx.close`."""
    if dependency.function in ctx.made:
        return ctx.made[dependency.function]
    actual = _overridden(dependency, ctx.app.dependency_overrides)
    arguments = {name: make(inner, ctx) for name, inner in actual.dependencies.items()}
    arguments.update(dict.fromkeys(actual.contexts, ctx))
    value = actual.function(**arguments)
    if actual.is_generator:
        generator = getattr(value, "gen", value)
        value = _entered(generator, ctx, next(generator, NOTHING), actual)
    ctx.made[dependency.function] = value
    return value


async def make_async(dependency: Dependency, ctx: Context) -> Any:
    """As `make`, for async handlers: plain and async dependencies alike."""
    if dependency.function in ctx.made:
        return ctx.made[dependency.function]
    actual = _overridden(dependency, ctx.app.dependency_overrides)
    arguments = {name: await make_async(d, ctx) for name, d in actual.dependencies.items()}
    arguments.update(dict.fromkeys(actual.contexts, ctx))
    value = actual.function(**arguments)
    if hasattr(value, "__await__"):
        value = await value
    if actual.is_generator:
        # `gen` is where contextlib keeps the generator of a function that it decorates.
        generator = getattr(value, "gen", value)
        is_async = hasattr(generator, "__anext__")
        first = await anext(generator, NOTHING) if is_async else next(generator, NOTHING)
        value = _entered(generator, ctx, first, actual)
    ctx.made[dependency.function] = value
    return value


def _entered(generator: Any, ctx: Context, first: Any, dependency: Dependency) -> Any:
    if first is NOTHING:
        raise RuntimeError(f"dependency '{dependency.name}' ended without a yield")
    ctx.cleanups.append(generator)
    return first
