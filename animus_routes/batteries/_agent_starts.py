"""How an agent is started: its words, its environment, its files, its MCP servers."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from tempfile import TemporaryDirectory

__all__ = ["Start", "flag", "mcp_servers", "refuse_long"]

PREFIX: Final = "animus-agent-"
LEFT_S: Final = 3600
WORD_BYTES: Final = 128 * 1024 - 1  # of one word of a command line; Linux takes no longer one


class Start:
    """An agent that is about to be started.

    Attributes:
        words: Its command line.
        env: Its environment.
    """

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        self.words = words
        self.env = env
        self._folder: TemporaryDirectory[str] | None = None

    def file(self, name: str, text: str) -> str:
        """The path of a file of its own, readable by this user only, for as long as the agent runs."""
        from tempfile import TemporaryDirectory

        if self._folder is None:
            sweep()
            self._folder = TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        path = os.path.join(self._folder.name, name)  # noqa: PTH118 - pathlib costs 5 ms
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
        return path

    def clean_up(self) -> None:
        """Remove its files."""
        if self._folder is not None:
            self._folder.cleanup()


def sweep() -> None:
    """Remove what runs have left whose plugin was killed; a running agent has long read its files."""
    from shutil import rmtree
    from tempfile import gettempdir
    from time import time

    with os.scandir(gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    seen = entry.stat(follow_symlinks=False)
                    if seen.st_uid == os.getuid() and seen.st_mtime < time() - LEFT_S:
                        rmtree(entry.path, ignore_errors=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def flag(name: str, *, file: str = "") -> Callable[[Any, Start], None]:
    """A row of `Agent.flags` for a flag with a value. One word, so that no value is taken for a flag.

    Args:
        name: The flag.
        file: The flag for a file with the value; used if it is too long for a command line.
    """

    def add(value: Any, start: Start) -> None:
        word = f"{name}={value}"
        if file and _size(word) > WORD_BYTES:
            word = f"{file}={start.file(file.strip('-') + '.txt', str(value))}"
        start.words.append(word)

    return add


def refuse_long(name: str, words: list[str]) -> None:
    """Be sure that what a key of a run has added can be started.

    Raises:
        InvalidRequest: A word is too long.
    """
    size = max(map(_size, words), default=0)
    if size > WORD_BYTES:
        raise InvalidRequest(
            f"{name}: it is {size} bytes on the command line, which takes {WORD_BYTES}"
        )


def _size(word: str) -> int:
    return len(word.encode("utf-8", "replace"))


def mcp_servers(given: Any) -> dict[str, dict[str, Any]]:
    """The MCP servers of a run, by name: `command`, `args` and `env`, or `url` and `headers`.

    Args:
        given: An object by names, the same below `mcpServers`, or a list whose items have a `name`.

    Raises:
        InvalidRequest: They are something else.
    """
    if isinstance(given, list):
        items = [_object(item) for item in cast("list[object]", given)]
        found = {item.pop("name", None): item for item in items}
    else:
        found = _object(_object(given).get("mcpServers", given))
    servers = {name: _object(server) for name, server in found.items()}
    for name, server in servers.items() or [("", {})]:
        if not name or not isinstance(server.get("url") or server.get("command"), str):
            raise InvalidRequest("mcp_servers: names, each with a 'command' or a 'url'")
    return servers


def _object(value: object) -> dict[str, Any]:
    """A copy of an object; empty if it is anything else."""
    return dict(cast("dict[str, Any]", value)) if isinstance(value, dict) else {}
