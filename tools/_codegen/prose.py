"""Turns the schemas' prose, written for rustdoc, into prose for Python docstrings."""

from __future__ import annotations

import re
import textwrap

_LINK = re.compile(r"\[(`?)([^\[\]`]+)\1\](?:\([^)]*\))?")


def tidy(text: str) -> str:
    """Reads a rustdoc text as plain paragraphs: links become words, ``::`` becomes a dot."""
    return _LINK.sub(_word, text).replace("“", '"').replace("”", '"').strip()


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
