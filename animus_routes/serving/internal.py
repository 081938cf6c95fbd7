"""Routes of the framework's own: lifecycle and health, which have no role and no codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.routing.registry import answer_any

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from animus_routes.engine.ports import Stream


class Internal:
    """A lifecycle handler as a route, so that the standby covers it like any other.

    It takes the raw params and has no role, no stream and nothing to finish.
    """

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call
        self.owner = ""
        self.mode = "inline"
        self.contextual = False
        self.bare = False
        self.notification = False
        self.stops: str | None = None
        self.stopped: Callable[[Any, bool], Any] | None = None
        self.stream: Stream | None = None
        self.finish: Callable[[Any, Raw], Any] | None = None
        self.finishes: frozenset[type] = frozenset()
        self.answer: Callable[[int | Raw, Any, bytearray], None] = answer_any
        self.decode: Callable[[Raw], Any] = _as_it_is


def _as_it_is(raw: Raw) -> Raw:
    return raw
