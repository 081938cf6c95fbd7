"""What a handler gave that its role cannot make anything of. Imported when that happens."""

from __future__ import annotations

from typing import Any, Final

from animus_routes.errors import Mistake, RpcError

OWN: Final = "animus_routes."
SHOWN: Final = 60


def say_what(did: str, value: Any, wire_type: str | None, error: Exception) -> None:
    """Say what was given instead; nothing where an author's own code failed, or refused.

    Args:
        did: What the handler did with it: "returned" or "yielded".
        value: What it gave.
        wire_type: What the wire has in that place, `crate.Name`; None if that depends.
        error: What adapting it raised.

    Raises:
        Mistake: The value does not fit.
    """
    if isinstance(error, RpcError | Mistake) or not _raised_here(error):
        return
    wanted = "" if wire_type is None else f", but the result is a {wire_type.rpartition('.')[2]}"
    if isinstance(error, KeyError):
        reason = f": it has no `{error.args[0]}`"
    else:
        reason = f": {error}" if isinstance(error, ValueError) else ""
    raise Mistake(f"{did} {told(value)}{wanted}{reason}") from None


def told(value: Any) -> str:
    """A value for a person: its type, and what it is if that is short."""
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an author's own
        text = ""
    plain = isinstance(value, str | int | float | list | tuple | dict)
    return f"{article} {kind}" + (f", {text}" if plain and 0 < len(text) <= SHOWN else "")


def _raised_here(error: Exception) -> bool:
    """Is the last frame the framework's?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__", "").startswith(OWN)
