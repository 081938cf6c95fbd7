"""The plugin that the page looks at: its process, begun as a host does, and what is done with it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.errors import RpcError
from animus_routes.host import HostError, ManifestError, read_manifest
from animus_routes.host.running import DEVELOPER
from animus_routes.inspector.calls import Call, Calls, request_in
from animus_routes.inspector.methods import HEALTH, Card, cards, document_of
from animus_routes.inspector.recording import Recordings
from animus_routes.inspector.tap import Tapped
from animus_routes.roles import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from animus_routes.inspector.feed import Feed

HANDSHAKE_S: Final = 30.0
WRITE_S: Final = 10.0
WRITERS: Final = 16
NO_PARAMS: Final = b""


class NotRunning(Exception):  # noqa: N818 - what is told the page
    """There is no process to send to."""


class Target(msgspec.Struct, frozen=True):
    """What is looked at.

    Attributes:
        named: As it was named; None for the app that pyproject.toml names.
        shown: The same for people.
        command: What starts it.
        is_app: It may be an app of this framework, so that it is asked for its OpenRPC document.
        cwd: Where it is started.
        env: Variables besides those that a host passes on.
    """

    named: str | None
    shown: str
    command: list[str]
    is_app: bool
    cwd: Path
    env: dict[str, str] = {}


class Status(msgspec.Struct):
    """How the plugin is.

    Attributes:
        state: "starting", "running", "failed" (a host would refuse it), "ended" or "stopped".
        why: Of "failed" and "ended": what a host is told.
        begun: The number of its start, counted from 1.
        pid: Of its process; 0 without one.
        at: When that came about, in seconds since 1970.
    """

    state: str = "starting"
    why: str = ""
    begun: int = 0
    pid: int = 0
    at: float = 0.0


class Inspected:
    """One plugin, restarted as often as wanted. Everything but the lines of its process is on the loop.

    Attributes:
        status: How it is.
        manifest: What it printed for `--manifest`; None if it was refused.
        greeting: Its result of `initialize`.
        cards: Its methods.
        calls: The requests of the page.
        recordings: Of the conversation with its process.
    """

    def __init__(self, target: Target, feed: Feed) -> None:
        self.target = target
        self.status = Status()
        self.manifest: dict[str, Any] | None = None
        self.greeting: dict[str, Any] = {}
        self.cards: list[Card] = []
        self.calls = Calls(feed)
        self.recordings = Recordings(target.cwd, target.command, feed)
        self._feed = feed
        self._process: Tapped | None = None
        self._threads = ThreadPoolExecutor(WRITERS, "inspect")
        self._turn = asyncio.Lock()
        self._is_over = False
        self._wanted = 0  # restarts, so far
        self._records = False  # the next one

    # Start and end ------------------------------------------------------------------------------

    async def restart(self, *, records: bool = False) -> None:
        """End it if it runs, and start it; what is said of it is told again.

        Args:
            records: Record the conversation, until the process ends or nobody wants that any more.
        """
        self._records = self._records or records
        self._wanted += 1
        own = self._wanted
        self._give_up()
        async with self._turn:
            if own != self._wanted:
                return  # the last one does for all that wait
            records, self._records = self._records, False
            await self._end("the plugin was restarted")
            self._be(Status("starting", begun=self.status.begun + 1))
            document = None
            if self.target.is_app:
                document = self._in_thread(document_of, self.target.named)
            try:
                running = await self._in_thread(self._start, records)
            except (HostError, RpcError, OSError) as error:
                await self._end("the plugin did not start")
                self._be(self._failed(error))
                return
            told = await document if document is not None else None
            self.cards = await self._in_thread(cards, self.manifest or {}, self.greeting, told)
            self._be(self.status if self.status.state == "ended" else running)
        with suppress(NotRunning):
            await self.call(HEALTH)

    async def stop(self) -> None:
        """End it, and start it no more by itself."""
        self._give_up()
        async with self._turn:
            await self._end("the plugin was stopped")
            self._be(Status("stopped", begun=self.status.begun))

    async def close(self) -> None:
        """End it for good."""
        self._is_over = True
        await self.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _give_up(self) -> None:
        """Nobody waits for a handshake any more that goes on."""
        if self.status.state == "starting" and self._process is not None:
            self._in_thread(self._process.kill)

    def _start(self, records: bool) -> Status:  # noqa: FBT001 - from a thread's arguments
        """On a thread: the probe, the process, the handshake."""
        target, begun = self.target, self.status.begun
        self.manifest, self.greeting = None, {}
        self.manifest = read_manifest(target.command, cwd=target.cwd)
        if self._is_over:
            raise HostError("the page has ended")
        if records:
            self.recordings.begin(self.manifest)
        names = [str(item["name"]) for item in self.manifest.get("env_required", ())]
        process = Tapped.open(
            target.command,
            cwd=target.cwd,
            env=target.env,
            env_required=names,
            on_sent=self._sent,
            on_line=self._came,
            on_stderr=lambda text: self._feed.publish("stderr", text=text),
        )
        self._process = process
        project = {"project_root": str(target.cwd), "repo_scope": target.cwd.name or "project"}
        self.greeting = process.initialize(
            {"project_binding": project},
            protocol_version=PROTOCOL_VERSION,
            host_info=DEVELOPER,
            timeout_s=HANDSHAKE_S,
        )
        process.is_settled = True
        watching = (process, begun)
        Thread(target=self._watch_end, args=watching, name="inspect-end", daemon=True).start()
        return Status("running", begun=begun, pid=process.pid)

    def _watch_end(self, process: Tapped, begun: int) -> None:
        why = process.wait_for_end()
        if self._process is process and self.status.state in {"starting", "running"}:
            self.recordings.end()
            self.calls.lose(f"the plugin {why}")
            self._be(Status("ended", why=f"the plugin {why}", begun=begun))

    async def _end(self, why: str) -> None:
        process, self._process = self._process, None
        if process is not None:
            self.recordings.end(await self._in_thread(process.end))
        self.calls.lose(why)

    def _failed(self, error: HostError | RpcError | OSError) -> Status:
        text = str(error)
        if isinstance(error, RpcError):
            text = f"initialize was answered with error {error.code}: {error.message}"
        elif isinstance(error, HostError) and not isinstance(error, ManifestError):
            text = f"the handshake failed: {text}"
        return Status("failed", why=text, begun=self.status.begun)

    def _be(self, status: Status) -> None:
        status.at = time.time()
        self.status = status
        self._feed.publish("status", **self.description())

    def description(self) -> dict[str, Any]:
        """How it is, and what it says of itself."""
        found: dict[str, Any] = {
            "status": msgspec.to_builtins(self.status),
            "manifest": self.manifest,
            "greeting": self.greeting,
        }
        if self.status.state != "starting":
            found["cards"] = msgspec.to_builtins(self.cards)
        return found

    # What is sent -------------------------------------------------------------------------------

    async def call(
        self, method: str, params: bytes = NO_PARAMS, *, timeout_s: float = 30.0
    ) -> Call:
        """Send a request.

        Args:
            method: Its name.
            params: As JSON text on one line; empty for none.
            timeout_s: After how long it is late, in seconds.

        Raises:
            NotRunning: There is no process.
        """
        process = self._running()
        card = next((card for card in self.cards if card.name == method), Card(name=method))
        request_id = b"%d" % process.next_id()
        call = self.calls.begin(
            method, request_id, params, timeout_s, tuple(card.stream), streams=card.streams
        )
        given = b',"params":' + params if params else b""
        name = msgspec.json.encode(method)
        line = b'{"jsonrpc":"2.0","id":%b,"method":%b%b}\n' % (request_id, name, given)
        await self._send(process, line, call)
        return call

    async def notify(self, method: str, params: bytes = NO_PARAMS) -> None:
        """Send a notification.

        Raises:
            NotRunning: There is no process.
        """
        given = b',"params":' + params if params else b""
        line = b'{"jsonrpc":"2.0","method":%b%b}\n' % (msgspec.json.encode(method), given)
        await self._send(self._running(), line)

    async def raw(self, data: bytes, *, timeout_s: float = 30.0) -> None:
        """Send bytes as they are. A whole request among them is a call as well.

        Raises:
            NotRunning: There is no process.
        """
        found = request_in(data) if data.endswith(b"\n") else None
        call = None
        if found is not None:
            method, request_id, params = found
            call = self.calls.begin(method, request_id, params, timeout_s)
        await self._send(self._running(), data, call)

    async def cancel(self, number: int) -> None:
        """Cancel a call, as hosts do.

        Raises:
            NotRunning: There is no process.
        """
        call = self.calls.find(number)
        if call is None:
            return
        await self.notify("$/cancelRequest", b'{"id":%b}' % call.id.encode())
        self.calls.stopped(call)

    def _running(self) -> Tapped:
        if self._process is None or self.status.state != "running":
            raise NotRunning(f"the plugin does not run: it is {self.status.state}")
        return self._process

    async def _send(self, process: Tapped, data: bytes, call: Call | None = None) -> None:
        if call is not None:
            asyncio.get_running_loop().call_later(call.timeout_s, self.calls.is_late, call)
        try:
            await self._in_thread(lambda: process.send_raw(data, timeout_s=WRITE_S))
        except HostError as error:
            if call is not None:
                self.calls.lose(str(error), call)
            else:
                self._feed.publish("note", text=str(error))

    def _sent(self, data: bytes) -> None:
        self.recordings.sent(data)
        self._feed.publish_frame(data, dir="in", **self.calls.sent(data))

    def _came(self, line: bytes) -> None:
        told = self.calls.came(line, time.monotonic())
        self.recordings.came(line)
        number = self._feed.publish_frame(line, dir="out", **told)
        self.calls.answered(line, told, number)

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
