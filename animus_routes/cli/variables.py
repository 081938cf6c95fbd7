"""`--env NAME=VALUE`, for every command that starts a plugin with more variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def variables(pairs: Iterable[str]) -> dict[str, str]:
    """The values by their names; the last one of a name counts.

    Raises:
        ValueError: One has no name, or no equals sign.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise ValueError(f"--env {pair}: write NAME=VALUE")
        found[name] = value
    return found
