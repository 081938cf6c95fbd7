"""Who is behind a call: read from its params, and refused where it is malformed.

A malformed identity must never count as none: that would show rows that have no owner, or all.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from animus_routes.handlers.context import Actor
from animus_routes.values.issues import explain, under


def actor_of(params: dict[str, Any], path: str) -> Actor | None:
    """The identity at a dotted path of params; None if there is none, or what is there is none."""
    try:
        return read_actor(params, path)
    except Exception as error:
        if explain(error) is None:
            raise
        return None


def read_actor(params: dict[str, Any], path: str) -> Actor | None:
    """The identity at a dotted path of params; None if there is none.

    Raises:
        Invalid: What is there is no identity; the issue's path begins with `path`.
    """
    found: Any = params
    for name in path.split("."):
        found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    try:
        return cast("Actor | None", msgspec.convert(found, Actor | None))
    except msgspec.ValidationError as error:
        raise under(path, error) from error
