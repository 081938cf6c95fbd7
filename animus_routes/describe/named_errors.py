"""Errors in words: what a code means to a host, and which named errors have it, kind by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from animus_routes import errors
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.errors import NamedError
    from animus_routes.roles import ErrorRow

ANSWERS: Final = range(-32700, -32599)  # other codes are no ordinary failures to hosts


class ErrorText(Struct, frozen=True, kw_only=True):
    """One named error.

    Attributes:
        name: Of its class in `animus_routes`.
        category: What its `data.category` says.
        prefix: What its message begins with.
        kinds: Where a plugin kind writes it differently: how.
    """

    name: str
    code: int
    category: str
    text: str
    prefix: str = ""
    kinds: dict[str, str] = {}


def codes() -> dict[int, str]:
    """The codes that have a name, in words."""
    names = {getattr(errors, name): name for name in errors.__all__ if name.isupper()}
    return {code: name.replace("_", " ").lower() for code, name in sorted(names.items())}


def named_errors() -> Iterator[ErrorText]:
    """Every named error."""
    for name in errors.__all__:
        found = getattr(errors, name)
        if isinstance(found, type) and errors.NamedError in found.__bases__:
            yield _told(found)


def find_errors(word: str) -> list[ErrorText]:
    """The named errors with that code, in some kind at least, or of that name or category."""
    return [one for one in named_errors() if word in {one.name, one.category} or _has(one, word)]


def _has(one: ErrorText, code: str) -> bool:
    return code == str(one.code) or any(f"code {code}" in how for how in one.kinds.values())


def meaning(code: int) -> str:
    """What a code is called, and what a host makes of it."""
    known = codes().get(code, "a code of the plugin's own, or of its kind")
    what = (
        "hosts take it as an answer"
        if code in ANSWERS
        else "hosts take it as more than a failure: they may restart the plugin and ask again"
    )
    return f"{code}: {known}; {what}"


def _told(found: type[NamedError]) -> ErrorText:
    rows = {kind: role(kind).errors.get(found.name) for kind in KINDS}
    return ErrorText(
        name=found.__name__,
        code=found.default_code,
        category=found.name,
        text=(found.__doc__ or "").partition("\n")[0],
        prefix=found.prefix,
        kinds={kind: _differs(row) for kind, row in rows.items() if row is not None},
    )


def _differs(row: ErrorRow) -> str:
    given = {"code": row.code, "category": row.category, "message begins with": row.prefix}
    return ", ".join(f"{name} {value}".rstrip(": ") for name, value in given.items() if value)
