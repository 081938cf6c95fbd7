"""The pages of the reference, as Markdown: of the protocol, and of the code."""

from __future__ import annotations

import re


def shown(text: str) -> str:
    """Text in which what looks like a tag outside of code is shown as it is."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(one if one.startswith("`") else one.replace("<", "\\<") for one in parts)


def cell(text: str) -> str:
    """Text that fits into one cell of a table."""
    return " ".join(shown(text).replace("|", "\\|").split())
