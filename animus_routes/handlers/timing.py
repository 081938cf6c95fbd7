"""Handlers of the main thread that may take only so long. Imported by apps that say so."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from animus_routes.errors import Timeout

if TYPE_CHECKING:
    from collections.abc import Callable


def too_long(name: str, timeout_s: float) -> Timeout:
    """What a call is answered with that takes longer."""
    return Timeout(f"{name} took longer than {timeout_s:g} s")


def bounded(call: Callable[..., Any], name: str, timeout_s: float) -> Callable[..., Any]:
    """A call whose result comes too late if it takes longer.

    The standby has answered in time by then. Where there is none, in tests, this is the answer.
    """

    def timed(*given: Any) -> Any:
        begun = monotonic()
        result = call(*given)
        if monotonic() - begun > timeout_s:
            raise too_long(name, timeout_s)
        return result

    return timed
