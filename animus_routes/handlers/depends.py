"""`Depends`: what a handler needs beside its params, made per request and cleaned up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
