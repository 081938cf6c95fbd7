"""Every example is clean, its stories included, in a copy of a project that it works on."""

import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conformance_runs import EXAMPLES, ROOT, at_once, checked, failed, programs

from animus_routes.conformance import Report, Verdict

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


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Report]]:
    copied = project(tmp_path_factory.mktemp("examples"))
    with chat_endpoint() as endpoint:
        endpoint.respond = respond
        env = {
            "OPENAI_BASE_URL": endpoint.base,
            "OPENAI_MODEL": "m",
            "CRON_TRIGGERS": json.dumps(TICKS),
        }
        calls = {
            name: partial(
                checked,
                EXAMPLES / f"{name}.py",
                env=env,
                allow_writes=False,
                copy=copied,
                values=VALUES.get(name, {}),
                examples=4,
                timeout_s=10.0,
            )
            for name in programs()
        }
        yield at_once(calls)


@pytest.mark.parametrize("name", programs())
def test_an_example_is_clean(name: str, reports: dict[str, Report]) -> None:
    assert failed(reports[name]) == {}


def test_every_story_is_played_by_an_example(reports: dict[str, Report]) -> None:
    results = [result for report in reports.values() for result in report.results]
    stories = {result.id for result in results if result.id.startswith("story.")}
    played = {result.id for result in results if result.verdict is Verdict.PASS}
    assert stories - played <= {"story.subject-ids"}
    told = {result.id: result.reason for result in results if result.id in stories - played}
    assert set(told.values()) <= {"there are no subjects"}


def test_what_acts_is_left_alone_without_leave(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "tasks_sqlite.py", tmp_path)
    report = checked(tmp_path / "tasks_sqlite.py", allow_writes=False, project=tmp_path, examples=2)
    assert failed(report) == {}
    acting = [r for r in report.results if r.verdict is Verdict.SKIP and "acts" in r.reason]
    assert {"method.accepts:task/create", "method.refuses:task/delete", "story.subjects"} <= {
        result.id for result in acting
    }
    assert all("--allow-writes" in result.reason for result in acting)
    assert not any(result.wrote for result in report.results)
