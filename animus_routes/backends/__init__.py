"""What a backend's methods have to look like, for type checkers: a Protocol per plugin kind.

`structs` has them with msgspec Structs, `types` with pydantic models:

    backend: SubjectBackend = Tasks()
    app.include(backend)

Nothing that serves loads this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from animus_routes.handlers.context import Context

    Params = TypeVar("Params")
    Result = TypeVar("Result")

    Answer: TypeAlias = Result | Awaitable[Result]
    """What a plain or an async method returns."""

    Bare: TypeAlias = Callable[[], Answer[Result]] | Callable[[Context[Any]], Answer[Result]]
    """A method that takes no params."""

    Served: TypeAlias = (
        Bare[Result]
        | Callable[[Params], Answer[Result]]
        | Callable[[Params, Context[Any]], Answer[Result]]
        | Callable[[dict[str, Any]], Answer[Result]]
        | Callable[[dict[str, Any], Context[Any]], Answer[Result]]
    )
    """A method that takes the whole params, typed or as a plain dict."""
