"""What is wrong with functions around the handlers: can they be called with what they get?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_origin

from animus_routes.handlers.depends import BARE_CONTEXTS, SETTINGS, unfilled
from animus_routes.handlers.signature import (
    ASYNC_GENERATOR,
    COROUTINE,
    GENERATOR,
    NOT_PYTHON,
    NOTHING,
    analyse,
    is_coroutine_function,
    location,
    name_of,
    outer_code,
    parameters_of,
)
from animus_routes.roles import MethodRow
from animus_routes.routing.router import Router
from animus_routes.values.hints import bare, described_by, is_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType

    from animus_routes.handlers.signature import Parameter, Signature
    from animus_routes.routing.declaration import Declaration

INITIALIZE: Final = MethodRow("initialize", params="plugin.InitializeParams", actor="")
NO_YIELD: Final = (
    "has no `yield`: the code before it runs at the start, the code after it at the end"
)
GENERATORS: Final = {
    "on_initialize": "it is a generator, which would never run: write a plain function, or lifespan=",
    "middleware": "it is a generator: write a plain function that returns call_next(ctx)",
    "exception_handler": "it is a generator: write a plain function that returns the answer",
    "health": "it is a generator: write a plain function that returns the health",
}
SCALARS: Final = (str, bytes, int, float, bool, type(None))


def read_hook(hook: Callable[..., Any]) -> Signature:
    """A hook of the handshake, read against the params of `initialize` if it takes any."""
    signature = analyse(hook)
    if not signature.fields or INITIALIZE.params is None:
        return signature
    return analyse(hook, described_by(INITIALIZE.params))


def told(app: Declaration, used: str, function: Any, found: Sequence[str]) -> Iterator[str]:
    """The lines on one hook: that it is no function for its decorator, or else what was found.

    Args:
        app: Knows the place.
        used: The decorator as written, such as `exception_handler(KeyError)`.
        function: The author's.
        found: What is wrong with its parameters.
    """
    wrong = [*_of_sort(used.partition("(")[0], function)] or found
    item = app.item_of(function)
    place = item.where or location(function)
    named = f" '{name_of(function)}'" if callable(function) else ""
    for problem in wrong:
        yield f"{place}: @{item.called}.{used}{named}: {problem}"


def _of_sort(decorator: str, function: Any) -> Iterator[str]:
    name = name_of(function)
    code = outer_code(function)
    if not callable(function):
        yield f"{function!r} is not a function"
    elif isinstance(function, type) and decorator != "on_initialize":
        makes_functions = any("__call__" in vars(base) for base in function.__mro__)
        yield (
            f"it is a class: give an instance, {name}()"
            if makes_functions
            else ("it is a class, not a function")
        )
    elif parameters_of(function) is None:
        yield NOT_PYTHON
    elif code is not None and code.co_flags & (GENERATOR | ASYNC_GENERATOR):
        yield GENERATORS[decorator]


def of_hooks(app: Declaration, plain: Sequence[str]) -> Iterator[str]:
    """What is wrong with an app's hooks, those of the handshake aside.

    Args:
        app: The app.
        plain: Its methods whose handlers are not async.
    """
    if app.health_check is not None:
        yield from told(app, "health", app.health_check, [*_of_health(app.health_check)])
    for middleware in app.middlewares:
        found = [*_of_call(middleware, "ctx, call_next")]
        yield from told(app, "middleware", middleware, found)
        if plain and is_coroutine_function(middleware):
            yield (
                f"{location(middleware)}: the async middleware '{name_of(middleware)}' cannot wrap "
                f"a plain handler, such as that of '{plain[0]}': write the middleware as a plain "
                "function"
            )
    for error, handler in app.exception_handlers.items():
        what = f"exception_handler({error.__name__})"
        if is_coroutine_function(handler):
            yield (
                f"{location(handler)}: @{app.item_of(handler).called}.{what}: write it as a "
                "plain function; it turns an exception into an answer and has nothing to await"
            )
        else:
            yield from told(app, what, handler, [*_of_call(handler, "ctx, error")])
    if app.lifespan and callable(app.lifespan):
        for problem in _of_lifespan(app.lifespan):
            place = location(app.lifespan) or app.where
            yield f"{place}: the lifespan '{name_of(app.lifespan)}' {problem}"


def _of_call(function: Any, given: str) -> Iterator[str]:
    """Is a function written for the positional arguments that it will be called with?

    Args:
        function: The author's.
        given: The arguments by the names that docs give them, such as `ctx, call_next`.
    """
    found = parameters_of(function)
    if found is None:
        return
    parameters, more = found
    count = given.count(",") + 1
    places = [parameter for parameter in parameters if not parameter.by_keyword]
    needed = [parameter for parameter in parameters if not parameter.has_default]
    too_few = len(places) < count and not more
    if too_few or any(parameter not in places[:count] for parameter in needed):
        yield f"it is called with ({given}), but takes ({_written(parameters, more=more)})"


def _of_health(check: Callable[..., Any]) -> Iterator[str]:
    """A health check has no params: everything without a default is injected."""
    signature = analyse(check)
    yield from signature.problems
    for field in signature.fields:
        if not field.has_default:
            said = unfilled(field.name, hinted=field.hint is not NOTHING)
            yield said if "write" in said else f"{said}, and health/check has no params"


def _of_lifespan(lifespan: Any) -> Iterator[str]:
    """It is given the app, for one parameter, and a `Context` for those with that hint."""
    signature = analyse(lifespan)
    needed = [field for field in signature.fields if not field.has_default]
    apps = [field for field in needed if _is_app(field.hint)]
    rest = [field for field in needed if field not in apps]
    fits = len(needed) == 1 and not any(_is_value(field.hint) for field in rest)
    for field in rest:
        if field.hint is NOTHING and field.name in BARE_CONTEXTS:
            yield f"gets the app for its parameter '{field.name}': write `{field.name}: Context`"
        elif not fits:
            yield f"has a parameter '{field.name}' that nothing fills: it gets the app or a Context"
    for name, dependency in signature.dependencies.items():
        if dependency.name == SETTINGS:
            continue
        yield f"has a parameter '{name}' that nothing fills: Depends is for handlers and hooks"
    if _makes_nothing(lifespan, signature.returns):
        yield NO_YIELD


def _is_app(hint: Any) -> bool:
    hint = bare(hint)
    return isinstance(hint, type) and issubclass(hint, Router)


def _is_value(hint: Any) -> bool:
    """Is it a hint that the app is certainly not an instance of?"""
    hint = bare(hint)
    return is_model(hint) or (get_origin(hint) or hint) in (*SCALARS, list, dict)


def _makes_nothing(lifespan: Any, returns: Any) -> bool:
    """Is it certain that a call makes neither a generator nor a context manager?"""
    code = outer_code(lifespan)
    if code is None or code.co_flags & (GENERATOR | ASYNC_GENERATOR):
        return False
    if code.co_flags & COROUTINE:
        return True
    if getattr(lifespan, "__wrapped__", None) is None and returns in SCALARS:
        return True
    return _returns_constants(code)


def _returns_constants(code: CodeType) -> bool:
    """Does every `return` of it give None, or something else that stands in the text?"""
    from dis import get_instructions  # loaded for a lifespan that is no generator alone

    before = ""
    for step in get_instructions(code):
        if step.opname == "RETURN_VALUE" and before != "LOAD_CONST":
            return False
        before = step.opname
    return True


def _written(parameters: list[Parameter], *, more: bool) -> str:
    """Parameters as the author wrote them, defaults and hints aside."""
    words = [parameter.name for parameter in parameters if not parameter.keyword_only]
    named = [parameter.name for parameter in parameters if parameter.keyword_only]
    star = ["*args"] if more else ["*"] if named else []
    return ", ".join([*words, *star, *named])
