"""Turns the schemas' prose, written for rustdoc, into prose for Python docstrings."""

from __future__ import annotations

import re
import textwrap
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.roles import Role

_NAMED = re.compile(r"`(METHOD|NOTIFICATION)_([A-Z_]+)`")
_VALUE = re.compile(r"`[A-Z]\w+\.([A-Z]\w+)`")
_CALLED = re.compile(r"`(\w+)(?:\.|::)([a-z_]+)`")
_GROUPS = {
    "LogStorageBackend": "log_storage",
    "SubjectBackend": "subject",
    "TriggerBackend": "trigger",
    "TransportBackend": "transport",
    "ProviderBackend": "agent",
}
"""The Rust traits whose methods are methods of the wire."""

_PLAIN = [
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"\bMUST\s+NOT\b", "must not"),
        (r"\bSHOULD\s+NOT\b", "should not"),
        (r"\bMUST\b", "must"),
        (r"\bSHOULD\b", "should"),
        (r"\bMAY\b", "may"),
        (r"\biff\b", "if, and only if,"),
        (r"`Some\((\w+)\)`", r"`\1`"),
        (r"\s*\(see\s+`protocol\W[^)]*\)", ""),
        (r"`error_codes\.METHOD_NOT_SUPPORTED`", "-32001"),
    )
]
"""What a reader of Rust and of standards' words knows, as everybody says it."""

_LINK = re.compile(r"\[(`?)([^\[\]`]+)\1\](?:\([^)]*\))?")


def tidy(text: str) -> str:
    """Reads a rustdoc text as plain paragraphs, in words that need no Rust.

    Links become words, constants the methods that they name, variants the values of the wire.
    """
    text = _LINK.sub(_word, text).replace("“", '"').replace("”", '"').strip()
    text = _NAMED.sub(_method, text)
    text = _VALUE.sub(lambda value: f'`"{_kebab(value[1])}"`', text)
    text = _CALLED.sub(_call, text)
    for pattern, words in _PLAIN:
        text = pattern.sub(words, text)
    return text


class Prose:
    """What ``schemas/prose.json`` says in place of the schemas, by crate; ``*`` is every crate.

    Attributes:
        unused: What it says of types and fields that no schema has.
    """

    def __init__(self, said: dict[str, dict[str, str]]) -> None:
        self._said = said
        self.unused = {f"{crate} {name}" for crate, texts in said.items() for name in texts}

    def of(self, crate: str) -> Callable[[str, str], str]:
        """A function from a type or ``Type.field`` and the schema's text to what is written."""

        def said(name: str, text: str) -> str:
            for place in (crate, "*"):
                own = self._said.get(place, {}).get(name)
                if own is not None:
                    self.unused.discard(f"{place} {name}")
                    return own
            return tidy(text)

        return said


@cache
def _methods() -> dict[str, str]:
    """The names of the wire by their letters alone."""
    from animus_routes.roles import KINDS, role

    names = [name for kind in KINDS for name in _names(role(kind))]
    return {name.replace("/", "").replace("_", "").lower(): name for name in names}


def _names(role: Role) -> list[str]:
    items = [name for row in role.methods if row.stream for name in row.stream.items]
    return [*(row.name for row in role.methods), *items, *role.notifications]


def _method(constant: re.Match[str]) -> str:
    found = _methods().get(constant[2].replace("_", "").lower())
    return f"`{found}`" if found else constant[0]


def _call(call: re.Match[str]) -> str:
    group = _GROUPS.get(call[1])
    return f"`{group}/{call[2]}`" if group else call[0]


def _kebab(variant: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"-\1", variant).lower()


def _word(link: re.Match[str]) -> str:
    tick, name = link.groups()
    if tick:
        return f"`{name.removeprefix('Self::').replace('::', '.')}`"
    return name if link.group(0).endswith(")") else link.group(0)


def docstring(text: str, indent: str) -> list[str]:
    """Writes a text as the lines of a docstring, wrapped to 99 columns.

    Args:
        text: Paragraphs with a blank line between them; the first line gets the quotes.
        indent: The white space before every line.

    Returns:
        The lines, without line ends.
    """
    body = _wrap(text.replace("\\", "\\\\").replace('"""', "'''"), 99 - len(indent) - 3)
    if body[-1].endswith('"'):
        body[-1] += " "
    if len(body) == 1 and len(body[0]) + len(indent) + 6 <= 100:
        lines = [f'"""{body[0]}"""']
    else:
        lines = [f'"""{body[0]}', *body[1:], '"""']
    return [f"{indent}{line}".rstrip() for line in lines]


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text)):
        if number:
            lines.append("")
        for block in _blocks(paragraph):
            hang = "  " if re.match(r"(?:[-*]|\d+\.) ", block) else ""
            lines += textwrap.wrap(
                block, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
            )
    return lines


def _blocks(paragraph: str) -> list[str]:
    """Splits a paragraph into its list items, each joined to one line."""
    blocks: list[str] = []
    for line in paragraph.splitlines():
        if blocks and not re.match(r"\s*(?:[-*]|\d+\.) ", line):
            blocks[-1] += f" {line.strip()}"
        else:
            blocks.append(line.strip())
    return blocks
