"""Memory that is kept back, so that a process without any can still answer and end.

It is asked for and never touched: it takes addresses, which limits count, but no memory.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024

_reserve: list[bytes] = []


def take() -> None:
    """Keep some back, if there is any."""
    if not _reserve:
        with suppress(MemoryError):
            _reserve.append(bytes(RESERVE_BYTES))


def give_back() -> bool:
    """Let go of it; was there any?"""
    try:
        del _reserve[0]
    except IndexError:
        return False
    return True
