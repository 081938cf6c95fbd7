"""Hints of a handler of which some cannot be resolved. Imported only for such handlers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

from animus_routes.handlers.context import Context

if TYPE_CHECKING:
    from types import FunctionType


def hints_one_by_one(
    function: FunctionType, raw: dict[str, Any], problems: list[str]
) -> dict[str, Any]:
    """The hints that can be resolved; the others go to `problems`."""
    import collections.abc

    # Names that are often imported for the type checker alone, and can mean nothing else.
    known: dict[str, Any] = {**vars(collections.abc), "Any": Any, "Context": Context}
    known |= function.__globals__
    hints: dict[str, Any] = {}
    for name, annotation in raw.items():
        holder = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints.update(get_type_hints(holder, known, include_extras=True))
        except Exception as error:  # noqa: BLE001 - as above
            what = "result" if name == "return" else f"parameter '{name}'"
            problems.append(
                f"the hint {annotation!r} of {what} cannot be resolved: {error} "
                "(is it imported only under TYPE_CHECKING, or defined inside a function?)"
            )
    return hints
