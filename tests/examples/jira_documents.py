"""What Jira takes as a text: the Atlassian Document Format, as far as its documentation tells."""

from typing import Any, Final

INLINE: Final = frozenset({"text", "hardBreak", "mention"})
# What may stand in what.
INSIDE: Final[dict[str, frozenset[str]]] = {
    "doc": frozenset(
        {
            *("paragraph", "heading", "bulletList", "orderedList"),
            *("codeBlock", "blockquote", "rule"),
        }
    ),
    "paragraph": INLINE,
    "heading": INLINE,
    "bulletList": frozenset({"listItem"}),
    "orderedList": frozenset({"listItem"}),
    "listItem": frozenset({"paragraph", "bulletList", "orderedList", "codeBlock"}),
    "codeBlock": frozenset({"text"}),
    "blockquote": frozenset({"paragraph", "bulletList", "orderedList", "codeBlock"}),
    "rule": frozenset(),
    "hardBreak": frozenset(),
    "mention": frozenset(),
    "text": frozenset(),
}
MARKS: Final = frozenset({"strong", "em", "code", "link", "strike"})
FILLED: Final = frozenset({"bulletList", "orderedList", "listItem", "blockquote"})


def problem_of(document: Any) -> str:
    """Why Jira would refuse a text; "" if it takes it."""
    if not isinstance(document, dict) or (document.get("type"), document.get("version")) != (
        "doc",
        1,
    ):
        return "Operation value must be an Atlassian Document"
    return _problem(document)


def _problem(node: dict[str, Any]) -> str:
    kind, content = node["type"], node.get("content", [])
    marks = {mark["type"] for mark in node.get("marks", ())}
    wrong = {
        "a text node is empty": kind == "text" and not node.get("text"),
        f"marks {sorted(marks)}": bool(marks - MARKS)
        or ("code" in marks and bool(marks - {"code", "link"})),
        "a heading without a level": kind == "heading"
        and node.get("attrs", {}).get("level") not in range(1, 7),
        f"an empty {kind}": kind in FILLED and not content,
        "a list item begins with a paragraph": kind == "listItem"
        and [one["type"] for one in content[:1]] not in (["paragraph"], ["codeBlock"]),
        f"strange things in {kind}": any(one["type"] not in INSIDE[kind] for one in content),
    }
    said = [f"INVALID_INPUT: {what}" for what, is_so in wrong.items() if is_so]
    return next(filter(None, [*said, *map(_problem, content)]), "")
