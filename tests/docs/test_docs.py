import os
import re
import sys
from pathlib import Path

import pytest
from doc_blocks import PAGES, REPO, RUN_BY_CI, Block, Page, WrongBlockError, blocks, commands, fits

import animus_routes
from animus_routes.errors import NamedError
from animus_routes.roles import KINDS, REFUSED, MethodRow, role


def repository(folder: Path) -> None:
    """Make a folder that looks like a checkout, with an environment that is set up already."""
    for name in ("Makefile", "pyproject.toml", "examples", "animus_routes", "tests", "schemas"):
        (folder / name).symlink_to(REPO / name)
    binaries = folder / "venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(0o755)
    (folder / "venv" / ".installed").touch()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_does_what_the_page_says(page: str, tmp_path: Path) -> None:
    runner = Page(tmp_path)
    if page == "README.md":
        repository(tmp_path)
        runner.environment["VENV"] = str(tmp_path / "venv")
    runner.run(*blocks(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    text = (REPO / page).read_text("utf-8")
    targets = re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", text)
    missing = [t for t in targets if not (REPO / page).parent.joinpath(t).exists()]
    assert not missing


def test_the_hello_world_of_the_readme_is_the_example_verbatim() -> None:
    example = (REPO / "examples" / "hello.py").read_text("utf-8")
    assert next(b for b in blocks("README.md") if b.info == "python").text == example


def test_what_no_test_can_run_is_run_by_ci() -> None:
    ci = (REPO / ".ci" / "run").read_text("utf-8").splitlines()
    shown = {c for b in blocks("README.md") if b.info == "console" for c, _ in commands(b)}
    assert shown >= RUN_BY_CI
    assert {line.split("  #")[0].strip() for line in ci} >= RUN_BY_CI


NAMED = re.compile(r"^\| `(\w+)\([^`]*\)` \| (-\d+) \| `(\w+)`[^|]*\| (.+) \|$", re.MULTILINE)


def test_the_table_of_named_errors_is_what_the_classes_say() -> None:
    text = (REPO / "docs" / "errors.md").read_text("utf-8")
    rows = {name: (int(code), category) for name, code, category, _ in NAMED.findall(text)}
    classes: dict[str, type[NamedError]] = {
        name: found
        for name in animus_routes.__all__
        if isinstance(found := getattr(animus_routes, name), type) and issubclass(found, NamedError)
    }
    assert rows == {n: (c.default_code, c.name) for n, c in classes.items()}
    for name, _, _, message in NAMED.findall(text):
        shown = message.strip("`")
        assert shown in {"as written", "cancelled"} or shown.startswith(classes[name].prefix)


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def rows_by_kind(page: str) -> dict[str, list[str]]:
    """The rows of a page's first table whose rows begin with a plugin kind."""
    text = (REPO / page).read_text("utf-8")
    found = [cells(line) for line in text.splitlines() if re.match(r"\| `\w+` \|", line)]
    return {row[0].strip("`"): row[1:] for row in found if row[0].strip("`") in KINDS}


def served_anyway(method: MethodRow) -> bool:
    stopping = method.stopped is not None
    return method.default is not None or method.served_with is not None or stopping


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_roles_is_what_the_role_s_own_table_says(kind: str) -> None:
    must, may, anyway = ("".join(cell.split()) for cell in rows_by_kind("docs/roles.md")[kind])
    methods = role(kind).methods
    rest = [method for method in methods if not served_anyway(method)]
    assert must == ",".join(method.verb for method in rest if method.required)
    if not role(kind).open:
        assert may == ",".join(method.verb for method in rest if not method.required)
    assert set(anyway.split(",")) - {""} == {m.verb for m in methods if served_anyway(m)}


def test_the_readme_has_an_example_and_a_test_of_every_kind() -> None:
    rows = rows_by_kind("README.md")
    assert list(rows) == list(KINDS)
    for kind, (example, _, test) in rows.items():
        assert "](examples/" in example, kind
        assert "](tests/examples/" in test, kind
    text = (REPO / "README.md").read_text("utf-8")
    assert [kind for kind in REFUSED if f"`{kind}`" not in text] == []


def test_every_example_is_in_the_table_of_the_readme() -> None:
    text = (REPO / "README.md").read_text("utf-8")
    names = [path.name for path in (REPO / "examples").glob("*.py") if path.name != "demo.py"]
    assert names
    assert [name for name in names if f"](examples/{name})" not in text] == []


def test_the_readme_links_every_page() -> None:
    text = (REPO / "README.md").read_text("utf-8")
    assert [page for page in PAGES if page != "README.md" and f"]({page})" not in text] == []


# The tester itself: a page that is wrong must not pass ---------------------------------------------


def block(info: str, text: str) -> Block:
    return Block("page.md", 7, info, text)


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ("text", "anything\n"),
        ("", "anything\n"),
        ("python", "x = 1\n"),
        ("python", "# x.py\nraise SystemExit(3)\n"),
        ("python", "# test_x.py\ndef test_it():\n    assert 0\n"),
        ("python", '# x.py\nfrom animus_routes import App\napp = App(kind="x", name="")\n'),
        ("console", "$ exit 1\n"),
        ("console", "$ echo one\ntwo\n"),
        ("console", "two\n"),
        ("console fails", "$ true\n"),
    ],
)
def test_a_block_that_is_wrong_is_found_with_its_page_and_line(
    info: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongBlockError, match=r"^page\.md:7: "):
        Page(tmp_path).run(block(info, text))


def test_json_and_toml_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    for info in ("json", "toml"):
        with pytest.raises(ValueError, match="line 1"):
            Page(tmp_path).run(block(info, "= 1\n"))


def test_three_dots_stand_for_any_lines() -> None:
    assert fits(["a", "...", "d"], ["a", "b", "c", "d"])
    assert fits(["a", "..."], ["a"])
    assert not fits(["a", "...", "d"], ["a", "b"])
    assert not fits(["a"], ["a", "b"])


def test_times_and_ids_do_not_have_to_agree(tmp_path: Path) -> None:
    shown = "$ echo 'error 0a1b2c3d at 2026-11-21T09:00:00Z'\nerror 11111111 at 2020-01-01T00:00:00.5Z\n"
    Page(tmp_path).run(block("console", shown))


def test_a_page_continues_a_file(tmp_path: Path) -> None:
    page = Page(tmp_path)
    page.run(block("python", "# x.py\nname = 'x'\n"))
    page.run(block("python", "# x.py, continued\nassert name == 'x'\nprint(name)\n"))
    page.run(block("console", "$ python x.py\nx\n"))


def test_the_pages_are_there() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/handlers.md", "docs/errors.md"} <= set(PAGES)
    assert os.access(REPO / ".ci" / "run", os.X_OK)
