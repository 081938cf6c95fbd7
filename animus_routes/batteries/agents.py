"""Coding agents with a command line as providers: what differs between them is a table and one function.

    ECHO = Agent(title="Echo", program="echo-agent", command=("--json",), read=read, ...)

    @app.method("agent/run")
    def run(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
        return run_agent(ECHO, request, ctx, settings)

The prompt goes to the agent's stdin, each line that comes back goes to `read`, which tells the `Run`
what it says. `batteries.children` sees to the agent's end, however the run ends.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.batteries._agent_runs import BUSY, LINE_BYTES, LOGIN, MODEL, SESSION, Run
from animus_routes.batteries._agent_starts import Start, flag, mcp_servers, refuse_long
from animus_routes.batteries._agent_state import check_agent, packaged, program_of, refuse_old
from animus_routes.batteries._agent_table import Agent, AgentSettings, variables
from animus_routes.errors import (
    Cancelled,
    InvalidRequest,
    RpcError,
    unknown,
)
from animus_routes.serving.masks import forms_of

if TYPE_CHECKING:
    from animus_routes.handlers.context import Context
    from animus_routes.structs.provider import AgentRunRequest

__all__ = [
    "BUSY",
    "LOGIN",
    "MODEL",
    "SESSION",
    "Agent",
    "AgentSettings",
    "Run",
    "Start",
    "check_agent",
    "flag",
    "mcp_servers",
    "run_agent",
    "variables",
]

LONGEST_S: Final = 1e9
SESSION_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
# What an agent looks at to see that another one has started it.
OUTER: Final = (
    *("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"),
    *("CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_SESSION_ACCESS_TOKEN"),
)
# Keys of a run that an agent may have a flag for. Without one, `tools` is refused, because it forbids
# something; the response names the others.
ASKED: Final = (
    *("model", "permission_mode", "system_prompt", "reasoning_effort"),
    *("mcp_servers", "tools", "response_schema"),
)
EXPECTED: Final = frozenset({"control_session_id", "interactions"})


# A run ------------------------------------------------------------------------------------------------


def run_agent(
    agent: Agent,
    request: AgentRunRequest,
    ctx: Context[Any],
    settings: AgentSettings,
    *,
    resume: bool = False,
) -> dict[str, Any]:
    """Serve `agent/run`, or `agent/resume`.

    Raises:
        InvalidRequest: The agent cannot do what is asked for.
        Unavailable: It is not installed, too old, not logged in, or its service is busy.
        NotFound: There is no such session.
        ModelNotSupported: There is no such model.
        RunFailed: The run failed.
        Timeout: Its time was over.
        Cancelled: It was cancelled, or serving ended.
    """
    run = Run(agent, ctx, session=request.session_id or "" if resume else "")
    try:
        return _serve(agent, run, request, ctx, settings, resume=resume)
    except Cancelled:
        raise
    except RpcError as failed:  # whoever watches the run learns of it before it becomes the answer
        session = {"session_id": run.session} if run.session else {}
        failed.data = {**session, **failed.data}
        ctx.emit({"kind": "error", "message": failed.message, "recoverable": False, **session})
        raise


def _serve(
    agent: Agent,
    run: Run,
    request: AgentRunRequest,
    ctx: Context[Any],
    settings: AgentSettings,
    *,
    resume: bool,
) -> dict[str, Any]:
    from animus_routes.batteries import children

    env = {name: value for name, value in os.environ.items() if name not in OUTER}
    env |= {**agent.environment, **request.env}
    run.secrets = forms_of(env.get(name, "") for name in agent.keys + agent.secrets)
    start = Start([program_of(agent, settings, env.get("PATH")), *agent.command], env)
    take_back = ctx.on_cancel(start.clean_up)  # at the plugin's end, there may be no time for more
    try:
        run.more["unused_keys"] = _fill(start, agent, request, settings, resume=resume)
        with children.run(
            start.words,
            ctx,
            cwd=request.cwd,
            env=env,
            stdin=request.prompt,
            timeout_s=min(request.timeout_secs, LONGEST_S) if request.timeout_secs else None,
            patience_s=agent.patience_s,
        ) as child:
            for line in child.json_lines(line_bytes=LINE_BYTES, skipped=run.lose):
                _read(agent, run, line)
            run.flush()
            exit_code = child.wait()
            failed = run.error(exit_code, child.stderr)
    finally:
        take_back()
        start.clean_up()
    run.version = run.version or packaged(start.words[0], agent.package)
    share = _share(agent, run, ctx, resume=resume)
    if failed is None:
        return run.response(share)
    if not run.has_begun:  # whatever an old one says of flags that it does not know
        refuse_old(agent, start.words[0], ctx)
    raise failed


def _read(agent: Agent, run: Run, line: Any) -> None:
    """One line. What is not as expected is skipped: agents add to their lines with each release."""
    try:
        run.has_begun = True
        agent.read(line, run)
    except (AttributeError, KeyError, TypeError, ValueError):
        run.lose(msgspec.json.encode(line))


def _fill(
    start: Start,
    agent: Agent,
    request: AgentRunRequest,
    settings: AgentSettings,
    *,
    resume: bool,
) -> list[str]:
    """Put together what is started. Returns the keys of the request that the agent has no use for."""
    if not request.prompt.strip():
        raise InvalidRequest("prompt: it is empty")
    if not os.path.isdir(request.cwd):  # noqa: PTH112 - as above
        raise InvalidRequest(f"cwd: there is no folder '{request.cwd}'")
    told = {name: getattr(request, name, None) for name in ASKED}
    given = {name: request.extra.get(name) if told[name] is None else told[name] for name in ASKED}
    given["permission_mode"] = _mode(agent, given["permission_mode"] or settings.permission_mode)
    if resume:
        if not SESSION_ID.fullmatch(request.session_id or ""):
            raise InvalidRequest("session_id: letters, digits, '.', '_' and '-', 128 at most")
        given["session_id"] = request.session_id
    # An empty list of tools forbids all of them; anything else that is empty says nothing.
    asked = {
        name: value for name, value in given.items() if value or (name, value) == ("tools", [])
    }
    if "tools" in asked and "tools" not in agent.flags:
        raise InvalidRequest(f"tools: {agent.title} has no lists of tools; use permission_mode")
    for name, add in agent.flags.items():
        if name in asked:
            before = len(start.words)
            add(asked[name], start)
            refuse_long(name, start.words[before:])
    start.words += agent.last
    unused = {*asked, *request.extra} - {*agent.flags} - EXPECTED
    return sorted(unused)


def _mode(agent: Agent, wanted: str) -> str:
    if wanted and wanted not in agent.modes:
        told = unknown("permission_mode", wanted, agent.modes)
        raise InvalidRequest(f"{told}; {agent.title} has {', '.join(agent.modes)}")
    return agent.modes[wanted] if wanted else ""


# What a run has used ----------------------------------------------------------------------------------


def _share(agent: Agent, run: Run, ctx: Context[Any], *, resume: bool) -> dict[str, Any]:
    """Tokens and cost of this run. An agent that tells those of the session is remembered by it."""
    used: dict[str, Any] = dict(run.tokens)
    if run.cost_usd is not None:
        used["cost_usd"] = run.cost_usd
    if not used or not agent.keeps_totals or not SESSION_ID.fullmatch(run.session):
        return used
    file = ctx.data_dir / "totals" / f"{run.session}.json"
    before: dict[str, float] = {}
    if resume:
        try:
            before = msgspec.json.decode(file.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            return {**used, "tokens_of": "session"}
        finally:
            _remember(file, used)
    else:
        _remember(file, used)
    if any(value < before.get(name, 0) for name, value in used.items()):
        before = {}  # this version counts anew
    share = {name: value - before.get(name, 0) for name, value in used.items()}
    whole = {name: value if name == "cost_usd" else int(value) for name, value in share.items()}
    return {**whole, "tokens_of": "run"}


def _remember(file: Any, used: dict[str, Any]) -> None:

    with suppress(
        OSError
    ):  # a project that cannot be written; then a resumed run tells the session's
        beside = file.with_name(f"{file.name}.{os.getpid()}")
        beside.make_folder()
        beside.write_bytes(msgspec.json.encode(used))
        beside.replace(file)
