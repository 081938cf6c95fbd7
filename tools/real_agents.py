"""Runs the providers of the examples with the real agents, against a model on loopback.

`python tools/real_agents.py [--prefix FOLDER] [AGENT...]` installs Claude Code, Codex and Gemini CLI by npm
into FOLDER, a throw-away one unless it is given, and runs every case with each. Nobody's login is used: HOME
is an empty folder, the keys are made up, and the model is `_agents/model_endpoint.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from _agents.model_endpoint import INPUT, OUTPUT, model_endpoint
from _agents.trial import AGENTS, BOUND_S, GONE_S, Real, Trial, refused

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER: Final = Path(__file__).with_name("_agents") / "mcp_server.py"


# The cases --------------------------------------------------------------------------------------------


def tells_what_the_model_says(trial: Trial) -> None:
    answer = trial.run("plain")
    assert answer["output"] == "Hello from the model", answer
    assert answer["session_id"] not in {"", "control"}, answer
    assert (answer["tokens_used"]["input"], answer["tokens_used"]["output"]) == (INPUT, OUTPUT)
    assert answer["backend"] == f"{trial.real.name}:{trial.real.package.rpartition('@')[2]}"
    if trial.real.name == "claude":
        assert answer["metadata"][0]["cost_usd"] > 0, answer


def thinks(trial: Trial) -> None:
    answer = trial.run("thinking")
    expected = None if trial.real.name == "gemini" else ["first I think"]  # it keeps thoughts back
    assert answer.get("thinking") == expected, answer


def uses_a_tool(trial: Trial) -> None:
    answer = trial.run("tool", **trial.real.free)
    (call,), (result,) = answer["tool_calls"], answer["tool_results"]
    assert "echo found" in json.dumps(call["arguments"]), call
    assert (result["name"], result["success"]) == (call["name"], True), result
    assert trial.real.name == "gemini" or "found" in result["output"], result
    assert answer["output"] == "Hello from the model", answer


def takes_a_long_prompt(trial: Trial) -> None:
    long = f"{'word ' * 60_000} loopback-case-plain"  # no argument may be as long
    answer = trial.run("plain", prompt=long)
    assert answer["output"] == "Hello from the model", answer


def takes_a_prompt_that_looks_like_a_flag(trial: Trial) -> None:
    assert (
        trial.run("plain", prompt="--help loopback-case-plain")["output"] == "Hello from the model"
    )


def resumes(trial: Trial) -> None:
    first = trial.run("plain")
    for _ in range(2):
        again = trial.run("plain", "agent/resume", session_id=first["session_id"])
        assert again["session_id"] == first["session_id"], again
        assert again["output"] == "Hello from the model", again
        used = again["tokens_used"]
        assert (used["input"], used["output"]) == (INPUT, OUTPUT), again
    told = json.dumps(trial.model.asked[-1].body)
    assert told.count("loopback-case-plain") >= 3, "it does not know what was said"


def resumes_no_session_that_there_is_not(trial: Trial) -> None:
    failed = trial.fail("plain", "agent/resume", session_id=str(uuid4()))
    assert failed.data["category"] == "not_found", failed


def takes_a_system_prompt(trial: Trial) -> None:
    trial.run("plain", system_prompt='You are "brief"\nand --kind.')
    told = json.dumps(trial.model.asked[-1].body)
    assert json.dumps('You are "brief"\nand --kind.')[1:-1] in told, told[:2000]


def answers_with_a_schema(trial: Trial) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"type": "string"}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
    answer = trial.run("structured", response_schema=schema)
    if trial.real.name == "gemini":
        assert answer["metadata"][0]["unused_keys"] == ["response_schema"], answer
    else:
        assert "verdict" in json.dumps(trial.model.asked[-1].body)


def hands_mcp_servers_over(trial: Trial) -> None:
    secret = trial.home / "secret"
    words = [str(SERVER), str(secret)]
    server = {"command": sys.executable, "args": words, "env": {"MCP_SECRET": 'hush "1"'}}
    answer = trial.run("plain", mcp_servers={"loop": server})
    told = json.dumps([asked.body for asked in trial.model.asked[-2:]])
    if trial.real.name == "gemini":
        assert answer["metadata"][0]["unused_keys"] == ["mcp_servers"], answer
        assert "look_up" not in told
    else:
        assert "look_up" in told, sorted(trial.model.asked[-1].tools)
        assert secret.read_text("utf-8") == 'hush "1"', "the server has not got its environment"
    written = [*trial.project.rglob("*mcp*"), *trial.project.glob(".gemini")]
    assert not written, written


def takes_permission_modes(trial: Trial) -> None:
    for mode in ("default", "acceptEdits", "plan"):
        assert trial.run("plain", permission_mode=mode)["output"] == "Hello from the model"
    failed = trial.fail("plain", permission_mode="--whatever")
    assert failed.data["category"] == "invalid_request", failed


def says_that_a_key_is_refused(trial: Trial) -> None:
    failed = trial.fail("refused")
    assert "has no valid login" in failed.message, failed


def says_that_there_is_no_login(trial: Trial) -> None:
    nothing = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "")
    env = {**nothing, "HOME": str(trial.home / "empty")}
    (trial.home / "empty").mkdir()
    with trial.plugin(**env) as plugin:
        health = plugin.call("health/check")
    assert health["status"] == "degraded", health
    assert "does not seem to be logged in" in health["last_error"], health
    if trial.real.name != "codex":  # without a network, it looks for one for minutes
        failed = trial.fail("plain", env_of_plugin=env)
        assert "has no valid login" in failed.message, failed


def says_that_the_model_is_busy(trial: Trial) -> None:
    for case in ("busy", "broken"):
        if trial.real.name == "gemini":  # it tries again for longer than anybody waits
            failed = trial.fail(case, timeout_secs=6)
            assert failed.data["category"] == "timeout", failed
        else:
            failed = trial.fail(case)
            assert failed.data["category"] == "unavailable", failed
    trial.gone()


def ends_when_its_time_is_over(trial: Trial) -> None:
    failed = trial.fail("endless-tool", timeout_secs=8, **trial.real.free)
    assert failed.data["category"] == "timeout", failed
    trial.gone()


def ends_when_it_is_cancelled(trial: Trial) -> None:
    cases = [("endless-tool", trial.real.free)]
    if trial.real.name != "codex":  # its words come at once
        cases.append(("slow", {}))
    for case, more in cases:
        with trial.under_way(case, **more) as (plugin, request):
            asked = time.monotonic()
            answer = plugin.call("agent/cancel", {"session_id": "control"}, timeout_s=BOUND_S)
            assert answer["cancelled"] is True, answer
            refusal = refused(plugin, request)
            assert refusal.code == -32002, refusal
            assert time.monotonic() - asked < 2, "it took too long to answer"
            until = time.monotonic() + GONE_S
            while len(trial.left()) > 1 and time.monotonic() < until:  # the plugin itself stays
                time.sleep(0.05)
            assert len(trial.left()) == 1, trial.left()
        trial.gone()


def ends_with_its_plugin(trial: Trial) -> None:
    for end in ("input", "shutdown", "kill"):
        with trial.under_way("endless-tool", **trial.real.free) as (plugin, _):
            if end == "input":
                plugin.close_stdin()
            elif end == "shutdown":
                plugin.call("shutdown")
                plugin.notify("exit")
            else:
                plugin.kill()
            if end != "kill":
                plugin.wait()
            trial.gone()


def says_that_it_is_missing(trial: Trial) -> None:
    with trial.plugin(PATH="/nowhere") as plugin:
        health = plugin.call("health/check")
        assert health["status"] == "unhealthy", health
        assert "npm install" in health["last_error"], health
    failed = trial.fail("plain", env_of_plugin={"PATH": "/nowhere"})
    assert "is not installed" in failed.message, failed


CASES: Final[tuple[Callable[[Trial], None], ...]] = (
    *(tells_what_the_model_says, thinks, uses_a_tool, takes_a_long_prompt),
    *(takes_a_prompt_that_looks_like_a_flag, resumes, resumes_no_session_that_there_is_not),
    *(takes_a_system_prompt, answers_with_a_schema, hands_mcp_servers_over, takes_permission_modes),
    *(says_that_a_key_is_refused, says_that_there_is_no_login, says_that_the_model_is_busy),
    *(ends_when_its_time_is_over, ends_when_it_is_cancelled, ends_with_its_plugin),
    says_that_it_is_missing,
)


# ------------------------------------------------------------------------------------------------------


def install(real: Real, prefix: Path) -> None:
    prefix.mkdir(parents=True, exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    _run(["npm", "install", "--prefix", str(prefix), *quiet, real.package], prefix)
    if real.finish:
        _run([*real.finish], prefix)


def _run(words: list[str], cwd: Path) -> None:
    subprocess.run(words, cwd=cwd, stdout=sys.stderr, timeout=600, check=True)


def tried(real: Real, prefix: Path, wanted: str) -> int:
    """Try every case of an agent; how many failed."""
    failures = 0
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if wanted not in name:
            continue
        began = time.monotonic()
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            model_endpoint() as model,
        ):
            try:
                case(Trial(real, prefix, Path(folder), model))
                word = "ok"
            except Exception:  # noqa: BLE001 - the next case is tried
                traceback.print_exc()
                failures += 1
                word = "FAILED"
        print(f"{real.package}: {name}: {word} ({time.monotonic() - began:.1f} s)", flush=True)
    return failures


def main() -> int:
    """Install and try; the exit code is 1 if a case failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("agents", nargs="*", choices=[[], *AGENTS], metavar="AGENT")
    parser.add_argument("--prefix", type=Path, help="where npm installs to, and it stays")
    parser.add_argument("-k", default="", metavar="WORD", help="only cases with WORD in their name")
    given = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as throw_away:
        prefix = (given.prefix or Path(throw_away)).resolve()
        for name in given.agents or AGENTS:
            install(AGENTS[name], prefix)
            failures += tried(AGENTS[name], prefix, given.k)
    print(f"{failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
