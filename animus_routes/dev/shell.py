"""One plugin process, and a person who types at it."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.shapes import list_of, object_of
from animus_routes.dev.kept import KeptProcess
from animus_routes.dev.knowing import Knowledge
from animus_routes.dev.params import NotParamsError, read_params
from animus_routes.errors import RpcError, unknown
from animus_routes.host.inbox import Inbox, ProtocolError
from animus_routes.host.process import (
    HostError,
    PluginTimeoutError,
    host_environment,
    read_manifest,
)
from animus_routes.host.running import DEVELOPER, PluginProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from animus_routes.dev.targets import Chosen
    from animus_routes.host import Notification

COMMANDS: Final = {
    ".help": "this text",
    ".methods": "what the plugin serves, with the names of the params; with a word, only what has it",
    ".notify": "send a notification: .notify METHOD [PARAMS]",
    ".raw": "send a line as it is, whatever it holds",
    ".restart": "end the process, and start another one",
    ".exit": "end the process and this; so does Ctrl-D",
}
HELP: Final = """METHOD [PARAMS]  call a method; PARAMS is a JSON object, or key=text and key:=json
Ctrl-C           cancel the call under way; a second time, wait for it no longer
Tab              complete methods, params, and the words that a param may be
"""
# A word of the params; with `key:=`, what follows that may have spaces.
WORD: Final = re.compile(
    r"""\s*(?P<word>(?P<key>[\w.-]+:=)?(?:[^\s"']|"(?:[^"\\]|\\.)*"?|'[^']*'?)+)"""
)
FOREVER_S: Final = 1e8
START_S: Final = 30.0
READ_BYTES: Final = 65_536
SETTLE_S: Final = 0.2  # for what comes behind an answer, at the end of a script


class Shell:
    """Starts a plugin as a host does, and carries out lines.

    Args:
        chosen: The plugin.
        show_result: Takes what a call has brought, as text.
        show: Takes everything else: notifications, stderr, times, errors. Any thread calls it.
        env: Variables to add to those that every plugin gets.
        timeout_s: How long a call may take, in seconds; None for as long as it likes.

    Attributes:
        failed: How many lines could not be carried out, or brought an error.
        knowledge: Of the plugin; None if it does not run.
        is_over: `.exit` was typed.
    """

    def __init__(
        self,
        chosen: Chosen,
        show_result: Callable[[str], object],
        show: Callable[[str], object],
        *,
        env: Mapping[str, str],
        timeout_s: float | None = None,
    ) -> None:
        self.failed = 0
        self.knowledge: Knowledge | None = None
        self.is_over = False
        self._chosen = chosen
        self._show_result = show_result
        self._show = show
        self._env = env
        self._timeout_s = timeout_s or FOREVER_S
        self._plugin: PluginProcess | None = None
        self._commands: dict[str, Callable[[str], object]] = {
            ".help": self._help,
            ".methods": self._methods,
            ".notify": self._notify,
            ".raw": self._raw,
            ".restart": lambda _: self.restart(),
            ".exit": self._exit,
        }

    # The process -----------------------------------------------------------------------------------

    def start(self) -> bool:
        """Start the plugin, and shake hands; False, and the reason is shown, if that fails."""
        begun = time.perf_counter()
        try:
            manifest = read_manifest(self._chosen.command, timeout_s=START_S)
            self._plugin = plugin = self._started(manifest)
            greeting = plugin.initialize(host_info=DEVELOPER, timeout_s=START_S)
        except (HostError, RpcError) as error:
            self.failed += 1
            self._show(f"the plugin does not start: {error}")
            self.end()
            return False
        self.knowledge = Knowledge(manifest, greeting, self._chosen.app)
        taken = _shown_time(time.perf_counter() - begun)
        self._show(f"{manifest['name']} {manifest['version']}, process {plugin.pid} ({taken})")
        return True

    def _started(self, manifest: dict[str, Any]) -> PluginProcess:
        names = [str(object_of(item).get("name")) for item in list_of(manifest.get("env_required"))]
        source, sink = os.pipe()
        Thread(target=self._pass_on, args=[source], name="stderr", daemon=True).start()
        try:
            # In a group of its own: what a terminal sends to all is not for it.
            environment = host_environment(names, self._env)
            process = KeptProcess(self._chosen.command, env=environment, stderr=sink)
            return PluginProcess(process, Inbox(process.stdout, self._came, None))
        finally:
            os.close(sink)

    def _pass_on(self, source: int) -> None:
        """What the plugin writes to stderr, line by line."""
        rest = b""
        while chunk := os.read(source, READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._show(f"| {line.decode('utf-8', 'replace')}")
        if rest:
            self._show(f"| {rest.decode('utf-8', 'replace')}")
        os.close(source)

    def _came(self, found: Notification) -> None:
        params = "" if found.params is None else f" {json.dumps(found.params, ensure_ascii=False)}"
        self._show(f"* {found.method}{params}")

    def end(self) -> None:
        """End the plugin as a host does."""
        plugin, self._plugin, self.knowledge = self._plugin, None, None
        if plugin is not None:
            with suppress(ProtocolError):
                plugin.shutdown()

    def restart(self) -> None:
        """End the process, and start another one."""
        self.end()
        self.start()

    def settle(self) -> None:
        """Wait for what comes behind the last answer."""
        with suppress(HostError):
            if self._plugin is not None:
                self._plugin.wait(SETTLE_S)

    # Lines -----------------------------------------------------------------------------------------

    def carry_out(self, line: str) -> None:
        """Do what a line says; what comes of it is shown."""
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            return
        command = self._commands.get(word)
        if command is None and word.startswith("."):
            self._fail(unknown("command", word, COMMANDS))
            return
        try:
            if command is not None:
                command(rest.strip())
            else:
                self._call(word, rest.strip())
        except RpcError as error:
            self._fail(f"error {error.code}: {error.message}{_details(error.data)}")
        except NotParamsError as error:
            self._fail(str(error))
        except HostError as error:
            self._fail(str(error))
            if self._plugin is not None and not isinstance(
                error, PluginTimeoutError | ProtocolError
            ):
                self.end()

    def _fail(self, text: str) -> None:
        self.failed += 1
        self._show(text)

    def _running(self) -> PluginProcess:
        if self._plugin is None:
            raise NotParamsError("the plugin does not run: .restart starts it")
        return self._plugin

    def _call(self, method: str, text: str) -> None:
        plugin = self._running()
        begun = time.perf_counter()
        request = plugin.request(method, _params(text))
        try:
            result = self._reply(plugin, request)
        finally:
            self._show(f"({_shown_time(time.perf_counter() - begun)})")
        self._show_result(json.dumps(result, indent=2, ensure_ascii=False))

    def _reply(self, plugin: PluginProcess, request: int) -> Any:
        """The answer, whatever comes on stdout meanwhile."""
        cancelled = False
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return plugin.reply(request, max(deadline - time.monotonic(), 0.0))
            except ProtocolError as error:
                self._fail(str(error))
            except KeyboardInterrupt:
                if cancelled:
                    raise PluginTimeoutError("no longer waited for") from None
                cancelled = True
                plugin.notify("$/cancelRequest", {"id": request})
                self._show("cancelling; Ctrl-C again to wait no longer")

    def _help(self, _rest: str) -> None:
        width = max(map(len, COMMANDS))
        lines = [f"{name:<{width}}         {text}" for name, text in COMMANDS.items()]
        self._show(HELP + "\n".join(lines))

    def _methods(self, word: str) -> None:
        self._running()
        assert self.knowledge is not None
        found = [name for name in self.knowledge.methods if word in name]
        width = max(map(len, found), default=0)
        for name in found:
            params = " ".join(f"{param}=" for param in self.knowledge.params(name))
            self._show(f"{name:<{width}}  {params}".rstrip())

    def _notify(self, rest: str) -> None:
        method, _, text = rest.partition(" ")
        if not method:
            raise NotParamsError("which one? .notify METHOD [PARAMS]")
        self._running().notify(method, _params(text.strip()))

    def _raw(self, rest: str) -> None:
        self._running().send_raw(rest.encode("utf-8", "surrogateescape") + b"\n")

    def _exit(self, _rest: str) -> None:
        self.is_over = True


def _params(text: str) -> dict[str, Any] | None:
    return read_params([text] if text.startswith("{") else [*_words(text)])


def _words(text: str) -> Iterator[str]:
    """`key=text` with quotation marks as in a shell, `key:=json` just as JSON is written.

    Raises:
        NotParamsError: A quotation does not end.
    """
    place = 0
    while found := WORD.match(text, place):
        place = found.end()
        if found["key"]:
            with suppress(ValueError):
                place = json.JSONDecoder().raw_decode(text, found.end("key"))[1]
            yield text[found.start("word") : place]
        else:
            try:
                yield from shlex.split(found["word"])
            except ValueError as error:
                raise NotParamsError(f"{found['word']}: {error}") from None


def _details(data: Any) -> str:
    return "" if data is None else f"\n{json.dumps(data, indent=2, ensure_ascii=False)}"


def _shown_time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
