import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from example_apps import example, example_app
from example_host import EXAMPLES, INSTALLED, served

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.structs import durable_store as wire
from animus_routes.testing import TestClient

pytest_plugins = ["database_fixtures"]

DURABLE = [sys.executable, str(EXAMPLES / "durable_sql.py")]
CLIENTS = 6
STEPS = 60
RUN = {"run_id": "R1", "phase_id": "build"}
Caller = Plugin | TestClient


@pytest.fixture
def shared(database: str | None, tmp_path: Path) -> Mapping[str, str]:
    """The environment of every process of one store, which is the test's own."""
    if database is None:
        return {}
    return {"ANIMUS_DURABLE_URL": database, "ANIMUS_DURABLE_NAME": tmp_path.name}


@pytest.fixture
def store(
    tmp_path: Path, shared: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    with TestClient(example_app("durable_sql"), init_extensions=bound(tmp_path)) as client:
        client.call("durable/begin_workflow_run", RUN)
        yield client


@pytest.fixture
def clock(store: TestClient, monkeypatch: pytest.MonkeyPatch) -> "Clock":
    assert store.initialize_result
    return Clock(monkeypatch)


class Clock:
    """The store's clock, which the test may put forward: the server's, or the host's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = example("durable_sql")
        self.real, self.of_server = self.module.time.time_ns, self.module.CLOCK
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(self.module, "time", self)
        self.ahead_s = 0

    def put_forward(self, seconds: int) -> None:
        self.ahead_s = seconds
        later = f"{self.of_server} + {seconds} * 1000000"
        self.monkeypatch.setattr(self.module, "CLOCK", later)

    def time_ns(self) -> int:
        return int(self.real()) + self.ahead_s * 1_000_000_000


def bound(project: Path) -> dict[str, Any]:
    return {"project_binding": {"project_root": str(project)}}


@contextmanager
def opened(project: Path, env: Mapping[str, str]) -> Iterator[Plugin]:
    """A process as the host starts one for a phase."""
    with served(DURABLE, project, env=env, init_extensions=bound(project)) as plugin:
        yield plugin


def begin(store: Caller, step: str = "spawn", **fields: Any) -> dict[str, Any]:
    key = {"step_name": step, "idempotency_key": f"R1:build:{step}"}
    begun: dict[str, Any] = store.call("durable/begin_step", {**RUN, **key, **fields})
    return begun


def commit(store: Caller, step_id: str, outcome: str = "success", **fields: Any) -> bool:
    params = {"step_id": step_id, "outcome": outcome, **fields}
    return bool(store.call("durable/commit_step", params)["ack"])


def refusal(store: Caller, method: str, params: Any) -> RpcError:
    with pytest.raises(RpcError) as raised:
        store.call(method, params)
    return raised.value


def test_processes_that_race_commit_every_step_exactly_once(
    tmp_path: Path, shared: Mapping[str, str]
) -> None:
    names = [f"step-{n}" for n in range(STEPS)]

    def work(numbered: tuple[int, Plugin]) -> list[str]:
        """Take each step that nobody has; say which were ours."""
        worker, plugin = numbered
        ours: list[str] = []
        for name in names:
            step = begin(plugin, name)
            if step["status"] == "new" and commit(plugin, step["step_id"], output=worker):
                ours.append(name)
        return ours

    with ExitStack() as stack:
        plugins = [stack.enter_context(opened(tmp_path, shared)) for _ in range(CLIENTS)]
        epochs = [
            plugin.reply(request)["epoch"]
            for request, plugin in [
                (plugin.request("durable/begin_workflow_run", RUN), plugin) for plugin in plugins
            ]
        ]
        with ThreadPoolExecutor(CLIENTS) as pool:
            done = list(pool.map(work, enumerate(plugins)))
        found = plugins[0].call("durable/query_run", RUN)
    assert sorted(epochs) == list(range(1, CLIENTS + 1))
    assert Counter(name for part in done for name in part) == Counter(names)
    assert {step["step_name"]: step["output"] for step in found["steps"]} == {
        name: worker for worker, part in enumerate(done) for name in part
    }


def test_one_reservation_of_many_at_once_is_new(tmp_path: Path, shared: Mapping[str, str]) -> None:
    with ExitStack() as stack:
        plugins = [stack.enter_context(opened(tmp_path, shared)) for _ in range(CLIENTS)]
        plugins[0].call("durable/begin_workflow_run", RUN)
        with ThreadPoolExecutor(CLIENTS) as pool:
            begun = list(pool.map(begin, plugins))
    assert Counter(step["status"] for step in begun) == {"new": 1, "in_progress": CLIENTS - 1}
    assert len({step["step_id"] for step in begun}) == 1


def test_epochs_grow_over_restarts_and_kills(tmp_path: Path, shared: Mapping[str, str]) -> None:
    epochs = []
    for _ in range(3):
        with opened(tmp_path, shared) as plugin:
            epochs.append(plugin.call("durable/begin_workflow_run", RUN)["epoch"])
            plugin.kill()
    assert epochs == [1, 2, 3]


def test_a_replay_is_given_the_committed_output(store: TestClient) -> None:
    step = begin(store)
    assert step.keys() == {"step_id", "status"}
    assert commit(store, step["step_id"], output={"pr": 7})
    again = begin(store)
    assert again == {
        "step_id": step["step_id"],
        "status": "already_committed",
        "prior_output": {"pr": 7},
    }


def test_a_committed_error_is_the_end_of_its_key(store: TestClient) -> None:
    error = {"code": "E1", "message": "it broke", "details": {"exit": 3}}
    assert commit(store, begin(store)["step_id"], "error", error=error)
    for _ in range(2):
        again = begin(store)
        assert (again["status"], again["prior_error"]) == ("prior_error", error)
    assert store.call("durable/query_run", RUN)["status"] == "error"


def test_commits_without_a_payload_are_told_apart_by_their_outcome(store: TestClient) -> None:
    for step, outcome in (("a", "success"), ("b", "error")):
        assert commit(store, begin(store, step)["step_id"], outcome)
    assert [begin(store, step)["status"] for step in "ab"] == ["already_committed", "prior_error"]


def test_the_same_commit_again_is_acknowledged_and_another_is_not(store: TestClient) -> None:
    step_id = begin(store)["step_id"]
    assert [commit(store, step_id, output=1) for _ in range(2)] == [True, True]
    assert commit(store, step_id, output=2) is False
    assert commit(store, step_id, "error") is False
    assert begin(store)["prior_output"] == 1


def test_a_reservation_holds_until_its_time(store: TestClient, clock: Clock) -> None:
    first = begin(store, reservation_ttl_secs=60)
    busy = begin(store)
    assert (busy["status"], busy["step_id"]) == ("in_progress", first["step_id"])
    assert busy["reservation_expires_at"].endswith("Z")
    clock.put_forward(61)
    second = begin(store)
    assert second["status"] == "new"
    assert second["step_id"] != first["step_id"]
    late = {"step_id": first["step_id"], "outcome": "success"}
    assert refusal(store, "durable/commit_step", late).code == -32303
    assert commit(store, second["step_id"])


def test_a_host_whose_clock_is_wrong_ends_no_reservation_on_a_server(
    store: TestClient, clock: Clock, database: str | None
) -> None:
    """An SQLite file has the clock of its hosts, which are on one machine."""
    step = begin(store, reservation_ttl_secs=60)
    clock.ahead_s = 3600
    assert begin(store)["status"] == ("new" if database is None else "in_progress")
    assert database is None or commit(store, step["step_id"])


def test_a_commit_after_the_reservations_time_is_refused(store: TestClient, clock: Clock) -> None:
    step = begin(store)
    clock.put_forward(301)
    late = {"step_id": step["step_id"], "outcome": "success"}
    assert refusal(store, "durable/commit_step", late).code == -32303
    assert store.call("durable/query_run", RUN)["status"] == "pending"


def test_an_abandoned_step_is_free_at_once_and_cannot_be_committed(store: TestClient) -> None:
    step_id = begin(store)["step_id"]
    abandon = {"step_id": step_id, "reason": "a peek"}
    assert store.call("durable/abandon_step", abandon) == {"ack": True}
    assert store.call("durable/abandon_step", abandon) == {"ack": False}
    assert begin(store)["status"] == "new"
    late = {"step_id": step_id, "outcome": "success"}
    assert refusal(store, "durable/commit_step", late).code == -32303


def test_a_key_that_comes_back_for_another_step_is_refused(store: TestClient) -> None:
    begin(store, "spawn")
    other = {**RUN, "step_name": "merge", "idempotency_key": "R1:build:spawn"}
    error = refusal(store, "durable/begin_step", other)
    assert (error.code, error.data) == (-32306, {"step_name": "spawn"})


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("begin_step", {"run_id": "R2", "phase_id": "build"}, -32301),
        ("query_run", {"run_id": "R1", "phase_id": "test"}, -32301),
        ("commit_step", {"step_id": "none", "outcome": "success"}, -32302),
        ("commit_step", {"step_id": "none", "outcome": "maybe"}, -32307),
        ("commit_step", {"step_id": "n", "outcome": "success", "output": "x" * 2**20}, -32602),
        ("commit_step", {"outcome": "success"}, -32602),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    store: TestClient, method: str, params: dict[str, Any], code: int
) -> None:
    filled = {"step_name": "s", "idempotency_key": "k", **params}
    assert refusal(store, f"durable/{method}", filled).code == code


def test_an_unknown_step_is_not_abandoned(store: TestClient) -> None:
    assert store.call("durable/abandon_step", {"step_id": "none"}) == {"ack": False}


def test_runs_in_flight_are_found_after_a_crash(store: TestClient) -> None:
    commit(store, begin(store, "clone")["step_id"])
    step = begin(store, "spawn")
    store.call("durable/begin_workflow_run", {"run_id": "R2", "phase_id": "build"})
    first, second = store.call("durable/recover_in_flight", {"since_epoch": 0})["in_flight"]
    assert (first["run_id"], first["last_committed_step"]) == ("R1", "clone")
    (reservation,) = first["replay_state"]["reservations"]
    assert reservation["step_id"] == step["step_id"]
    assert (second["run_id"], "last_committed_step" in second) == ("R2", False)
    commit(store, step["step_id"])
    later = store.call("durable/recover_in_flight", {"since_epoch": first["replay_state"]["epoch"]})
    assert [run["run_id"] for run in later["in_flight"]] == ["R2"]
    everything = store.call("durable/recover_in_flight", {"since_epoch": 0})["in_flight"]
    assert [run["run_id"] for run in everything] == ["R2"]


def test_more_runs_in_flight_than_an_answer_holds_come_in_several(
    store: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        store.call("durable/begin_workflow_run", {**RUN, "run_id": f"more-{number}"})
    whole = store.call("durable/recover_in_flight", {"since_epoch": 0})
    size = len(msgspec.json.encode(whole["in_flight"]))
    monkeypatch.setattr(example("durable_sql"), "ANSWER_BYTES", size // 2)
    found: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"truncated": True}
    while answer.get("truncated"):
        since = found[-1]["replay_state"]["epoch"] if found else 0
        answer = store.call("durable/recover_in_flight", {"since_epoch": since})
        msgspec.convert(answer, wire.RecoverInFlightResponse)
        found += answer["in_flight"]
    assert (found, whole) == (whole["in_flight"], {"in_flight": found})


def test_a_run_lists_its_commits_in_their_order(store: TestClient) -> None:
    ids = {name: begin(store, name)["step_id"] for name in "abc"}
    for name in "bca":
        commit(store, ids[name], output=name)
    found = store.call("durable/query_run", RUN)
    assert [step["output"] for step in found["steps"]] == ["b", "c", "a"]
    assert (found["status"], found["run_id"], found["phase_id"]) == ("success", "R1", "build")


def test_another_phase_is_another_run(store: TestClient) -> None:
    begin(store)
    store.call("durable/begin_workflow_run", {"run_id": "R1", "phase_id": "test"})
    found = store.call("durable/query_run", {"run_id": "R1", "phase_id": "test"})
    assert (found["status"], found["steps"]) == ("pending", [])


def test_a_database_that_cannot_be_opened_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMUS_DURABLE_URL", f"sqlite:///{tmp_path / 'no' / 'db'}")
    with TestClient(example_app("durable_sql"), init_extensions=bound(tmp_path)) as client:
        assert refusal(client, "durable/begin_workflow_run", RUN).code == -32304


def test_a_project_that_is_not_there_is_refused_at_the_handshake(tmp_path: Path) -> None:
    with (
        Plugin.start(DURABLE, cwd=tmp_path, env=INSTALLED) as plugin,
        pytest.raises(RpcError) as raised,
    ):
        plugin.initialize(bound(tmp_path / "none"))
    assert raised.value.code == -32305


def test_what_hosts_are_told_is_what_the_store_does(tmp_path: Path) -> None:
    with opened(tmp_path, {}) as plugin:
        answer = plugin.initialize_result or {}
    assert answer["kind_capabilities"]["durable_store"] == {
        "crate_version": "0.1.0",
        "extra": {
            "default_reservation_ttl_secs": 300,
            "max_payload_bytes": 1048576,
            "supports_recovery": True,
        },
    }
    methods = [name for name in answer["capabilities"]["methods"] if name.startswith("durable/")]
    assert len(methods) == 6
