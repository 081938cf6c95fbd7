"""The table of checks, in the order in which they are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from animus_routes.conformance import ending, form, framing, lifecycle, methods, promises, start
from animus_routes.conformance.checks import Case, Check
from animus_routes.conformance.rows import kind_of
from animus_routes.conformance.stories import queues, stores, subjects, talking, working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.conformance.bench import Bench

CHECKS: Final[tuple[Check, ...]] = (
    *form.CHECKS,
    *start.CHECKS,
    *lifecycle.CHECKS,
    *framing.CHECKS[:-1],
    *promises.CHECKS,
    *subjects.STORIES,
    *queues.STORIES,
    *stores.STORIES,
    *talking.STORIES,
    *working.STORIES,
    *methods.CHECKS,  # after the stories: what is made up stays, and is in their way
    *ending.CHECKS,
    framing.CHECKS[-1],  # of all that was written until then
)


def cases(bench: Bench) -> Iterator[Case]:
    """Every check of a plugin: one of each row, or one for each of its methods."""
    for check in CHECKS:
        if check.methods and not any(kind_of(bench, name) for name in check.methods):
            continue
        if check.each is None:
            yield Case(check)
        else:
            yield from (Case(check, name) for name in check.each(bench))
