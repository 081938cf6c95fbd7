"""JSON of which nothing is known yet."""

from __future__ import annotations

from typing import Any, cast


def object_of(value: Any) -> dict[str, Any]:
    """An object as it is; empty for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A list as it is; empty for anything else."""
    return [*cast("tuple[Any, ...]", value)] if isinstance(value, list) else []


def texts_of(value: Any) -> list[str]:
    """The items of a list, as text."""
    return [str(item) for item in list_of(value)]
