"""A call that is measured, and how its params are made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = Callable[[str, Any], Any]
Params = Callable[[int], Any]


@dataclass(frozen=True)
class After:
    """The params of a call that goes on with what other calls have begun, which it makes first."""

    asked: Callable[[Call, int], Any]


@dataclass(frozen=True)
class Case:
    """A call; `params` makes its params from the number of the call, for one store of one size."""

    example: str
    title: str
    method: str
    params: Params | After

    def asked(self, call: Call, number: int) -> Any:
        """The params of the call with this number, for which others may have to be made before."""
        if isinstance(self.params, After):
            return self.params.asked(call, number)
        return self.params(number)


def same(**params: Any) -> Params:
    return lambda _: params


Row = tuple[str, str, Params | After]
