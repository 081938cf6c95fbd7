"""kill -9 between any two statements: a call was made or it was not, and can be made again.

The calls of queues and of conversations with keys have tests of their own beside this one.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from example_apps import example_app
from example_host import KilledCall, killed_calls
from sql_databases import postgres

from animus_routes import RpcError
from animus_routes.testing import TestClient

AT: Final = "2026-01-31T09:30:00Z"
RUN: Final = {"run_id": "r", "phase_id": "p"}
STEP: Final = {**RUN, "step_name": "s", "idempotency_key": "k"}
CHAT: Final = {"repo_scope": "scope", "id": "c"}
OWN: Final = {"scope": {"project_id": "p"}}
WORKFLOW: Final = {"workflow_id": "w"}
EVENT: Final = {"run_id": "w", "kind": "phase_started", "ts": AT}
CHECKPOINT: Final = {**WORKFLOW, "blob": {"a": 1}}
META: Final = {"id": "c", "created_at": AT, "updated_at": AT, "message_count": 0}
# What differs each time that the same call is made.
VOLATILE: Final = {"updated_at", "epoch", "created_at", "fetched_at", "revision"}

Call = tuple[str, Any]
Filled = Callable[[TestClient], Call]


def run(number: int) -> Call:
    return "journal/save", {"run": {**WORKFLOW, "status": "done", "blob": {"n": number}}}


def message(seq: int) -> Call:
    own = {"seq": seq, "role": "user", "content": "", "recorded_at": AT}
    return "conversation/append_message", {**CHAT, "message": own}


def entry(name: str) -> dict[str, Any]:
    own = {"id": name, "ts": AT, "level": "info", "source": "daemon"}
    return {**own, "target": "t", "message": f"word {name}"}


def after(*calls: Call) -> Filled:
    """Makes all calls but the last, which is the one to be killed."""

    def filled(client: TestClient) -> Call:
        for call in calls[:-1]:
            client.call(*call)
        return calls[-1]

    return filled


def reserved(verb: str, **params: Any) -> Filled:
    def filled(client: TestClient) -> Call:
        client.call("durable/begin_workflow_run", {**RUN, "inputs": {}})
        held = client.call("durable/begin_step", STEP)["step_id"]
        return f"durable/{verb}", {"step_id": held, **params}

    return filled


class Store(NamedTuple):
    """An example, what is read of its store, and calls that change it."""

    example: str
    read: tuple[Call, ...]
    calls: dict[str, Filled]


BEGUN: Final = ("durable/begin_workflow_run", {**RUN, "inputs": {}})
MADE: Final = ("conversation/create", CHAT)
SAID: Final = ("memory/put", {**OWN, "key": "k", "value": "word"})
EVENTS: Final = tuple(("journal/record", {"event": {**EVENT, "n": n}}) for n in range(3))
POINTS: Final = tuple(
    ("journal/checkpoint_save", {**CHECKPOINT, "checkpoint_num": n}) for n in range(3)
)
FIRST: Final = ("task/create", {"title": "First", "labels": ["a"]})
CHILD: Final = ("task/create", {"title": "Child", "parent": "task:1"})
PATCH: Final = {"title": "Other", "labels": ["b"], "assignee": "kim"}
STORES: Final = (
    Store(
        "durable_sql",
        (("durable/query_run", RUN), ("durable/recover_in_flight", {"since_epoch": 0})),
        {
            "begin_workflow_run": after(BEGUN),
            "begin_step": after(BEGUN, ("durable/begin_step", STEP)),
            "commit_step": reserved("commit_step", outcome="success"),
            "abandon_step": reserved("abandon_step"),
        },
    ),
    Store(
        "conversations_sql",
        (
            ("conversation/list", {"repo_scope": "scope"}),
            ("conversation/load_meta", CHAT),
            ("conversation/load_messages", CHAT),
        ),
        {
            "create": after(MADE),
            "append_message": after(MADE, message(0)),
            "save_meta": after(
                MADE,
                ("conversation/save_meta", {"repo_scope": "scope", "meta": {**META, "title": "t"}}),
            ),
            "delete": after(MADE, message(0), message(1), ("conversation/delete", CHAT)),
        },
    ),
    Store(
        "tasks_sqlite",
        (("task/list", {}), ("task/list", {"labels_any": ["b"]}), ("task/get", {"id": "task:2"})),
        {
            "update": after(FIRST, ("task/update", {"id": "task:1", "patch": PATCH})),
            "status": after(FIRST, ("task/status", {"id": "task:1", "status": "done"})),
            "delete": after(FIRST, CHILD, ("task/delete", {"id": "task:1"})),
        },
    ),
    Store(
        "logs_sqlite",
        (("log_storage/query", {}), ("log_storage/query", {"text": "word"})),
        {"store": after(("log_storage/store", {"entries": [entry("a"), entry("b")]}))},
    ),
    Store(
        "memory_sqlite",
        (
            ("memory/get", {**OWN, "key": "k"}),
            ("memory/query", {**OWN, "query": "word other", "top_k": 5}),
            ("memory/list_scopes", {}),
        ),
        {
            "put": after(SAID),
            "put again": after(SAID, ("memory/put", {**OWN, "key": "k", "value": "other"})),
            "delete_scope": after(SAID, ("memory/delete_scope", OWN)),
        },
    ),
    Store(
        "journal_sqlite",
        (
            ("journal/load", WORKFLOW),
            ("journal/events", {"run_id": "w"}),
            ("journal/checkpoint_list", WORKFLOW),
        ),
        {
            "save": after(run(1), run(2)),
            "record": after(*EVENTS),
            "checkpoint_save": after(*POINTS),
            "checkpoint_prune": after(
                *POINTS, ("journal/checkpoint_prune", {**WORKFLOW, "keep": 1})
            ),
            "delete": after(run(1), *EVENTS, *POINTS, ("journal/delete", WORKFLOW)),
        },
    ),
)
KINDS: Final = {"durable_sql": "ANIMUS_DURABLE", "conversations_sql": "ANIMUS_CONVERSATIONS"}
CASES: Final = [
    pytest.param(store, verb, kind, id=f"{store.example}-{kind}-{verb}")
    for store in STORES
    for kind in (("sqlite", "postgresql") if store.example in KINDS else ("sqlite",))
    for verb in store.calls
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def killers() -> Iterator[Callable[[str], KilledCall]]:
    """The programs that are killed, one for each example, started when it is asked for."""
    with ExitStack() as stack:
        started: dict[str, KilledCall] = {}

        def killer(example: str) -> KilledCall:
            if example not in started:
                started[example] = stack.enter_context(killed_calls(example))
            return started[example]

        yield killer


def steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: steady(inner) for name, inner in value.items() if name not in VOLATILE}
    return [steady(inner) for inner in value] if isinstance(value, list) else value


def made(client: TestClient, method: str, params: Any) -> Any:
    try:
        return steady(client.call(method, params))
    except RpcError as problem:
        return problem.code


@pytest.mark.parametrize(("store", "verb", "kind"), CASES)
def test_a_call_that_is_killed_between_two_statements_was_made_or_not(
    store: Store,
    verb: str,
    kind: str,
    tmp_path: Path,
    server: str,
    killers: Callable[[str], KilledCall],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def attempt(step: int) -> tuple[int, Any, Any, Any]:
        """How the call ended; what is kept before it, after it, and once it was made again."""
        project = tmp_path / str(step)
        (project / ".animus").mkdir(parents=True)
        monkeypatch.chdir(project)
        env = {}
        if kind == "postgresql":
            prefix = KINDS[store.example]
            env = {f"{prefix}_URL": server, f"{prefix}_NAME": f"{verb} {step}"}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        bound = {"project_binding": {"project_root": str(project), "repo_scope": "scope"}}
        with TestClient(example_app(store.example), init_extensions=bound) as client:
            if kind == "postgresql":
                made(client, "conversation/delete", CHAT)  # all of them share one database
            method, params = store.calls[verb](client)
            before = [made(client, *call) for call in store.read]
            case = {"project": str(project), "env": env, "step": step}
            status = killers(store.example)({**case, "method": method, "params": params})
            now = [made(client, *call) for call in store.read]
            made(client, method, params)
            return status, before, now, [made(client, *call) for call in store.read]

    attempts = [attempt(1)]
    while attempts[-1][0] == -9:
        attempts.append(attempt(len(attempts) + 1))
    _, before, _, then = attempts[0]
    assert before != then
    # Killed at its begin it changes nothing; at its end nobody has to make it again.
    assert [attempts[0][0], attempts[0][2]] == [-9, before]
    status, _, now, again = attempts[-1]
    assert (status, now) == (0, again)
    for _, was, found, last in attempts:
        assert found in (was, last)
