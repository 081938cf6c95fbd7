"""What differs between two JSON values, place by place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.dev.paths import Paths, Place

NOTHING: Final = object()  # there is none at this place
SHOWN_CHARS: Final = 300


class Difference(NamedTuple):
    """One place where two values differ.

    Attributes:
        place: The keys that lead to it.
        recorded: What was there; `NOTHING` if nothing was.
        found: What is there now; `NOTHING` if nothing is.
    """

    place: Place
    recorded: Any
    found: Any

    def lines(self) -> Iterator[str]:
        """For a reader: what is gone, what has come."""
        name = ".".join(self.place) or "(all)"
        for sign, value in (("-", self.recorded), ("+", self.found)):
            if value is not NOTHING:
                yield f"  {sign} {name}: {shown(value)}"


def shown(value: Any) -> str:
    """A value as JSON, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}... ({len(text)} characters)"


def differences(
    recorded: Any, found: Any, ignored: Paths, place: Place = ()
) -> Iterator[Difference]:
    """Where two values differ.

    Args:
        recorded: What was.
        found: What is.
        ignored: Places that do not count.
        place: Where these two stand.
    """
    if ignored.match(place):
        return
    if isinstance(recorded, dict) and isinstance(found, dict):
        before, after = cast("dict[str, Any]", recorded), cast("dict[str, Any]", found)
        pairs = [(k, before.get(k, NOTHING), after.get(k, NOTHING)) for k in {**before, **after}]
    elif isinstance(recorded, list) and isinstance(found, list):
        pairs = list(_items(cast("list[object]", recorded), cast("list[object]", found)))
    else:
        if not _same(recorded, found):
            yield Difference(place, recorded, found)
        return
    for key, one, other in pairs:
        yield from differences(one, other, ignored, (*place, key))


def _items(recorded: list[object], found: list[object]) -> Iterator[tuple[str, Any, Any]]:
    for number in range(max(len(recorded), len(found))):
        one = recorded[number] if number < len(recorded) else NOTHING
        other = found[number] if number < len(found) else NOTHING
        yield str(number), one, other


def _same(recorded: Any, found: Any) -> bool:
    """`1` and `true` are two values, `1` and `1.0` one."""
    if isinstance(recorded, bool) or isinstance(found, bool):
        return recorded is found
    return bool(recorded == found)
