"""`Depends`: what a handler needs besides its params, made per request and cleaned up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
