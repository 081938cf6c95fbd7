"""What the examples work on: a project, a model on the loopback, variables, and params."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance_runs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "examples"))

from chat_endpoint import Exchange, chat_endpoint

SCOPE = {"tenant_id": "t-1", "connection_id": "wa-1"}
SENT = {
    "schema": "animus.channel.v1",
    "scope": SCOPE,
    "delivery_id": "d-1",
    "peer_id": "+15550199",
    "text": "hello",
}
NOBODY = "http://127.0.0.1:1/"
PHASES = {"phases": [{"id": "one", "run": "echo 1"}, {"id": "two", "run": "echo 2"}]}
FENCE = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-check",
    "workflow_generation": 1,
}
TICKS = {"tick": {"cron": "* * * * * *"}}
VALUES: dict[str, dict[str, list[Any]]] = {
    "channel_webhook": {"channel/send": [SENT]},
    "runner_local": {
        "workflow/execute": [
            {"task_id": "T1", "workflow_ref": "standard", "execution_fence": FENCE}
        ]
    },
}


def project(folder: Path) -> Path:
    """A project that every example finds something in."""
    animus = folder / "project" / ".animus"
    (animus / "local-workflows").mkdir(parents=True)
    (animus / "local-workflows" / "standard.json").write_text(json.dumps(PHASES), "utf-8")
    channels = {"connections": [{**SCOPE, "url": NOBODY, "token": "secret"}]}
    (animus / "channels.json").write_text(json.dumps(channels), "utf-8")
    return animus.parent


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
    with chat_endpoint() as endpoint:
        endpoint.respond = respond
        env = {
            "OPENAI_BASE_URL": endpoint.base,
            "OPENAI_MODEL": "m",
            "CRON_TRIGGERS": json.dumps(TICKS),
        }
        yield {"env": env, "allow_writes": False, "copy": copied, "timeout_s": 10.0}
