"""What a workflow says of its publication, on a real repository and its real remote."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_host import refused
from test_runner_fences import HEAD, execute, fence_of, given, opened, project, remote_ref

from animus_routes.host import Plugin

__all__ = ["project"]  # the fixture

RUNNER_OWNS = {"required": True, "owner": {"kind": "runner"}}
PHASE_OWNS = {"required": True, "owner": {"kind": "phase", "phase_id": "publish"}}
RECEIPT: dict[str, Any] = {
    "schema": "animus.publication-receipt.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:TASK-1", "generation": 1},
    "commit_sha": "COMMIT",
    "tree_sha": "TREE",
    "observed_remote_sha": "COMMIT",
    "remote": "https://example.com/acme/app",
    "remote_ref": HEAD,
    "recovery_ref": "refs/animus/recovery/wf-1/1",
    "pull_request": {"number": 7, "url": "https://example.com/pull/7", "head_sha": "COMMIT"},
    "issuer": {"kind": "phase", "phase_id": "publish", "component": "gh", "version": "2"},
    "issued_at": "2026-11-25T12:00:00Z",
}


@pytest.fixture
def plugin(project: Path) -> Iterator[Plugin]:
    with opened(project) as started:
        yield started


def workflow(project: Path, publication: Any, **phases: str) -> None:
    listed = [{"id": name, "run": run} for name, run in phases.items()]
    text = json.dumps({"phases": listed, "publication": publication})
    folder = project / ".animus" / "local-workflows"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "coding.json").write_text(text, "utf-8")


def publishing(*, push: bool = True, **changed: Any) -> str:
    """A phase that commits, pushes, and writes its receipt."""
    receipt = json.dumps({**RECEIPT, **changed})
    commit = "git -c user.name=p -c user.email=p@example.com commit -q -a -m phase"
    made = "-e s/COMMIT/$(git rev-parse HEAD)/g -e s/TREE/$(git rev-parse HEAD^{tree})/"
    steps = [
        f"echo two >> file && {commit}",
        f"git push -q origin HEAD:{HEAD}" if push else "true",
        f"echo '{receipt}' | sed {made} > $ANIMUS_RECEIPT",
    ]
    return " && ".join(steps)


def tree_of(project: Path) -> Path:
    return project / ".animus" / "local-runs" / "wf-1" / "tree"


def test_a_phase_that_publishes_hands_in_its_receipt(plugin: Plugin, project: Path) -> None:
    workflow(project, PHASE_OWNS, publish=publishing(), after="echo three >> file")
    result = execute(plugin, fence_of(project))
    assert result["success"] is True
    receipt = result["publication_receipt"]
    assert receipt["pull_request"]["number"] == 7
    assert receipt["commit_sha"] == remote_ref(project)
    first, second = result["phase_results"]
    assert (first["publication_receipt"], "publication_receipt" in second) == (receipt, False)


WRONG: dict[str, tuple[str, str]] = {
    "none": ("true", "no receipt"),
    "not pushed": (publishing(push=False), "another commit"),
    "of the runner": (
        publishing(issuer={"kind": "runner", "component": "r", "version": "1"}),
        "somebody else",
    ),
    "of another phase": (
        publishing(issuer={**RECEIPT["issuer"], "phase_id": "build"}),
        "somebody else",
    ),
    "of another execution": (publishing(workflow_generation=2), "workflow_generation"),
    "of another ref": (publishing(remote_ref="refs/heads/main"), "remote_ref"),
    "of another kind": (publishing(version=2), "version"),
    "no JSON": ("echo x > $ANIMUS_RECEIPT", "does not hold"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_phase_whose_receipt_does_not_hold_has_failed(
    plugin: Plugin, project: Path, case: str
) -> None:
    command, said = WRONG[case]
    workflow(project, PHASE_OWNS, publish=command)
    result = execute(plugin, fence_of(project))
    assert (result["workflow_status"], "publication_receipt" in result) == ("failed", False)
    (phase,) = result["phase_results"]
    assert said in phase["outcome"]["publication"]["error"]


def test_a_receipt_of_an_earlier_phase_is_not_the_publishers(plugin: Plugin, project: Path) -> None:
    workflow(project, PHASE_OWNS, build=publishing(), publish="true")
    assert execute(plugin, fence_of(project))["workflow_status"] == "failed"


def test_where_publication_is_required_a_run_without_any_has_failed(
    plugin: Plugin, project: Path
) -> None:
    workflow(project, RUNNER_OWNS, check="true")
    result = execute(plugin, fence_of(project))
    assert result["workflow_status"] == "failed"
    assert "has to be published" in result["post_success"]["publication"]["error"]
    assert remote_ref(project) == ""


@pytest.mark.parametrize("cleanup", ["retain", "after_remote_verified"])
def test_a_worktree_is_kept_unless_its_commit_is_safe_and_it_may_go(
    plugin: Plugin, project: Path, cleanup: str
) -> None:
    workflow(project, {**RUNNER_OWNS, "cleanup": cleanup}, build="echo two >> file")
    assert execute(plugin, fence_of(project))["publication_receipt"]["remote_ref"] == HEAD
    assert tree_of(project).exists() is (cleanup == "retain")


def test_a_worktree_of_a_failed_run_is_kept(plugin: Plugin, project: Path) -> None:
    workflow(project, {**RUNNER_OWNS, "cleanup": "after_remote_verified"}, build="exit 1")
    assert execute(plugin, fence_of(project))["success"] is False
    assert tree_of(project).exists()


@pytest.mark.parametrize(
    ("publication", "said"),
    [
        ({"required": True}, "owner"),
        ({"owner": {"kind": "phase", "phase_id": "none"}}, "no phase 'none'"),
        ({"version": 2}, "version"),
        ({"branch": "main"}, "branch"),
    ],
)
def test_a_publication_that_makes_no_sense_is_refused(
    plugin: Plugin, project: Path, publication: Any, said: str
) -> None:
    workflow(project, publication, build="true")
    problem = refused(plugin, "workflow/execute", given(fence_of(project)))
    assert (problem.code, said in problem.message) == (-32602, True)
