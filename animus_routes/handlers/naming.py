"""A parameter's name on the wire, where a pydantic `Field` in its hint gives it one.

Imported only for parameters with such a `Field`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from pydantic import Field

SAID: Final = ("title", "description", "examples", "deprecated", "discriminator")


def named(name: str, hint: Any) -> tuple[tuple[str, ...], Any, list[str]]:
    """What a parameter is called in params.

    Returns:
        Its names there, the hint without them, and what is wrong with them. No names = its own.
    """
    aliases: tuple[str, ...] = ()
    problems: list[str] = []
    for extra in hint.__metadata__:
        if type(extra).__module__ != "pydantic.fields":
            continue
        given = extra.validation_alias or extra.alias
        found = tuple(getattr(given, "choices", [given] if given else []))
        if not all(isinstance(alias, str) and _is_key(alias) for alias in found):
            problems.append(
                f"the alias of parameter '{name}' is {given!r}: "
                "a parameter's alias is one plain name, or an AliasChoices of plain names"
            )
        elif found:
            aliases, hint = found, _without_name(hint, extra)
    return aliases, hint, problems


def _without_name(hint: Any, field: Any) -> Any:
    """The hint with all that its `Field` says but the name, which has no meaning inside."""
    said = {name: getattr(field, name) for name in SAID if getattr(field, name) is not None}
    others = [extra for extra in hint.__metadata__ if extra is not field]
    rest = [*others, *field.metadata, Field(**said)]
    return Annotated[(get_args(hint)[0], *rest)]


def _is_key(name: str) -> bool:
    """Can a key of an object be compared with it as it is written?"""
    return name.isprintable() and not {'"', "\\"} & set(name)
