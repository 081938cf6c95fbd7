"""Fences and receipts, on a real repository and its real remote."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, INSTALLED, refused, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin

RUNNER = [sys.executable, str(EXAMPLES / "runner_local.py")]
WAIT_S = 20
HEAD = "refs/heads/animus/TASK-1"
WHO = {
    f"GIT_{role}_{what}": f"{what}@example.com"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
Result = dict[str, Any]
Fence = dict[str, Any]


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=folder, env=WHO, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def remote_ref(project: Path, ref: str = HEAD) -> str:
    """Where a ref is at the remote itself."""
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", ref],
        cwd=project.with_name("origin.git"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return found.stdout.strip()


def workflow(project: Path, **phases: str) -> None:
    folder = project / ".animus" / "local-workflows"
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"id": name, "run": run} for name, run in phases.items()]
    (folder / "coding.json").write_text(json.dumps({"phases": listed}), "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone whose origin has one commit."""
    origin, clone = tmp_path / "origin.git", tmp_path / "project"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    git(clone, "checkout", "--quiet", "-B", "main")
    (clone / "file").write_text("one\n", "utf-8")
    git(clone, "add", "file")
    git(clone, "commit", "--quiet", "-m", "one")
    git(clone, "push", "--quiet", "origin", "main")
    workflow(clone, build="echo two >> file")
    return clone


@contextmanager
def opened(project: Path) -> Iterator[Plugin]:
    binding = {"project_binding": {"project_root": str(project), "repo_scope": "scope"}}
    with served(RUNNER, project, init_extensions=binding) as plugin:
        yield plugin


@pytest.fixture
def plugin(project: Path) -> Iterator[Plugin]:
    with opened(project) as started:
        yield started


def fence_of(project: Path, workflow_id: str = "wf-1", lease: int = 1, subject: int = 1) -> Fence:
    return {
        "schema": "animus.execution-fence.v1",
        "version": 1,
        "workflow_id": workflow_id,
        "workflow_generation": 1,
        "subject": {"qualified_id": "task:TASK-1", "generation": subject},
        "queue_lease": {
            "entry_id": "e-1",
            "owner_id": "daemon-a",
            "generation": lease,
            "expires_at": "2026-11-25T12:30:00Z",
        },
        "repository": {
            "repository": str(project.with_name("origin")),
            "base_ref": "refs/heads/main",
            "head_ref": HEAD,
        },
    }


def given(fence: Fence, **params: Any) -> dict[str, Any]:
    subject = {"kind": "task", "id": "TASK-1", "title": "Say two"}
    dispatch = {
        "subject": subject,
        "workflow_ref": "coding",
        "trigger_source": "ready-queue",
        "requested_at": "2026-11-25T12:00:00Z",
    }
    return {"subject_dispatch": dispatch, "execution_fence": fence, **params}


def execute(plugin: Plugin, fence: Fence, **params: Any) -> Result:
    found: Result = plugin.call("workflow/execute", given(fence, **params))
    return found


def gate(project: Path) -> Path:
    """A workflow that writes, waits for a line in this FIFO, and writes again."""
    path = project.parent / "gate"
    os.mkfifo(path)
    workflow(project, first="echo two >> file", second=f"cat {path} >> file")
    return path


def test_a_receipt_is_of_a_commit_that_is_on_the_remote(plugin: Plugin, project: Path) -> None:
    fence = fence_of(project)
    result = execute(plugin, fence)
    assert (result["workflow_id"], result["success"]) == ("wf-1", True)
    assert result["execution_fence"] == fence
    receipt = result["publication_receipt"]
    commit = remote_ref(project)
    assert commit != ""
    assert receipt.pop("issued_at").endswith("Z")
    assert receipt == {
        "schema": "animus.publication-receipt.v1",
        "version": 1,
        "workflow_id": "wf-1",
        "workflow_generation": 1,
        "subject": {"qualified_id": "task:TASK-1", "generation": 1},
        "commit_sha": commit,
        "tree_sha": git(project.with_name("origin.git"), "rev-parse", f"{commit}^{{tree}}"),
        "observed_remote_sha": commit,
        "remote": str(project.with_name("origin.git")),
        "remote_ref": HEAD,
        "recovery_ref": "refs/animus/recovery/wf-1/1",
        "issuer": {
            "kind": "runner",
            "component": "animus-workflow-runner-local",
            "version": "0.1.0",
        },
    }
    assert remote_ref(project, receipt["recovery_ref"]) == commit
    assert git(project.with_name("origin.git"), "show", f"{commit}:file") == "one\ntwo"
    assert (project / "file").read_text("utf-8") == "one\n"  # the project's own tree is left alone


def test_what_hosts_are_told_of_fences(plugin: Plugin) -> None:
    said = (plugin.initialize_result or {})["kind_capabilities"]["workflow_runner"]
    assert said["crate_version"] == "0.4.0"
    assert said["extra"]["execution_fence_v1"] is True
    assert said["extra"]["publication_receipt_v1"] is True


def test_commands_are_told_of_the_fence_and_cannot_be_told_otherwise(
    plugin: Plugin, project: Path
) -> None:
    names = ("workflow_generation", "subject_generation", "queue_lease_generation")
    refs = ("repository_base_ref", "repository_head_ref", "recovery_ref")
    words = " ".join(f"$ANIMUS_VAR_EXECUTION_{name.upper()}" for name in (*names, *refs))
    workflow(project, tell=f"echo {words} > told")
    execute(plugin, fence_of(project, lease=3), vars={"execution_workflow_generation": "9"})
    told = git(project.with_name("origin.git"), "show", f"{HEAD}:told")
    assert told == f"1 1 3 refs/heads/main {HEAD} refs/animus/recovery/wf-1/1"


def test_a_run_that_changes_nothing_publishes_nothing(plugin: Plugin, project: Path) -> None:
    workflow(project, check="true")
    result = execute(plugin, fence_of(project))
    assert result["success"] is True
    assert "publication_receipt" not in result
    assert remote_ref(project) == ""


def test_a_failed_run_publishes_nothing(plugin: Plugin, project: Path) -> None:
    workflow(project, build="echo two >> file; exit 1")
    result = execute(plugin, fence_of(project))
    assert result["workflow_status"] == "failed"
    assert "publication_receipt" not in result
    assert remote_ref(project) == ""


def test_commits_of_the_phases_are_published_with_what_they_left(
    plugin: Plugin, project: Path
) -> None:
    commit = "git -c user.name=p -c user.email=p@example.com commit -q -a -m phase"
    workflow(project, build=f"echo two >> file; {commit}; echo three > other")
    execute(plugin, fence_of(project))
    origin = project.with_name("origin.git")
    assert git(origin, "log", "--format=%s", HEAD).splitlines() == ["Say two", "phase", "one"]
    assert git(origin, "show", f"{HEAD}:other") == "three"


def test_the_next_generation_goes_on_from_what_was_published(plugin: Plugin, project: Path) -> None:
    first = execute(plugin, fence_of(project))["publication_receipt"]
    second = execute(plugin, fence_of(project, "wf-2", subject=2))["publication_receipt"]
    origin = project.with_name("origin.git")
    assert git(origin, "rev-parse", f"{second['commit_sha']}^") == first["commit_sha"]
    assert git(origin, "show", f"{HEAD}:file") == "one\ntwo\ntwo"


def is_stale(plugin: Plugin, params: dict[str, Any], method: str = "workflow/execute") -> bool:
    problem = refused(plugin, method, params)
    assert problem.code == -32602
    return bool(problem.data["issues"][0]["path"] == "execution_fence")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("repository", "github.com/acme/other"), ("base_ref", "refs/heads/none")],
)
def test_a_reservation_that_is_not_of_this_repository_is_refused(
    plugin: Plugin, project: Path, name: str, wrong: str
) -> None:
    fence = fence_of(project)
    fence["repository"][name] = wrong
    assert is_stale(plugin, given(fence))
    assert remote_ref(project) == ""


def test_an_older_lease_is_refused_once_a_newer_one_was_seen(plugin: Plugin, project: Path) -> None:
    (project / ".animus" / "local-workflows" / "coding.json").write_text(
        json.dumps({"phases": [{"id": "gate", "manual": True}]}), "utf-8"
    )
    assert execute(plugin, fence_of(project, lease=2))["workflow_status"] == "paused"
    assert is_stale(plugin, given(fence_of(project, lease=1)))
    assert is_stale(plugin, {"workflow_id": "wf-1"})
    assert is_stale(plugin, given(fence_of(project, subject=2)))
    assert execute(plugin, fence_of(project, lease=3))["workflow_status"] == "completed"


def test_a_ref_that_another_run_works_on_is_refused(plugin: Plugin, project: Path) -> None:
    phases = [{"id": "gate", "manual": True}, {"id": "build", "run": "echo two >> file"}]
    path = project / ".animus" / "local-workflows" / "coding.json"
    path.write_text(json.dumps({"phases": phases}), "utf-8")
    assert execute(plugin, fence_of(project))["workflow_status"] == "paused"
    other = fence_of(project, "wf-2")
    other["subject"]["qualified_id"] = "task:TASK-2"
    foreign = {**given(other), "task_id": "TASK-2"}
    del foreign["subject_dispatch"]["subject"]
    assert is_stale(plugin, foreign)
    assert execute(plugin, fence_of(project))["success"] is True
    assert plugin.call("workflow/execute", foreign)["success"] is False  # stops at its gate


def test_a_fence_of_another_subject_is_refused(plugin: Plugin, project: Path) -> None:
    fence = fence_of(project)
    fence["subject"]["qualified_id"] = "task:TASK-2"
    assert is_stale(plugin, given(fence))


def test_a_run_that_was_taken_over_publishes_nothing(plugin: Plugin, project: Path) -> None:
    path = gate(project)
    request = plugin.request("workflow/execute", given(fence_of(project, lease=1)))
    with path.open("w", encoding="utf-8") as waiting:  # the first one is in its last phase
        with opened(project) as other:
            workflow(project, first="true", second="echo newer >> file")
            assert execute(other, fence_of(project, lease=2))["success"] is True
            newer = remote_ref(project)
        waiting.write("older\n")
    with pytest.raises(Exception, match="execution_fence"):
        plugin.reply(request, WAIT_S)
    assert remote_ref(project) == newer
    assert "older" not in git(project.with_name("origin.git"), "show", f"{HEAD}:file")


@pytest.mark.parametrize("is_fenced", [True, False])
def test_a_run_is_executed_by_one_process_at_a_time(
    plugin: Plugin, project: Path, is_fenced: bool
) -> None:
    path = gate(project)
    params = given(fence_of(project), workflow_id="wf-1")
    if not is_fenced:
        del params["execution_fence"]
    request = plugin.request("workflow/execute", params)
    with path.open("w", encoding="utf-8") as waiting:
        with opened(project) as other:
            assert is_stale(other, params)
            assert is_stale(plugin, params)
        waiting.write("three\n")
    assert plugin.reply(request, WAIT_S)["success"] is True
    assert refused(plugin, "workflow/execute", params).code == -32103  # it has ended


def test_of_processes_that_race_with_one_fence_one_publishes(project: Path) -> None:
    workflow(project, build="echo two >> file")
    with ExitStack() as stack:
        racers = [stack.enter_context(opened(project)) for _ in range(4)]
        requests = [one.request("workflow/execute", given(fence_of(project))) for one in racers]
        answers = [answered(one, number) for one, number in zip(racers, requests, strict=True)]
    published = [one for one in answers if isinstance(one, dict)]
    assert len(published) == 1
    assert published[0]["publication_receipt"]["commit_sha"] == remote_ref(project)
    assert {one for one in answers if not isinstance(one, dict)} <= {-32602, -32103}
    assert git(project.with_name("origin.git"), "show", f"{HEAD}:file") == "one\ntwo"


def answered(plugin: Plugin, request: int) -> Result | int:
    try:
        return dict(plugin.reply(request, WAIT_S))
    except RpcError as refusal:
        return refusal.code


def test_a_ref_that_somebody_else_moved_is_left_where_it_is(plugin: Plugin, project: Path) -> None:
    path = gate(project)
    request = plugin.request("workflow/execute", given(fence_of(project)))
    with path.open("w", encoding="utf-8") as waiting:
        git(project, "push", "--quiet", "origin", f"main:{HEAD}")
        waiting.write("late\n")
    result = plugin.reply(request, WAIT_S)
    assert result["workflow_status"] == "failed"
    assert "moved" in result["post_success"]["publication"]["error"]
    assert "publication_receipt" not in result
    assert remote_ref(project) == git(project, "rev-parse", "main")


def test_a_run_that_was_killed_is_published_when_it_is_resumed(
    plugin: Plugin, project: Path
) -> None:
    path = gate(project)
    workflow(project, first="echo two >> file", second=f"cat {path} >> file")
    plugin.request("workflow/execute", given(fence_of(project)))
    with path.open("w", encoding="utf-8") as waiting:
        plugin.kill()
        readers = select.poll()
        readers.register(waiting, 0)  # tells of errors alone: what it started reads no more
        assert readers.poll(WAIT_S * 1000)
    with opened(project) as other:
        request = other.request("workflow/execute", given(fence_of(project, lease=2)))
        with path.open("w", encoding="utf-8") as waiting:
            waiting.write("three\n")
        receipt = other.reply(request, WAIT_S)["publication_receipt"]
    assert receipt["commit_sha"] == remote_ref(project)
    assert git(project.with_name("origin.git"), "show", f"{HEAD}:file") == "one\ntwo\nthree"


def test_a_remote_that_cannot_be_reached_leaves_the_run_to_be_resumed(
    plugin: Plugin, project: Path
) -> None:
    path = gate(project)
    request = plugin.request("workflow/execute", given(fence_of(project)))
    origin = project.with_name("origin.git")
    with path.open("w", encoding="utf-8") as waiting:
        origin.rename(origin.with_name("away.git"))
        waiting.write("three\n")
    with pytest.raises(Exception, match="git"):
        plugin.reply(request, WAIT_S)
    origin.with_name("away.git").rename(origin)
    assert execute(plugin, fence_of(project))["publication_receipt"]["remote_ref"] == HEAD
    assert git(origin, "show", f"{HEAD}:file") == "one\ntwo\nthree"


def test_a_run_without_a_subject_has_a_dispatch_alone(plugin: Plugin, project: Path) -> None:
    workflow(project, build="true")
    dispatch = given({})["subject_dispatch"]
    del dispatch["subject"]
    result = plugin.call("workflow/execute", {"subject_dispatch": dispatch})
    assert (result["success"], result["subject_id"]) == (True, "")


def test_a_phase_echoes_the_fence_and_refuses_a_stale_one(plugin: Plugin, project: Path) -> None:
    params = {
        "workflow_id": "wf-1",
        "workflow_ref": "coding",
        "execution_cwd": str(project),
        "subject_id": "TASK-1",
        "subject_title": "Say two",
        "subject_description": "",
        "phase_id": "build",
        "phase_attempt": 0,
        "overrides": None,
        "pipeline_vars": {},
        "phase_routing": None,
        "mcp_config": None,
        "execution_fence": fence_of(project, lease=2),
    }
    result = plugin.call("workflow/run_phase", params)
    assert result["execution_fence"] == params["execution_fence"]
    stale = {**params, "execution_fence": fence_of(project, lease=1)}
    assert is_stale(plugin, stale, "workflow/run_phase")


def on_the_command_line(project: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    command = [*RUNNER, "execute", "--workflow-ref", "coding", "--project-root", str(project)]
    usual = {"PATH": os.environ["PATH"], "HOME": str(project.parent), **INSTALLED}
    return run([*command, *arguments], project, {**usual, **env})


def test_the_daemon_s_command_line_has_the_fence_in_a_variable(project: Path) -> None:
    fence = json.dumps(fence_of(project))
    subject = ("--subject-id", "task:TASK-1", "--new-workflow-id", "wf-1")
    code, out, _ = on_the_command_line(project, *subject, ANIMUS_EXECUTION_FENCE_JSON=fence)
    assert code == 0
    result = json.loads(out)
    assert (result["workflow_id"], result["subject_id"]) == ("wf-1", "TASK-1")
    assert result["publication_receipt"]["commit_sha"] == remote_ref(project)


@pytest.mark.parametrize("malformed", ["", "{}", '{"schema": "animus.execution-fence.v2"}'])
def test_a_malformed_fence_on_the_command_line_runs_nothing(project: Path, malformed: str) -> None:
    workflow(project, build="touch did")
    env = {"ANIMUS_EXECUTION_FENCE_JSON": malformed}
    code, _, said = on_the_command_line(project, "--task-id", "TASK-1", **env)
    assert (code, "ANIMUS_EXECUTION_FENCE_JSON" in said) == (2, True)
    assert not (project / "did").exists()


def test_a_fence_of_another_workflow_id_is_refused_on_the_command_line(project: Path) -> None:
    fence = json.dumps(fence_of(project))
    ids = ("--task-id", "TASK-1", "--new-workflow-id", "wf-2")
    code, _, said = on_the_command_line(project, *ids, ANIMUS_EXECUTION_FENCE_JSON=fence)
    assert (code, "execution_fence" in said) == (1, True)
    assert remote_ref(project) == ""


def test_a_new_run_has_the_id_that_it_is_given(project: Path) -> None:
    workflow(project, build="true")
    ids = ("--title", "Say two", "--new-workflow-id", "wf-9")
    code, out, _ = on_the_command_line(project, *ids)
    assert (code, json.loads(out)["workflow_id"]) == (0, "wf-9")
    code, _, said = on_the_command_line(project, "--workflow-id", "wf-8")
    assert (code, "wf-8" in said) == (1, True)


def test_a_malformed_fence_is_refused(plugin: Plugin, project: Path) -> None:
    fence = fence_of(project)
    fence["workflow_generation"] = 0
    problem = refused(plugin, "workflow/execute", given(fence))
    assert problem.code == -32602
    assert problem.data["issues"][0]["path"] == "execution_fence.workflow_generation"
    assert not (project / ".animus" / "local-runs").exists()
