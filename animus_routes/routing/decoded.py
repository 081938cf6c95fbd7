"""Results that hosts decode field by field, given as something else than the wire's own types.

Imported with the first of them.
"""

from __future__ import annotations

from typing import Any

from msgspec import ValidationError, convert

from animus_routes.errors import Mistake
from animus_routes.values import codecs
from animus_routes.values.hints import wire_type


def as_decoded(result: Any, wire: str) -> Any:
    """A result that hosts can decode.

    Args:
        result: What a handler returned: a dict, or an object of an author's own class.
        wire: The result's wire type, `crate.Name`.

    Returns:
        The result itself, where hosts overlook fields that they do not know; else one of the wire
        type, which also leaves out what that leaves out.

    Raises:
        Mistake: Hosts could not decode it; it says which field is missing or wrong.
    """
    found = wire_type(wire)
    try:
        typed = convert(codecs.to_builtins(result), found)
    except ValidationError as error:
        raise Mistake(f"returned what no host decodes as {found.__name__}: {error}") from error
    return typed if found.__struct_config__.forbid_unknown_fields else result
