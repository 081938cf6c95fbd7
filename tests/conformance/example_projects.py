"""What the examples work on: a project, a model on the loopback, variables, and params."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance_runs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "examples"))

import jira_server
import linear_server
from chat_endpoint import Exchange, chat_endpoint
from clickhouse_endpoint import PASSWORD, StandIn, clickhouse
from github_server import TOKEN, github
from jira_server import jira
from linear_server import linear

SCOPE = {"tenant_id": "t-1", "connection_id": "wa-1"}
SENT = {
    "schema": "animus.channel.v1",
    "scope": SCOPE,
    "delivery_id": "d-1",
    "peer_id": "+15550199",
    "text": "hello",
}
NOBODY = "http://127.0.0.1:1/"
PHASES = {"phases": [{"id": "one", "run": "echo 1"}, {"id": "two", "run": "mktemp made-XXXXXX"}]}
REPOSITORY = "example.com/acme/app"
FENCE = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-check",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:T1", "generation": 1},
    "queue_lease": {
        "entry_id": "e-1",
        "owner_id": "daemon-a",
        "generation": 1,
        "expires_at": "2036-11-25T12:30:00Z",
    },
    "repository": {
        "repository": REPOSITORY,
        "base_ref": "refs/heads/main",
        "head_ref": "refs/heads/animus/T1",
    },
}
DISPATCH = {
    "subject": {"kind": "task", "id": "T1", "title": "Make a file"},
    "workflow_ref": "standard",
    "trigger_source": "ready-queue",
    "requested_at": "2026-11-25T12:00:00Z",
}
TICKS = {"tick": {"cron": "* * * * * *"}}
WEBHOOKS = {"anybody": {"scheme": "none"}}
VALUES: dict[str, dict[str, list[Any]]] = {
    "channel_webhook": {"channel/send": [SENT]},
    "runner_local": {
        "workflow/execute": [{"subject_dispatch": DISPATCH, "execution_fence": FENCE}]
    },
}


def project(folder: Path) -> Path:
    """A project that every example finds something in."""
    animus = folder / "project" / ".animus"
    (animus / "local-workflows").mkdir(parents=True)
    (animus / "local-workflows" / "standard.json").write_text(json.dumps(PHASES), "utf-8")
    channels = {"connections": [{**SCOPE, "url": NOBODY, "token": "secret"}]}
    (animus / "channels.json").write_text(json.dumps(channels), "utf-8")
    published(animus.parent)
    return animus.parent


def published(project: Path) -> None:
    """Make a project a clone of a repository at its side, by the name that it has elsewhere."""
    origin = project.with_name("origin.git")
    for command in (
        f"init --quiet --bare --initial-branch=main {origin}",
        "init --quiet --initial-branch=main",
        "-c user.name=a -c user.email=a@example.com commit --quiet --allow-empty -m one",
        f"remote add origin https://{REPOSITORY}",
        f"config url.{origin}.insteadOf https://{REPOSITORY}",
        "push --quiet origin main",
    ):
        subprocess.run(["git", *command.split()], cwd=project, timeout=20, check=True)


def respond(exchange: Exchange) -> None:
    """A model that counts until nobody listens, and is ready otherwise."""
    if "Count" in str(exchange.body["messages"][-1]):
        exchange.say("one")
        exchange.wait_closed()
    else:
        exchange.say("ready")
        exchange.end()


@contextmanager
def options_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Options of a check with which every story of an example can be played."""
    copied = project(folder)
    with (
        chat_endpoint() as endpoint,
        github() as tracker,
        linear() as workspace,
        jira() as site,
        clickhouse(StandIn()) as columns,
    ):
        workspace.team("ENG")
        workspace.issue(workspace.teams[0], "there")
        site.issue("ENG", "there")
        endpoint.respond = respond
        env = {
            "OPENAI_BASE_URL": endpoint.base,
            "OPENAI_MODEL": "m",
            "LINEAR_API_URL": workspace.url,
            "LINEAR_API_TOKEN": linear_server.TOKEN,
            "JIRA_URL": site.url,
            "JIRA_EMAIL": jira_server.EMAIL,
            "JIRA_API_TOKEN": jira_server.TOKEN,
            "JIRA_PROJECTS": "ENG",
            "CRON_TRIGGERS": json.dumps(TICKS),
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_API_BASE": NOBODY,
            "ANIMUS_CLICKHOUSE_URL": columns.url,
            "ANIMUS_CLICKHOUSE_USER": "animus",
            "ANIMUS_CLICKHOUSE_PASSWORD": PASSWORD,
            "ANIMUS_WEBHOOKS": json.dumps(WEBHOOKS),
            "ANIMUS_WEBHOOK_LISTEN_ADDR": "127.0.0.1:0",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOS": "o/r,o/two",
            "GITHUB_API_URL": tracker.url,
        }
        yield {"env": env, "allow_writes": False, "copy": copied, "timeout_s": 10.0}
        assert workspace.violations == site.violations == []
