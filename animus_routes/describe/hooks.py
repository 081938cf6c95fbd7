"""What is wrong with functions around the handlers: can they be called with what they get?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.handlers.signature import analyse, location, name_of, parameters_of
from animus_routes.roles import MethodRow
from animus_routes.values.hints import described_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.handlers.signature import Parameter, Signature

INITIALIZE: Final = MethodRow("initialize", params="plugin.InitializeParams")


def read_hook(hook: Callable[..., Any]) -> Signature:
    """A hook of the handshake, read against the params of `initialize` if it takes any."""
    signature = analyse(hook)
    if not signature.fields or INITIALIZE.params is None:
        return signature
    return analyse(hook, described_by(INITIALIZE.params))


def of_call(decorator: str, function: Any, given: str) -> Iterator[str]:
    """Is a function written for the positional arguments that it will be called with?

    Args:
        decorator: What registered it, such as `middleware`.
        function: The author's.
        given: The arguments by the names that docs give them, such as `ctx, call_next`.
    """
    found = parameters_of(function)
    if not callable(function):
        yield f"@app.{decorator}: {function!r} is not a function"
    if found is None:
        return
    parameters, more = found
    count = given.count(",") + 1
    places = [parameter for parameter in parameters if not parameter.by_keyword]
    needed = [parameter for parameter in parameters if not parameter.has_default]
    too_few = len(places) < count and not more
    if too_few or any(parameter not in places[:count] for parameter in needed):
        name = name_of(function)
        yield (
            f"{location(function)}: @app.{decorator} '{name}' is called with ({given}), "
            f"but takes ({_written(parameters, more=more)})"
        )


def of_health(check: Callable[..., Any]) -> Iterator[str]:
    """A health check has no params: everything without a default is injected."""
    signature = analyse(check)
    yield from signature.problems
    for field in signature.fields:
        if not field.has_default:
            yield (
                f"parameter '{field.name}' is neither a Context nor a Depends, "
                "and health/check has no params"
            )


def _written(parameters: list[Parameter], *, more: bool) -> str:
    """Parameters as the author wrote them, defaults and hints aside."""
    words = [parameter.name for parameter in parameters if not parameter.keyword_only]
    named = [parameter.name for parameter in parameters if parameter.keyword_only]
    star = ["*args"] if more else ["*"] if named else []
    return ", ".join([*words, *star, *named])
