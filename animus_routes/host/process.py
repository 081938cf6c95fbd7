"""Start a process the way the Animus host does, and read a manifest from one."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from animus_routes.host.variables import BASE_VARIABLES

BAD_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
PROBE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 65536
CLOSE_S: Final = 1.0
QUOTE_CHARS: Final = 200


class HostError(Exception):
    """Something other than an error answer went wrong between host and plugin."""


class PluginTimeoutError(HostError, TimeoutError):
    """The plugin did not answer, read or write in time."""


class PluginExitedError(HostError):
    """The plugin closed the wire or ended while the host was waiting for it."""


class HandshakeError(HostError):
    """The host refuses what the plugin answered to `initialize`."""


class ManifestError(HostError):
    """The `--manifest` probe failed, so the host refuses the plugin."""


class _EnvRequirement(msgspec.Struct):
    name: str
    description: str | None = None
    sensitive: bool = False
    required: bool = False


class _Manifest(msgspec.Struct):
    name: str
    version: str
    plugin_kind: str
    description: str
    protocol_version: str
    capabilities: list[str] = []
    plugin_kinds: list[str] = []
    env_required: list[_EnvRequirement] = []
    notification_buffer_size: int | None = None
    supports_mcp: bool = True


def host_environment(
    env_required: Sequence[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment in which the host starts a plugin.

    Args:
        env_required: Names that the manifest asks for; those that are set here are passed on.
        extra: Variables that the caller adds; they override inherited ones.
    """
    names = (*BASE_VARIABLES, *env_required)
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    workers = os.environ.get("TOKIO_WORKER_THREADS", "2")
    return {**inherited, "TOKIO_WORKER_THREADS": workers, **(extra or {})}


class Capture:
    """Drains a pipe on a thread, so that the child never blocks on it, and keeps its last bytes."""

    def __init__(self, pipe: IO[bytes], keep_bytes: int, *, stop_when_full: bool = False) -> None:
        self.data = bytearray()
        self.full = False
        self._pipe = pipe
        self._keep_bytes = keep_bytes
        self._stop_when_full = stop_when_full
        self._closing = False
        self._thread = threading.Thread(target=self._drain, name="host-capture", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        self._read()
        if self._closing:
            self._pipe.close()

    def _read(self) -> None:
        while chunk := os.read(self._pipe.fileno(), READ_BYTES):
            self.data += chunk
            if len(self.data) > self._keep_bytes:
                self.full = True
                if self._stop_when_full:
                    return
                del self.data[: -self._keep_bytes]

    def join(self, timeout_s: float) -> bool:
        self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def close(self) -> None:
        """Wait for the end of the stream and release the pipe."""
        # A grandchild may hold the pipe open: then the thread stays, and closes it at its end.
        self._closing = True
        if self.join(CLOSE_S):
            self._pipe.close()

    def text(self) -> str:
        return bytes(self.data).decode("utf-8", "replace")


def spawn(
    command: Sequence[str],
    *,
    stdin: int,
    stderr: int | IO[bytes] | None,
    cwd: str | Path | None,
    env: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a command with its stdout piped, unbuffered.

    Raises:
        HostError: The command cannot be started.
    """
    try:
        return subprocess.Popen(
            list(command),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env=env,
            bufsize=0,
        )
    except OSError as problem:
        raise HostError(f"cannot start {command[0]}: {problem}") from problem


class Probe(NamedTuple):
    """What came of a program that was asked for its manifest.

    Attributes:
        stdout: Whatever it wrote there.
        stderr: As text.
        code: Its exit code; negative for the signal that ended it.
        in_time: Had it ended, and closed its output, before the host lost patience?
        ended: Had the process itself ended then, whoever still held its output?
        full: Did it write more than hosts read?
    """

    stdout: bytes
    stderr: str
    code: int
    in_time: bool
    ended: bool
    full: bool


def probe(
    command: Sequence[str],
    *,
    timeout_s: float = 5.0,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Probe:
    """Start a plugin as the host does for its manifest, and see what comes.

    The plugin runs with `--manifest`, an empty stdin and only the base environment: none of the
    variables in its `env_required` is set yet.

    Args:
        command: What starts it.
        timeout_s: How long hosts wait, in seconds.
        cwd: Its working directory; inherited if left out.
        env: Variables to add to the cleared environment.

    Raises:
        HostError: The command cannot be started.
    """
    deadline = time.monotonic() + timeout_s
    process = spawn(
        [*command, "--manifest"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=host_environment(extra=env),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    captures = [
        Capture(pipe, PROBE_BYTES, stop_when_full=True) for pipe in (process.stdout, process.stderr)
    ]
    try:
        in_time = all(capture.join(deadline - time.monotonic()) for capture in captures)
        full = any(capture.full for capture in captures)
        if not full:
            in_time = in_time and _ends_in_time(process, deadline)
        ended = process.poll() is not None
    finally:
        process.kill()
        process.wait()
        for capture in captures:
            capture.close()
    stdout, stderr = captures
    code = process.returncode
    return Probe(bytes(stdout.data), stderr.text(), code, in_time, ended, full)


def read_manifest(
    command: Sequence[str], *, timeout_s: float = 5.0, cwd: str | Path | None = None
) -> dict[str, Any]:
    """Ask a plugin for its manifest as the host does before it installs or lists it.

    The plugin runs with `--manifest`, an empty stdin and only the base environment: none of the
    variables in its `env_required` is set yet.

    Raises:
        ManifestError: It took too long, wrote too much, failed, or wrote something other than one
            manifest.
        HostError: The command cannot be started.
    """
    found = probe(command, timeout_s=timeout_s, cwd=cwd)
    if found.full:
        raise ManifestError(f"--manifest: more than {PROBE_BYTES} bytes of output")
    if not found.in_time:
        raise ManifestError(f"--manifest: not finished within {timeout_s:g} s")
    if found.code:
        raise ManifestError(f"--manifest: exit code {found.code}: {found.stderr.strip()}")
    return manifest_of(found.stdout)


def _ends_in_time(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def manifest_of(document: bytes) -> dict[str, Any]:
    """The one manifest that a program printed, decoded as strictly as the host does.

    Raises:
        ManifestError: It is not one, or more than one.
    """
    try:
        manifest = msgspec.json.decode(document, type=dict[str, Any])
        msgspec.convert(manifest, _Manifest)
    except BAD_JSON as problem:
        shown = document.decode("utf-8", "replace").strip()[:QUOTE_CHARS]
        raise ManifestError(f"--manifest: malformed manifest ({problem}): {shown!r}") from problem
    return manifest
