"""Who is behind a call: read from its params, and refused where it is malformed.

A malformed identity must never count as none: that would show rows that have no owner, or all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from animus_routes.handlers.context import Actor
from animus_routes.values import codecs
from animus_routes.values.issues import explain, under

if TYPE_CHECKING:
    from msgspec import Raw

    from animus_routes.roles import MethodRow


def actor_of(params: Raw, row: MethodRow | None) -> Actor | None:
    """Who is behind a call of a table's method, or of one of the author's; None if nobody says."""
    try:
        return read_actor(codecs.lenient(params), "actor" if row is None else row.actor)
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
