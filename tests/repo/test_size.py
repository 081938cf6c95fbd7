"""Modules and functions stay small enough to be read at once."""

import ast
from collections.abc import Iterator

import pytest
from repo_files import REPO, hand_written, tree

MODULE_LINES = 400
FUNCTION_LINES = 50
LARGER = {
    "examples/": 600,  # one file each, because that is what someone installs
}


def bound(name: str) -> int:
    return next((n for folder, n in LARGER.items() if name.startswith(folder)), MODULE_LINES)


def functions(name: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("name", hand_written())
def test_a_module_has_at_most_400_lines(name: str) -> None:
    lines = len((REPO / name).read_text("utf-8").splitlines())
    assert lines <= bound(name)


@pytest.mark.parametrize("name", hand_written())
def test_a_function_has_at_most_50_lines(name: str) -> None:
    assert {where: n for where, n in functions(name) if n > FUNCTION_LINES} == {}
