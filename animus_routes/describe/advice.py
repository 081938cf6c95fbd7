"""What to write instead, where it takes more than one table to know. Imported for a mistake alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_routes.describe.twice import left_out
from animus_routes.errors import unknown
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.roles import MethodRow
    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.registry import Registry


def on_unknown_method(name: str, registry: Registry) -> str:
    """A method that none of the app's kinds has: another kind's, or a typing error."""
    for kind in KINDS:
        if role(kind).method(name) is not None:
            return (
                f"unknown method '{name}': it is one of kind '{kind}': write kinds=[..., '{kind}'] "
                "if the app is of that kind too, or extra=True"
            )
    known = [n for row in registry.rows for n in (row, *registry.aliases(row))]
    said = unknown("method", name, known)
    return said if "did you mean" in said else f"{said}: for one of your own, write extra=True"


def on_no_methods(app: Declaration) -> Iterator[str]:
    """An app whose kind asks for no method in particular, and that has none.

    One that does something all the same may be meant like that, if no router was forgotten.
    """
    for router in left_out(app):
        names = ", ".join(f"'{row.name}'" for row in router.registrations)
        yield (
            f"the app has no methods: the Router made at {router.written.file}:"
            f"{router.written.line} has {names}: write app.include(...)"
        )
        return
    if not app.collected() and app.lifespan is None:
        yield 'the app has no methods: add @app.method("group/verb"), or include what has some'


def on_generator(row: MethodRow | None) -> str:
    """A generator for a method that is answered once."""
    if row is None:
        return (
            "a generator needs somewhere for its items to go: "
            'name their notification with @app.method(..., notification="...")'
        )
    what = "return the items as a list" if "list" in row.returns else "return the result"
    return f"it is a generator, but {row.name} is answered once: {what}"
