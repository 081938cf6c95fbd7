"""Markdown, and the documents that Jira and Confluence have in its place (Atlassian Document Format).

    body = {"fields": {"description": document("Fails since **Monday**")}}
    markdown(issue["fields"]["description"])

Headings, lists, code, links and marks are kept both ways; of whatever else a document has, the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["document", "markdown"]

Node = dict[str, Any]

MARKS: Final = {"code": "`", "strong": "**", "em": "*", "strike": "~~"}
# Bounded and possessive, so that no text takes longer than its length: anybody writes issues.
INLINE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*"
    r"|\[(?P<link>[^\[\]]++)\]\((?P<href>(?:[^()\s]++|\([^()\s]*+\))++)\)"
    r"|~~(?P<strike>[^~]+)~~|(?<![\w*])\*(?P<em>[^*\s][^*]*)\*(?![\w*])"
)
FENCE: Final = re.compile(r"\s*+```\s*+([^\s`]*+)\s*+$")
HEADING: Final = re.compile(r"(#{1,6})\s+(.+)")
ITEM: Final = re.compile(r"( *)(?:([-*+])|\d+[.)])\s+(.*)")
BREAK: Final = re.compile(rf"\s*+$|{FENCE.pattern}|{HEADING.pattern}|{ITEM.pattern}")
DEEPEST: Final = 20  # lists in lists; what stands deeper is text

# ---- a document as Markdown ---------------------------------------------------------------------


def markdown(node: Node) -> str:
    """A document, or a part of one, as Markdown."""
    inside = [markdown(inner) for inner in node.get("content") or ()]
    write = WRITTEN.get(node.get("type", ""))
    return "\n\n".join(filter(None, inside)) if write is None else write(node, inside)


def _attrs(node: Node) -> Node:
    found: Node = node.get("attrs") or {}
    return found


def _text(node: Node, _inside: list[str]) -> str:
    text = str(node.get("text", ""))
    for mark in node.get("marks") or ():
        if mark["type"] == "link":
            text = f"[{text}]({_attrs(mark).get('href', '')})"
        elif sign := MARKS.get(mark["type"]):
            text = f"{sign}{text}{sign}"
    return text


def _named(node: Node, _inside: list[str]) -> str:
    """A mention, a link shown as a card, an emoji, a date."""
    attrs = _attrs(node)
    names = ("text", "shortName", "url", "timestamp")
    return str(next((attrs[name] for name in names if attrs.get(name)), ""))


def _indented(text: str, first: str, others: str) -> str:
    return "\n".join(f"{others if n else first}{line}" for n, line in enumerate(text.split("\n")))


def _row(_node: Node, inside: list[str]) -> str:
    return f"| {' | '.join(' '.join(one.split()) for one in inside)} |"


WRITTEN: Final[dict[str, Callable[[Node, list[str]], str]]] = {
    "text": _text,
    **dict.fromkeys(("mention", "emoji", "date", "status", "inlineCard", "blockCard"), _named),
    "hardBreak": lambda _node, _inside: "\n",
    "rule": lambda _node, _inside: "---",
    "paragraph": lambda _node, inside: "".join(inside),
    "heading": lambda node, inside: f"{'#' * int(_attrs(node).get('level', 1))} {''.join(inside)}",
    "codeBlock": lambda node, inside: (
        f"```{_attrs(node).get('language') or ''}\n{''.join(inside)}\n```"
    ),
    "blockquote": lambda _node, inside: _indented("\n\n".join(inside), "> ", "> "),
    "bulletList": lambda _node, inside: "\n".join(_indented(one, "- ", "  ") for one in inside),
    "orderedList": lambda _node, inside: "\n".join(
        _indented(one, f"{number}. ", "   ") for number, one in enumerate(inside, 1)
    ),
    "listItem": lambda _node, inside: "\n".join(inside),
    "table": lambda _node, inside: "\n".join(inside),
    "tableRow": _row,
}

# ---- Markdown as a document ---------------------------------------------------------------------


def document(text: str) -> Node:
    """Markdown as a document: what is no heading, list or code is paragraphs."""
    return {"type": "doc", "version": 1, "content": [*_blocks(text.splitlines())]}


def _blocks(lines: list[str], depth: int = 0) -> Iterator[Node]:
    """What lines stand for; they are taken away as they are read."""
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif fence := FENCE.match(lines[0]):
            lines.pop(0)
            inside = "\n".join(_taken(lines, until=FENCE))
            del lines[:1]
            attrs = {"attrs": {"language": fence[1]}} if fence[1] else {}
            yield {"type": "codeBlock", **attrs, "content": _plain(inside)}
        elif depth == 0 and (found := HEADING.match(lines[0])):
            lines.pop(0)
            attrs = {"attrs": {"level": len(found[1])}}
            yield {"type": "heading", **attrs, "content": _inline(found[2])}
        elif depth < DEEPEST and (found := ITEM.match(lines[0])):
            yield _list(lines, len(found[1]), "bulletList" if found[2] else "orderedList", depth)
        else:
            yield _paragraph([lines.pop(0), *_taken(lines, until=BREAK)])


def _taken(lines: list[str], until: re.Pattern[str]) -> list[str]:
    """The lines before one that looks so."""
    end = next((n for n, line in enumerate(lines) if until.match(line)), len(lines))
    found = lines[:end]
    del lines[:end]
    return found


def _list(lines: list[str], margin: int, kind: str, depth: int) -> Node:
    """A list, with what stands further right below each item."""
    outside = re.compile(rf"(?! {{{margin + 2}}})")
    items: list[Node] = []
    while lines and (found := ITEM.match(lines[0])) and len(found[1]) == margin:
        if (kind == "bulletList") is not bool(found[2]):
            break
        lines.pop(0)
        below = [line[margin + 2 :] for line in _taken(lines, until=outside)]
        content = [_paragraph([found[3]]), *_blocks(below, depth + 1)]
        items.append({"type": "listItem", "content": content})
    return {"type": kind, "content": items}


def _paragraph(lines: list[str]) -> Node:
    content: list[Node] = []
    for line in lines:
        content += [*([{"type": "hardBreak"}] if content else []), *_inline(line.strip())]
    return {"type": "paragraph", "content": content}


def _inline(text: str) -> list[Node]:
    found: list[Node] = []
    place = 0
    for match in INLINE.finditer(text):
        found += _plain(text[place : match.start()])
        kind = next(name for name in ("link", *MARKS) if match[name])
        attrs = {"attrs": {"href": match["href"]}} if kind == "link" else {}
        found += _plain(match[kind], {"type": kind, **attrs})
        place = match.end()
    return found + _plain(text[place:])


def _plain(text: str, *marks: Node) -> list[Node]:
    """Nothing for no text: an empty node is refused."""
    return (
        [{"type": "text", "text": text, **({"marks": [*marks]} if marks else {})}] if text else []
    )
