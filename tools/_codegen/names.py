"""Writes the protocol's names as Literals, from the tables of `animus_routes/roles/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _codegen.prose import docstring
from animus_routes.handlers.context import LEVELS, SAME_LEVEL
from animus_routes.roles import KINDS, role

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the engine answers, takes and sends itself, whatever the role (spec sections 3 and 6).
LIFECYCLE_REQUESTS = ("$/ping", "health/check", "initialize", "shutdown")
LIFECYCLE_NOTIFICATIONS = ("$/cancelRequest", "exit", "initialized")
ENGINE_SENDS = ("$/progress", "log/entry")

_HEADER = (
    "The protocol's names as Literals, so that editors complete them.\n\n"
    "Written by `python tools/codegen.py` from the tables in `animus_routes/roles/`: do not edit. "
    "Nothing loads this module at run time: import it under `TYPE_CHECKING`."
)


def module() -> str:
    """The source of `animus_routes/names.py`."""
    roles = [role(kind) for kind in KINDS]
    rows = [row for one in roles for row in one.methods]
    told = [row.name for row in rows if row.one_way]
    streamed = [row.stream.notification for row in rows if row.stream is not None]
    sent = [name for one in roles for name in one.notifications] + streamed
    literals: dict[str, tuple[str, Iterable[str]]] = {
        "Kind": ("A plugin kind.", KINDS),
        "MethodName": ("A method that some kind of plugin serves.", sorted({r.name for r in rows})),
        "HostMethodName": (
            "A method that a host calls: of any kind, or of the lifecycle.",
            sorted({row.name for row in rows} | set(LIFECYCLE_REQUESTS)),
        ),
        "HandledNotification": (
            "A notification from the host that a plugin may handle.",
            sorted(set(told)),
        ),
        "HostNotification": (
            "A notification that a host sends: to any kind, or of the lifecycle.",
            sorted({*told, *LIFECYCLE_NOTIFICATIONS}),
        ),
        "PluginNotification": (
            "A notification that a plugin sends.",
            sorted({*sent, *ENGINE_SENDS}),
        ),
        "Level": ("A level of `ctx.log`, least urgent first.", _levels()),
    }
    blocks = ["\n".join(_literal(name, words, doc)) for name, (doc, words) in literals.items()]
    head = [
        *docstring(_HEADER, ""),
        "",
        "from typing import Literal, TypeAlias",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(literals)),
        "]",
        "",
    ]
    return "\n".join([*head, "\n\n".join(blocks), ""])


def _levels() -> list[str]:
    """Every spelling, those of one level side by side."""
    return [
        word
        for level in LEVELS
        for word in (level, *(other for other, same in SAME_LEVEL.items() if same == level))
    ]


def _literal(name: str, words: Iterable[str], doc: str) -> list[str]:
    return [
        f"{name}: TypeAlias = Literal[",
        *(f'    "{word}",' for word in words),
        "]",
        *docstring(doc, ""),
    ]
