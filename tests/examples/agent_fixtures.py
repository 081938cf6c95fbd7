"""Providers of agents, served as a host does, above a program that stands in for the agent."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from example_host import EXAMPLES, served

from animus_routes import RpcError
from animus_routes.host import Plugin, PluginTimeoutError

STAND_IN: Final = Path(__file__).with_name("stand_in_agent.py")
SESSION: Final = "5e551011-0000-4000-8000-000000000001"
OTHER_SESSION: Final = "5e551011-0000-4000-8000-00000000000f"
HELLO: Final = "Good morning, world"
WAIT_S: Final = 20.0


class Kind(NamedTuple):
    """One agent.

    Attributes:
        name: Of its program, and of its example.
        title: As messages name it.
        key: The variable with its key.
    """

    name: str
    title: str
    key: str

    def __str__(self) -> str:
        return self.name


CLAUDE: Final = Kind("claude", "Claude Code", "ANTHROPIC_API_KEY")
CODEX: Final = Kind("codex", "Codex", "CODEX_API_KEY")
GEMINI: Final = Kind("gemini", "Gemini CLI", "GEMINI_API_KEY")
KINDS: Final = (CLAUDE, CODEX, GEMINI)
each = pytest.mark.parametrize("kind", KINDS, ids=str)


def program(folder: Path, name: str, words: str = "") -> Path:
    """An agent's program in a folder: the one that stands in, unless there are other words of sh."""
    file = folder / name
    python = shlex.join([sys.executable, "-I", "-S", str(STAND_IN), name])
    file.write_text(f'#!/bin/sh\n{words or f"exec {python}"} "$@"\n', "utf-8")
    file.chmod(0o755)
    return file


class Provider:
    """A provider that is served, and where it is.

    Attributes:
        told: The file in which the program writes what it was started with.
        tool: The file in which a tool of the program writes its process number.
    """

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.project = folder / "project"
        self.home = folder / "home"
        self.temporary = folder / "temporary"
        self.told = folder / "told.json"
        self.tool = folder / "tool"
        self.env = {
            "PATH": f"{folder}:/usr/bin:/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "STAND_IN_TOLD": str(self.told),
            "STAND_IN_TOOL": str(self.tool),
            kind.key: "the-secret-key",
        }
        self.plugin: Plugin
        self.project.mkdir(exist_ok=True)
        self.home.mkdir(exist_ok=True)
        self.temporary.mkdir(exist_ok=True)
        if not (folder / kind.name).exists():
            program(folder, kind.name)

    @contextmanager
    def served(self, **env: str) -> Iterator["Provider"]:
        command = [sys.executable, str(EXAMPLES / f"provider_{self.kind.name}.py")]
        given = {name: value for name, value in {**self.env, **env}.items() if value}
        with served(command, self.project, env=given) as self.plugin:
            yield self

    def forget(self) -> None:
        """What the last test has left unread."""
        self.plugin.call("$/ping")
        with suppress(PluginTimeoutError):
            while True:
                self.plugin.next_notification(timeout_s=0)
        self.plugin.notifications.clear()
        self.tool.unlink(missing_ok=True)

    def start(self, case: str, method: str = "agent/run", **params: Any) -> int:
        """What the host sends, over it what the test says."""
        sent = {
            "prompt": f"please play:{case}",
            "cwd": str(self.project),
            "model": "",
            "env": {},
            "control_session_id": "control-1",
        }
        return self.plugin.request(method, {**sent, **params})

    def run(self, case: str, method: str = "agent/run", **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.plugin.reply(self.start(case, method, **params), WAIT_S)
        return answer

    def fail(self, case: str, method: str = "agent/run", **params: Any) -> RpcError:
        return self.failure(self.start(case, method, **params))

    def failure(self, request: int) -> RpcError:
        with pytest.raises(RpcError) as refusal:
            self.plugin.reply(request, WAIT_S)
        return refusal.value

    def items(self) -> list[dict[str, Any]]:
        """What was told during the last run, without the session."""
        found: list[dict[str, Any]] = []
        for told in self.plugin.notifications:
            params = {k: v for k, v in told.params.items() if k not in {"session_id", "is_final"}}
            params.pop("final", None)
            found.append({"method": told.method.removeprefix("agent/"), **params})
        return found

    def texts(self) -> list[str]:
        return [item["text"] for item in self.items() if item["method"] == "output"]

    def started(self) -> dict[str, Any]:
        """How the program was started last."""
        found: dict[str, Any] = json.loads(self.told.read_text("utf-8"))
        return found
