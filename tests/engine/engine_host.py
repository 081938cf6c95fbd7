"""Serve the probe the way a host does, and look at its process from outside."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from animus_routes import RpcError
from animus_routes.host import Plugin, host_environment

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Path(__file__).parent / "plugins"
PROBE = [sys.executable, str(PLUGINS / "probe.py")]
# The host clears the environment; this stands for an installed package.
INSTALLED = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
WAIT_S = 15.0
END_S = 0.5
# The promise is 0.5 s from the end; a busy machine adds to what is seen from outside.
SEEN_S = END_S + 1.0
GREETING = {"protocol_version": "1.1.0", "host_info": {"name": "t", "version": "0"}}


@contextmanager
def probe(**env: str) -> Iterator[Plugin]:
    """A probe after its handshake; killed at the end, whatever it does then."""
    plugin = Plugin.start(PROBE, env={**INSTALLED, **env})
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def error_of(plugin: Plugin, method: str, params: Any = None) -> RpcError:
    """The error that a call gives."""
    with pytest.raises(RpcError) as caught:
        plugin.call(method, params, timeout_s=WAIT_S)
    return caught.value


def reply_error(plugin: Plugin, request_id: object) -> RpcError:
    with pytest.raises(RpcError) as caught:
        plugin.reply(request_id, WAIT_S)
    return caught.value


def ping_s(plugin: Plugin) -> float:
    """How long a ping takes, in seconds."""
    start = time.monotonic()
    assert plugin.call("$/ping", timeout_s=WAIT_S) == {}
    return time.monotonic() - start


def frame(request_id: Any, method: str, params: Any = None) -> bytes:
    """A request as a line; an id of bytes goes in as it is, params of None are left out."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if request_id is not None:
        message["id"] = msgspec.Raw(request_id) if isinstance(request_id, bytes) else request_id
    if params is not None:
        message["params"] = params
    return msgspec.json.encode(message) + b"\n"


HANDSHAKE = frame(90_001, "initialize", GREETING) + frame(None, "initialized")


def conversation(
    data: bytes, command: list[str] = PROBE, **env: str
) -> tuple[int, list[dict[str, Any]], str]:
    """Send everything and the end of input at once: exit code, frames, stderr."""
    done = subprocess.run(
        command,
        input=data,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
        env=host_environment((), {**INSTALLED, **env}),
    )
    frames = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    return done.returncode, frames, done.stderr.decode()


def stderr_with(plugin: Plugin, text: str) -> str:
    """What the plugin wrote to stderr, once `text` is in it."""
    deadline = time.monotonic() + WAIT_S
    while text not in plugin.stderr_text():
        assert time.monotonic() < deadline, f"no {text!r} in: {plugin.stderr_text()}"
        ping_s(plugin)
    return plugin.stderr_text()


def switches(pid: int) -> int:
    """The voluntary context switches of all threads of a process."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
