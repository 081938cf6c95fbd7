import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served

from animus_routes import RpcError
from animus_routes.host import Plugin

ENVIRONMENT = [sys.executable, str(EXAMPLES / "environment_local.py")]
PYTHON = sys.executable
WAIT_S = 5
Handle = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "environments"


@pytest.fixture
def plugin(tmp_path: Path, place: Path) -> Iterator[Plugin]:
    with opened(tmp_path, place) as started:
        yield started


def opened(project: Path, place: Path) -> Any:
    return served(ENVIRONMENT, project, env={"ANIMUS_LOCAL_ENVIRONMENTS": str(place)})


def prepare(plugin: Plugin, **spec: Any) -> Handle:
    handle: Handle = plugin.call("environment/prepare", {"spec": {"kind": "local", **spec}})[
        "handle"
    ]
    return handle


def request(handle: Handle, *command: str, **fields: Any) -> dict[str, Any]:
    inner = {name: fields.pop(name) for name in ("cwd", "env") if name in fields}
    program, *args = command
    return {"handle": handle, "command": {"program": program, "args": args, **inner}, **fields}


def execute(plugin: Plugin, handle: Handle, *command: str, **fields: Any) -> dict[str, Any]:
    params = request(handle, *command, **fields)
    found: dict[str, Any] = plugin.call("environment/exec", params)
    return found


def shell(plugin: Plugin, handle: Handle, script: str, **fields: Any) -> dict[str, Any]:
    return execute(plugin, handle, "sh", "-c", script, **fields)


def fifo(place: Path, name: str) -> str:
    os.mkfifo(place / name)
    return str(place / name)


class Alive:
    """A FIFO that a command's processes hold open: its end is theirs."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> bytes:
        """What was written, or nothing if no process has it open any more."""
        readable, _, _ = select.select([self._fd], [], [], WAIT_S)
        assert readable, f"nothing came from {self.path.name} within {WAIT_S} s"
        return os.read(self._fd, 100)

    def over(self, wait_s: float = 0) -> bool:
        """Has no process it open any more?"""
        while select.select([self._fd], [], [], wait_s)[0]:
            if not os.read(self._fd, 100_000):
                return True
        return False

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Alive]:
    with closing(Alive(tmp_path / "alive")) as found:
        yield found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits, the first one tagged."""
    repo = tmp_path_factory.mktemp("origin") / "tool"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "init", "--quiet", str(repo)], check=True, timeout=20)
    for number in ("one", "two"):
        (repo / "file").write_text(number, "utf-8")
        for args in (["add", "."], [*identity, "commit", "--quiet", "-m", number]):
            subprocess.run(["git", *args], cwd=repo, check=True, timeout=20)
        if number == "one":
            subprocess.run(["git", "tag", "v1"], cwd=repo, check=True, timeout=20)
    return repo


def test_an_empty_environment_is_a_folder_of_its_own(plugin: Plugin, place: Path) -> None:
    first, second = prepare(plugin), prepare(plugin)
    assert first["id"] != second["id"]
    assert shell(plugin, first, "pwd")["stdout"].strip() == first["workspace_root"]
    assert Path(first["workspace_root"]).parent.parent == place


def test_repositories_are_checked_out_side_by_side(plugin: Plugin, origin: Path) -> None:
    repos = [
        {"url": str(origin), "name": "old", "git_ref": "v1"},
        {"url": str(origin), "primary": True},
    ]
    handle = prepare(plugin, repos=repos)
    assert shell(plugin, handle, "cat file ../old/file")["stdout"] == "twoone"
    assert shell(plugin, handle, "cat file", cwd="old")["stdout"] == "one"


@pytest.mark.parametrize(
    ("repos", "code"),
    [
        ([{"url": "no-such-folder"}], -32603),
        ([{"url": "{origin}", "git_ref": "no-such-ref"}], -32603),
        ([{"url": "{origin}", "git_ref": "--upload-pack=x"}], -32602),
        ([{"url": "{origin}", "name": "../up"}], -32602),
        ([{"url": "{origin}"}, {"url": "{origin}/"}], -32602),
    ],
)
def test_what_cannot_be_checked_out_leaves_nothing_behind(
    plugin: Plugin, origin: Path, place: Path, repos: list[dict[str, str]], code: int
) -> None:
    for repo in repos:
        repo["url"] = repo["url"].replace("{origin}", str(origin))
    error = refused(plugin, "environment/prepare", {"spec": {"kind": "local", "repos": repos}})
    assert error.code == code
    assert not place.exists() or not list(place.iterdir())


def test_a_failing_command_is_a_result(plugin: Plugin) -> None:
    found = shell(plugin, prepare(plugin), "echo out; echo err >&2; exit 3")
    assert found == {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}


def test_a_command_that_a_signal_ended_has_no_exit_code(plugin: Plugin) -> None:
    assert shell(plugin, prepare(plugin), "kill -9 $$") == {}


def test_a_command_is_given_its_input_and_variables(plugin: Plugin) -> None:
    handle = prepare(plugin, env={"A": "spec", "B": "spec"})
    found = shell(plugin, handle, 'echo "$A $B"; cat', env={"B": "command"}, stdin="typed\n")
    assert found["stdout"] == "spec command\ntyped\n"


def test_input_that_nobody_reads_does_no_harm(plugin: Plugin) -> None:
    assert shell(plugin, prepare(plugin), "exit 0", stdin="x" * 1_000_000) == {"exit_code": 0}


@pytest.mark.parametrize(
    ("command", "cwd"),
    [("no-such-program", None), ("true", ".."), ("true", "missing"), ("true", "/")],
)
def test_what_cannot_be_run_is_refused(plugin: Plugin, command: str, cwd: str | None) -> None:
    fields = {} if cwd is None else {"cwd": cwd}
    params = request(prepare(plugin), command, **fields)
    assert refused(plugin, "environment/exec", params).code == -32602


def test_output_arrives_while_the_command_runs(plugin: Plugin, tmp_path: Path) -> None:
    handle, gate = prepare(plugin), fifo(tmp_path, "gate")
    script = f"echo first; cat {gate} >/dev/null; echo last >&2"
    running = plugin.request("environment/exec_stream", request(handle, "sh", "-c", script))
    first = plugin.next_notification("environment/output")
    assert (first.params["handle_id"], first.params["text"]) == (handle["id"], "first\n")
    Path(gate).write_text("go", "utf-8")
    last = plugin.next_notification("environment/output")
    assert (last.params["stream"], last.params["text"]) == ("stderr", "last\n")
    assert plugin.reply(running) == {"exit_code": 0, "stdout": "first\n", "stderr": "last\n"}


def test_a_character_in_two_pieces_is_not_torn(plugin: Plugin, tmp_path: Path) -> None:
    handle, gate = prepare(plugin), fifo(tmp_path, "gate")
    script = f"printf '<\\303'; cat {gate} >/dev/null; printf '\\251>\\377'"
    running = plugin.request("environment/exec_stream", request(handle, "sh", "-c", script))
    assert plugin.next_notification("environment/output").params["text"] == "<"
    Path(gate).write_text("go", "utf-8")
    assert plugin.reply(running)["stdout"] == "<\u00e9>\ufffd"


def test_a_timeout_kills_the_whole_process_group(plugin: Plugin, alive: Alive) -> None:
    handle = prepare(plugin)
    script = f"(echo started; sleep 600) > {alive} & echo out; sleep 600"
    found = shell(plugin, handle, script, timeout_secs=1)
    assert [alive.read(), alive.read()] == [b"started\n", b""]
    assert found == {"stdout": "out\n", "timed_out": True}


def test_a_command_may_clean_up_when_its_time_is_over(plugin: Plugin) -> None:
    script = "trap 'echo cleaned; exit 7' TERM; sleep 600 & wait"
    found = shell(plugin, prepare(plugin), script, timeout_secs=1)
    assert found == {"stdout": "cleaned\n", "timed_out": True}


@pytest.mark.parametrize("method", ["exec", "exec_stream"])
def test_a_cancel_kills_the_whole_process_group(plugin: Plugin, alive: Alive, method: str) -> None:
    handle = prepare(plugin)
    script = f"exec > {alive}; echo started; sleep 600 & sleep 600"
    running = plugin.request(f"environment/{method}", request(handle, "sh", "-c", script))
    assert alive.read() == b"started\n"
    plugin.notify("$/cancelRequest", {"id": running})
    with pytest.raises(RpcError) as raised:
        plugin.reply(running, 5)
    assert raised.value.code == -32002
    assert alive.read() == b""


def test_the_end_of_the_host_kills_what_runs(tmp_path: Path, place: Path, alive: Alive) -> None:
    with opened(tmp_path, place) as plugin:
        script = f"exec > {alive}; echo started; sleep 600"
        plugin.request("environment/exec", request(prepare(plugin), "sh", "-c", script))
        assert alive.read() == b"started\n"
        plugin.close_stdin()
        assert plugin.wait() == 0
        assert alive.read() == b""


def test_children_that_stay_behind_are_killed_and_not_waited_for(
    plugin: Plugin, alive: Alive
) -> None:
    handle = prepare(plugin)
    script = f"(echo started; exec sleep 600) > {alive} & sleep 600 & echo out"
    assert shell(plugin, handle, script) == {"exit_code": 0, "stdout": "out\n"}
    assert [alive.read(), alive.read()] == [b"started\n", b""]


def test_commands_run_at_the_same_time(plugin: Plugin, tmp_path: Path) -> None:
    handle, meeting = prepare(plugin), fifo(tmp_path, "meeting")
    # Neither can end before the other has begun.
    reader = plugin.request("environment/exec", request(handle, "cat", meeting))
    writer = plugin.request(
        "environment/exec_stream", request(handle, "sh", "-c", f"echo met > {meeting}")
    )
    assert plugin.reply(reader, 10) == {"exit_code": 0, "stdout": "met\n"}
    assert plugin.reply(writer, 10) == {"exit_code": 0}


@pytest.mark.parametrize("method", ["exec", "exec_stream"])
def test_of_more_output_than_a_frame_holds_the_end_is_kept(plugin: Plugin, method: str) -> None:
    write = "import sys; sys.stdout.write('\\x1b' * 3_000_000 + 'end'); sys.stderr.write('e')"
    params = request(prepare(plugin), PYTHON, "-c", write)
    found = plugin.call(f"environment/{method}", params)
    assert (found["exit_code"], found["stderr"]) == (0, "e")
    assert found["stdout"].endswith("\x1bend")
    assert found["stdout"].startswith("[")


def test_a_handle_outlives_the_process_that_made_it(tmp_path: Path, place: Path) -> None:
    with opened(tmp_path, place) as plugin:
        handle = prepare(plugin, env={"KEPT": "yes"})
        shell(plugin, handle, "echo work > file")
        plugin.kill()
    with opened(tmp_path, place) as plugin:
        assert shell(plugin, handle, "cat file; echo $KEPT")["stdout"] == "work\nyes\n"


def test_a_teardown_ends_commands_and_removes_the_folder(
    plugin: Plugin, place: Path, alive: Alive
) -> None:
    handle = prepare(plugin)
    script = f"exec > {alive}; echo started; sleep 600"
    running = plugin.request("environment/exec", request(handle, "sh", "-c", script))
    assert alive.read() == b"started\n"
    assert plugin.call("environment/teardown", {"handle": handle}) == {}
    assert alive.read() == b""
    with pytest.raises(RpcError, match="was torn down"):
        plugin.reply(running)
    assert list(place.iterdir()) == []
    assert plugin.call("environment/teardown", {"handle": handle}) == {}
    error = refused(plugin, "environment/exec", request(handle, "true"))
    assert (error.code, error.data["category"]) == (-32602, "not_found")


# Each leaves a process behind that has a FIFO open, and tells there that it has got away.
STAY = "print('away', flush=True); time.sleep(60)"
AWAY = {
    "a session": "os.setsid(); " + STAY,
    "a group": "os.setpgid(0, 0); " + STAY,
    "no variables": "os.setsid(); os.execve('/bin/sh', ['sh', '-c', 'echo away; sleep 60'], {})",
    "a double fork": "os.setsid(); os.fork() and os._exit(0); os.setsid(); " + STAY,
    "deaf": "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; os.setsid(); " + STAY,
    "a family": "os.setsid(); [os.fork() or os.setsid() for _ in range(4)]; " + STAY,
    "others meanwhile": (
        # Should the test itself be killed, it ends all the same.
        "print('away', flush=True)\nend = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n os.setsid()\n if os.fork():\n  time.sleep(0.005)\n  os._exit(0)"
    ),
}
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only groups are killed")


def getting_away(alive: Alive, how: str, then: str) -> list[str]:
    code = f"import os, signal, sys, time\nos.fork() and os._exit(0)\n{AWAY[how]}"
    return [
        PYTHON,
        "-c",
        f"""if 1:
        import os, subprocess, sys, time
        with open({str(alive)!r}, "w") as out:
            subprocess.run([sys.executable, "-S", "-c", {code!r}], stdout=out, check=True)
        {then}""",
    ]


@linux
@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("end", ["timeout", "cancel", "teardown"])
def test_nothing_gets_away(plugin: Plugin, alive: Alive, how: str, end: str) -> None:
    handle = prepare(plugin)
    then = "" if end == "teardown" else "time.sleep(60)"
    fields = {"timeout_secs": 2} if end == "timeout" else {}
    params = request(handle, *getting_away(alive, how, then), **fields)
    running = plugin.request("environment/exec", params)
    assert alive.read().startswith(b"away\n")
    if end == "cancel":
        plugin.notify("$/cancelRequest", {"id": running})
        with pytest.raises(RpcError, match="cancelled"):
            plugin.reply(running, 5)
    else:
        found = plugin.reply(running, 10)
        found.pop("stderr", None)  # a shell says there what became of its command
        assert found == ({"timed_out": True} if end == "timeout" else {"exit_code": 0})
    if end == "teardown":
        assert not alive.over()
        plugin.call("environment/teardown", {"handle": handle})
    # A cancelled call is answered before it has ended.
    assert alive.over(WAIT_S if end == "cancel" else 0)


@linux
@pytest.mark.parametrize("end", ["the end of input", "SIGKILL"])
@pytest.mark.parametrize("then", ["", "time.sleep(600)"])
def test_nothing_outlives_the_plugin(
    tmp_path: Path, place: Path, alive: Alive, end: str, then: str
) -> None:
    with opened(tmp_path, place) as plugin:
        params = request(prepare(plugin), *getting_away(alive, "a double fork", then))
        running = plugin.request("environment/exec", params)
        assert alive.read() == b"away\n"
        if not then:
            plugin.reply(running, 10)
        if end == "SIGKILL":
            plugin.kill()
        else:
            plugin.close_stdin()
            plugin.wait(3)
        assert alive.read() == b""


@linux
def test_processes_of_another_environment_are_left_alone(
    plugin: Plugin, alive: Alive, tmp_path: Path
) -> None:
    first, second = prepare(plugin), prepare(plugin)
    with closing(Alive(tmp_path / "other")) as other:
        for handle, fifo in ((first, alive), (second, other)):
            execute(plugin, handle, *getting_away(fifo, "a session", ""))
            assert fifo.read() == b"away\n"
        plugin.call("environment/teardown", {"handle": first})
        assert (alive.over(), other.over()) == (True, False)
        plugin.call("environment/teardown", {"handle": second})
        assert other.over()


def test_a_handle_is_never_a_path(plugin: Plugin, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    for handle_id in ("../precious", str(tmp_path / "precious"), ""):
        handle = {"id": handle_id, "workspace_root": str(tmp_path)}
        assert refused(plugin, "environment/teardown", {"handle": handle}).code == -32602
    assert (tmp_path / "precious").exists()
