"""Queues for hosts of 0.7: the six methods of v2, and what hosts are told of them (newer 3.2)."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from animus_routes import App, ConfigurationError, Context, RpcError
from animus_routes.host import PluginProcess
from animus_routes.structs import queue as structs
from animus_routes.testing import TestClient
from animus_routes.types import queue as types

FENCED = Path(__file__).parent / "plugins" / "fenced.py"
V2 = ["enqueue", "lease", "lease/renew", "lease/recover", "completion", "release_pending"]
V1 = [
    *("enqueue", "list", "lease", "stats", "hold", "release", "drop"),
    *("mark_assigned", "completion", "reorder"),
]
DISPATCH = {
    "subject": {"kind": "task", "id": "TASK-1"},
    "workflow_ref": "coding",
    "trigger_source": "ready-queue",
    "requested_at": "2026-11-25T12:00:00Z",
}
RESERVED = {
    "repository": "github.com/acme/app",
    "base_ref": "refs/heads/main",
    "head_ref": "refs/heads/animus/TASK-1",
}
EXECUTION: dict[str, Any] = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:TASK-1", "generation": 1},
    "queue_lease": {
        "entry_id": "e-1",
        "owner_id": "daemon-a",
        "generation": 1,
        "expires_at": "2026-11-25T12:30:05Z",
    },
}
PARAMS: dict[str, Any] = {
    "enqueue": {"subject_dispatch": DISPATCH},
    "lease": {"max": 1, "owner_id": "daemon-a", "workflow_ids": ["wf-1"]},
    "lease/renew": {"execution": EXECUTION},
    "lease/recover": {"execution": EXECUTION, "new_owner_id": "daemon-b"},
    "completion": {"execution": EXECUTION, "status": "completed"},
    "release_pending": {"execution": EXECUTION, "reason": "draining"},
}


@pytest.fixture
def fenced() -> Iterator[PluginProcess]:
    with PluginProcess.start([sys.executable, str(FENCED)]) as plugin:
        plugin.initialize({"project_binding": {"project_root": "/p", "repo_scope": "p"}})
        yield plugin


def served(*methods: str, **options: Any) -> App:
    """An app with all of v1 and some of v2, whose handlers take the whole params as a dict."""
    app = App(kind="queue", name="q", version="1.0.0", description="d", **options)
    for verb in [*V1, *(f"v2/{verb}" for verb in methods)]:

        @app.method(f"queue/{verb}")
        def handler(params: dict[str, Any]) -> Any:
            return {"outcome": "applied"}

    return app


def issues(client: TestClient, verb: str, params: Any) -> list[str]:
    with pytest.raises(RpcError) as caught:
        client.call(f"queue/v2/{verb}", params)
    assert caught.value.code == -32602
    return [issue["path"] for issue in caught.value.data["issues"]]


# What hosts are told ------------------------------------------------------------------------------


def gate(result: dict[str, Any]) -> None:
    """What a daemon of 0.7 asks of a queue before it starts, and again before each call of v2."""
    told = result["kind_capabilities"]["queue"]
    extra = msgspec.convert(told["extra"], structs.QueueCapabilities)
    assert extra.generation_fenced_leases_v1 is True
    assert extra.max_lease_batch >= 5
    assert {f"queue/v2/{verb}" for verb in V2} <= {*result["capabilities"]["methods"]}


def test_the_daemons_gate_lets_a_queue_with_all_six_pass(fenced: PluginProcess) -> None:
    result = fenced.initialize_result or {}
    gate(result)
    assert result["kind_capabilities"]["queue"] == {
        "crate_version": "0.4.0",
        "extra": {
            "generation_fenced_leases_v1": True,
            "max_lease_batch": 5,
            "priority_weighted": False,
        },
    }
    assert {"queue/list", "health/check"} <= {*result["capabilities"]["methods"]}


def test_a_queue_of_v1_says_so_whatever_its_author_says() -> None:
    app = served(kind_capabilities={"queue": {"generation_fenced_leases_v1": True}})
    with TestClient(app) as client:
        told = client.initialize_result["kind_capabilities"]["queue"]
    assert told["crate_version"] == "0.3.2"
    assert told["extra"]["generation_fenced_leases_v1"] is False


@pytest.mark.parametrize("family", [structs, types])
def test_the_authors_figure_counts(family: Any) -> None:
    figures = family.QueueCapabilities(max_lease_batch=20, priority_weighted=True)
    app = served(*V2, kind_capabilities={"queue": figures})
    with TestClient(app) as client:
        gate(client.initialize_result)
        extra = client.initialize_result["kind_capabilities"]["queue"]["extra"]
        assert extra["max_lease_batch"] == 20
        ids = [f"wf-{number}" for number in range(21)]
        many = {"max": 21, "owner_id": "a", "workflow_ids": ids}
        assert issues(client, "lease", many) == ["max"]


def test_a_figure_that_the_daemon_refuses_is_a_startup_problem() -> None:
    app = served(*V2, kind_capabilities={"queue": {"max_lease_batch": 4}})
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    (problem,) = caught.value.problems
    assert "max_lease_batch is 4, but hosts want at least 5" in problem
    served(kind_capabilities={"queue": {"max_lease_batch": 1}}).check()


@pytest.mark.parametrize("missing", V2)
def test_five_of_six_is_a_startup_problem_that_names_the_sixth(missing: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        served(*(verb for verb in V2 if verb != missing)).check()
    (problem,) = caught.value.problems
    assert f"is served without 'queue/v2/{missing}': " in problem


def test_one_of_six_names_the_other_five() -> None:
    with pytest.raises(ConfigurationError) as caught:
        served("lease").check()
    (problem,) = caught.value.problems
    assert (
        "'queue/v2/lease' is served without 'queue/v2/enqueue', 'queue/v2/lease/renew'" in problem
    )


# The frames of newer 3.2.7 ------------------------------------------------------------------------


def test_an_entry_goes_in_is_leased_and_not_recovered_while_its_lease_lives(
    fenced: PluginProcess,
) -> None:
    added = {
        "idempotency_key": "gh-42:trg-1",
        "repository": RESERVED,
        "subject_dispatch": DISPATCH,
    }
    assert fenced.call("queue/v2/enqueue", added) == {
        "enqueued": True,
        "entry_id": "e-1",
        "subject": {"qualified_id": "task:TASK-1", "generation": 1},
    }
    asked = {"max": 2, "owner_id": "daemon-a", "workflow_ids": ["wf-1", "wf-2"]}
    fence = {**EXECUTION, "repository": RESERVED}
    assert fenced.call("queue/v2/lease", asked) == {
        "leased": [
            {
                "entry": {
                    "entry_id": "e-1",
                    "subject_id": "task:TASK-1",
                    "subject_dispatch": DISPATCH,
                    "status": "assigned",
                    "workflow_id": "wf-1",
                    "enqueued_at": "2026-11-25T12:00:01Z",
                    "assigned_at": "2026-11-25T12:00:05Z",
                },
                "execution": fence,
            }
        ]
    }
    recovery = {"new_owner_id": "daemon-b", "execution": fence}
    assert fenced.call("queue/v2/lease/recover", recovery) == {
        "outcome": "lease_still_live",
        "reason": "the lease has not expired",
        "execution": fence,
    }


def test_a_lease_is_renewed_put_back_leased_again_and_completed_once(
    fenced: PluginProcess,
) -> None:
    fenced.call("queue/v2/enqueue", {"subject_dispatch": DISPATCH})
    asked = {"max": 1, "owner_id": "daemon-a", "workflow_ids": ["wf-1"]}
    (one,) = fenced.call("queue/v2/lease", asked)["leased"]
    fence = one["execution"]
    assert fenced.call("queue/v2/lease/renew", {"execution": fence})["execution"] == fence
    back = {"execution": fence, "reason": "draining"}
    assert fenced.call("queue/v2/release_pending", back) == {"outcome": "applied"}
    assert fenced.call("queue/v2/release_pending", back) == {"outcome": "already_applied"}
    (two,) = fenced.call("queue/v2/lease", asked | {"workflow_ids": ["wf-9"]})["leased"]
    assert two["execution"]["workflow_id"] == "wf-1"
    assert two["execution"]["queue_lease"]["generation"] == 2
    done = {"execution": two["execution"], "status": "completed"}
    stale = fenced.call("queue/v2/completion", {"execution": fence, "status": "failed"})
    assert stale["outcome"] == "stale_fence"
    assert fenced.call("queue/v2/completion", done)["outcome"] == "applied"
    assert fenced.call("queue/v2/completion", done) == {
        "outcome": "already_applied",
        "execution": two["execution"],
    }


# What is refused before a handler sees it ---------------------------------------------------------


def test_params_of_every_method_are_taken_whole() -> None:
    app = served(*V2)
    seen: list[Any] = []

    results: dict[str, Any] = {
        "queue/v2/enqueue": {"enqueued": True, "entry_id": "e-1", "subject": EXECUTION["subject"]},
        "queue/v2/lease": {"leased": []},
    }

    @app.middleware
    def note(ctx: Context, call_next: Any) -> Any:
        seen.append(ctx.params)
        return results.get(ctx.method) or call_next(ctx)

    with TestClient(app) as client:
        for verb in V2:
            client.call(f"queue/v2/{verb}", PARAMS[verb])
    assert seen == [PARAMS[verb] for verb in V2]


@pytest.mark.parametrize("verb", V2)
@pytest.mark.parametrize("extra", [{"x-unknown": 1}, {"actor": {"user_id": "kim"}}])
def test_an_unknown_field_is_refused_in_every_method(verb: str, extra: dict[str, Any]) -> None:
    with TestClient(served(*V2)) as client:
        assert len(issues(client, verb, PARAMS[verb] | extra)) == 1


@pytest.mark.parametrize("verb", V2[2:])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("execution", None),
        ("execution.queue_lease", None),
        ("execution.workflow_generation", 0),
        ("execution.version", 2),
        ("execution.subject.generation", 0),
    ],
)
def test_a_mutation_needs_a_whole_fence(verb: str, path: str, value: Any) -> None:
    params = copy.deepcopy(PARAMS[verb])
    inner = params
    *way, last = path.split(".")
    for step in way:
        inner = inner[step]
    inner[last] = value
    with TestClient(served(*V2)) as client:
        assert issues(client, verb, params) == [path]


@pytest.mark.parametrize(
    ("verb", "change", "path"),
    [
        (
            "enqueue",
            {"subject_dispatch": {**DISPATCH, "subject": None}},
            "subject_dispatch.subject",
        ),
        ("enqueue", {"run_at": "soon"}, "run_at"),
        ("enqueue", {"idempotency_key": " "}, "idempotency_key"),
        ("lease", {"max": 6, "workflow_ids": list("abcdef")}, "max"),
        ("lease", {"max": 0, "workflow_ids": []}, "max"),
        ("lease", {"max": 2, "workflow_ids": ["a", "a"]}, "workflow_ids"),
        ("lease", {"owner_id": ""}, "owner_id"),
        ("lease/renew", {"ttl_secs": 0}, "ttl_secs"),
        ("lease/recover", {"new_owner_id": "daemon-a"}, "new_owner_id"),
        ("completion", {"status": "done"}, "status"),
        ("release_pending", {"reason": ""}, "reason"),
    ],
)
def test_a_rule_of_the_protocol_is_held_before_the_handler(
    verb: str, change: dict[str, Any], path: str
) -> None:
    with TestClient(served(*V2)) as client:
        assert issues(client, verb, PARAMS[verb] | change) == [path]


def renew_by_field(execution: dict[str, Any], ttl_secs: int | None = None) -> str:
    return "applied"


def renew_struct(request: structs.QueueLeaseRenewRequest) -> str:
    return "applied"


def renew_model(request: types.QueueLeaseRenewRequest) -> str:
    return "applied"


async def renew_later(execution: structs.ExecutionFence) -> str:
    return "applied"


@pytest.mark.parametrize(
    "handler", [renew_by_field, renew_struct, renew_model, renew_later], ids=lambda h: h.__name__
)
def test_the_rules_hold_whatever_the_handler_takes_and_a_word_is_an_outcome(handler: Any) -> None:
    app = served(*(verb for verb in V2 if verb != "lease/renew"))
    app.method("queue/v2/lease/renew")(handler)
    with TestClient(app) as client:
        assert client.call("queue/v2/lease/renew", PARAMS["lease/renew"]) == {"outcome": "applied"}
        stale = {**EXECUTION, "workflow_generation": 0}
        broken = {"execution": stale}
        assert issues(client, "lease/renew", broken) == ["execution.workflow_generation"]
        unknown = {"execution": EXECUTION, "owner": "x"}
        assert len(issues(client, "lease/renew", unknown)) == 1


def test_a_word_that_is_no_outcome_is_the_authors_mistake() -> None:
    app = served(*(verb for verb in V2 if verb != "completion"))

    @app.method("queue/v2/completion")
    def complete(execution: dict[str, Any]) -> str:
        return "done"

    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call("queue/v2/completion", PARAMS["completion"])
    assert caught.value.code == -32603
    assert "none of the outcomes applied, already_applied" in str(caught.value.__cause__)


def test_a_dispatch_without_a_subject_is_enqueued_by_v1_alone() -> None:
    app = served(*V2)
    app.registrations[:] = [one for one in app.registrations if one.name != "queue/enqueue"]

    @app.method("queue/enqueue")
    def enqueue(request: structs.QueueEnqueueRequest) -> structs.QueueEnqueueResponse:
        assert request.subject_dispatch.subject is None
        return structs.QueueEnqueueResponse(enqueued=True, entry_id="e-1", subject_id="")

    subjectless = {name: value for name, value in DISPATCH.items() if name != "subject"}
    with TestClient(app) as client:
        assert client.call("queue/enqueue", {"subject_dispatch": subjectless})["enqueued"]
        refused = issues(client, "enqueue", {"subject_dispatch": subjectless})
    assert refused == ["subject_dispatch.subject"]
