"""Play the host's side of a recording to a plugin, and compare what it answers."""

from __future__ import annotations

import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import Struct, field

from animus_routes.dev.differences import NOTHING, differences, shown
from animus_routes.dev.masking import Masking
from animus_routes.dev.paths import Paths
from animus_routes.dev.renaming import Renaming
from animus_routes.dev.sides import HOST, PLUGIN
from animus_routes.dev.transcript import STRAY, Transcript, frame_of
from animus_routes.host.process import HostError, PluginTimeoutError
from animus_routes.host.running import PluginProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from animus_routes.dev.recording import Entry, Recording
    from animus_routes.dev.transcript import Key

LOOK_S: Final = 0.05
LAST_WORDS_S: Final = 1.0  # for what a plugin that has ended has left in its pipe
SHOWN_LINES: Final = 20
COMPARED: Final = ("method", "result", "error", "params")  # of a frame


class Options(Struct, kw_only=True, frozen=True):
    """How a recording is replayed.

    Attributes:
        ignored: Places that are not compared, such as `result.created_at`; or the names of
            notifications that are not.
        anew: Places of texts that are made anew on each run, such as `result.id`. They may differ,
            and later frames have the new one wherever the recorded one was.
        timeout_s: How long what was recorded may take to come, in seconds.
    """

    ignored: Sequence[str] = ()
    anew: Sequence[str] = ()
    timeout_s: float = 10.0


class Played(Struct):
    """What came of a replay.

    Attributes:
        answers: How many were recorded, and compared.
        notifications: How many were.
        differences: A text for each answer, notification or end that differs.
        stderr: What the plugin wrote there, at most its last MiB.
    """

    answers: int = 0
    notifications: int = 0
    differences: list[str] = field(default_factory=list[str])
    stderr: str = ""


def replay(
    recording: Recording,
    command: Sequence[str],
    options: Options,
    *,
    cwd: Path,
    env: Mapping[str, str],
    env_required: Sequence[str] = (),
) -> Played:
    """Play a recording.

    Each frame of the host is sent when everything has come that had come before it then.

    Args:
        recording: The conversation.
        command: What starts the plugin.
        options: What may differ.
        cwd: Where it is started. In the host's frames, it takes the place of the folder in which the
            recording was made.
        env: Variables to add to those that every plugin gets.
        env_required: Names of variables that are passed on if they are set here.

    Raises:
        HostError: The plugin cannot be started.
        ValueError: An option names no place in a frame.
    """
    player = _Player(recording, options, str(cwd))
    plugin = PluginProcess.start(
        command, cwd=cwd, env=env, env_required=env_required, on_frame=player.came.add
    )
    try:
        end = [*player.play(plugin)]
    finally:
        plugin.kill()
    return player.result(end, plugin.stderr_text())


def is_method(name: str) -> bool:
    """Is what an author wants ignored a notification's name, and no place?"""
    return "/" in name


class _Player:
    """One replay.

    Attributes:
        came: What the plugin wrote now.
    """

    def __init__(self, recording: Recording, options: Options, cwd: str) -> None:
        header = recording.header
        ignored = {name for name in options.ignored if is_method(name)}
        self.came = Transcript(ignored)
        self._then = Transcript(ignored)
        self._entries = recording.entries
        self._ignored = Paths(name for name in options.ignored if not is_method(name))
        self._masking = Masking(header.masked_fields, header.masked_variables)
        self._renaming = Renaming(Paths(options.anew), header.cwd, cwd)
        self._timeout_s = options.timeout_s
        self._methods: dict[bytes, str] = {}
        self._awaited: dict[Key, int] = {}  # how many of them
        self._given_up: dict[Key, int] = {}
        self._learned: dict[Key, int] = {}

    def play(self, plugin: PluginProcess) -> Iterator[str]:
        """Send what the host sent; what differs about the end."""
        failed = ""
        for entry in self._entries:
            if entry.sender == PLUGIN and entry.line is not None:
                key = self._then.add(entry.line)
                if key is not None and key != STRAY:
                    self._awaited[key] = len(self._then.frames[key])
            elif entry.sender == HOST and not failed:
                self._wait(plugin)
                try:
                    self._send(plugin, entry)
                except HostError as error:
                    failed = str(error).partition("; its stderr")[0]
        self._wait(plugin)
        return self._end(plugin, failed)

    def _send(self, plugin: PluginProcess, entry: Entry) -> None:
        if entry.closed:
            plugin.close_stdin()
            return
        line = entry.line or b""
        frame = frame_of(line)
        if frame is not None and frame.method is not None:
            self._methods[bytes(frame.id)] = frame.method
            renamed = self._renaming.of(frame.params)
            if renamed != frame.params:
                whole = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
                whole["params"] = msgspec.Raw(msgspec.json.encode(renamed))
                line = msgspec.json.encode(whole)
        end = b"" if entry.unfinished else b"\n"
        plugin.send_raw(line + end, timeout_s=self._timeout_s)

    def _wait(self, plugin: PluginProcess) -> None:
        """Wait for everything that had come by now in the recording."""
        deadline = time.monotonic() + self._timeout_s
        ended = False
        with self.came.changed:
            while missing := self._missing():
                now = time.monotonic()
                if not ended and _code(plugin) is not None:
                    ended, deadline = True, min(deadline, now + LAST_WORDS_S)
                if now >= deadline:
                    break
                self.came.changed.wait(LOOK_S)
        self._given_up.update(missing)
        for key in self._awaited:
            self._learn(key)
        self._awaited.clear()

    def _missing(self) -> dict[Key, int]:
        """How many frames have not come that others are not waited for either."""
        lacking = {
            key: count - len(self.came.frames.get(key, ())) for key, count in self._awaited.items()
        }
        return {k: n for k, n in lacking.items() if n > self._given_up.get(k, 0)}

    def _learn(self, key: Key) -> None:
        before = self._learned.get(key, 0)
        then, now = self._then.frames[key], self.came.frames.get(key, [])
        for recorded, found in zip(then[before:], now[before:], strict=False):
            self._renaming.learn(recorded, found)
        self._learned[key] = min(len(then), len(now))

    def _end(self, plugin: PluginProcess, failed: str) -> Iterator[str]:
        if failed:
            yield f"the plugin took no more: {failed}"
        code = self._entries[-1].exit_code if self._entries else None
        if code is None or code < 0:
            return  # nobody saw it end, or it was killed
        found = _code(plugin, self._timeout_s)
        if found is None:
            yield f"the plugin is still running; then, it ended with exit code {code}"
        elif found != code:
            yield f"the plugin ended with exit code {found}; then, it was {code}"

    def result(self, end: list[str], stderr: str) -> Played:
        """Compare everything; the plugin has ended."""
        played = Played(stderr=stderr)
        for key in {**self._then.frames, **self.came.frames}:
            then, now = self._then.frames.get(key, []), self.came.frames.get(key, [])
            if isinstance(key, bytes):
                played.answers += len(then)
            elif key != STRAY:
                played.notifications += len(then)
            both = zip_longest(then, now, fillvalue=NOTHING)
            for number, (recorded, found) in enumerate(both, 1):
                lines = [*self._compared(recorded, found)]
                if lines:
                    played.differences.append("\n".join([self._name(key, number, found), *lines]))
        played.differences += end
        return played

    def _compared(self, recorded: Any, found: Any) -> Iterator[str]:
        if recorded is NOTHING:
            yield f"  + {shown(_content(found))}"
        elif found is NOTHING:
            yield f"  - {shown(_content(recorded))}"
        else:
            then = self._renaming.of(_content(recorded))
            now = self._masking.value(_content(found))
            lines = [line for one in differences(then, now, self._ignored) for line in one.lines()]
            yield from lines[:SHOWN_LINES]
            if len(lines) > SHOWN_LINES:
                yield f"  and {len(lines) - SHOWN_LINES} lines more"

    def _name(self, key: Key, number: int, found: Any) -> str:
        """What differs, for a reader."""
        if isinstance(key, bytes):
            method = self._methods.get(key, "an answer")
            name = f"{method}, id {key.decode()}"
        else:
            name = f"{key.group}, notification {number}"
            name += f" of stream {key.number + 1}" if key.number else ""
        return f"{name}: did not come" if found is NOTHING else f"{name}:"


def _content(frame: Any) -> Any:
    if not isinstance(frame, dict):
        return frame
    found = cast("dict[str, Any]", frame)
    return {key: found[key] for key in COMPARED if key in found}


def _code(plugin: PluginProcess, timeout_s: float = 0.0) -> int | None:
    try:
        return plugin.wait(timeout_s)
    except PluginTimeoutError:
        return None
