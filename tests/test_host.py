"""The host side against small real child processes that know nothing of the framework."""

import contextlib
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from animus_routes import host, testing
from animus_routes.errors import RpcError
from animus_routes.host import (
    HandshakeError,
    HostError,
    ManifestError,
    Notification,
    Plugin,
    PluginExitedError,
    PluginTimeoutError,
    ProtocolError,
    host_environment,
    read_manifest,
)

Command = Sequence[str]
Script = Callable[[str], Command]

LOOP = """
import json, os, sys, time

def send(frame):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **frame}) + "\\n")
    sys.stdout.flush()

RESULT = {
    "protocol_version": "1.1.0",
    "plugin_info": {"name": "child", "version": "1", "plugin_kind": "custom"},
    "capabilities": {},
}

def answer(frame):
    method = frame["method"]
    if method == "exit":
        sys.exit(7)
    if method == "initialize":
        send({"id": frame["id"], "result": RESULT})
    elif method == "fail":
        send({"id": frame["id"], "error": {"code": -32602, "message": "no", "data": [1]}})
    elif method == "environment":
        send({"id": frame["id"], "result": dict(os.environ)})
    elif method == "die":
        print("out of luck", file=sys.stderr)
        sys.exit(3)
    elif method == "ignore":
        pass
    elif method == "dirty":
        print("hello from print", flush=True)
        send({"id": frame["id"], "result": 1})
    elif method == "write":
        sys.stdout.buffer.write(bytes.fromhex(frame["params"]))
        sys.stdout.flush()
    elif method == "notify":
        for number in range(frame["params"]):
            send({"method": "row" if number % 2 else "even", "params": number})
        send({"id": frame["id"], "result": None})
    elif method == "notify_large":
        send({"method": "row", "params": "x" * frame["params"]})
        send({"id": frame["id"], "result": None})
    elif "id" in frame:
        send({"id": frame["id"], "result": frame})
"""

SERVE = """
for line in sys.stdin:
    answer(json.loads(line))
"""

MANIFEST = {
    "name": "child",
    "version": "1",
    "plugin_kind": "custom",
    "description": "a child",
    "protocol_version": "1.1.0",
}


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(source: str) -> Command:
        path = tmp_path / "child.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return [sys.executable, str(path)]

    return write


@pytest.fixture
def command(script: Script) -> Command:
    return script(LOOP + SERVE)


def test_the_handshake_sends_the_frames_of_the_real_host(command: Command) -> None:
    with Plugin.start(command) as plugin:
        assert plugin.initialize()["plugin_info"]["name"] == "child"
        echo = plugin.call("echo", {"a": 1})
    assert echo == {"jsonrpc": "2.0", "id": 2, "method": "echo", "params": {"a": 1}}


def test_initialize_names_the_host_and_leaves_extensions_out_unless_given(script: Script) -> None:
    echoing = script(
        LOOP
        + 'RESULT["capabilities"]["seen"] = frames = []'
        + """
for line in sys.stdin:
    frames.append(json.loads(line))
    answer(frames[-1])
"""
    )
    binding = {"project_binding": {"project_root": "/p", "repo_scope": "s"}}
    with Plugin.start(echoing) as plugin:
        (generic,) = plugin.initialize()["capabilities"]["seen"]
        _, initialized, bound = plugin.initialize(binding)["capabilities"]["seen"]
    assert initialized == {"jsonrpc": "2.0", "method": "initialized"}
    assert generic["params"] == {
        "protocol_version": "1.1.0",
        "host_info": {"name": "animus", "version": "0.7.0"},
        "capabilities": {"streaming": True, "progress": True, "cancellation": True},
    }
    assert bound["params"]["init_extensions"] == binding


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('RESULT["protocol_version"] = "2.0.0"', "speaks protocol 1.1.0, the plugin 2.0.0"),
        ('del RESULT["plugin_info"]["version"]', "missing required field `version`"),
        ('del RESULT["capabilities"]', "missing required field `capabilities`"),
    ],
)
def test_an_initialize_result_that_the_host_refuses_is_an_error(
    script: Script, change: str, message: str
) -> None:
    with Plugin.start(script(LOOP + change + SERVE)) as plugin:
        with pytest.raises(HandshakeError, match=message):
            plugin.initialize()
        assert plugin.initialize_result is None


def test_the_environment_is_cleared_but_for_the_hosts_list(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "SECRET", "WANTED"):
        monkeypatch.setenv(name, "set")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("TOKIO_WORKER_THREADS", raising=False)
    with Plugin.start(command, env={"EXTRA": "1"}, env_required=["WANTED", "UNSET"]) as plugin:
        seen = plugin.call("environment")
    assert {"PYTHONPATH", "SECRET", "UNSET"}.isdisjoint(seen)
    wanted = {"WANTED": "set", "EXTRA": "1", "TZ": "UTC", "TOKIO_WORKER_THREADS": "2"}
    assert {name: seen[name] for name in wanted} == wanted
    assert seen["PATH"] == os.environ["PATH"]


def test_what_the_caller_adds_to_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKIO_WORKER_THREADS", "8")
    assert host_environment()["TOKIO_WORKER_THREADS"] == "8"
    assert host_environment(extra={"TOKIO_WORKER_THREADS": "1"})["TOKIO_WORKER_THREADS"] == "1"


def test_an_error_answer_is_raised_with_code_message_and_data(command: Command) -> None:
    with Plugin.start(command) as plugin:
        with pytest.raises(RpcError) as caught:
            plugin.call("fail")
        assert plugin.call("after")["method"] == "after"
    assert (caught.value.code, caught.value.message, caught.value.data) == (-32602, "no", [1])


def test_answers_are_matched_by_id_in_any_order(command: Command) -> None:
    with Plugin.start(command) as plugin:
        ids = [plugin.request("echo", [number]) for number in range(50)]
        answers = [plugin.reply(request_id)["params"] for request_id in reversed(ids)]
        assert plugin.unclaimed_ids == []
    assert answers == [[number] for number in reversed(range(50))]


@pytest.mark.parametrize("text", ["null", "1.0", '"a"', "123456789012345678901234567890"])
def test_an_answer_is_found_by_the_exact_text_of_its_id(command: Command, text: str) -> None:
    with Plugin.start(command) as plugin:
        plugin.send_raw(b'{"id": %s, "method": "echo"}\n' % text.encode())
        assert plugin.reply(text.encode(), timeout_s=5)["method"] == "echo"


def test_ids_of_other_types_are_found_by_value(command: Command) -> None:
    with Plugin.start(command) as plugin:
        plugin.send_raw(b'{"id": null, "method": "a"}\n{"id": "x", "method": "b"}\n')
        assert plugin.reply("x", timeout_s=5)["method"] == "b"
        assert plugin.unclaimed_ids == [b"null"]
        assert plugin.reply(None, timeout_s=5)["method"] == "a"


def test_notifications_are_kept_in_order_and_shown_as_they_come(command: Command) -> None:
    shown: list[Notification] = []
    lines: list[bytes] = []
    start = Plugin.start(command, on_notification=shown.append, on_frame=lines.append)
    with start as plugin:
        plugin.call("notify", 4)
        assert plugin.next_notification("row") == Notification("row", 1)
        assert plugin.next_notification() == Notification("even", 0)
        assert plugin.next_notification("row").params == 3
        assert [note.params for note in plugin.notifications] == [0, 1, 2, 3]
        with pytest.raises(PluginTimeoutError, match="notification row: nothing came within"):
            plugin.next_notification("row", timeout_s=0.01)
    assert shown == plugin.notifications
    assert lines[4] == b'{"jsonrpc": "2.0", "id": 1, "result": null}'


def test_what_is_passed_on_is_not_kept_for_ever(command: Command) -> None:
    shown: list[Any] = []
    with Plugin.start(command, on_notification=lambda found: shown.append(found.params)) as plugin:
        plugin.call("notify", 3000, timeout_s=20)
        assert shown == list(range(3000))
        assert [kept.params for kept in plugin.notifications] == list(range(2000, 3000))
        assert plugin.next_notification().params == 2000
        plugin.call("notify", 1)
        assert plugin.notifications[-1].params == 0
        assert plugin.next_notification("row").params == 2001


def test_large_ones_are_forgotten_sooner_but_not_the_last(command: Command) -> None:
    shown: list[int] = []
    with Plugin.start(command, on_notification=lambda n: shown.append(len(n.params))) as plugin:
        for size in (600_000, 600_000, 2_000_000):
            plugin.call("notify_large", size)
            (kept,) = plugin.notifications
            assert len(kept.params) == size
            assert plugin.next_notification() is kept
    assert shown == [600_000, 600_000, 2_000_000]


def test_a_missing_answer_is_a_timeout_that_names_the_method(command: Command) -> None:
    with Plugin.start(command) as plugin:
        with pytest.raises(PluginTimeoutError, match=r"^ignore: nothing came within 0.05 s"):
            plugin.call("ignore", timeout_s=0.05)
        assert plugin.call("echo")["id"] == 2


def test_a_plugin_that_dies_is_reported_with_its_code_and_stderr(command: Command) -> None:
    with Plugin.start(command) as plugin:
        with pytest.raises(PluginExitedError, match="code 3 before die was answered") as caught:
            plugin.call("die", timeout_s=5)
        with pytest.raises(PluginExitedError):
            plugin.call("echo", timeout_s=5)
        assert plugin.shutdown() == 3
    assert "out of luck" in str(caught.value)
    assert plugin.stderr_text() == "out of luck\n"


def test_a_dirty_wire_is_raised_once_with_the_text_and_the_wire_goes_on(command: Command) -> None:
    with Plugin.start(command) as plugin:
        with pytest.raises(ProtocolError, match="hello from print") as caught:
            plugin.call("dirty")
        assert plugin.reply(1, timeout_s=5) == 1
    assert caught.value.text == "hello from print"
    assert [error.text for error in plugin.protocol_errors] == ["hello from print"]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"\n", "truncated"),
        (b"[]\n", "Expected `object`"),
        (b"{}\n", "jsonrpc"),
        (b'{"jsonrpc":"2.0"}\n', "neither an answer nor a notification"),
        (b'{"jsonrpc":"2.0","id":1}\n', "either result or error"),
        (b'{"jsonrpc":"2.0","id":1,"method":"m"}\n', "may not send requests"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":1}}\n', "message"),
        (b'{"jsonrpc":"2.0","method":"m","params":"\xff"}\n', "utf-8"),
        (b'{"jsonrpc":"2.0","method":"m"} {}\n', "trailing characters"),
        (b"x" * (8 * 1024 * 1024 + 1), "longer than 8388608 bytes"),
    ],
)
def test_lines_that_are_no_frames_are_named(command: Command, written: bytes, reason: str) -> None:
    plugin = Plugin.start(command)
    plugin.request("write", written.hex())
    with pytest.raises(ProtocolError, match=reason):
        plugin.next_notification(timeout_s=10)
    plugin.kill()


def test_text_after_the_last_answer_is_found_at_the_shutdown(script: Script) -> None:
    chatty = (LOOP + SERVE).replace("sys.exit(7)", "print('bye', end=''), sys.exit(7)")
    plugin = Plugin.start(script(chatty))
    with pytest.raises(ProtocolError, match=r"no newline.*bye"):
        plugin.shutdown()
    assert plugin.shutdown() == 7


def test_shutdown_ends_a_plugin_politely_and_returns_its_exit_code(command: Command) -> None:
    plugin = Plugin.start(command)
    assert plugin.shutdown() == 7
    assert plugin.shutdown() == 7


def test_shutdown_kills_a_plugin_that_does_not_listen(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("animus_routes.host.running.SHUTDOWN_STEP_S", 0.1)
    plugin = Plugin.start(script(LOOP + 'send({"method": "up"})\nwhile True: time.sleep(1)'))
    assert plugin.next_notification().method == "up"
    assert plugin.shutdown() == -signal.SIGKILL


def test_a_failure_of_the_link_kills_and_a_failure_of_the_caller_shuts_down(
    command: Command,
) -> None:
    def fail(failure: Exception) -> int:
        with contextlib.suppress(type(failure)), Plugin.start(command) as plugin:
            plugin.call("echo")
            raise failure
        return plugin.wait()

    assert fail(PluginTimeoutError("late")) == -signal.SIGKILL
    assert fail(KeyError("mine")) == 7


def test_the_end_of_input_is_seen_by_the_plugin(command: Command) -> None:
    plugin = Plugin.start(command)
    plugin.close_stdin()
    assert plugin.wait(5) == 0
    with pytest.raises(PluginExitedError, match="code 0 before it read what was sent"):
        plugin.send_raw(b"late")
    assert plugin.kill() == 0


def test_a_plugin_that_does_not_read_is_a_timeout_and_not_a_hang(script: Script) -> None:
    plugin = Plugin.start(script("import time; time.sleep(30)"))
    with pytest.raises(PluginTimeoutError, match="read nothing"):
        plugin.send_raw(b"x" * 1_000_000, timeout_s=0.1)
    with pytest.raises(PluginTimeoutError, match=r"still running after 0.01 s"):
        plugin.wait(0.01)
    assert plugin.kill() == -signal.SIGKILL


def test_a_large_frame_crosses_in_both_directions(command: Command) -> None:
    text = "x" * 4_000_000
    with Plugin.start(command) as plugin:
        assert plugin.call("echo", text)["params"] == text


def test_threads_may_write_at_the_same_time(command: Command) -> None:
    with Plugin.start(command) as plugin:
        frame = b'{"id": "%d", "method": "echo", "params": "' + b"y" * 100_000 + b'"}\n'
        writers = [
            threading.Thread(target=plugin.send_raw, args=(frame % number,)) for number in range(8)
        ]
        for writer in writers:
            writer.start()
        lengths = {len(plugin.reply(str(number))["params"]) for number in range(8)}
        for writer in writers:
            writer.join(5)
    assert lengths == {100_000}


def test_a_command_that_cannot_start_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(HostError, match=r"cannot start .*missing"):
        Plugin.start([missing])
    with pytest.raises(HostError, match=r"cannot start .*missing"):
        read_manifest([missing])


def manifest_script(body: str, manifest: dict[str, Any]) -> str:
    return f"import json, os, sys, time\nmanifest = {manifest!r}\n{textwrap.dedent(body)}"


def test_the_manifest_is_read_with_the_flag_an_empty_stdin_and_no_secrets(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    body = """
    manifest["seen"] = [sys.argv[1:], sys.stdin.read(), "SECRET" in os.environ]
    print(json.dumps(manifest, indent=1), "\\n")
    """
    manifest = read_manifest(script(manifest_script(body, MANIFEST)))
    assert manifest == {**MANIFEST, "seen": [["--manifest"], "", False]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('banner'); print(json.dumps(manifest))", "malformed manifest"),
        ("print(json.dumps(manifest), 'done')", "malformed manifest"),
        ("print(json.dumps({**manifest, 'description': None}))", "description"),
        ("del manifest['version']; print(json.dumps(manifest))", "version"),
        ("print(json.dumps({**manifest, 'env_required': ['TOKEN']}))", "env_required"),
        ("print(json.dumps([manifest]))", "Expected `object`"),
        ("sys.exit('no token')", "exit code 1: no token"),
        ("print(' ' * 1_100_000)", "more than 1048576 bytes"),
        ("print(' ' * 1_100_000, file=sys.stderr)", "more than 1048576 bytes"),
    ],
)
def test_a_manifest_that_the_host_refuses_is_an_error_that_says_why(
    script: Script, body: str, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(script(manifest_script(body, MANIFEST)))


@pytest.mark.parametrize("body", ["time.sleep(30)", "os.close(1); os.close(2); time.sleep(30)"])
def test_a_manifest_that_takes_too_long_is_refused(script: Script, body: str) -> None:
    with pytest.raises(ManifestError, match=r"not finished within 0.3 s"):
        read_manifest(script(manifest_script(body, MANIFEST)), timeout_s=0.3)


def test_names_that_were_published_first_still_hold() -> None:
    assert host.Plugin is host.PluginProcess
    assert testing.Stream is testing.OpenStream
