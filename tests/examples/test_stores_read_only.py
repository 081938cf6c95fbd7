"""Stores that may not be written: they are read as they are, or say in words why they are not."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from example_apps import example_app
from example_host import EXAMPLES
from read_only_folders import as_nobody, nobody, read_only

from animus_routes import RpcError
from animus_routes.testing import TestClient

AT: Final = "2026-01-31T09:30:00Z"
SCOPE: Final = {"repo_scope": "scope"}
RUN: Final = {"phase_id": "p"}
OWN: Final = {"project_id": "p"}


def dispatch(name: str) -> dict[str, Any]:
    task = {"kind": "animus.task", "id": name}
    return {"subject": task, "workflow_ref": "w", "trigger_source": "t", "requested_at": AT}


def entry(name: str) -> dict[str, Any]:
    own = {"id": name, "ts": AT, "level": "info", "source": "daemon"}
    return {**own, "target": "t", "message": "word"}


class Stored(NamedTuple):
    """An example, a call that writes for a name, and one that reads what it has written."""

    example: str
    write: Callable[[str], tuple[str, Any]]
    read: tuple[str, Any]


STORES: Final = [
    Stored(
        "queue_sql",
        lambda name: ("queue/enqueue", {"subject_dispatch": dispatch(name)}),
        ("queue/list", {}),
    ),
    Stored(
        "durable_sql",
        lambda name: ("durable/begin_workflow_run", {**RUN, "run_id": name, "inputs": {}}),
        ("durable/recover_in_flight", {"since_epoch": 0}),
    ),
    Stored(
        "conversations_sql",
        lambda name: ("conversation/create", {**SCOPE, "id": name}),
        ("conversation/list", SCOPE),
    ),
    Stored(
        "tasks_sqlite",
        lambda name: ("task/create", {"title": name}),
        ("task/list", {}),
    ),
    Stored(
        "logs_sqlite",
        lambda name: ("log_storage/store", {"entries": [entry(name)]}),
        ("log_storage/query", {"text": "word"}),
    ),
    Stored(
        "journal_sqlite",
        lambda name: (
            "journal/save",
            {"run": {"workflow_id": name, "status": "done", "blob": {}}},
        ),
        ("journal/list", {}),
    ),
    Stored(
        "memory_sqlite",
        lambda name: ("memory/put", {"scope": OWN, "key": name, "value": "word"}),
        ("memory/query", {"scope": OWN, "query": "word", "top_k": 3}),
    ),
]


@pytest.fixture(params=STORES, ids=[stored.example for stored in STORES])
def stored(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stored:
    monkeypatch.chdir(tmp_path)
    Path(".animus").mkdir()  # a journal is in the nearest one
    found: Stored = request.param
    return found


@contextmanager
def served(stored: Stored) -> Iterator[TestClient]:
    bound = {"project_binding": {"project_root": str(Path.cwd()), "repo_scope": "scope"}}
    with TestClient(example_app(stored.example), init_extensions=bound) as client:
        yield client


def asked_by_nobody(stored: Stored, calls: list[tuple[str, Any]]) -> list[Any]:
    """The answers that a process gets which may not write, or what it is told instead."""
    program = f"""
import json, tempfile
import sqlite3, animus_routes.batteries.sqlite
from {stored.example} import app
from animus_routes import RpcError
from animus_routes.testing import TestClient

def asked(place):
    os.chdir(place)
    found = []
    bound = {{"project_binding": {{"project_root": place, "repo_scope": "scope"}}}}
    with TestClient(app, init_extensions=bound) as client:
        for method, params in {calls!r}:
            try:
                found.append(client.call(method, params))
            except RpcError as problem:
                found.append(problem.message)
    return json.dumps(found)

with tempfile.TemporaryDirectory() as other:
    os.mkdir(f"{{other}}/.animus")
    asked(other)  # whatever is imported late is imported now
"""
    imports, work = program, f"print(asked({str(Path.cwd())!r}))"
    said = as_nobody([EXAMPLES], imports, work)
    try:
        answers: list[Any] = json.loads(said)
    except ValueError:
        raise AssertionError(said) from None
    return answers


def test_what_is_in_it_is_read_and_nothing_is_written(stored: Stored, tmp_path: Path) -> None:
    with served(stored) as client:
        client.call(*stored.write("first"))
        before = read(client, stored)
    folder = tmp_path / ".animus"
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    calls = [stored.read, stored.write("second"), ("health/check", None), stored.read]
    with read_only(folder):
        answer, refusal, health, again = asked_by_nobody(stored, calls)
    answer.pop("fetched_at", None)
    again.pop("fetched_at", None)
    assert answer == again == before
    assert "readonly" in refusal or "cannot be written" in refusal
    assert health["status"] == "degraded"
    assert "readonly" in health["last_error"]
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files


def read(client: TestClient, stored: Stored) -> Any:
    found = client.call(*stored.read)
    return {name: value for name, value in found.items() if name != "fetched_at"}


def test_what_others_write_later_is_seen(stored: Stored, tmp_path: Path) -> None:
    folder = tmp_path / ".animus"
    found = []
    with served(stored) as reader:
        for name in ("first", "second"):
            with served(stored) as writer:
                writer.call(*stored.write(name))
                found.append(read(writer, stored))
            with read_only(folder), nobody():
                assert read(reader, stored) == found[-1]
    assert found[0] != found[1]


def test_a_log_beside_it_is_refused_in_words(stored: Stored, tmp_path: Path) -> None:
    with served(stored) as client:
        client.call(*stored.write("first"))
    (file,) = (tmp_path / ".animus").glob("*.sqlite3")
    left_by_a_process_that_was_killed(file)
    with read_only(file.parent):
        (refusal,) = asked_by_nobody(stored, [stored.read])
    assert f"can only be read where {file.name}-wal beside it may be written" in refusal


def test_one_of_a_newer_layout_is_refused_in_words_and_left_alone(
    stored: Stored, tmp_path: Path
) -> None:
    with served(stored) as client:
        client.call(*stored.write("first"))
    (file,) = (tmp_path / ".animus").glob("*.sqlite3")
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE animus_layouts SET version = 99")
        db.commit()
    before = file.read_bytes()
    with served(stored) as client:
        for call in (stored.read, stored.write("second")):
            with pytest.raises(RpcError, match=r"is 99, newer than .* written by a newer version"):
                client.call(*call)
        health = client.call("health/check")
        assert (health["status"], "is 99, newer" in health["last_error"]) == ("unhealthy", True)
    assert file.read_bytes() == before
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def left_by_a_process_that_was_killed(file: Path) -> None:
    log = file.with_name(f"{file.name}-wal")
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE other (x)")
        written = log.read_bytes()
    log.write_bytes(written)
