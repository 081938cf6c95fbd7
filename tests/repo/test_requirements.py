"""`tests/requirements.toml` and the tests name each other."""

import ast
import tomllib
from pathlib import PurePosixPath
from typing import Any

import pytest
from repo_files import REPO, files, tree

REQUIREMENTS: dict[str, Any] = tomllib.loads(
    (REPO / "tests" / "requirements.toml").read_text("utf-8")
)
NAMED = sorted({test for entry in REQUIREMENTS.values() for test in entry.get("tests", ())})


def every_test_file() -> list[str]:
    return [name for name in files("tests/*.py") if PurePosixPath(name).name.startswith("test_")]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_requirement_has_a_source_a_text_and_a_test(name: str) -> None:
    entry = REQUIREMENTS[name]
    assert set(entry) == {"source", "text", "tests"}
    assert all(entry.values())
    assert len(entry["tests"]) == len(set(entry["tests"]))


@pytest.mark.parametrize("test", NAMED)
def test_a_test_that_a_requirement_names_exists(test: str) -> None:
    file, _, function = test.partition("::")
    assert file in every_test_file()
    functions = {n.name for n in ast.walk(tree(file)) if isinstance(n, ast.FunctionDef)}
    assert not function or function in functions


@pytest.mark.parametrize("file", every_test_file())
def test_a_test_file_holds_a_requirement(file: str) -> None:
    assert file in {test.partition("::")[0] for test in NAMED}
