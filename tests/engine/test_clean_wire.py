"""Nothing but frames reaches the wire, and nobody but the engine reads it."""

import os
import subprocess
import sys

import msgspec
import pytest
from engine_host import (
    HANDSHAKE,
    INSTALLED,
    PLUGINS,
    PROBE,
    WAIT_S,
    conversation,
    frame,
    ping_s,
    probe,
    stderr_with,
)

from animus_routes.host import host_environment

CLI = [sys.executable, "-m", "animus_routes"]
WRITERS = {
    "print": "from print",
    "sys": "from sys",
    "buffer": "from buffer",
    "fd": "from fd",
    "child": "from child",
    "c": "from C",
    "fork": "from the fork",
}
NOISE = ("noise from print", "noise from fd", "noise from a child", "noise from C")


def test_whatever_a_handler_writes_reaches_stderr_at_once_and_never_the_wire() -> None:
    with probe() as plugin:
        for how, text in WRITERS.items():
            assert plugin.call("x/write", {"how": how}, timeout_s=WAIT_S) == "written"
            if how != "fork":  # its buffer is its own
                stderr_with(plugin, text)
        ping_s(plugin)
        assert plugin.protocol_errors == []


def test_a_handler_and_its_children_find_the_end_on_stdin() -> None:
    with probe() as plugin:
        for how in ("input", "child_reads"):
            assert plugin.call("x/write", {"how": how}, timeout_s=WAIT_S) == "written"
        assert plugin.call("x/seen", timeout_s=WAIT_S) == ["read b''", "child 1"]


def test_a_child_inherits_no_private_descriptor() -> None:
    with probe() as plugin:
        plugin.call("x/write", {"how": "inherited"}, timeout_s=WAIT_S)
        text = stderr_with(plugin, "fds ").split("fds ", 1)[1].splitlines()[0]
        assert text == "['0', '1', '2', '3']"  # 3 is the listing's own


@pytest.mark.parametrize("script", ["noisy.py", "noisy_first.py"])
def test_a_script_that_is_noisy_at_import_serves_on_a_clean_wire(script: str) -> None:
    code, frames, errors = conversation(
        HANDSHAKE + frame(1, "x/hello"), [sys.executable, str(PLUGINS / script)]
    )
    assert [one.get("result") for one in frames][1:] == ["hello"]
    assert code == 0
    for text in NOISE if script == "noisy.py" else NOISE[:1]:
        assert text in errors


def test_run_serves_a_noisy_module_on_a_clean_wire() -> None:
    command = [*CLI, "run", str(PLUGINS / "noisy.py")]
    code, frames, errors = conversation(HANDSHAKE + frame(1, "x/hello"), command)
    assert (code, frames[-1]["result"]) == (0, "hello")
    assert all(text in errors for text in NOISE)


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, str(PLUGINS / "noisy.py"), "--manifest"],
        [sys.executable, str(PLUGINS / "noisy.py"), "-m"],
        [*CLI, "manifest", str(PLUGINS / "noisy.py")],
        [sys.executable, str(PLUGINS / "noisy_first.py"), "--manifest"],
    ],
)
def test_a_noisy_plugin_prints_one_document_for_its_manifest(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=WAIT_S,
        check=True,
        env=host_environment((), INSTALLED),
    )
    assert msgspec.json.decode(done.stdout)["name"] == "animus-custom-noisy"
    assert b"noise from print" in done.stderr


def test_a_host_that_never_drains_stderr_is_answered_and_the_end_is_bounded() -> None:
    read, write = os.pipe()
    process = subprocess.Popen(
        PROBE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=write,
        env=host_environment((), INSTALLED),
    )
    try:
        sent = HANDSHAKE + frame(1, "x/flood_stderr", {"lines": 2000}) + b"garbage\n" * 50
        flooded, _ = process.communicate(sent + frame(2, "$/ping"), timeout=WAIT_S)
        answers = {one["id"]: one for one in map(msgspec.json.decode, flooded.splitlines())}
        assert answers[1]["result"] == "flooded"
        assert answers[2]["result"] == {}
    finally:
        process.kill()
        process.wait()
        os.close(read)
        os.close(write)


def test_a_forked_child_ends_at_a_signal_and_the_plugin_serves_on() -> None:
    with probe() as plugin:
        assert plugin.call("x/end_a_fork", timeout_s=WAIT_S) == -15
        assert ping_s(plugin) < WAIT_S


def test_no_file_of_the_plugin_becomes_a_standard_one_that_the_host_closed() -> None:
    command = ["sh", "-c", '"$@" 2>&-', "sh", *PROBE]
    _, frames, _ = conversation(HANDSHAKE + frame(1, "x/standard_files"), command)
    assert frames[-1]["result"] == [os.devnull] * 3


def test_a_plugin_started_without_stdout_or_stderr_serves_on() -> None:
    for closing in ("2>&-", "0<&- 2>&-", "1>&-"):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {closing}', "sh", *PROBE],
            input=HANDSHAKE,
            capture_output=True,
            timeout=WAIT_S,
            check=False,
            env=host_environment((), INSTALLED),
        )
        assert done.returncode == 0, closing
