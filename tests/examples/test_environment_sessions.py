"""Sessions over a real runner, and environments as nodes that are managed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin

ENVIRONMENT = [sys.executable, str(EXAMPLES / "environment_local.py")]
RUNNER = f"{sys.executable} {EXAMPLES / 'runner_local.py'}"
WAIT_S = 20
ACTOR = {"user_id": "u-1", "claims": [], "tenant_id": "t-1"}
FENCE = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:TASK-1", "generation": 1},
}
Handle = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "environments"


@pytest.fixture
def plugin(tmp_path: Path, place: Path) -> Iterator[Plugin]:
    with opened(tmp_path, place) as started:
        yield started


def opened(project: Path, place: Path, **env: str) -> Any:
    known = {"ANIMUS_LOCAL_ENVIRONMENTS": str(place), "ANIMUS_LOCAL_RUNNER": RUNNER}
    return served(ENVIRONMENT, project, env={**known, **env})


def prepare(plugin: Plugin, actor: Any = ACTOR, **spec: Any) -> Handle:
    params = {"spec": {"kind": "local", **spec}, "actor": actor}
    handle: Handle = plugin.call("environment/prepare", params)["handle"]
    return handle


def workflow(handle: Handle, **phases: str) -> None:
    folder = Path(handle["workspace_root"]) / ".animus" / "local-workflows"
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"id": name, "run": run} for name, run in phases.items()]
    (folder / "coding.json").write_text(json.dumps({"phases": listed}), "utf-8")


def session(handle: Handle, **params: Any) -> dict[str, Any]:
    usual = {"workflow_ref": "coding", "workflow_id": "wf-1", "execution_fence": FENCE}
    return {"actor": ACTOR, "handle": handle, "subject_id": "task:TASK-1", **usual, **params}


def journal(plugin: Plugin) -> list[dict[str, Any]]:
    found = [n.params for n in plugin.notifications if n.method == "environment/journal"]
    for event in found:
        assert event.pop("ts").endswith("Z")
    return found


def test_a_session_is_told_as_the_protocol_has_it(plugin: Plugin) -> None:
    handle = prepare(plugin)
    workflow(handle, build="echo $ANIMUS_SUBJECT_ID $ANIMUS_WORKFLOW_ID > did")
    result = plugin.call("environment/exec_session", session(handle))
    assert result == {"workflow_id": "wf-1", "status": "completed", "execution_fence": FENCE}
    first, *_, last = journal(plugin)
    payload = first.pop("payload")
    assert (payload["run_id"], payload["attempt"]) == ("wf-1", 0)
    of_session = {"kind": "journal", "handle_id": handle["id"], "workflow_id": "wf-1"}
    told = {name: value for name, value in first.items() if value not in {None, False}}
    assert told == {**of_session, "event_kind": "phase_started", "phase_id": "build"}
    told = {name: value for name, value in last.items() if value is not None}
    assert told == {
        **of_session,
        "event_kind": "workflow_completed",
        "status": "completed",
        "payload": {"run_id": "wf-1"},
        "terminal": True,
    }
    did = Path(handle["workspace_root"]) / "did"
    assert did.read_text("utf-8").split() == ["TASK-1", "wf-1"]


def test_a_failing_phase_is_told_and_fails_the_session(plugin: Plugin) -> None:
    handle = prepare(plugin)
    workflow(handle, build="exit 3")
    result = plugin.call("environment/exec_session", session(handle))
    assert result["status"] == "failed"
    events = [(e["event_kind"], e.get("status"), e.get("phase_id")) for e in journal(plugin)]
    assert ("phase_failed", "failed", "build") in events
    assert events[-1] == ("workflow_completed", "failed", None)


def test_a_session_without_ids_has_a_run_of_its_own(plugin: Plugin) -> None:
    handle = prepare(plugin, actor=None)
    workflow(handle, build="echo $ANIMUS_INPUT > did")
    folder = Path(handle["workspace_root"])
    (folder / ".animus/local-workflows/coding.json").rename(
        folder / ".animus/local-workflows/task.json"
    )
    params = {"handle": handle, "subject_id": "task:T", "dispatch_input": '{"n": 1}'}
    result = plugin.call("environment/exec_session", params)
    assert result["status"] == "completed"
    assert result["workflow_id"].startswith("run-")
    assert "execution_fence" not in result
    assert {event["workflow_id"] for event in journal(plugin)} == {result["workflow_id"]}
    assert json.loads((folder / "did").read_text("utf-8")) == {"n": 1}


def test_a_run_is_executed_into_the_id_that_it_has_elsewhere(plugin: Plugin) -> None:
    handle = prepare(plugin)
    workflow(handle, build="true")
    params = session(handle, workflow_id="wf-7")
    del params["execution_fence"]
    assert plugin.call("environment/exec_session", params)["workflow_id"] == "wf-7"


@pytest.mark.parametrize("actor", [None, {**ACTOR, "user_id": "u-2"}, {"user_id": "u-1"}])
def test_sessions_are_for_whom_the_environment_was_prepared(plugin: Plugin, actor: Any) -> None:
    handle = prepare(plugin)
    workflow(handle, build="touch did")
    problem = refused(plugin, "environment/exec_session", session(handle, actor=actor))
    assert problem.data["category"] == "permission_denied"
    assert not (Path(handle["workspace_root"]) / "did").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("workflow_id", "wf-2"), ("subject_id", "task:TASK-2")]
)
def test_a_fence_of_other_work_is_refused(plugin: Plugin, field: str, value: str) -> None:
    handle = prepare(plugin)
    workflow(handle, build="touch did")
    problem = refused(plugin, "environment/exec_session", session(handle, **{field: value}))
    assert (problem.code, problem.data["issues"][0]["path"]) == (-32602, field)
    assert not (Path(handle["workspace_root"]) / "did").exists()


def test_what_the_runner_refuses_is_the_answer(plugin: Plugin) -> None:
    problem = refused(plugin, "environment/exec_session", session(prepare(plugin)))
    assert (problem.code, "coding" in problem.message) == (-32101, True)


@pytest.mark.parametrize(
    ("runner", "said"),
    [("", "ANIMUS_LOCAL_RUNNER"), ("/nowhere/runner", "/nowhere/runner"), ("true", "ended")],
)
def test_a_runner_that_cannot_be_talked_to_is_named(
    tmp_path: Path, place: Path, runner: str, said: str
) -> None:
    with opened(tmp_path, place, ANIMUS_LOCAL_RUNNER=runner) as plugin:
        assert said in refused(plugin, "environment/exec_session", session(prepare(plugin))).message


def test_a_runner_that_changes_the_fence_is_refused(tmp_path: Path, place: Path) -> None:
    script = tmp_path / "runner.py"
    script.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    frame = json.loads(line)\n"
        "    if 'id' in frame:\n"
        "        result = {'workflow_status': 'completed', 'workflow_id': 'wf-1'}\n"
        "        answer = {'jsonrpc': '2.0', 'id': frame['id'], 'result': result}\n"
        "        print(json.dumps(answer), flush=True)\n",
        "utf-8",
    )
    with opened(tmp_path, place, ANIMUS_LOCAL_RUNNER=f"{sys.executable} {script}") as plugin:
        problem = refused(plugin, "environment/exec_session", session(prepare(plugin)))
        assert "execution fence" in problem.message
        assert journal(plugin) == []


@pytest.mark.parametrize("how", ["cancel", "teardown", "kill"])
def test_nothing_of_a_session_outlives_it(
    plugin: Plugin, tmp_path: Path, place: Path, how: str
) -> None:
    handle = prepare(plugin)
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    workflow(handle, build=f"exec > {alive}; echo started; sleep 600")
    running = plugin.request("environment/exec_session", session(handle))
    os.set_blocking(reader, True)
    while plugin.next_notification("environment/journal", WAIT_S).params["event_kind"] != (
        "phase_started"
    ):
        pass
    assert read(reader) == b"started\n"
    if how == "cancel":
        plugin.notify("$/cancelRequest", {"id": running})
        with pytest.raises(RpcError) as raised:
            plugin.reply(running, WAIT_S)
        assert raised.value.code == -32002
    elif how == "teardown":
        assert plugin.call("environment/teardown", {"handle": handle}) == {}
        with pytest.raises(RpcError, match="was torn down"):
            plugin.reply(running, WAIT_S)
        assert list(place.iterdir()) == []
    else:
        plugin.kill()
    assert read(reader) == b""
    os.close(reader)


def read(reader: int) -> bytes:
    """What is written next, or nothing once nobody is left who could write."""
    import select

    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if select.select([reader], [], [], WAIT_S)[0]:
            return os.read(reader, 100)
    raise AssertionError("nothing came, and somebody still could write")


def test_hosts_are_told_of_sessions_and_nodes(plugin: Plugin, tmp_path: Path) -> None:
    said = (plugin.initialize_result or {})["capabilities"]
    assert said["streaming"] is True
    verbs = ("exec", "exec_stream", "exec_session", "list", "get", "teardown_node", "reap")
    assert {f"environment/{verb}" for verb in verbs} <= set(said["methods"])
    manifest = json.loads(run([*ENVIRONMENT, "--manifest"], tmp_path)[1])
    assert "environment/exec_session" in manifest["capabilities"]


# Nodes -------------------------------------------------------------------------------------------


def nodes(plugin: Plugin) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plugin.call("environment/list", {})["nodes"]
    return found


def ids(found: list[dict[str, Any]]) -> set[str]:
    return {node["id"] for node in found}


def test_environments_are_listed_with_what_they_did_last(plugin: Plugin) -> None:
    assert nodes(plugin) == []
    handle = prepare(plugin)
    workflow(handle, build="true")
    plugin.call("environment/exec_session", session(handle))
    (node,) = nodes(plugin)
    assert node.pop("created_at").endswith("Z")
    assert node == {
        "id": handle["id"],
        "name": handle["id"][:14],
        "state": "ready",
        "orphan": False,
        "run_id": "wf-1",
    }
    for known in (node["id"], node["name"]):
        assert plugin.call("environment/get", {"id": known})["node"]["id"] == handle["id"]
    assert plugin.call("environment/get", {"id": "none"}) == {"node": None}


def test_a_node_is_removed_once_and_is_gone_for_good(plugin: Plugin, place: Path) -> None:
    handle = prepare(plugin)
    params = {"id": handle["id"][:14]}
    assert plugin.call("environment/teardown_node", params) == {"deleted": [handle["id"]]}
    assert plugin.call("environment/teardown_node", params).get("deleted", []) == []
    assert plugin.call("environment/teardown", {"handle": handle}) == {}
    assert list(place.iterdir()) == []


def test_what_a_killed_process_made_is_an_orphan_that_is_reaped(
    plugin: Plugin, tmp_path: Path, place: Path
) -> None:
    with opened(tmp_path, place) as killed:
        lost = prepare(killed)
        assert [node["orphan"] for node in nodes(plugin)] == [False]
        killed.kill()
    kept = prepare(plugin)
    assert {node["id"]: node["orphan"] for node in nodes(plugin)} == {
        lost["id"]: True,
        kept["id"]: False,
    }
    tried = plugin.call("environment/reap", {"dry_run": True})
    assert (tried["deleted"], ids(tried["kept"]), tried["dry_run"]) == (
        [lost["id"]],
        {kept["id"]},
        True,
    )
    assert len(nodes(plugin)) == 2
    done = plugin.call("environment/reap", {})
    assert (done["deleted"], ids(done["kept"])) == ([lost["id"]], {kept["id"]})
    assert [path.name for path in place.iterdir()] == [kept["id"]]
    assert plugin.call("environment/teardown", {"handle": lost}) == {}


def test_what_a_killed_process_made_is_torn_down_by_another(
    plugin: Plugin, tmp_path: Path, place: Path
) -> None:
    with opened(tmp_path, place) as killed:
        first, second = prepare(killed), prepare(killed)
        killed.kill()
    assert plugin.call("environment/teardown", {"handle": first}) == {}
    assert plugin.call("environment/teardown_node", {"id": second["id"]}) == {
        "deleted": [second["id"]]
    }
    assert list(place.iterdir()) == []


def test_what_was_taken_up_again_is_no_orphan(plugin: Plugin, tmp_path: Path, place: Path) -> None:
    with opened(tmp_path, place) as killed:
        handle = prepare(killed)
        killed.kill()
    command = {"handle": handle, "command": {"program": "true"}}
    assert plugin.call("environment/exec", command)["exit_code"] == 0
    with opened(tmp_path, place) as other:
        assert [node["orphan"] for node in nodes(other)] == [False]
        assert other.call("environment/reap", {"all": True}).get("deleted", []) == []
        done = other.call("environment/reap", {"all": True, "force": True})
        assert done["deleted"] == [handle["id"]]
    assert refused(plugin, "environment/exec", command).data["category"] == "not_found"


def test_young_orphans_are_left_alone(plugin: Plugin, tmp_path: Path, place: Path) -> None:
    with opened(tmp_path, place) as killed:
        handle = prepare(killed)
        killed.kill()
    asked = {"dry_run": True, "older_than_secs": 600}
    assert ids(plugin.call("environment/reap", asked)["kept"]) == {handle["id"]}
    assert plugin.call("environment/reap", {"older_than_secs": 0})["deleted"] == [handle["id"]]


def test_the_repository_that_a_workflow_runner_names_is_cloned(tmp_path: Path, place: Path) -> None:
    origin = tmp_path / "github" / "acme" / "app.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True, timeout=20)
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'github'}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    with opened(tmp_path, place, **instead) as plugin:
        handle = prepare(plugin, metadata={"github_repo": "acme/app"})
    assert (Path(handle["workspace_root"]) / "app" / ".git").is_dir()
