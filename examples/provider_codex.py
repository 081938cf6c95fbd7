"""Codex as an agent provider: the `codex` of this machine, with its own login and settings.

    CODEX_API_KEY                  or a login of `codex` itself, in HOME or CODEX_HOME
    ANIMUS_CODEX_PROGRAM           another command, or the path of one; `codex` if unset
    ANIMUS_CODEX_PERMISSION_MODE   of runs that name none: `read-only`, `workspace-write`, ...

Codex has sandboxes and no lists of tools: a run that has `tools` is refused.
"""

import json
import re
import shlex
from typing import Annotated, Any, Final

from animus_routes import App, Context, Env
from animus_routes.batteries.agents import (
    Agent,
    Run,
    Start,
    check_agent,
    flag,
    mcp_servers,
    run_agent,
)
from animus_routes.errors import InvalidRequest
from animus_routes.structs.provider import AgentRunRequest

from msgspec import Struct

# An item that is a use of a tool: what it is given, and what comes back.
TOOLS: Final = {
    "command_execution": (("command",), "aggregated_output"),
    "file_change": (("changes",), "changes"),
    "mcp_tool_call": (("arguments",), "result"),
    "web_search": (("query",), ""),
    "todo_list": (("items",), "items"),
}
# What was read holds what came from a cache, and what was written holds the reasoning.
TOKENS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cached": "cached_input_tokens",
    "cache_writes": "cache_write_input_tokens",
}


def toml(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        pairs = (f"{toml(str(key))}={toml(inner)}" for key, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    # JSON's strings are TOML's, but for halves of characters, and for DEL.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def config(key: str, value: Any, start: Start) -> None:
    start.words += ["-c", f"{key}={toml(value)}"]


def add_servers(given: Any, start: Start) -> None:
    """Nothing secret is on the command line, which everybody sees, nor among Codex's own variables."""
    servers = mcp_servers(given)
    taken = {*servers}
    for number, (name, server) in enumerate(servers.items()):
        key = re.sub(r"[^A-Za-z0-9_-]", "_", name)  # other names are refused
        while key != name and key in taken:
            key += "_"
        taken.add(key)
        found = far(server, number, start) if "url" in server else near(server, number, start)
        config(f"mcp_servers.{key}", {key: value for key, value in found.items() if value}, start)


def far(server: dict[str, Any], number: int, start: Start) -> dict[str, Any]:
    """A server with a URL: Codex takes its headers from variables."""
    names: dict[str, str] = {}
    for header, text in (server.get("headers") or {}).items():
        names[header] = f"ANIMUS_MCP_SECRET_{number}_{len(names)}"
        start.env[names[header]] = str(text)
    return {"url": server["url"], "env_http_headers": names}


def near(server: dict[str, Any], number: int, start: Start) -> dict[str, Any]:
    """A server with a command: a file with its variables is read before it is started."""
    words = [server["command"], *(server.get("args") or [])]
    if env := server.get("env"):
        for name in env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise InvalidRequest(f"mcp_servers: '{name}' is no name of a variable")
        lines = [f"export {name}={shlex.quote(str(text))}" for name, text in env.items()]
        text = "\n".join([*lines, 'exec "$@"', ""])
        words = ["/bin/sh", start.file(f"server-{number}.sh", text), *words]
    return {"command": words[0], "args": words[1:]}


def add_schema(given: Any, start: Start) -> None:
    start.words.append(f"--output-schema={start.file('schema.json', json.dumps(given))}")


def read(line: dict[str, Any], run: Run) -> None:
    kind = line.get("type")
    if kind == "thread.started":
        run.session = line["thread_id"]
    elif kind in {"item.started", "item.updated", "item.completed"}:
        read_item(line["item"], run, is_done=kind == "item.completed")
    elif kind == "error":  # also of each connection that is tried again
        run.warn(line["message"])
        run.explain(line["message"])
    elif kind == "turn.failed":
        run.fail((line.get("error") or {}).get("message") or "")
        run.end()
    elif kind == "turn.completed":
        usage = line.get("usage") or {}
        run.tokens |= {ours: usage.get(theirs) or 0 for ours, theirs in TOKENS.items()}
        run.end()


def read_item(item: dict[str, Any], run: Run, *, is_done: bool) -> None:
    kind = item.get("type")
    if kind in TOOLS:
        read_tool(item, run, is_done=is_done)
    elif not is_done:
        return  # texts come whole
    elif kind == "agent_message":
        run.say(item["text"], apart=True)
    elif kind == "reasoning":
        run.think(item["text"])
    elif kind == "error":
        run.warn(item["message"])


def read_tool(item: dict[str, Any], run: Run, *, is_done: bool) -> None:
    """A tool is told when it starts, and its result when it is done; some come only once."""
    given, output = TOOLS[item["type"]]
    if not run.has_call(item["id"]):
        arguments = {name: item.get(name) for name in given}
        server, name = item.get("server"), item.get("tool") or item["type"]
        run.call(item["id"], name, arguments.get("arguments", arguments), server)
    if is_done:
        failed = item.get("error") or item.get("status") in {"failed", "declined"}
        found = item.get("error") or item.get(output)
        if isinstance(found, dict):
            found = found.get("message") or text(found)
        run.result(item["id"], found, success=not failed)


def text(result: dict[str, Any]) -> Any:
    """What an MCP server answered: its texts, if it has nothing else."""
    content = result.get("content") or []
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    return "\n".join(texts) if len(texts) == len(content) and texts else result


CODEX: Final = Agent(
    title="Codex",
    program="codex",
    oldest="0.60.0",
    install="npm install -g @openai/codex",
    package="@openai/codex",
    login="Run `codex login`, or set CODEX_API_KEY.",
    keys=("CODEX_API_KEY",),
    secrets=("OPENAI_API_KEY",),  # of model providers of its settings
    home=("CODEX_HOME", ".codex"),
    logins={"auth.json": r"\w", "config.toml": r"^\s*model_provider\s*="},
    command=("exec", "--json", "--skip-git-repo-check"),
    flags={
        "model": flag("--model"),
        "permission_mode": flag("--sandbox"),
        "reasoning_effort": lambda given, start: config("model_reasoning_effort", given, start),
        "system_prompt": lambda given, start: config("developer_instructions", given, start),
        "mcp_servers": add_servers,
        "response_schema": add_schema,
        "session_id": lambda given, start: start.words.extend(["resume", given]),
    },
    modes={
        "default": "read-only",
        "safe": "read-only",
        "plan": "read-only",
        "read-only": "read-only",
        "acceptEdits": "workspace-write",
        "workspace-write": "workspace-write",
        "bypassPermissions": "danger-full-access",
        "danger-full-access": "danger-full-access",
    },
    last=("-",),  # the prompt is on stdin
    keeps_totals=True,
    read=read,
)

# `variables(CODEX)`, written out: a manifest is read without running this file.
ENVIRONMENT: Final = (
    {"name": "CODEX_API_KEY", "sensitive": True},
    {"name": "OPENAI_API_KEY", "sensitive": True},
    {"name": "CODEX_HOME"},
    {"name": "HTTPS_PROXY"},
    {"name": "HTTP_PROXY"},
    {"name": "NO_PROXY"},
    {"name": "NODE_EXTRA_CA_CERTS"},
    {"name": "SSL_CERT_FILE"},
)


class Settings(Struct):
    program: Annotated[str, Env("ANIMUS_CODEX_PROGRAM", "The command, or its path")] = "codex"
    permission_mode: Annotated[
        str, Env("ANIMUS_CODEX_PERMISSION_MODE", "Of runs that name none")
    ] = ""


app = App(
    kind="provider",
    name="animus-provider-codex",
    version="0.1.0",
    description="Agents by the Codex of this machine",
    settings=Settings,
    env_required=ENVIRONMENT,
    notification_buffer_size=4096,
)


@app.method("agent/run")
def run(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(CODEX, request, ctx, settings)


@app.method("agent/resume")
def resume(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(CODEX, request, ctx, settings, resume=True)


@app.health
def health(ctx: Context, settings: Settings) -> str | None:
    """Is it there, new enough, and logged in?"""
    return check_agent(CODEX, ctx, settings)


if __name__ == "__main__":
    app.run()
