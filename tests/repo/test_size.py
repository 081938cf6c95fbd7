"""Modules and functions stay small enough to be read at once."""

import ast
from collections.abc import Iterator

import pytest
from repo_files import REPO, files, hand_written, tree

MODULE_LINES = 400
FUNCTION_LINES = 50
# Where a bound may be larger, and why.
LARGER_MODULES = {
    # Two protocols on two databases, with every statement: read from the rules to the tables.
    "examples/conversations_sql.py": 1000,
    "examples/queue_sql.py": 1030,
    # Fences, reservations and receipts are most of a runner, and it is installed as one file.
    "examples/runner_local.py": 900,
    # Commands, whole workflows and orphans, and it is installed as one file.
    "examples/environment_local.py": 750,
    # A list that others change while it is read, and every write without a race.
    "examples/issues_github.py": 750,
    "examples/tasks_sqlite.py": 815,  # the whole protocol, and a way to every filter's rarest
    # Every document that is asked and every type that is answered stand beside what is made of them.
    "examples/issues_linear.py": 880,
    "examples/issues_jira.py": 700,
    # Each way to find entries by the rarest of what is asked, and five layouts with what makes them.
    "examples/logs_sqlite.py": 680,
    # A buffer on disk, every statement, and what each refusal means.
    "examples/logs_clickhouse.py": 650,
    "examples/": 600,  # one file each, because that is what someone installs
    "tests/": 600,  # many small tests of one subject, read one at a time
}
LARGER_FUNCTIONS = {
    "tests/": 65,  # a scenario, told from its start to its end
    "animus_routes/engine/server.py": 78,  # `run_lines`: the hot loop, where every call costs
}


def bound(name: str, larger: dict[str, int], usual: int) -> int:
    return next((n for place, n in larger.items() if name.startswith(place)), usual)


def functions(name: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("name", hand_written())
def test_a_module_can_be_read_at_once(name: str) -> None:
    lines = len((REPO / name).read_text("utf-8").splitlines())
    assert lines <= bound(name, LARGER_MODULES, MODULE_LINES)


@pytest.mark.parametrize("name", files("*.js", "*.css"))
def test_a_file_of_the_page_can_be_read_at_once(name: str) -> None:
    assert len((REPO / name).read_text("utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("name", hand_written())
def test_a_function_can_be_read_at_once(name: str) -> None:
    most = bound(name, LARGER_FUNCTIONS, FUNCTION_LINES)
    assert {where: n for where, n in functions(name) if n > most} == {}
