"""Hints that no decoder can be made for. Imported for those that are not known to be fine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.values.codecs import decoder
from animus_routes.values.hints import is_object, mixed_struct, needs_pydantic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.handlers.signature import Parameter


def why_not(field: Parameter) -> Iterator[str]:
    """Why a parameter's hint cannot be decoded; nothing where it can."""
    mixed = mixed_struct(field.hint)
    if mixed is not None:
        yield (
            f"the Struct '{mixed}' has constraints of pydantic's making, which msgspec cannot read: "
            "make it a dataclass or a pydantic model"
        )
        return
    kind = "params" if is_object(field.hint) and not field.aliases else f"parameter '{field.name}'"
    try:
        decoder(field.hint)
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a type it cannot read
        reason = str(error).partition("\n")[0]
        yield f"the hint of {kind} cannot be decoded from JSON: {reason}"
        return
    for name in _hopeless(field.hint):
        yield (
            f"the hint of {kind} cannot be decoded from JSON: nothing there becomes a `{name}`; "
            "take what it is made of, or get it from a dependency"
        )


def _hopeless(hint: Any) -> list[str]:
    """What of a hint nothing can be decoded into."""
    if needs_pydantic(hint):
        return []  # pydantic has said so itself
    from animus_routes.values.everyday import hopeless

    return list(hopeless(hint))
