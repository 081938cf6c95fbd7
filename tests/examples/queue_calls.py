"""Calls of the queue example, in this process and in processes of their own."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from example_apps import example, example_app
from example_host import EXAMPLES, served

from animus_routes import RpcError
from animus_routes.batteries.sql import Database
from animus_routes.fences import check_coding, same_execution_generation
from animus_routes.host import Plugin
from animus_routes.structs import queue as wire
from animus_routes.structs.execution import ExecutionFence
from animus_routes.testing import TestClient
from animus_routes.timestamps import parse, rfc3339

QUEUE = [sys.executable, str(EXAMPLES / "queue_sql.py")]
Entry = dict[str, Any]
Caller = Plugin | TestClient


def environment(database: str | None, project: Path) -> dict[str, str]:
    """Of every host of one queue, which is the project's own; None is its SQLite file."""
    return {"ANIMUS_QUEUE_URL": database, "ANIMUS_QUEUE_NAME": project.name} if database else {}


@contextmanager
def in_process(
    project: Path, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with TestClient(example_app("queue_sql"), init_extensions=bound(project)) as client:
        yield client


@contextmanager
def tables(project: Path, env: Mapping[str, str]) -> Iterator[Database]:
    """The queue's database, beside its hosts."""
    place = env.get("ANIMUS_QUEUE_URL") or project / ".animus" / "queue.sqlite3"
    with closing(Database(place, example("queue_sql").LAYOUT)) as database:
        yield database


def bound(project: Path) -> dict[str, Any]:
    return {"project_binding": {"project_root": str(project), "repo_scope": "scope"}}


@contextmanager
def opened(project: Path, env: Mapping[str, str]) -> Iterator[Plugin]:
    """A process as the host starts one for a call."""
    with served(QUEUE, project, env=env, init_extensions=bound(project)) as plugin:
        yield plugin


def dispatch(subject: Any, **fields: Any) -> dict[str, Any]:
    if isinstance(subject, str):
        subject = {"kind": "animus.task", "id": subject}
    return {
        "subject": subject,
        "workflow_ref": "standard",
        "trigger_source": "ready-queue",
        "requested_at": "2026-01-01T00:00:00Z",
        **fields,
    }


def add(plugin: Caller, subject: Any, *, priority: str | None = None, **timing: Any) -> Entry:
    envelope = dispatch(subject, priority=priority) if priority else dispatch(subject)
    added: Entry = plugin.call("queue/enqueue", {"subject_dispatch": envelope, **timing})
    return added


def lease(plugin: Caller, most: int = 10, **params: Any) -> list[Entry]:
    leased: list[Entry] = plugin.call("queue/lease", {"max": most, **params})["leased"]
    return leased


def subjects(entries: list[Entry]) -> list[str]:
    return [entry["subject_id"] for entry in entries]


def refusal(plugin: Caller, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        plugin.call(method, params)
    return raised.value


def ahead(seconds: float) -> str:
    return rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))


# With fences -------------------------------------------------------------------------------------

Fence = dict[str, Any]
APP: Fence = {
    "repository": "github.com/acme/app",
    "base_ref": "refs/heads/main",
    "head_ref": "refs/heads/animus/TASK-1",
}
PAST = "2020-01-01T00:00:00.000000Z"
MUTATIONS = {
    "lease/renew": {},
    "lease/recover": {"new_owner_id": "daemon-b"},
    "completion": {"status": "completed"},
    "release_pending": {"reason": "draining"},
}


class Rows:
    """What stands in the tables, for what hosts never see."""

    def __init__(self, project: Path, env: Mapping[str, str]) -> None:
        self.project, self.env = project, env

    def set(self, **columns: Any) -> None:
        """Of every entry."""
        text = ", ".join(f"{name} = ?" for name in columns)
        with tables(self.project, self.env) as database, database.write() as db:
            db.run(f"UPDATE queue_entries SET {text} WHERE queue_name = ?", *self.values(columns))

    def values(self, columns: Mapping[str, Any]) -> list[Any]:
        return [*columns.values(), self.env.get("ANIMUS_QUEUE_NAME", "")]

    def ends(self) -> list[str]:
        with tables(self.project, self.env) as database, database.read() as db:
            kept = "SELECT ended FROM queue_past WHERE queue_name = ? ORDER BY ended"
            return [ended for (ended,) in db.rows(kept, *self.values({}))]


def put(queue: TestClient, subject: str = "TASK-1", **params: Any) -> Any:
    """Add an entry; as strict about the answer as a host."""
    envelope = params.pop("subject_dispatch", None) or dispatch({"kind": "task", "id": subject})
    answer = queue.call("queue/v2/enqueue", {"subject_dispatch": envelope, **params})
    msgspec.convert(answer, wire.QueueEnqueueV2Response)
    return answer


def take(queue: TestClient, most: int = 1, **params: Any) -> Any:
    asked = {
        "max": most,
        "owner_id": "daemon-a",
        "workflow_ids": [f"wf-{number}" for number in range(1, most + 1)],
        **params,
    }
    answer = queue.call("queue/v2/lease", asked)
    for one in msgspec.convert(answer, wire.QueueLeaseV2Response).leased:
        one.check()
    return answer


def leased(queue: TestClient, subject: str = "TASK-1", **params: Any) -> Fence:
    """The fence of a new entry that is leased."""
    put(queue, subject, **params)
    (one,) = take(queue)["leased"]
    fence: Fence = one["execution"]
    return fence


def change(queue: TestClient, verb: str, fence: Fence, **params: Any) -> Any:
    asked = {"execution": fence, **MUTATIONS[verb], **params}
    answer = queue.call(f"queue/v2/{verb}", asked)
    msgspec.convert(answer, wire.QueueLeaseMutationResponse)
    return answer


def outcome(queue: TestClient, verb: str, fence: Fence, **params: Any) -> str:
    found: str = change(queue, verb, fence, **params)["outcome"]
    return found


def other(fence: Fence, path: str, value: Any) -> Fence:
    """The fence with another value at a path; None leaves it out."""
    copy: Fence = msgspec.json.decode(msgspec.json.encode(fence))
    *way, last = path.split(".")
    inner = copy
    for name in way:
        inner = inner[name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copy


def entries(queue: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = queue.call("queue/list")["entries"]
    return found


def accepted_by_the_daemon(before: Fence, after: Fence) -> bool:
    """What a host checks of each new fence."""
    old, new = (msgspec.convert(fence, ExecutionFence) for fence in (before, after))
    check_coding(new)
    assert same_execution_generation(old, new)
    assert (old.repository, before["queue_lease"]["entry_id"]) == (
        new.repository,
        after["queue_lease"]["entry_id"],
    )
    assert old.queue_lease is not None
    assert new.queue_lease is not None
    if old.queue_lease.owner_id == new.queue_lease.owner_id:
        later = parse(new.queue_lease.expires_at) >= parse(old.queue_lease.expires_at)
        return later and new.queue_lease.generation == old.queue_lease.generation
    return new.queue_lease.generation == old.queue_lease.generation + 1
