"""What is committed speaks of the project alone, and its parts agree."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from repo_files import REPO, files, imported, package, tree

import animus_routes

ROOTS = ("work", "tmp", "root", "home", "Users")
MACHINE_PATH = re.compile(rf"(?<![\w.:/])/(?:{'|'.join(ROOTS)})/[A-Za-z]")
REGISTRY = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs"),
            ("crates", "io"),
            ("proxy", "golang"),
        )
    )
    + "|index-"
    + "url"
)
TOKEN = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("name", files())
def test_no_file_contains_a_machine_path_or_a_registry_host(name: str) -> None:
    text = (REPO / name).read_bytes().decode("utf-8", "replace")
    found = [m[0] for pattern in (MACHINE_PATH, REGISTRY) for m in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("see " + "/work" + "/main", True),
        ("open('" + "/home" + "/ada/x')", True),
        ("file://" + "/tmp" + "/handoff.md", False),  # an example of a protocol's schema
        ("https://example.com/" + "work/x", False),
        ("examples/tmp/x", False),
    ],
)
def test_a_machine_path_is_told_from_other_text(text: str, *, bad: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is bad


def plugins() -> list[str]:
    """The examples that hosts start."""
    return [n for n in files("examples/*.py") if "app = App(" in (REPO / n).read_text("utf-8")]


@pytest.mark.parametrize("name", plugins())
def test_an_example_is_installed_as_one_file(name: str) -> None:
    """What it does beside serving, such as an import of files, may need another one."""
    beside = {Path(other).stem for other in files("examples/*.py")}
    needed = {dotted for node in tree(name).body for _, dotted in imported(node, name)}
    assert beside & {dotted.partition(".")[0] for dotted in needed} == set()


def test_the_changelog_ends_with_this_version() -> None:
    text = (REPO / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)
    versions = [name for name, _ in headings if name != "Unreleased"]
    assert headings[0][0] == "Unreleased"
    assert versions[0] == animus_routes.__version__


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(animus_routes.__all__) <= 20
    for name in animus_routes.__all__:
        assert getattr(animus_routes, name) is not None


# CONTRIBUTING.md ------------------------------------------------------------------------------------


def section(heading: str) -> str:
    text = (REPO / "CONTRIBUTING.md").read_text("utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> list[str]:
    """What stands in backticks in the first cell of each row of a section's table."""
    return [
        token
        for line in section(heading).splitlines()
        if line.startswith("|")
        for token in TOKEN.findall(line.split("|")[1])
    ]


def test_every_module_is_on_the_map_and_everything_on_the_map_exists() -> None:
    places = rows("The map")
    assert [place for place in places if not (REPO / place).exists()] == []
    folders = tuple(place for place in places if place.endswith("/"))
    lost = [name for name in package() if name not in places and not name.startswith(folders)]
    assert lost == []


STEP = re.compile(r"`([a-z_/]+\.py)` `([A-Za-z_.]+)`")
YOURS = "Your function."


def defined(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """The functions and classes of a body, with their own bodies; a field has none."""
    found: dict[str, list[ast.stmt]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node.body
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = []
    return found


def test_every_step_on_the_walk_of_a_request_is_there() -> None:
    steps = re.findall(r"^\d+\. (.+)$", section("The walk of one request"), re.MULTILINE)
    assert len(steps) > 15
    for step in steps:
        places = STEP.findall(step)
        assert places or step == YOURS
        for file, name in places:
            known = defined(tree(f"animus_routes/{file}").body)
            for part in name.split("."):
                assert part in known, f"{file} has no {name}"
                known = defined(known[part])


def test_a_place_is_on_the_map_once() -> None:
    places = rows("The map")
    assert len(places) == len(set(places))


def test_every_task_is_a_target_of_the_makefile_and_the_other_way_round() -> None:
    makefile = (REPO / "Makefile").read_text("utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert sorted(targets) == sorted(phony.split())
    tasks = [task.removeprefix("make ") for task in rows("One command per task")]
    assert sorted(task for task in tasks if not task.startswith(".")) == sorted(targets)


def test_every_link_of_the_package_points_at_what_is_there() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    assert (REPO / project["readme"]).is_file()
    assert [name for name in project["license-files"] if not (REPO / name).is_file()] == []
