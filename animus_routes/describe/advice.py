"""What to write instead, where it takes more than one table to know. Imported for a mistake alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.describe.twice import forgotten, left_out
from animus_routes.errors import unknown
from animus_routes.roles import KINDS, role
from animus_routes.values.hints import bare, is_generated, wire_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from animus_routes.handlers.signature import Parameter
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
    if not app.collected() and not app.lifespan:
        yield 'the app has no methods: add @app.method("group/verb"), or include what has some'


def on_forgotten(app: Declaration, said: list[str]) -> Iterator[str]:
    """Routers that the app's module has, and nobody includes, unless that is said already."""
    for router in forgotten(app):
        place = f"{router.written.file}:{router.written.line}"
        if not any(place in problem for problem in said):
            names = ", ".join(f"'{row.name}'" for row in router.registrations)
            yield f"{place}: this Router, which has {names}, is never included: write app.include(...)"


def on_generator(row: MethodRow | None) -> str:
    """A generator for a method that is answered once."""
    if row is None:
        return (
            "a generator needs somewhere for its items to go: "
            'name their notification with @app.method(..., notification="...")'
        )
    what = "return the items as a list" if "list" in row.returns else "return the result"
    return f"it is a generator, but {row.name} is answered once: {what}"


def on_unknown_field(field: Parameter, wire: Any) -> Iterator[str]:
    """A parameter that the params have no field for."""
    fields = wire_fields(wire)
    hint = bare(field.hint)
    if is_generated(hint) and hint.__name__ == wire.__name__:
        yield (
            f"parameter '{field.name}' is the whole params, which only a lone parameter gets: "
            f"write it alone, or the fields by their names: {', '.join(fields)}"
        )
        return
    what = unknown("field", field.wire_name, list(fields))
    # A default makes room for keys beyond the schema, but not for a typing error.
    is_slip = "did you mean" in what and not _has_more_words(field.wire_name, fields)
    if not field.has_default or is_slip:
        named = f": {', '.join(fields)}" if fields else ", which has no fields"
        article = "an" if wire.__name__.startswith(tuple("AEIOU")) else "a"
        yield f"{what}; the params are {article} {wire.__name__}{named}"


def _has_more_words(name: str, known: Mapping[str, Any]) -> bool:
    """Is it a known name with more words, such as `new_workflow_id`? No slip adds a word."""
    words = {*name.split("_")}
    return any({*one.split("_")} < words for one in known)
