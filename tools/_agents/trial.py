"""One real agent, where it is tried, and what is left of it."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from _agents.model_endpoint import ENDLESS
from animus_routes import RpcError
from animus_routes.host import PluginProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _agents.model_endpoint import Endpoint

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
BOUND_S: Final = 120.0
GONE_S: Final = 10.0


class Real(NamedTuple):
    """One agent: what is installed, and how its own flags are named by a run.

    Attributes:
        name: Of the example.
        package: In npm, with the version that was tried.
        model: Of every run.
        free: Keys of a run that let it use a shell.
        finish: Run after the installation, in place of npm's scripts.
    """

    name: str
    package: str
    model: str
    free: dict[str, Any]
    finish: tuple[str, ...] = ()


AGENTS: Final = {
    real.name: real
    for real in (
        Real(
            "claude",
            "@anthropic-ai/claude-code@2.1.332",
            "claude-opus-5-5",
            {"tools": {"allow": ["Bash(echo:*)", "Bash(python3:*)"], "deny": ["WebFetch"]}},
            ("node", "node_modules/@anthropic-ai/claude-code/install.cjs"),
        ),
        Real("codex", "@openai/codex@0.169.0", "gpt-5.1-codex", {"permission_mode": "safe"}),
        Real(
            "gemini",
            "@google/gemini-cli@0.61.0",
            "gemini-2.5-flash",
            {"permission_mode": "bypassPermissions"},
        ),
    )
}
CODEX_CONFIG: Final = """model_provider = "loop"
[model_providers.loop]
name = "loop"
base_url = "{base}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
"""


class Trial:
    """Where the cases of one agent are tried: a HOME and a project of its own, and a model."""

    def __init__(self, real: Real, prefix: Path, folder: Path, model: Endpoint) -> None:
        self.real = real
        self.model = model
        self.mark = uuid4().hex
        self.project = folder / "project"
        self.home = folder / "home"
        for place in (self.project, self.home / ".gemini", self.home / ".codex"):
            place.mkdir(parents=True)
        auth = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (self.home / ".gemini" / "settings.json").write_text(json.dumps(auth), "utf-8")
        config = CODEX_CONFIG.format(base=model.base)
        (self.home / ".codex" / "config.toml").write_text(config, "utf-8")
        self.env = {
            "PATH": f"{prefix}/node_modules/.bin:{os.environ['PATH']}",
            "HOME": str(self.home),
            "ANIMUS_REAL_AGENTS": self.mark,
            "ANTHROPIC_BASE_URL": model.base,
            "ANTHROPIC_API_KEY": "made-up",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "OPENAI_API_KEY": "made-up",
            "GOOGLE_GEMINI_BASE_URL": model.base,
            "GEMINI_API_KEY": "made-up",
        }

    @contextmanager
    def plugin(self, **env: str) -> Iterator[PluginProcess]:
        command = [sys.executable, str(EXAMPLES / f"provider_{self.real.name}.py")]
        given = {name: value for name, value in {**self.env, **env}.items() if value}
        with PluginProcess.start(command, cwd=self.project, env=given) as plugin:
            plugin.initialize()
            yield plugin

    def params(self, case: str, **more: Any) -> dict[str, Any]:
        prompt = f"please loopback-case-{case}"
        common = {"prompt": prompt, "cwd": str(self.project), "model": self.real.model}
        return {**common, "control_session_id": "control", **more}

    def run(self, case: str, method: str = "agent/run", **more: Any) -> dict[str, Any]:
        with self.plugin() as plugin:
            answer: dict[str, Any] = plugin.call(
                method, self.params(case, **more), timeout_s=BOUND_S
            )
            return answer

    def fail(self, case: str, method: str = "agent/run", **more: Any) -> RpcError:
        env = more.pop("env_of_plugin", {})
        with self.plugin(**env) as plugin:
            refusal = refused(plugin, plugin.request(method, self.params(case, **more)))
            told = [n.params for n in plugin.notifications if n.method == "agent/error"]
            assert told, "nobody was told"
            assert told[-1]["recoverable"] is False, told
            return refusal

    def left(self) -> list[str]:
        """What still runs of this trial, apart from those who try."""
        found: list[str] = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                environ, words = ((place / name).read_bytes() for name in ("environ", "cmdline"))
            except OSError:
                continue
            is_ours = self.mark.encode() in environ or ENDLESS.encode() in words.replace(
                b"\0", b" "
            )
            if words and is_ours:
                found.append(words.replace(b"\0", b" ").decode("utf-8", "replace")[:200])
        return found

    def gone(self) -> None:
        until = time.monotonic() + GONE_S
        while (left := self.left()) and time.monotonic() < until:
            time.sleep(0.05)
        assert not left, left

    @contextmanager
    def under_way(self, case: str, **more: Any) -> Iterator[tuple[PluginProcess, int]]:
        """A run that speaks, or whose tool runs, by now."""
        with self.plugin() as plugin:
            request = plugin.request("agent/run", self.params(case, **more))
            if case == "slow":
                plugin.next_notification("agent/output", timeout_s=BOUND_S)
            else:
                plugin.next_notification("agent/toolCall", timeout_s=BOUND_S)
                until = time.monotonic() + GONE_S
                while not any(ENDLESS in words for words in self.left()):
                    assert time.monotonic() < until, "the tool does not start"
                    time.sleep(0.05)
            yield plugin, request


def refused(plugin: PluginProcess, request: int) -> RpcError:
    try:
        answer = plugin.reply(request, timeout_s=BOUND_S)
    except RpcError as refusal:
        return refusal
    raise AssertionError(f"it did not fail: {answer}")
