"""What the site's reference is made of; `make site` puts it together, and finds broken links."""

import re
from pathlib import Path

import docs_site
import pytest
from _site import api, cell, protocol

import animus_routes
from animus_routes.describe import explaining
from animus_routes.roles import KINDS

ANCHOR = re.compile(r"^\((.+)\)=$", re.MULTILINE)
LINK = re.compile(r"\]\(#([\w-]+)\)")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return protocol.pages()


def test_every_kind_method_and_type_has_its_place(pages: dict[str, str]) -> None:
    assert {f"kinds/{kind}" for kind in KINDS} <= set(pages)
    for kind in KINDS:
        for found, row in explaining.methods():
            if found.kind == kind:
                assert f"## `{row.name}`" in pages[f"kinds/{kind}"]
    for name in explaining.type_names():
        assert any(f"\n## {name}\n" in text for text in pages.values()), name


def test_every_link_of_the_reference_has_its_anchor(pages: dict[str, str]) -> None:
    anchors = [anchor for text in pages.values() for anchor in ANCHOR.findall(text)]
    assert len(anchors) == len(set(anchors)) > 300
    for text in pages.values():
        assert set(LINK.findall(text)) <= set(anchors)


def test_a_field_says_what_it_holds_in_plain_words(pages: dict[str, str]) -> None:
    assert (
        "| `status` | [SubjectStatus](#subject-subjectstatus) | optional; `ready` if left out |"
        in pages["types/subject"]
    )
    assert (
        "| `priority` | whole number from 0 to 255 or null | optional |" in pages["types/subject"]
    )
    assert cell("a | b `x<y>` <z>\nc") == "a \\| b `x<y>` \\<z> c"


def test_what_authors_import_is_told() -> None:
    text = "".join(api.pages().values())
    for name in animus_routes.__all__:
        found = getattr(animus_routes, name)
        if isinstance(found, type) and found.__module__.startswith("animus_routes."):
            assert f"\n## {name}\n" in text, name
    assert "\n### include\n" in text
    assert "\n## PluginProcess\n" in text


def test_all_pages_are_collected_and_on_the_contents(tmp_path: Path) -> None:
    docs_site.collect(tmp_path)
    index = (tmp_path / "index.md").read_text("utf-8")
    contents = index.partition("```{toctree}")[2]
    for page in (docs_site.ROOT / "docs").glob("*.md"):
        assert (tmp_path / "docs" / page.name).is_file()
        assert f"\ndocs/{page.stem}\n" in contents
    assert (tmp_path / "examples" / "hello.py").is_file()
    assert "](../README.md" not in (tmp_path / "docs" / "quickstart.md").read_text("utf-8")
