"""The other side of the wire: start a plugin the way the Animus host does and talk to it.

`PluginProcess` clears the environment, starts the command, shakes hands and exchanges one JSON object
per line. It is stricter than the host, which skips text that is not a frame: here such text raises a
`ProtocolError`, so that a test notices a dirty wire.
"""

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, Self

import msgspec

from animus_routes.host.inbox import Inbox, Notification, ProtocolError, id_key
from animus_routes.host.process import (
    CLOSE_S,
    Capture,
    HandshakeError,
    HostError,
    ManifestError,
    PluginExitedError,
    PluginTimeoutError,
    host_environment,
    read_manifest,
    spawn,
)

if TYPE_CHECKING:
    from animus_routes.names import HostMethodName, HostNotification, PluginNotification

__all__ = [
    "HandshakeError",
    "HostError",
    "ManifestError",
    "Notification",
    "PluginExitedError",
    "PluginProcess",
    "PluginTimeoutError",
    "ProtocolError",
    "host_environment",
    "read_manifest",
]

HOST_INFO: Final = {"name": "animus", "version": "0.7.0"}
DEVELOPER: Final = {"name": "animus-routes", "version": "0"}
HOST_CAPABILITIES: Final = {"streaming": True, "progress": True, "cancellation": True}
STDERR_BYTES: Final = 1024 * 1024
SHUTDOWN_STEP_S: Final = 2.0
TAIL_CHARS: Final = 2000


class Process(Protocol):
    """What is needed of a process, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class _PluginInfo(msgspec.Struct):
    name: str
    version: str
    plugin_kind: str


class _InitializeResult(msgspec.Struct):
    protocol_version: str
    plugin_info: _PluginInfo
    capabilities: dict[str, Any]


class PluginProcess:
    """A running plugin process and the wire to it.

    Made by `PluginProcess.start`. As a context manager, it ends the process on exit: with the host's
    shutdown sequence, or with a kill if the link itself has failed. All waits are bounded.

    Attributes:
        notifications: Every notification so far, in order; with `on_notification` the last 1000,
            and of these no more than 1 MiB.
        protocol_errors: Every line so far that was not a frame. Each is raised once, by the next
            wait, and by `shutdown` at the latest.
        initialize_result: What the plugin answered to `initialize`; None before that.
    """

    def __init__(self, process: Process, inbox: Inbox) -> None:
        assert process.stdin is not None
        self.notifications = inbox.notifications
        self.protocol_errors = inbox.protocol_errors
        self.initialize_result: dict[str, Any] | None = None
        self._process = process
        self._inbox = inbox
        self._last_id = 0
        self._methods: dict[bytes, str] = {}
        self._write_lock = threading.Lock()
        self._stdin = process.stdin
        os.set_blocking(self._stdin.fileno(), False)
        self._stderr = Capture(process.stderr, STDERR_BYTES) if process.stderr else None
        inbox.start()

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        env_required: Sequence[str] = (),
        stderr: int | IO[bytes] | None = subprocess.PIPE,
        on_notification: Callable[[Notification], object] | None = None,
        on_frame: Callable[[bytes], object] | None = None,
    ) -> Self:
        """Start a plugin in the environment that the host gives it.

        Args:
            command: The program and its arguments; the host itself passes no arguments.
            cwd: For most roles the project root; inherited if left out.
            env: Variables to add to the cleared environment.
            env_required: Names of variables that are passed on if they are set here.
            stderr: As for `subprocess.Popen`; the default captures it for `stderr_text`.
            on_notification: Called for each notification, on the reader's thread; what has been
                passed on is not kept for long.
            on_frame: Called for each line that the plugin writes, on the reader's thread.

        Raises:
            HostError: The command cannot be started.
        """
        environment = host_environment(env_required, env)
        process = spawn(
            command,
            stdin=subprocess.PIPE,
            stderr=stderr,
            cwd=cwd,
            env=environment,
        )
        assert process.stdout is not None
        return cls(process, Inbox(process.stdout, on_notification, on_frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.shutdown()
        elif issubclass(kind, Exception) and not issubclass(kind, HostError):
            with contextlib.suppress(ProtocolError):
                self.shutdown()
        else:
            self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def unclaimed_ids(self) -> list[bytes]:
        """The ids, as JSON text, of answers that `reply` has not returned yet."""
        return self._inbox.unclaimed_ids()

    def initialize(
        self,
        init_extensions: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] = HOST_CAPABILITIES,
        protocol_version: str = "1.1.0",
        *,
        host_info: Mapping[str, str] = HOST_INFO,
        timeout_s: float = 30.0,
    ) -> dict[str, Any]:
        """Shake hands: `initialize`, the host's checks on its result, `initialized`.

        Args:
            init_extensions: Left out of the frame unless given, as in the generic handshake.
            capabilities: What the host says it can do.
            protocol_version: The version that the host says it speaks.
            host_info: The host's name and version. A plugin takes the name `animus-routes` for its
                author's, and says in the messages of its errors what it tells no other host.
            timeout_s: How long to wait for the answer, in seconds.

        Returns:
            The plugin's result.

        Raises:
            RpcError: The plugin refused.
            HandshakeError: The host does not accept the result.
        """
        params: dict[str, Any] = {
            "protocol_version": protocol_version,
            "host_info": dict(host_info),
            "capabilities": dict(capabilities),
        }
        if init_extensions is not None:
            params["init_extensions"] = dict(init_extensions)
        result = self.call("initialize", params, timeout_s=timeout_s)
        try:
            answer = msgspec.convert(result, _InitializeResult)
        except msgspec.ValidationError as problem:
            raise HandshakeError(f"initialize result: {problem}") from problem
        ours, theirs = protocol_version, answer.protocol_version
        if theirs.split(".")[0] != ours.split(".")[0]:
            raise HandshakeError(f"the host speaks protocol {ours}, the plugin {theirs}")
        self.notify("initialized")
        self.initialize_result = result
        return self.initialize_result or {}

    def call(
        self, method: "HostMethodName | str", params: Any = None, *, timeout_s: float = 30.0
    ) -> Any:
        """Send a request and wait for its result.

        Raises:
            RpcError: The plugin answered with an error.
            PluginTimeoutError: No answer within `timeout_s` seconds.
            PluginExitedError: The plugin ended first.
            ProtocolError: The plugin wrote something that is not a frame.
        """
        return self.reply(self.request(method, params, timeout_s=timeout_s), timeout_s)

    def request(
        self, method: "HostMethodName | str", params: Any = None, *, timeout_s: float = 30.0
    ) -> int:
        """Send a request and return its id at once; `reply` waits for the answer.

        If `params` is None, the frame has none.
        """
        self._last_id += 1
        self._methods[id_key(self._last_id)] = method
        self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method}, params, timeout_s)
        return self._last_id

    def reply(self, request_id: object, timeout_s: float = 30.0) -> Any:
        """Wait for the answer to a request, whatever the order in which answers arrive.

        Args:
            request_id: An id of any JSON type. Bytes are the exact JSON text of an id; None means
                the answer to a frame whose id the plugin could not read.
            timeout_s: How long to wait, in seconds.

        Raises:
            RpcError: The answer is an error.
            PluginTimeoutError: No answer within `timeout_s` seconds.
            PluginExitedError: The plugin ended first.
            ProtocolError: The plugin wrote something that is not a frame.
        """
        key = id_key(request_id)
        awaited = self._methods.pop(key, None) or f"answer to id {key.decode()}"
        frame = self._inbox.reply(key, timeout_s, awaited)
        if frame is None:
            raise self._exited(f"{awaited} was answered")
        if frame.error is not None:
            from animus_routes.errors import RpcError

            raise RpcError(frame.error.code, frame.error.message, frame.error.data)
        return msgspec.json.decode(frame.result)

    def notify(
        self, method: "HostNotification | str", params: Any = None, *, timeout_s: float = 30.0
    ) -> None:
        """Send a notification; if `params` is None, the frame has none."""
        self._send({"jsonrpc": "2.0", "method": method}, params, timeout_s)

    def next_notification(
        self, method: "PluginNotification | str | None" = None, timeout_s: float = 5.0
    ) -> Notification:
        """Wait for the oldest notification that has not been returned here yet.

        Args:
            method: Return only a notification with this name; the others stay for later calls.
            timeout_s: How long to wait, in seconds.

        Raises:
            PluginTimeoutError: None came within `timeout_s` seconds.
            PluginExitedError: The plugin ended first.
            ProtocolError: The plugin wrote something that is not a frame.
        """
        notification = self._inbox.notification(method, timeout_s)
        if notification is None:
            raise self._exited(f"it sent {method or 'a notification'}")
        return notification

    def send_raw(self, data: bytes, *, timeout_s: float = 30.0) -> None:
        """Write bytes to the plugin's stdin as they are.

        Raises:
            PluginTimeoutError: The plugin did not read them within `timeout_s` seconds.
            PluginExitedError: The plugin no longer reads.
        """
        deadline = time.monotonic() + timeout_s
        rest = memoryview(data)
        with self._write_lock:
            poller = select.poll()
            try:
                poller.register(self._stdin.fileno(), select.POLLOUT)
                while rest:
                    if not poller.poll(max(deadline - time.monotonic(), 0.0) * 1000):
                        raise PluginTimeoutError(f"the plugin read nothing for {timeout_s:g} s")
                    with contextlib.suppress(BlockingIOError):
                        rest = rest[os.write(self._stdin.fileno(), rest) :]
            except (BrokenPipeError, ValueError):
                raise self._exited("it read what was sent") from None

    def close_stdin(self) -> None:
        """Close the plugin's stdin, so that it sees the end of its input."""
        with self._write_lock:
            self._stdin.close()

    def stderr_text(self) -> str:
        """What the plugin has written to stderr, at most the last MiB; empty if not captured."""
        return self._stderr.text() if self._stderr else ""

    def wait(self, timeout_s: float = 5.0) -> int:
        """Wait for the process to end by itself and return its exit code.

        After that, `stderr_text` is complete unless a child of the plugin still has stderr open.

        Raises:
            PluginTimeoutError: It is still running after `timeout_s` seconds.
        """
        try:
            code = self._process.wait(max(timeout_s, 0.0))
        except subprocess.TimeoutExpired:
            raise PluginTimeoutError(f"the plugin is still running after {timeout_s:g} s") from None
        if self._stderr:
            self._stderr.join(CLOSE_S)
        return code

    def shutdown(self) -> int:
        """End the plugin as the host does: `shutdown`, `exit`, a wait, a kill; 2 s for each.

        Returns:
            The exit code; if it is negative, the signal that ended the process.

        Raises:
            ProtocolError: The plugin wrote something that is not a frame, and no earlier call
                has raised it.
        """
        from animus_routes.errors import RpcError

        unraised = self._inbox.raised
        if self._process.poll() is None:
            with contextlib.suppress(HostError, RpcError):
                self.call("shutdown", timeout_s=SHUTDOWN_STEP_S)
            with contextlib.suppress(HostError):
                self.notify("exit", timeout_s=SHUTDOWN_STEP_S)
            with contextlib.suppress(HostError):
                self.wait(SHUTDOWN_STEP_S)
        code = self.kill()
        self._inbox.raised = len(self.protocol_errors)
        if unraised < len(self.protocol_errors):
            raise self.protocol_errors[unraised]
        return code

    def kill(self) -> int:
        """Kill the plugin if it is still running, release the pipes and return the exit code."""
        if self._process.poll() is None:
            self._inbox.expect_torn_line()
            self._process.kill()
        code = self._process.wait()
        self.close_stdin()
        self._inbox.close()
        if self._stderr:
            self._stderr.close()
        return code

    def _send(self, frame: dict[str, Any], params: Any, timeout_s: float) -> None:
        if params is not None:
            frame["params"] = params
        self.send_raw(msgspec.json.encode(frame) + b"\n", timeout_s=timeout_s)

    def _exited(self, missed: str) -> PluginExitedError:
        try:
            how = f"exited with code {self._process.wait(CLOSE_S)}"
        except subprocess.TimeoutExpired:
            how = "closed its end of the wire"
        if self._stderr:
            self._stderr.join(CLOSE_S)
        tail = self.stderr_text()[-TAIL_CHARS:].rstrip()
        report = f"; its stderr ends with:\n{tail}" if tail else ""
        return PluginExitedError(f"the plugin {how} before {missed}{report}")
