"""The command line by which daemons start a workflow runner (newer 3.6.4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from animus_routes import App, NotFound
from animus_routes.serving.execute import OPTIONS
from animus_routes.testing import TestClient

ECHOING = Path(__file__).parent / "plugins" / "echoing.py"
BOUND_S = 30
ACTOR = {"user_id": "kim", "claims": ["admin"], "tenant_id": "acme"}
FENCE: dict[str, Any] = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:T1", "generation": 2},
}
SENT: dict[str, Any] = {"phase_timeout_secs": 5, "subject_ref": {"kind": "task", "id": "T1"}}
ACTOR_VARIABLE, FENCE_VARIABLE = "ANIMUS_ACTOR_JSON", "ANIMUS_EXECUTION_FENCE_JSON"


def run(folder: Path, *arguments: str, **variables: str | bytes) -> tuple[int, Any, list[str]]:
    """The exit code, the result and the lines on stderr."""
    command = [sys.executable, str(ECHOING), "execute", "--project-root", str(folder)]
    environment = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    environment |= {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
    done = subprocess.run(
        [*command, *arguments],
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=BOUND_S,
    )
    result = json.loads(done.stdout) if done.stdout else None
    return done.returncode, result, done.stderr.decode().splitlines()


def asked(folder: Path, *arguments: str, **variables: str) -> dict[str, Any]:
    """The params that the handler got."""
    code, result, lines = run(folder, *arguments, **variables)
    assert code == 0, lines
    found: dict[str, Any] = result["post_success"]["params"]
    return found


def test_every_argument_of_the_daemon_reaches_the_handler(tmp_path: Path) -> None:
    found = asked(
        tmp_path,
        *("--workflow-id=wf-1", "--task-id", "T1", "--requirement-id", "R1"),
        *("--title", "t", "--description", "d", "--workflow-ref=standard"),
        *("--input-json", '{"a": 1}', "--model", "m", "--tool", "claude"),
        *("--phase-timeout-secs", "60", "--phase-routing-json", "{}", "--mcp-config-json", "[]"),
        *("--config-path", "/c.yaml", "--subject-id", "linear.issue:L:1"),
    )
    assert found == {
        "workflow_id": "wf-1",
        "task_id": "T1",
        "requirement_id": "R1",
        "title": "t",
        "description": "d",
        "workflow_ref": "standard",
        "input": {"a": 1},
        "model": "m",
        "tool": "claude",
        "phase_timeout_secs": 60,
        "phase_routing": {},
        "mcp_config": [],
        "subject_ref": {"kind": "linear.issue", "id": "L:1"},
    }


def test_a_new_workflow_has_its_id_from_the_start(tmp_path: Path) -> None:
    code, result, lines = run(tmp_path, "--new-workflow-id", "wf-9", "--workflow-ref", "standard")
    assert code == 0
    assert result["post_success"]["params"] == {
        "new_workflow_id": "wf-9",
        "workflow_ref": "standard",
    }
    start, end = (json.loads(line) for line in lines if line.startswith("{"))
    assert (start["event"], start["workflow_id"]) == ("runner_start", "wf-9")
    assert (end["event"], end["workflow_id"], end["exit_code"]) == ("runner_complete", "wf-9", 0)


@pytest.mark.parametrize("field", [name for name, _ in OPTIONS.values()])
def test_a_handler_may_take_what_the_command_line_says(field: str) -> None:
    app = App(kind="workflow_runner", name="n", version="1.0.0", description="d")
    taken: list[Any] = []
    source = f"def execute({field}): taken.append({field}); raise NotFound('it')"
    scope: dict[str, Any] = {"taken": taken, "NotFound": NotFound}
    exec(source, scope)
    app.method("workflow/execute")(scope["execute"])
    app.method("workflow/run_phase")(lambda params: params)
    with TestClient(app) as client, pytest.raises(NotFound):
        client.call("workflow/execute", {field: SENT.get(field, "it")})
    assert taken == [SENT.get(field, "it")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workflow-id", "a", "--new-workflow-id", "b"), "not both"),
        (("--subject-id", "T1"), "not <kind>:<id>"),
        (("--subject-id", ":T1"), "not <kind>:<id>"),
        (("--task-id=",), "--task-id: it is blank"),
        (("--workflow-id= ",), "--workflow-id: it is blank"),
        (("--task-id", "T1", "--phase-timeout-secs=-5"), "not a number of seconds"),
        (("--task-id", "T1", "--phase-timeout-secs=soon"), "not a number of seconds"),
        (("--task-id", "T1", "--input-json={"), "not JSON"),
        (("--task-id", "T1", "--unknown"), "--unknown"),
        ((), "--subject-id"),
    ],
)
def test_arguments_that_make_no_sense_are_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, result, lines = run(tmp_path, *arguments)
    assert (code, result) == (2, None)
    assert said in "\n".join(lines)


def test_the_actor_and_the_fence_of_the_environment_are_those_of_the_run(tmp_path: Path) -> None:
    variables = {ACTOR_VARIABLE: json.dumps(ACTOR), FENCE_VARIABLE: json.dumps(FENCE)}
    code, result, _ = run(tmp_path, "--task-id", "T1", **variables)
    assert code == 0
    assert result["post_success"]["actor"] == ACTOR
    assert result["post_success"]["params"]["execution_fence"] == FENCE
    assert result["execution_fence"] == FENCE


def test_without_them_a_run_is_unscoped(tmp_path: Path) -> None:
    assert asked(tmp_path, "--task-id", "T1") == {"task_id": "T1"}


MALFORMED: list[tuple[str, Any]] = [
    (ACTOR_VARIABLE, ""),
    (ACTOR_VARIABLE, "  "),
    (ACTOR_VARIABLE, "null"),
    (ACTOR_VARIABLE, "kim"),
    (ACTOR_VARIABLE, '"kim"'),
    (ACTOR_VARIABLE, "{}"),
    (ACTOR_VARIABLE, '{"user_id": 1}'),
    (ACTOR_VARIABLE, '{"user_id": "kim", "claims": {}}'),
    (ACTOR_VARIABLE, b'{"user_id": "\xff"}'),
    (FENCE_VARIABLE, ""),
    (FENCE_VARIABLE, "null"),
    (FENCE_VARIABLE, "{}"),
    (FENCE_VARIABLE, json.dumps(FENCE | {"version": 2})),
    (FENCE_VARIABLE, json.dumps(FENCE | {"workflow_generation": 0})),
    (FENCE_VARIABLE, json.dumps(FENCE | {"unknown": 1})),
    (FENCE_VARIABLE, b"\xff"),
]


@pytest.mark.parametrize(("variable", "value"), MALFORMED)
def test_an_identity_that_cannot_be_read_runs_nothing(
    tmp_path: Path, variable: str, value: str | bytes
) -> None:
    code, result, lines = run(tmp_path, "--task-id", "T1", **{variable: value})
    assert (code, result) == (2, None)
    said = "\n".join(lines)
    assert f"{variable} is malformed, so nothing is run: " in said
    assert "runner_start" not in said


def test_a_fence_of_another_workflow_is_refused(tmp_path: Path) -> None:
    code, _, lines = run(tmp_path, "--workflow-id", "wf-2", **{FENCE_VARIABLE: json.dumps(FENCE)})
    assert code == 1
    assert "workflow_id" in "\n".join(lines)
