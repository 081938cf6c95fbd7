"""Context variables on their way between the threads and tasks that run one request."""

from __future__ import annotations

from _contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _contextvars import Context

NOT_SET: Final[Any] = object()


def adopt(variables: Context) -> None:
    """Have here what has been set there; two threads cannot be in one context at once."""
    here = copy_context()
    for variable, value in variables.items():
        if here.get(variable, NOT_SET) is not value:
            variable.set(value)
