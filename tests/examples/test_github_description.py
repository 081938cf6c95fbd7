"""The tests' GitHub is held against GitHub's own description: what differs is seen."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import github_schema
import pytest
from github_description import DATA, description
from github_server import GitHub, label

ROOT = Path(__file__).resolve().parents[2]
ISSUES, ONE = "/repos/o/r/issues", "/repos/o/r/issues/1"


@pytest.mark.parametrize(
    ("method", "target", "body", "is_right"),
    [
        ("GET", f"{ISSUES}?state=open&since=2026-01-01T00:00:00Z&per_page=100&after=x", None, True),
        ("GET", f"{ISSUES}?state=opened", None, False),
        ("GET", f"{ISSUES}?label=bug", None, False),
        ("GET", f"{ISSUES}?direction=up", None, False),
        ("POST", ISSUES, {"title": "x", "labels": ["a"], "assignees": []}, True),
        ("POST", ISSUES, {"body": "x"}, False),
        ("POST", ISSUES, {"title": "x", "priority": 1}, False),
        ("PATCH", ONE, {"state": "closed", "state_reason": "not_planned"}, True),
        ("PATCH", ONE, {"state": "done"}, False),
        ("PATCH", ONE, {"state_reason": "wontfix"}, False),
        ("POST", f"{ONE}/labels", {"labels": ["a"]}, True),
        ("POST", f"{ONE}/labels", {"labels": [1]}, False),
        ("DELETE", f"{ONE}/labels/a%20b", None, True),
        ("POST", f"{ONE}/comments", {}, False),
    ],
)
def test_a_request_is_held(method: str, target: str, body: Any, is_right: bool) -> None:
    operation = description().operation(method, target)
    assert operation is not None
    assert (description().request_problems(operation, target, body) == []) is is_right


@pytest.mark.parametrize(
    ("changed", "is_right"),
    [
        ({}, True),
        ({"body": None, "labels": ["a", label("b")]}, True),
        ({"state_reason": "wontfix"}, False),
        ({"number": "1"}, False),
        ({"assignees": ["ada"]}, False),
        ({"user": {"login": "ada"}}, False),
        ({"title": None}, False),
    ],
)
def test_an_answer_is_held(changed: dict[str, Any], is_right: bool) -> None:
    issue = {**GitHub(1).add(), **changed}
    for target, answer in ((ISSUES, [issue]), (ONE, issue)):
        operation = description().operation("GET", target)
        assert operation is not None
        assert (description().answer_problems(operation, 200, answer) == []) is is_right
        assert description().answer_problems(operation, 201, answer) != []
    missing = {name: value for name, value in issue.items() if name != "number"}
    assert description().problems("#/components/schemas/issue", missing) != []


@pytest.mark.parametrize(("method", "target"), [("DELETE", ONE), ("GET", "/repos/o/r/pulls")])
def test_there_is_nothing_else(method: str, target: str) -> None:
    assert description().operation(method, target) is None


def test_what_is_committed_says_what_it_is_of() -> None:
    document = description().document
    assert document["info"]["version"] == github_schema.VERSION
    assert set(document["paths"]) == set(github_schema.OPERATIONS)
    licence = DATA.with_name("LICENSE").read_text("utf-8")
    assert f"{github_schema.PACKAGE} {github_schema.VERSION}" in licence
    assert "MIT License" in licence


def test_the_reduction_keeps_names_and_types_and_no_prose() -> None:
    schema = {
        "description": "prose",
        "properties": {"description": {"type": "string", "nullable": True, "enum": ["a"]}},
    }
    string = {"type": ["string", "null"], "enum": ["a", None]}
    assert github_schema.converted(schema) == {"properties": {"description": string}}
    either = {"oneOf": [{"type": "string"}], "nullable": True}
    assert github_schema.converted(either)["anyOf"][1] == {"type": "null"}


def test_a_plugin_starts_without_what_it_needs_only_to_ask() -> None:
    code = """if True:
        import sys
        sys.path.insert(0, "examples")
        import issues_github
        late = {"httpx", "http.server", "asyncio", "pydantic", "hmac", "email.utils", "griffe"}
        print(sorted(late & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert any("httpx" in one for one in extras["optional-dependencies"]["examples"])
