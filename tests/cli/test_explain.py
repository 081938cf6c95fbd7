"""`animus-routes explain`: every method, type and kind in words, from the tables and docstrings."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from animus_routes.cli import explain
from animus_routes.describe import explaining
from animus_routes.roles import KINDS


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "animus_routes", "explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def text(name: str, capfd: pytest.CaptureFixture[str]) -> str:
    assert explain.main([name]) == 0
    return capfd.readouterr().out


def test_a_method_is_told_with_its_params_its_items_and_its_result() -> None:
    done = run("subject/watch")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "subject/watch: optional for subject_backend"
    assert "Params: SubjectWatchRequest" in lines
    assert "Items, as subject/changed: SubjectChangedEvent" in lines
    assert "  change_kind: ChangeKind (required)" in lines
    assert "Result: the acknowledgement of the stream" in lines
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("task/list", "  limit: whole number from 0 or null (optional)"),
        ("Subject", '  status: SubjectStatus (optional, "ready" if left out)'),
        ("Subject", '  created_at: date and time (optional, "now" if left out)'),
        ("subject.SubjectStatus", "  ready | in-progress | blocked | done | cancelled"),
        ("-32602", "-32602: invalid params; hosts take it as an answer"),
        ("-32602", "NotFound: Nothing has this id."),
        ("-32603", "  transport_backend: code -32603"),
        ("-32301", "-32301: a code of the plugin's own, or of its kind; hosts take it as more than a failure: they may restart the plugin and ask again"),
        ("Unavailable", "  provider: message begins with provider unavailable"),
        ("not_found", '  its message begins with "not found: "'),
        ("AgentNotification", "  AgentOutput | AgentThinking | AgentToolCall | AgentToolResult | AgentError"),
        ("SubjectPatch", "  assignee: text or null; null clears it, and leaving it out leaves it (optional)"),
        ("DaemonEventRecord", "  schema: text (required)"),
        ("agent/cancel", "Result: any JSON"),
        ("transport/shutdown", "Params: none"),
        ("queue", "  queue/enqueue             required  QueueEnqueueRequest -> QueueEnqueueResponse"),
    ],
)  # fmt: skip
def test_what_it_says(name: str, line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert line in text(name, capfd).splitlines()


def test_a_name_that_two_crates_have_is_told_twice(capfd: pytest.CaptureFixture[str]) -> None:
    found = text("TriggerEvent", capfd)
    assert "animus_routes.types.plugin and" in found
    assert "animus_routes.types.trigger and" in found


def test_machines_get_json() -> None:
    (found,) = json.loads(run("subject/get", "--json").stdout)
    assert found["params"]["fields"][0]["name"] == "id"
    assert found["result"]["name"] == "Subject"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Subjct"], "unknown type, kind or error 'Subjct'; did you mean 'Subject'?"),
        (["subject/lst"], "unknown method 'subject/lst'; did you mean 'subject/list'?"),
        ([], "usage: animus-routes explain METHOD|TYPE|KIND"),
        (["a", "b"], "usage: animus-routes explain METHOD|TYPE|KIND"),
    ],
)
def test_what_there_is_not_is_said_with_what_may_be_meant(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_everything_has_words() -> None:
    """Every type of every method is found, and every field says what it holds."""
    for _, row in explaining.methods():
        for name in (row.params, row.result):
            assert name is None or len(explaining.find_types(name)) == 1
    for kind in KINDS:
        assert explain.main([kind]) == 0
    for crate in explaining.crates():
        for found in explaining.types_of(crate):
            assert found.fields or found.words or found.text, found
            for field in found.fields:
                assert field.kind
                assert "_" not in field.kind.replace("animus_routes", ""), field
                for name in field.types:
                    assert explaining.find_types(name), (found.name, name)
