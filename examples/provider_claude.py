"""Claude Code as an agent provider: the `claude` of this machine, with its own login and settings.

    ANTHROPIC_API_KEY               or a login of `claude` itself, in HOME
    ANIMUS_CLAUDE_PROGRAM           another command, or the path of one; `claude` if unset
    ANIMUS_CLAUDE_PERMISSION_MODE   of runs that name none: `default`, `acceptEdits`, `plan`, ...

In `default`, Claude Code refuses what it would ask a person for. Tools and MCP servers that a run may
use nevertheless are in its `tools`: `{"allow": ["Bash(git:*)", "mcp__github"], "deny": ["WebFetch"]}`.
"""

import json
import re
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

from animus_routes import App, Context, Env
from animus_routes.batteries.agents import (
    BUSY,
    LOGIN,
    MODEL,
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

# What Claude Code calls its failures; the words of all others are looked at.
CAUSES: Final = {
    "authentication_failed": LOGIN,
    "oauth_org_not_allowed": LOGIN,
    "account_on_hold": LOGIN,
    "verification_required": LOGIN,
    "cloud_credential_error": LOGIN,
    "rate_limit": BUSY,
    "overloaded": BUSY,
    "server_error": BUSY,
    "model_not_found": MODEL,
}
# Its names for tokens, by ours; `usage`, where there is no `modelUsage`, has them as `input_tokens`.
# What was read is all of it: fresh, from a cache, and into one.
TOKENS: Final = {
    "input": ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"),
    "output": ("outputTokens",),
    "cached": ("cacheReadInputTokens",),
    "cache_writes": ("cacheCreationInputTokens",),
}


def add_servers(given: Any, start: Start) -> None:
    """In a file, because servers have secrets, and everybody sees a command line."""
    servers = mcp_servers(given)
    for server in servers.values():
        if "url" in server:
            server.setdefault("type", server.pop("transport", "http"))
    config = json.dumps({"mcpServers": servers})
    start.words += [f"--mcp-config={start.file('mcp.json', config)}", "--strict-mcp-config"]


def add_tools(given: Any, start: Start) -> None:
    lists = given if isinstance(given, dict) else {"allow": given}
    if lists.get("allow") == []:
        start.words.append("--tools=")  # none at all, of its own
    for key, name in (("allow", "--allowedTools"), ("deny", "--disallowedTools")):
        tools = lists.get(key) or []
        if not isinstance(tools, list) or not all(isinstance(tool, str) for tool in tools):
            raise InvalidRequest(f"tools.{key}: a list of names")
        start.words += [f"{name}={tool}" for tool in tools]


def read(line: dict[str, Any], run: Run) -> None:
    kind = line.get("type")
    run.session = line.get("session_id") or run.session
    if kind == "stream_event" and not line.get("parent_tool_use_id"):
        read_event(line["event"], run)
    elif kind in {"assistant", "user"}:
        for block in blocks(line["message"]["content"]):
            read_block(block, line, run)
    elif kind == "system":
        read_system(line, run)
    elif kind == "rate_limit_event" and line["rate_limit_info"].get("status") == "rejected":
        resets = line["rate_limit_info"].get("resetsAt") or 0
        run.retry_after_s = max(round(resets - time.time()), 0) or None
    elif kind == "result":
        read_result(line, run)


def read_system(line: dict[str, Any], run: Run) -> None:
    if line.get("subtype") == "init":
        run.version = line.get("claude_code_version") or ""
        run.model = line.get("model") or ""
    elif line.get("subtype") == "api_retry":
        status = line.get("error_status") or "no answer"
        count = f"{line.get('attempt')} of {line.get('max_retries')}"
        run.warn(f"{line.get('error')} ({status}): try {count} follows")


def read_event(event: dict[str, Any], run: Run) -> None:
    """Text as it is written. Everything else comes whole, in a line of its own."""
    if event["type"] == "message_start":
        run.streamed.add(event["message"]["id"])
    elif event["type"] == "content_block_start":
        run.begin_text()
    elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
        run.say(event["delta"]["text"])


def read_block(block: dict[str, Any], line: dict[str, Any], run: Run) -> None:
    kind, within = block.get("type"), line.get("parent_tool_use_id")
    if kind == "tool_use":
        _, *parts = block["name"].split("__", 2)
        server, name = parts if len(parts) > 1 and _ == "mcp" else (None, block["name"])
        run.call(block["id"], name, block.get("input"), server)
    elif kind == "tool_result":
        run.result(block["tool_use_id"], text(block), success=not block.get("is_error"))
    elif line["type"] == "user" or within:
        return  # the prompt, or what a subagent says to the agent
    elif kind == "thinking":
        run.think(block["thinking"])
    elif kind == "text" and line.get("error"):
        run.explain(block["text"], CAUSES.get(line["error"], ""))  # the run may go on
    elif kind == "text" and line["message"]["id"] not in run.streamed:
        run.say(block["text"], apart=True)


def blocks(content: Any) -> Iterator[dict[str, Any]]:
    yield from content if isinstance(content, list) else [{"type": "text", "text": content}]


def text(result: dict[str, Any]) -> str:
    """A tool's result, of which pictures are only named."""
    found = blocks(result.get("content") or "")
    return "\n".join(str(block.get("text", f"[{block['type']}]")) for block in found)


def read_result(line: dict[str, Any], run: Run) -> None:
    """The last line. What it says of success counts less than its `is_error`."""
    run.end()
    models = [*(line.get("modelUsage") or {}).values()] or [line.get("usage") or {}]
    for ours, theirs in TOKENS.items():
        names = [*theirs, *(re.sub(r"([A-Z])", r"_\1", name).lower() for name in theirs)]
        run.tokens[ours] = sum(used.get(name) or 0 for used in models for name in names)
    run.cost_usd = line.get("total_cost_usd")
    denied = [tool.get("tool_name") for tool in line.get("permission_denials") or []]
    run.more["denied"] = sorted({str(name) for name in denied})
    if line.get("is_error") or line.get("subtype") != "success":
        said = "; ".join(line.get("errors") or []) or line.get("result") or ""
        run.fail(str(said or run.reason or line.get("subtype")))
        return
    if line.get("structured_output") is not None:
        run.answer = json.dumps(line["structured_output"])
    if not run.has_text:
        run.say(line.get("result") or "")


CLAUDE: Final = Agent(
    title="Claude Code",
    program="claude",
    oldest="2.0.0",
    install="npm install -g @anthropic-ai/claude-code",
    package="@anthropic-ai/claude-code",
    login="Run `claude` and log in, or set ANTHROPIC_API_KEY.",
    keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    elsewhere=("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"),
    secrets=(
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_FOUNDRY_API_KEY"),
    ),
    reads=(
        *("ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "BASH_DEFAULT_TIMEOUT_MS", "API_TIMEOUT_MS"),
        *("AWS_REGION", "AWS_PROFILE"),  # Bedrock, Vertex AI, Foundry
        *("ANTHROPIC_VERTEX_PROJECT_ID", "CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS"),
        "ANTHROPIC_FOUNDRY_RESOURCE",
    ),
    home=("CLAUDE_CONFIG_DIR", ".claude"),
    logins={
        ".credentials.json": r"\w",
        "settings.json": r'"(apiKeyHelper|ANTHROPIC_(API_KEY|AUTH_TOKEN)|CLAUDE_CODE_(OAUTH_TOKEN|USE_\w+))"',
    },
    command=(
        *("-p", "--output-format=stream-json", "--verbose"),
        "--include-partial-messages",
    ),
    environment={"DISABLE_AUTOUPDATER": "1"},
    flags={
        "model": flag("--model"),
        "permission_mode": flag("--permission-mode"),
        "reasoning_effort": flag("--effort"),
        "system_prompt": flag("--append-system-prompt", file="--append-system-prompt-file"),
        "mcp_servers": add_servers,
        "tools": add_tools,
        "response_schema": lambda given, start: start.words.append(
            f"--json-schema={json.dumps(given)}"
        ),
        "session_id": flag("--resume"),
    },
    modes={
        "default": "default",
        "safe": "default",
        "manual": "default",
        "acceptEdits": "acceptEdits",
        "plan": "plan",
        "auto": "auto",
        "dontAsk": "dontAsk",
        "bypassPermissions": "bypassPermissions",
    },
    keeps_totals=True,
    patience_s=3.0,  # it ends the tools that it has started, which takes more than a second
    read=read,
)

# `variables(CLAUDE)`, written out: a manifest is read without running this file.
ENVIRONMENT: Final = (
    {"name": "ANTHROPIC_API_KEY", "sensitive": True},
    {"name": "ANTHROPIC_AUTH_TOKEN", "sensitive": True},
    {"name": "CLAUDE_CODE_OAUTH_TOKEN", "sensitive": True},
    {"name": "AWS_ACCESS_KEY_ID", "sensitive": True},
    {"name": "AWS_SECRET_ACCESS_KEY", "sensitive": True},
    {"name": "AWS_SESSION_TOKEN", "sensitive": True},
    {"name": "AWS_BEARER_TOKEN_BEDROCK", "sensitive": True},
    {"name": "ANTHROPIC_FOUNDRY_API_KEY", "sensitive": True},
    {"name": "CLAUDE_CODE_USE_BEDROCK"},
    {"name": "CLAUDE_CODE_USE_VERTEX"},
    {"name": "CLAUDE_CODE_USE_FOUNDRY"},
    {"name": "ANTHROPIC_BASE_URL"},
    {"name": "ANTHROPIC_MODEL"},
    {"name": "BASH_DEFAULT_TIMEOUT_MS"},
    {"name": "API_TIMEOUT_MS"},
    {"name": "AWS_REGION"},
    {"name": "AWS_PROFILE"},
    {"name": "ANTHROPIC_VERTEX_PROJECT_ID"},
    {"name": "CLOUD_ML_REGION"},
    {"name": "GOOGLE_APPLICATION_CREDENTIALS"},
    {"name": "ANTHROPIC_FOUNDRY_RESOURCE"},
    {"name": "CLAUDE_CONFIG_DIR"},
    {"name": "HTTPS_PROXY"},
    {"name": "HTTP_PROXY"},
    {"name": "NO_PROXY"},
    {"name": "NODE_EXTRA_CA_CERTS"},
    {"name": "SSL_CERT_FILE"},
)


class Settings(Struct):
    program: Annotated[str, Env("ANIMUS_CLAUDE_PROGRAM", "The command, or its path")] = "claude"
    permission_mode: Annotated[
        str, Env("ANIMUS_CLAUDE_PERMISSION_MODE", "Of runs that name none")
    ] = ""


app = App(
    kind="provider",
    name="animus-provider-claude",
    version="0.1.0",
    description="Agents by the Claude Code of this machine",
    settings=Settings,
    env_required=ENVIRONMENT,
    notification_buffer_size=4096,
)


@app.method("agent/run")
def run(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(CLAUDE, request, ctx, settings)


@app.method("agent/resume")
def resume(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(CLAUDE, request, ctx, settings, resume=True)


@app.health
def health(ctx: Context, settings: Settings) -> str | None:
    """Is it there, new enough, and logged in?"""
    return check_agent(CLAUDE, ctx, settings)


if __name__ == "__main__":
    app.run()
