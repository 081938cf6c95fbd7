"""Places in a frame, as a command line names them: `result.subjects.*.created_at`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Place = tuple[str, ...]

ANY: Final = "*"  # one key, or one item of a list
ANYWHERE: Final = "**"  # any number of them
ROOTS: Final = ("params", "result", "error", "id", "method", "jsonrpc", ANY, ANYWHERE)


class Paths:
    """Some places in frames.

    Args:
        texts: Keys from the frame's root with dots between them. `*` stands for any key or item,
            `**` for any number of them; the items of a list are 0, 1 ...

    Raises:
        ValueError: One of them is none.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(texts)
        self._patterns = [_parsed(text) for text in self.texts]
        self._match = lru_cache(maxsize=4096)(self._matched)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, place: Place) -> bool:
        """Is this one of the places? Items of lists are named by their number."""
        return bool(self._patterns) and self._match(place)

    def _matched(self, place: Place) -> bool:
        return any(_matches(pattern, place) for pattern in self._patterns)

    def replaced(self, value: Any, change: Callable[[Any], Any], at: Place = ()) -> Any:
        """A value with something else at these places."""
        if self.match(at):
            return change(value)
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value).items()
            return {key: self.replaced(inside, change, (*at, key)) for key, inside in found}
        if isinstance(value, list):
            items = enumerate(cast("list[object]", value))
            return [self.replaced(inside, change, (*at, str(n))) for n, inside in items]
        return value


def _parsed(text: str) -> Place:
    pattern = tuple(text.split("."))
    if not all(pattern) or pattern[0] not in ROOTS:
        raise ValueError(
            f"{text!r} names no place in a frame: write params.KEY, result.KEY or **.KEY"
        )
    return pattern


def _matches(pattern: Place, place: Place) -> bool:
    if not pattern:
        return not place
    first, rest = pattern[0], pattern[1:]
    if first == ANYWHERE:
        return any(_matches(rest, place[n:]) for n in range(len(place) + 1))
    return bool(place) and first in {ANY, place[0]} and _matches(rest, place[1:])
