import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served

from animus_routes import RpcError
from animus_routes.host import Plugin, host_environment

SCRIPT = EXAMPLES / "runner_local.py"
RUNNER = [sys.executable, str(SCRIPT)]
WAIT_S = 10
Result = dict[str, Any]

TWO = {"phases": [{"id": "one", "run": "echo 1 >> did"}, {"id": "two", "run": "echo 2 >> did"}]}


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with opened(tmp_path) as started:
        yield started


@contextmanager
def opened(project: Path) -> Iterator[Plugin]:
    binding = {"project_binding": {"project_root": str(project), "repo_scope": "scope"}}
    with served(RUNNER, project, init_extensions=binding) as plugin:
        yield plugin


def workflow(project: Path, content: str | dict[str, Any], name: str = "standard.json") -> None:
    folder = project / ".animus" / "local-workflows"
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, "utf-8")


def execute(plugin: Plugin, **params: Any) -> Result:
    given = {"task_id": "T1", "workflow_ref": "standard", **params}
    result: Result = plugin.call("workflow/execute", given)
    return result


def kinds(events: list[Any]) -> list[tuple[str, ...]]:
    return [
        tuple(str(event[name]) for name in ("kind", "verdict", "status") if name in event)
        for event in events
    ]


def did(project: Path) -> list[str]:
    return (project / "did").read_text("utf-8").split()


def test_phases_run_in_order_and_tell_of_it_while_they_run(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, TWO)
    result = execute(plugin)
    assert did(tmp_path) == ["1", "2"]
    assert (result["workflow_status"], result["success"]) == ("completed", True)
    assert (result["phases_completed"], result["phases_total"]) == (2, 2)
    assert result["subject_id"] == "T1"
    once = [("started",), ("decision", "advance"), ("completed", "completed")]
    assert kinds(result["phase_events"]) == once * 2
    heard = [n.params["value"] for n in plugin.notifications if n.method == "$/progress"]
    assert heard == [{"workflow_id": result["workflow_id"]}, *result["phase_events"]]


def test_a_word_or_a_time_in_yaml_is_text(plugin: Plugin, tmp_path: Path) -> None:
    text = "phases:\n  - id: on\n    run: echo $AT $ANIMUS_VAR_OFF >> did\n    env: {AT: 22:30}\n"
    workflow(tmp_path, text + "vars:\n  off: no\n", "nightly.yaml")
    assert execute(plugin, workflow_ref="nightly")["success"] is True
    assert did(tmp_path) == ["22:30", "no"]


def test_yaml_that_cannot_be_read_is_refused_with_its_place(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, "phases:\n  - id: [\n", "nightly.yaml")
    with pytest.raises(RpcError, match=r"nightly\.yaml: (.*\n)*.*line 3") as refusal:
        execute(plugin, workflow_ref="nightly")
    assert refusal.value.code == -32602


def test_a_workflow_may_be_written_in_yaml(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, "phases:\n  - id: one\n    run: |\n      echo 1 >> did\n", "nightly.yaml")
    assert execute(plugin, workflow_ref="nightly")["success"] is True
    assert did(tmp_path) == ["1"]


def test_a_failed_phase_ends_the_workflow(plugin: Plugin, tmp_path: Path) -> None:
    broken = {"id": "broken", "run": "echo trouble >&2; exit 3", "attempts": 2}
    workflow(tmp_path, {"phases": [broken, *TWO["phases"]]})
    result = execute(plugin)
    assert (result["workflow_status"], result["success"]) == ("failed", False)
    (phase,) = result["phase_results"]
    outcome = phase["outcome"]
    assert (phase["status"], outcome["exit_code"], outcome["attempts"]) == ("failed", 3, 2)
    assert outcome["output"] == "trouble\n"
    assert [event.get("verdict") for event in result["phase_events"]] == [
        *(None, "rework"),
        *(None, "fail"),
        None,
    ]
    assert not (tmp_path / "did").exists()


def test_a_phase_that_may_fail_does_not_end_the_workflow(plugin: Plugin, tmp_path: Path) -> None:
    flaky = {"id": "flaky", "run": "exit 1", "allow_failure": True}
    workflow(tmp_path, {"phases": [flaky, *TWO["phases"]]})
    result = execute(plugin)
    assert result["success"] is True
    assert ("decision", "skip") in kinds(result["phase_events"])


def test_a_phase_that_takes_too_long_is_killed(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, {"phases": [{"id": "slow", "run": "sleep 600", "timeout_secs": 0.2}]})
    outcome = execute(plugin)["phase_results"][0]["outcome"]
    assert outcome["timed_out"]
    assert outcome["exit_code"] in {-15, 143}  # the shell's own, or what it says of its command


def test_commands_know_their_run(plugin: Plugin, tmp_path: Path) -> None:
    names = ("WORKFLOW_ID", "WORKFLOW_REF", "SUBJECT_ID", "PHASE_ID", "PHASE_ATTEMPT", "INPUT")
    show = " ".join(f'"$ANIMUS_{name}"' for name in (*names, "VAR_BRANCH", "VAR_DEEP"))
    phases = [{"id": "show", "run": f"printf '%s\\n' {show}"}]
    workflow(tmp_path, {"phases": phases, "vars": {"branch": "main", "deep": "no"}})
    result = execute(plugin, vars={"deep": "yes"}, input={"n": 1})
    assert result["phase_results"][0]["outcome"]["output"].splitlines() == [
        *(result["workflow_id"], "standard", "T1", "show", "0", '{"n":1}'),
        *("main", "yes"),
    ]


def test_a_dispatch_says_what_to_run(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, {"phases": [{"id": "p", "run": "echo $ANIMUS_INPUT $ANIMUS_VAR_X"}]})
    envelope = {
        "subject": {"Custom": {"title": "nightly", "description": "d"}},
        "workflow_ref": "standard",
        "trigger_source": "schedule:nightly",
        "requested_at": "2026-01-01T00:00:00Z",
        "input": [1],
        "vars": {"x": "y"},
    }
    result = plugin.call("workflow/execute", {"subject_dispatch": envelope})
    assert result["subject_id"] == "nightly"
    assert result["phase_results"][0]["outcome"]["output"] == "[1] y\n"


def test_a_manual_phase_waits_until_the_run_is_resumed(plugin: Plugin, tmp_path: Path) -> None:
    one, two = TWO["phases"]
    workflow(tmp_path, {"phases": [one, {"id": "approve", "manual": True}, two]})
    first = execute(plugin)
    assert (first["workflow_status"], first["success"]) == ("paused", False)
    assert [phase["status"] for phase in first["phase_results"]] == ["completed", "manual_pending"]
    second = plugin.call("workflow/execute", {"workflow_id": first["workflow_id"]})
    assert (second["workflow_status"], second["subject_id"]) == ("completed", "T1")
    assert did(tmp_path) == ["1", "2"]
    error = refused(plugin, "workflow/execute", {"workflow_id": first["workflow_id"]})
    assert (error.code, error.data) == (-32103, {"status": "completed"})


def test_a_run_that_was_killed_goes_on_after_its_last_phase(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    fd = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    one, _ = TWO["phases"]
    two = {"id": "two", "run": "exec > alive; echo started; exec sleep 600"}
    workflow(tmp_path, {"phases": [one, two]})
    with opened(tmp_path) as plugin:
        plugin.request("workflow/execute", {"task_id": "T1", "workflow_ref": "standard"})
        run = plugin.next_notification("$/progress").params["value"]["workflow_id"]
        assert heard(fd) == b"started\n"
        plugin.kill()
    assert heard(fd) == b""  # what it ran has ended with it
    os.close(fd)
    workflow(tmp_path, TWO)
    with opened(tmp_path) as plugin:
        done = plugin.call("workflow/execute", {"workflow_id": run})
    assert (done["workflow_status"], done["phases_completed"]) == ("completed", 2)
    assert [phase["phase_id"] for phase in done["phase_results"]] == ["two"]
    assert did(tmp_path) == ["1", "2"]


def test_one_phase_alone_leaves_the_workflow_running(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, TWO)
    result = execute(plugin, phase_filter="two")
    assert (result["workflow_status"], result["phases_requested"]) == ("running", ["two"])
    assert did(tmp_path) == ["2"]


def test_a_cancel_kills_what_runs(plugin: Plugin, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    fd = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    script = "exec > alive; echo started; sleep 600 & sleep 600"
    workflow(tmp_path, {"phases": [{"id": "p", "run": script}]})
    request = plugin.request("workflow/execute", {"task_id": "T1", "workflow_ref": "standard"})
    assert heard(fd) == b"started\n"
    plugin.notify("$/cancelRequest", {"id": request})
    with pytest.raises(RpcError) as raised:
        plugin.reply(request, WAIT_S)
    assert raised.value.code == -32002
    assert heard(fd) == b""
    os.close(fd)


def heard(fd: int) -> bytes:
    readable, _, _ = select.select([fd], [], [], WAIT_S)
    assert readable
    return os.read(fd, 65536)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"task_id": "T1", "workflow_ref": "none"}, -32101),
        ({"task_id": "T1", "workflow_ref": "../standard"}, -32101),
        ({"workflow_id": "run-none"}, -32101),
        ({"workflow_id": "../run"}, -32101),
        ({"task_id": "T1", "workflow_ref": "standard", "phase_filter": "none"}, -32102),
        ({"task_id": "T1", "workflow_ref": "broken"}, -32602),
        ({"task_id": "T1"}, -32602),
        ({"workflow_ref": "standard"}, -32602),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_code(
    plugin: Plugin, tmp_path: Path, params: dict[str, Any], code: int
) -> None:
    workflow(tmp_path, TWO)
    workflow(tmp_path, {"phases": [{"id": "p", "manual": True, "run": "x"}]}, "broken.json")
    assert refused(plugin, "workflow/execute", params).code == code


def phase_params(project: Path, **fields: Any) -> dict[str, Any]:
    return {
        "execution_cwd": str(project),
        "workflow_id": "w1",
        "workflow_ref": "standard",
        "subject_id": "T1",
        "subject_title": "Title",
        "subject_description": "",
        "phase_id": "one",
        "phase_attempt": 2,
        **fields,
    }


def test_a_host_can_run_one_phase_itself(plugin: Plugin, tmp_path: Path) -> None:
    script = (
        'echo "$ANIMUS_PHASE_ATTEMPT $ANIMUS_REWORK_CONTEXT $ANIMUS_INPUT"; exit $ANIMUS_VAR_RC'
    )
    workflow(tmp_path, {"phases": [{"id": "one", "run": script}]})
    fields = {"rework_context": "again", "dispatch_input": "[1]", "pipeline_vars": {"rc": "4"}}
    result = plugin.call("workflow/run_phase", phase_params(tmp_path, **fields))
    assert result["phase_status"] == "failed"
    assert (result["outcome"]["output"], result["outcome"]["exit_code"]) == ("2 again [1]\n", 4)
    missing = phase_params(tmp_path, phase_id="none")
    assert refused(plugin, "workflow/run_phase", missing).code == -32102
    workflow(tmp_path, {"phases": [{"id": "one", "manual": True}]})
    assert refused(plugin, "workflow/run_phase", phase_params(tmp_path)).code == -32105


def test_what_hosts_are_told_is_what_the_runner_does(plugin: Plugin) -> None:
    told = (plugin.initialize_result or {})["kind_capabilities"]["workflow_runner"]
    assert told["crate_version"] == "0.4.0"
    assert {name for name, can in told["extra"].items() if can} == {
        *("crash_recovery", "manual_pause_support", "rework_context_support"),
        *("execution_fence_v1", "publication_receipt_v1"),
    }


# ---- the command line that the daemon starts --------------------------------------------------------


def started(
    project: Path, *subject: str, pipe: Path | None = None, script: Path = SCRIPT
) -> subprocess.Popen[str]:
    """Start the runner as the daemon does."""
    path = {} if pipe is None else {"ANIMUS_WORKFLOW_EVENT_PIPE": str(pipe)}
    command = [sys.executable, str(script), "execute", *subject]
    return subprocess.Popen(
        [*command, "--workflow-ref", "standard", "--project-root", str(project)],
        cwd=EXAMPLES,
        env=host_environment(extra={"PYTHONPATH": str(EXAMPLES.parent), **path}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> tuple[int, Result, list[dict[str, Any]]]:
    """The exit code, the result and the runner's own lines on stderr."""
    output, errors = process.communicate(timeout=30)
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    return process.returncode, json.loads(output) if output else {}, lines


def test_the_command_line_runs_the_same_handler(tmp_path: Path) -> None:
    workflow(tmp_path, {"phases": [{"id": "p", "run": "echo $ANIMUS_INPUT > did"}]})
    subject = ("--title", "ad hoc", "--description", "d", "--input-json", '{"n":1}')
    code, result, lines = told(started(tmp_path, *subject))
    assert (code, result["success"], result["subject_id"]) == (0, True, "ad hoc")
    assert did(tmp_path) == ['{"n":1}']
    assert lines == [
        {"event": "runner_start", "task_id": "ad hoc", "workflow_ref": "standard"},
        {
            "event": "runner_complete",
            "task_id": "ad hoc",
            "workflow_id": result["workflow_id"],
            "workflow_ref": "standard",
            "workflow_status": "completed",
            "exit_code": 0,
        },
    ]


def test_the_command_line_finds_the_plugin_from_any_folder(tmp_path: Path) -> None:
    workflow(tmp_path, TWO)
    assert told(started(tmp_path, "--task-id=T1", script=Path(SCRIPT.name)))[0] == 0


def test_events_go_to_the_pipe_while_the_workflow_runs(tmp_path: Path) -> None:
    pipe, gate = tmp_path / "events", tmp_path / "gate"
    for path in (pipe, gate):
        os.mkfifo(path)
    workflow(tmp_path, {"phases": [{"id": "p", "run": "cat gate"}]})
    fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    process = started(tmp_path, "--task-id", "T1", pipe=pipe)
    first = json.loads(heard(fd))
    assert (first["kind"], first["payload"]["phase_id"]) == ("phase_started", "p")
    gate.write_text("go", "utf-8")
    code, result, _ = told(process)
    rest = [json.loads(line) for line in os.read(fd, 65536).splitlines()]
    os.close(fd)
    assert code == 0
    assert [event["kind"] for event in rest] == [
        *("phase_decision", "phase_completed", "workflow_completed")
    ]
    assert {event["workflow_id"] for event in [first, *rest]} == {result["workflow_id"]}
    assert all(event["occurred_at"].endswith("Z") for event in rest)


def test_the_pipe_may_be_the_socket_that_the_daemon_listens_on(tmp_path: Path) -> None:
    workflow(tmp_path, {"phases": [{"id": "p", "run": "exit 1"}]})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(WAIT_S)
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        process = started(tmp_path, "--task-id", "T1", pipe=tmp_path / "s")
        link, _ = listener.accept()
        with link, link.makefile("rb") as lines:
            link.settimeout(WAIT_S)
            events = [json.loads(line) for line in lines]
        code, _, said = told(process)
    assert code == 1
    assert [event["kind"] for event in events] == [
        *("phase_started", "phase_decision", "phase_failed", "workflow_failed")
    ]
    assert said[-1]["workflow_status"] == "failed"


@pytest.mark.parametrize("kind", ["missing", "fifo", "deaf"])
def test_a_pipe_that_nobody_listens_on_does_not_stop_the_workflow(
    tmp_path: Path, kind: str
) -> None:
    workflow(tmp_path, TWO)
    if kind == "fifo":
        os.mkfifo(tmp_path / "s")
    if kind == "deaf":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
    assert told(started(tmp_path, "--task-id", "T1", pipe=tmp_path / "s"))[0] == 0
    assert did(tmp_path) == ["1", "2"]


def test_a_run_that_cannot_begin_is_told_as_failed(tmp_path: Path) -> None:
    process = started(tmp_path, "--task-id", "T1")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert "there is no workflow 'standard'" in errors
    complete = json.loads(errors.splitlines()[-1])
    assert (complete["workflow_status"], complete["exit_code"]) == ("failed", 1)


@pytest.mark.parametrize(
    "arguments", [(), ("--bogus", "1"), ("--task-id", "T", "--input-json", "{")]
)
def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = started(tmp_path, *arguments)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    assert "usage:" in errors


def test_the_end_of_the_command_line_ends_the_phase(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    fd = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    workflow(tmp_path, {"phases": [{"id": "p", "run": "exec > alive; echo started; sleep 600"}]})
    process = started(tmp_path, "--task-id", "T1")
    assert heard(fd) == b"started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert heard(fd) == b""
    os.close(fd)


def test_a_phases_input_may_be_any_text(plugin: Plugin, tmp_path: Path) -> None:
    workflow(tmp_path, {"phases": [{"id": "tell", "run": 'echo "$ANIMUS_INPUT"'}]})
    for sent, told in (('{"a":1}', '{"a":1}'), ("plain words", '"plain words"'), (" ", '" "')):
        params = phase_params(tmp_path, phase_id="tell", dispatch_input=sent)
        assert plugin.call("workflow/run_phase", params)["outcome"]["output"].strip() == told


@pytest.mark.parametrize(
    "wrong",
    [
        {"execution_cwd": "/no/such/folder"},
        {"execution_cwd": "x" * 300},
        {"execution_cwd": "a\0b"},
        {"subject_title": "a\0b"},
        {"pipeline_vars": {"a": "b\0"}},
        {"workflow_id": "x" * 300},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_no_command_can_be_told_is_invalid(
    plugin: Plugin, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    workflow(tmp_path, {"phases": [{"id": "tell", "run": "true"}]})
    params = phase_params(tmp_path, phase_id="tell", **wrong)
    assert refused(plugin, "workflow/run_phase", params).code == -32602


def test_a_workflow_with_a_name_that_no_file_has_is_not_found(
    plugin: Plugin, tmp_path: Path
) -> None:
    params = phase_params(tmp_path, workflow_ref="x" * 300)
    assert refused(plugin, "workflow/run_phase", params).code == -32101
