"""Gemini CLI as an agent provider: the `gemini` of this machine, with its own login and settings.

    GEMINI_API_KEY                  or a login of `gemini` itself, in HOME
    ANIMUS_GEMINI_PROGRAM           another command, or the path of one; `gemini` if unset
    ANIMUS_GEMINI_PERMISSION_MODE   of runs that name none: `default`, `auto_edit`, `plan`, `yolo`

Gemini CLI reads MCP servers from files in the project and in HOME alone, and nothing is written there:
servers that a host hands over are not used, as the manifest says (`supports_mcp: false`). A system prompt
replaces Gemini CLI's own. A session belongs to its working directory.
"""

from typing import Annotated, Any, Final

from animus_routes import App, Context, Env
from animus_routes.batteries.agents import (
    Agent,
    Run,
    Start,
    check_agent,
    flag,
    run_agent,
)
from animus_routes.structs.provider import AgentRunRequest

from msgspec import Struct

TOKENS: Final = {"input": "input_tokens", "output": "output_tokens", "cached": "cached"}


def add_system_prompt(given: Any, start: Start) -> None:
    start.env["GEMINI_SYSTEM_MD"] = start.file("system.md", given)


def read(line: dict[str, Any], run: Run) -> None:
    kind = line.get("type")
    if kind == "init":
        run.session, run.model = line["session_id"], line.get("model") or ""
    elif kind == "message" and line["role"] == "assistant":  # that of the user is the prompt
        run.say(line["content"])
    elif kind == "tool_use":
        run.call(line["tool_id"], line["tool_name"], line.get("parameters"))
    elif kind == "tool_result":
        problem = line.get("error") or {}
        output = line.get("output") or problem.get("message") or ""
        run.result(line["tool_id"], output, success=line.get("status") == "success")
    elif kind == "error":
        run.warn(line["message"])
        run.explain(line["message"])
    elif kind == "result":
        stats = line.get("stats") or {}
        run.tokens |= {ours: stats.get(theirs) or 0 for ours, theirs in TOKENS.items()}
        run.end()
        if line.get("status") != "success":
            run.fail((line.get("error") or {}).get("message") or "")


GEMINI: Final = Agent(
    title="Gemini CLI",
    program="gemini",
    oldest="0.11.0",
    install="npm install -g @google/gemini-cli",
    package="@google/gemini-cli",
    login="Run `gemini` and log in, or set GEMINI_API_KEY.",
    keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    elsewhere=("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA"),
    reads=(
        *("GOOGLE_GEMINI_BASE_URL", "GEMINI_MODEL", "GOOGLE_APPLICATION_CREDENTIALS"),
        *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    ),
    home=("", ".gemini"),
    logins={
        "oauth_creds.json": r"\w",
        "settings.json": r'"selectedType"',
        ".env": r"^\s*(export\s+)?(GEMINI|GOOGLE)_\w+\s*=\s*\S",
    },
    command=("--output-format=stream-json",),
    environment={"GEMINI_CLI_TRUST_WORKSPACE": "true"},  # else it lowers the permissions, and asks
    flags={
        "model": flag("--model"),
        "permission_mode": flag("--approval-mode"),
        "system_prompt": add_system_prompt,
        "session_id": flag("--resume"),
    },
    modes={
        "default": "default",
        "safe": "default",
        "acceptEdits": "auto_edit",
        "auto_edit": "auto_edit",
        "plan": "plan",
        "bypassPermissions": "yolo",
        "yolo": "yolo",
    },
    patience_s=4.0,  # it takes three seconds
    read=read,
)

# `variables(GEMINI)`, written out: a manifest is read without running this file.
ENVIRONMENT: Final = (
    {"name": "GEMINI_API_KEY", "sensitive": True},
    {"name": "GOOGLE_API_KEY", "sensitive": True},
    {"name": "GOOGLE_GENAI_USE_VERTEXAI"},
    {"name": "GOOGLE_GENAI_USE_GCA"},
    {"name": "GOOGLE_GEMINI_BASE_URL"},
    {"name": "GEMINI_MODEL"},
    {"name": "GOOGLE_APPLICATION_CREDENTIALS"},
    {"name": "GOOGLE_CLOUD_PROJECT"},
    {"name": "GOOGLE_CLOUD_LOCATION"},
    {"name": "HTTPS_PROXY"},
    {"name": "HTTP_PROXY"},
    {"name": "NO_PROXY"},
    {"name": "NODE_EXTRA_CA_CERTS"},
    {"name": "SSL_CERT_FILE"},
)


class Settings(Struct):
    program: Annotated[str, Env("ANIMUS_GEMINI_PROGRAM", "The command, or its path")] = "gemini"
    permission_mode: Annotated[
        str, Env("ANIMUS_GEMINI_PERMISSION_MODE", "Of runs that name none")
    ] = ""


app = App(
    kind="provider",
    name="animus-provider-gemini",
    version="0.1.0",
    description="Agents by the Gemini CLI of this machine",
    settings=Settings,
    env_required=ENVIRONMENT,
    notification_buffer_size=4096,
    supports_mcp=False,
)


@app.method("agent/run")
def run(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(GEMINI, request, ctx, settings)


@app.method("agent/resume")
def resume(request: AgentRunRequest, ctx: Context, settings: Settings) -> dict[str, Any]:
    return run_agent(GEMINI, request, ctx, settings, resume=True)


@app.health
def health(ctx: Context, settings: Settings) -> str | None:
    """Is it there, new enough, and logged in?"""
    return check_agent(GEMINI, ctx, settings)


if __name__ == "__main__":
    app.run()
