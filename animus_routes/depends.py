"""`Depends`: what a handler needs beside its params, made per request and cleaned up after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from animus_routes.context import Context


class Depends:
    """Marks a parameter as the result of another function: `Annotated[Db, Depends(open_db)]`.

    Args:
        function: Called once per request, with its own `Context` and `Depends` parameters. A
            generator function's value is what it yields; the rest of it runs after the reply.
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


def resolve(marker: Depends, problems: list[str]) -> Dependency:
    """Read a dependency and everything it depends on; what is wrong goes to `problems`."""
    from animus_routes.signature import analyse

    name = getattr(marker.function, "__qualname__", repr(marker.function))
    if _chain and any(function is marker.function for function in _chain):
        problems.append(f"dependency '{name}' depends on itself")
        return Dependency(marker.function, name, False, False, [], {})
    _chain.append(marker.function)
    try:
        signature = analyse(marker.function)
    finally:
        _chain.pop()
    problems.extend(f"dependency '{name}': {problem}" for problem in signature.problems)
    problems.extend(
        f"dependency '{name}': parameter '{field.name}' is neither a Context nor a Depends"
        for field in signature.fields
        if not field.has_default
    )
    return Dependency(
        marker.function,
        name,
        signature.is_async or any(d.is_async for d in signature.dependencies.values()),
        signature.is_generator,
        signature.contexts,
        signature.dependencies,
    )


_chain: list[Callable[..., Any]] = []

Overrides = dict[Callable[..., Any], Callable[..., Any]]


def _overridden(dependency: Dependency, overrides: Overrides) -> Dependency:
    replacement = overrides.get(dependency.function)
    return dependency if replacement is None else resolve(Depends(replacement), [])


def make(dependency: Dependency, ctx: Context) -> Any:
    """The value of a sync dependency for this request, cached; cleaned up by `ctx.close`."""
    if dependency.function in ctx.made:
        return ctx.made[dependency.function]
    actual = _overridden(dependency, ctx.app.dependency_overrides)
    arguments = {name: make(inner, ctx) for name, inner in actual.dependencies.items()}
    arguments.update(dict.fromkeys(actual.contexts, ctx))
    value = actual.function(**arguments)
    if actual.is_generator:
        ctx.cleanups.append(value)
        value = next(value)
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
    if actual.is_generator:
        ctx.cleanups.append(value)
        value = await anext(value) if hasattr(value, "__anext__") else next(value)
    elif hasattr(value, "__await__"):
        value = await value
    ctx.made[dependency.function] = value
    return value
