"""An outbox keeps what it has taken, whoever is killed, and takes nothing twice."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sql_databases import postgres

from animus_routes import App, Context, Unavailable
from animus_routes.batteries import outbox as module
from animus_routes.batteries.outbox import Entry, Outbox
from animus_routes.batteries.sql import Transaction
from animus_routes.structs.plugin import TriggerEvent
from animus_routes.testing import TestClient

HERE = Path(__file__).parent
WAIT_S = 30.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a" / "b" / "events.db"


@pytest.fixture
def outbox(file: Path) -> Iterator[Outbox]:
    found = Outbox(file)
    yield found
    found.close()


def trigger(outbox: Outbox) -> App:
    app = App(kind="trigger_backend", name="animus-trigger-x", version="1.0.0", description="X")

    @app.method("trigger/watch")
    def watch(ctx: Context) -> Iterator[Any]:
        return outbox.follow(ctx)

    @app.method("trigger/ack")
    def acknowledge(event_id: str) -> bool:
        return outbox.acknowledge(event_id)

    return app


def event(name: str) -> TriggerEvent:
    return TriggerEvent(event_id=name, trigger_id="t", payload={"name": name})


def test_what_is_taken_waits_in_order_until_it_is_acknowledged(outbox: Outbox) -> None:
    assert [outbox.add(name, {"name": name}) for name in ("b", "a", "b")] == [True, True, False]
    assert [*outbox.waiting()] == [Entry("b", {"name": "b"}), Entry("a", {"name": "a"})]
    assert [outbox.acknowledge(name) for name in ("b", "b", "z")] == [True, False, False]
    assert outbox.add("b", "again") is False
    assert [*outbox.waiting()] == [Entry("a", {"name": "a"})]
    assert outbox.add_all([("a", 1), ("c", 2), ("d", None)]) == 2


def test_several_are_taken_all_or_none(outbox: Outbox) -> None:
    with pytest.raises(TypeError):
        outbox.add_all([("a", 1), ("b", object())])
    assert [*outbox.waiting()] == []


def test_what_goes_with_them_happens_with_them_or_not_at_all(file: Path, outbox: Outbox) -> None:
    def note(db: Transaction) -> None:
        db.run("CREATE TABLE IF NOT EXISTS notes (text TEXT)")
        db.run("INSERT INTO notes VALUES ('noted')")

    def fail(db: Transaction) -> None:
        note(db)
        raise LookupError("no")

    assert outbox.add_all([("a", 1)], also=note) == 1
    with pytest.raises(LookupError):
        outbox.add_all([("b", 2)], also=fail)
    assert [*outbox.waiting()] == [Entry("a", 1)]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (1,)


def test_all_that_waits_is_told_though_it_is_acknowledged_meanwhile(outbox: Outbox) -> None:
    ids = [f"e{n:03}" for n in range(250)]
    outbox.add_all([(name, None) for name in ids])
    told = [entry.id for entry in outbox.waiting() if outbox.acknowledge(entry.id)]
    assert told == ids
    assert [*outbox.waiting()] == []


def test_nothing_is_opened_before_there_is_something(file: Path, outbox: Outbox) -> None:
    with TestClient(trigger(outbox)) as client:
        client.call("$/ping")
        with client.stream("trigger/watch") as stream:
            assert stream.ack == {"watching": True}
            assert client.call("trigger/ack", {"event_id": "x"}) == {
                "event_id": "x",
                "acked": False,
            }
            assert not file.parent.parent.exists()
            outbox.add("a", event("a"))
            assert next(stream)["event_id"] == "a"
    assert file.exists()


def test_a_watch_has_what_waits_then_what_comes_and_a_next_one_what_is_left(outbox: Outbox) -> None:
    outbox.add_all([(name, event(name)) for name in ("a", "b")])
    with TestClient(trigger(outbox)) as client:
        with client.stream("trigger/watch") as stream:
            assert [next(stream)["event_id"] for _ in range(2)] == ["a", "b"]
            client.call("trigger/ack", {"event_id": "a"})
            outbox.add("c", event("c"))
            assert next(stream)["event_id"] == "c"
        with client.stream("trigger/watch") as stream:
            assert [next(stream)["event_id"] for _ in range(2)] == ["b", "c"]


def test_more_than_a_batch_is_followed_without_a_pause(outbox: Outbox) -> None:
    count = 3 * module.BATCH + 1
    outbox.add_all([(f"e{n}", event(f"e{n}")) for n in range(count)])
    with TestClient(trigger(outbox)) as client, client.stream("trigger/watch") as stream:
        assert [next(stream)["event_id"] for _ in range(count)] == [f"e{n}" for n in range(count)]


def test_ids_are_forgotten_after_their_time(file: Path) -> None:
    outbox = Outbox(file, keep_s=-1.0)
    outbox.add_all([("a", 1), ("b", 2)])
    outbox.acknowledge("a")
    assert outbox.add("a", 3) is True
    outbox.close()


@pytest.mark.parametrize("place", ["file", "file/below/events.db"])
def test_a_place_that_cannot_be_used_is_unavailable(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("no database, but a longer text" * 100, "utf-8")
    with closing(Outbox(tmp_path / place)) as outbox, pytest.raises(Unavailable):
        outbox.add("a", 1)


def test_the_same_on_postgresql() -> None:
    with postgres() as url:
        outbox = Outbox(url)
        assert [outbox.add(name, {"name": name}) for name in ("a", "b", "a")] == [True, True, False]
        assert outbox.acknowledge("a") is True
        assert [*outbox.waiting()] == [Entry("b", {"name": "b"})]
        outbox.close()


# Processes ------------------------------------------------------------------------------------------


@contextmanager
def working(file: Path, work: str, first: int, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        str(HERE / "outbox_process.py"),
        str(file),
        work,
        str(first),
        str(count),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HERE.parents[1])},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def lines(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.read().split()


@pytest.mark.parametrize("after", [1, 7, 20])
def test_what_was_taken_survives_kill_9(file: Path, outbox: Outbox, after: int) -> None:
    told: list[str] = []
    with working(file, "add", 0, 100_000) as process:
        go(process)
        assert process.stdout is not None
        told += [process.stdout.readline().strip() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        told += lines(process)
    whole = [name for name in told if name.startswith("e")]
    kept = [entry.id for entry in outbox.waiting()]
    # The last one may have been taken before its line was written.
    assert kept[: len(whole)] == whole[: module.BATCH]
    assert all(entry.event == {"number": int(entry.id[1:])} for entry in outbox.waiting())
    assert outbox.add(whole[0], "again") is False
    assert outbox.add("new", 1) is True


def test_acknowledgements_survive_kill_9(file: Path, outbox: Outbox) -> None:
    outbox.add_all([(f"e{n}", n) for n in range(500)])
    told: list[str] = []
    with working(file, "ack", 0, 500) as process:
        go(process)
        assert process.stdout is not None
        told += [process.stdout.readline().strip() for _ in range(10)]
        process.send_signal(signal.SIGKILL)
        told += lines(process)
    acknowledged = [name for name in told if name.startswith("e") and name != "-"]
    left = {entry.id for entry in outbox.waiting()}
    assert left
    assert left.isdisjoint(acknowledged)


@pytest.mark.parametrize("work", ["add", "ack"])
def test_of_two_processes_one_takes_and_one_acknowledges_each(
    file: Path, outbox: Outbox, work: str
) -> None:
    count = 60
    if work == "ack":
        outbox.add_all([(f"e{n}", n) for n in range(count)])
    with working(file, work, 0, count) as one, working(file, work, 0, count) as other:
        go(one, other)
        both = [*lines(one), *lines(other)]
    assert sorted(name for name in both if name != "-") == sorted(f"e{n}" for n in range(count))
    assert len(both) == 2 * count
    assert len([*outbox.waiting()]) == (count if work == "add" else 0)


def test_what_another_process_adds_is_followed(file: Path, outbox: Outbox) -> None:
    outbox.add("here", event("here"))
    with (
        TestClient(trigger(outbox), timeout_s=WAIT_S, check_results=False) as client,
        client.stream("trigger/watch") as stream,
    ):
        assert next(stream)["event_id"] == "here"
        with working(file, "add", 0, 3) as process:
            go(process)
            assert lines(process) == ["e0", "e1", "e2"]
        assert [next(stream)["number"] for _ in range(3)] == [0, 1, 2]


def test_threads_add_while_others_follow(outbox: Outbox) -> None:
    def add(part: int) -> None:
        for number in range(20):
            outbox.add(f"{part}-{number}", event(f"{part}-{number}"))

    threads = [threading.Thread(target=add, args=(part,)) for part in range(3)]
    with (
        TestClient(trigger(outbox), timeout_s=WAIT_S) as client,
        client.stream("trigger/watch") as stream,
    ):
        for thread in threads:
            thread.start()
        found = [next(stream)["event_id"] for _ in range(60)]
    for thread in threads:
        thread.join(WAIT_S)
    assert len(set(found)) == 60


def test_a_call_does_not_read_what_is_long_acknowledged(outbox: Outbox) -> None:
    outbox.add_all([(f"e{n}", n) for n in range(5000)])
    database = outbox._database  # pyright: ignore[reportPrivateUsage]
    with database.write() as transaction:
        transaction.run(
            "UPDATE outbox SET done = ?, event = NULL WHERE position < 4990", time.time()
        )
    steps: list[int] = []
    for sql, values in (
        (module.NEXT, (0, module.BATCH)),
        (module.ACKNOWLEDGE, (time.time(), "e4995")),
        (module.FORGET, (0.0, module.BATCH)),
        (module.ADD, ("new", "1")),
    ):
        with database.write() as transaction:
            counted = [0]
            link: Any = transaction.link
            link.db.set_progress_handler(
                lambda counted=counted: counted.__setitem__(0, counted[0] + 1), 10
            )
            transaction.run(sql, *values)
            link.db.set_progress_handler(None, 0)
            steps.append(counted[0])
    assert max(steps) < 100


def test_how_many_wait_is_known_and_whether_more_can_be_kept(file: Path, outbox: Outbox) -> None:
    assert (outbox.count(), outbox.check(), file.exists()) == (0, None, False)
    outbox.add_all([(name, None) for name in "abc"])
    outbox.acknowledge("b")
    assert (outbox.count(), outbox.check()) == (2, None)
    file.unlink()
    with pytest.raises(Unavailable):
        outbox.check()


def test_a_watch_ends_when_nothing_more_will_come(outbox: Outbox) -> None:
    over = threading.Event()
    app = App(kind="trigger_backend", name="animus-trigger-x", version="1.0.0", description="X")

    @app.method("trigger/watch")
    def watch(ctx: Context) -> Iterator[Any]:
        yield from outbox.follow(ctx, until=over)
        yield event("last")

    outbox.add("a", event("a"))
    with TestClient(app) as client, client.stream("trigger/watch") as stream:
        assert next(stream)["event_id"] == "a"
        outbox.add("b", event("b"))
        over.set()
        assert [next(stream)["event_id"] for _ in range(2)] == ["b", "last"]
