"""What Linear's filters mean, as its documentation says."""

from collections.abc import Callable
from typing import Any, Final

COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "nin": lambda value, wanted: value not in wanted,
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
    "eqIgnoreCase": lambda value, wanted: str(value).lower() == wanted.lower(),
}
JOINED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "and": lambda value, wanted: all(matches(one, value) for one in wanted),
    "or": lambda value, wanted: any(matches(one, value) for one in wanted),
    "some": lambda value, wanted: any(matches(wanted, one) for one in value),
    "length": lambda value, wanted: matches(wanted, len(value)),
}


def matches(wanted: Any, value: Any) -> bool:
    """Does a value meet a filter: every condition in it?"""
    return all(_meets(name, part, value) for name, part in wanted.items())


def _meets(name: str, part: Any, value: Any) -> bool:
    if name in JOINED:
        return JOINED[name](value, part)
    if value is None:
        return False
    return COMPARED[name](value, part) if name in COMPARED else matches(part, value.get(name))
