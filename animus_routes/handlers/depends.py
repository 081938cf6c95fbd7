"""`Depends`: what a handler needs besides its params, made per request and cleaned up after it."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from animus_routes.values.hints import extras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BARE_CONTEXTS: Final = frozenset({"ctx", "context"})  # what an unhinted context is usually called


SETTINGS: Final = "<settings>"  # the name of the dependency that an app's settings are


def unfilled(name: str, *, hinted: bool) -> str:
    """What is said of a parameter that gets nothing, because it has no params to be filled from."""
    if name in BARE_CONTEXTS and not hinted:
        return f"parameter '{name}' has no hint: write `{name}: Context`"
    return f"parameter '{name}' is neither a Context nor a Depends"


class Dependency(Struct):
    """A dependency's function, read once."""

    function: Callable[..., Any]
    name: str
    is_async: bool = False
    is_generator: bool = False
    contexts: list[str] = []
    dependencies: dict[str, Dependency] = {}
    certain: bool = True


# What gives parameters something because of their hint's class; each says what, or None.
TAKERS: Final[list[Callable[[Any], Dependency | None]]] = []


def taken(hint: Any) -> Dependency | None:
    """What a parameter with this hint is given without a `Depends`."""
    return next((found for take in TAKERS if (found := take(hint)) is not None), None)


class Depends:
    """Marks a parameter as the result of another function: `Annotated[Db, Depends(open_db)]`.

    Args:
        function: Called once per request, with its own `Context` and `Depends` parameters. The
            value of a generator function is what it yields; the rest of it runs after the reply.
            If the handler raised an exception, the generator sees it at the `yield`.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def misused(self, beside: Sequence[object] = ()) -> str | None:
        """What is wrong with what it was given, or with what else stands in its hint."""
        given: object = self.function
        if sum(isinstance(other, Depends) for other in beside) > 1:
            return "there are several Depends(...) in its hint, and it can be given by one alone"
        if callable(given):
            return None
        kind = type(given).__name__
        if hasattr(given, "close") and (hasattr(given, "__await__") or hasattr(given, "__next__")):
            given.close()  # type: ignore[attr-defined]  # nobody is going to run it
        return (
            f"Depends(...) was given a {kind}, not a function: write Depends(f), not Depends(f())"
        )


def misplaced(parameter: str, default: object, hint: Any) -> Iterator[str]:
    """Markers that other frameworks accept as defaults, and what was meant as one, in the hint."""
    kind = type(default)
    if kind is Depends or kind.__module__ == "pydantic.fields":
        name = kind.__name__.removesuffix("Info")
        yield (
            f"the default of parameter '{parameter}' is a {name}(...): "
            f"write `{parameter}: Annotated[..., {name}(...)]`"
        )
    for extra in extras(hint):
        if extra is Depends:
            yield f"parameter '{parameter}': Depends in its hint is given no function: write Depends(f)"
        elif isinstance(extra, FunctionType):
            yield (
                f"parameter '{parameter}': the function '{extra.__name__}' in its hint has no "
                f"meaning there: write Depends({extra.__name__})"
            )
