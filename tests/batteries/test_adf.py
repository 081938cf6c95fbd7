"""Markdown as documents of Jira, as strict as it is, and back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from animus_routes.batteries.adf import document, markdown

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from jira_documents import problem_of

WHOLE = """# Title

Some **bold** `code` and [a link](https://x.test/y) *em* ~~no~~
second line

- one
- two
  - deep
  more

1. first
2. second

```python
x = 1

y = 2
```

a_b * c * d # no"""


HOSTILE = """
from animus_routes.batteries.adf import document
for text in ("[" * 200_000, "[a](" * 50_000, "[a" * 100_000, "`" * 200_000, "*a" * 100_000):
    document(text)
for text in ("```" + " " * 200_000 + "a b", " " * 200_000 + "x", "~~a" * 70_000, "# " * 100_000):
    document(text)
document("- a\\n" * 20_000)
"""


def test_no_text_takes_much_longer_than_its_length() -> None:
    """What takes seconds would take hours if one of them grew by the square."""
    subprocess.run([sys.executable, "-c", HOSTILE], check=True, timeout=60)


def test_what_is_written_is_a_document_and_reads_back() -> None:
    assert problem_of(document(WHOLE)) == ""
    assert markdown(document(WHOLE)) == WHOLE
    kinds = [node["type"] for node in document(WHOLE)["content"]]
    assert kinds == [
        "heading",
        "paragraph",
        "bulletList",
        "orderedList",
        "codeBlock",
        "paragraph",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "```", "```\nunclosed", "- ", "#", "* a\n * b", "1) x", "\n\n", "**", "[](x)"),
        *("``", "# # #", "- # x\n  # y", "- a\n  ```\n  b\n  ```", "- " * 50 + "x", "a\r\nb"),
        "\n".join(f"{'  ' * depth}- {depth}" for depth in range(60)),
    ],
)
def test_whatever_is_written_is_a_document(text: str) -> None:
    assert problem_of(document(text)) == ""
    assert isinstance(markdown(document(text)), str)


def node(kind: str, *content: Any, **attrs: Any) -> dict[str, Any]:
    return {"type": kind, "content": [*content], "attrs": attrs}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (node("doc", node("paragraph"), node("paragraph", text("x"))), "x"),
        (node("mention", id="1", text="@Ada"), "@Ada"),
        (node("inlineCard", url="https://x.test"), "https://x.test"),
        (node("emoji", shortName=":smile:"), ":smile:"),
        (node("rule"), "---"),
        (
            node("blockquote", node("paragraph", text("a")), node("paragraph", text("b"))),
            "> a\n> \n> b",
        ),
        (node("paragraph", text("a"), node("hardBreak"), text("b")), "a\nb"),
        (node("panel", node("paragraph", text("careful"))), "careful"),
        (
            node("table", node("tableRow", node("tableCell", node("paragraph", text("a"))))),
            "| a |",
        ),
        ({"type": "mediaSingle"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_of_whatever_else_a_document_has_there_is_the_text(given: Any, said: str) -> None:
    assert markdown(given) == said
