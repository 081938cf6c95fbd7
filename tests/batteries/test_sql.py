import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest
from notes_store import NOTES, build, opened, server_of, texts, write

from animus_routes import InvalidRequest, RpcError
from animus_routes.batteries.sql import Busy, Database, Layout, Transaction, Unreachable, marks

pytest_plugins = ["database_fixtures", "sql_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


def test_parameters_are_written_one_way_on_both(notes: Database) -> None:
    with notes.write() as transaction:
        transaction.run_each("INSERT INTO notes VALUES (?, ?)", [(n, f"{n} %s ?") for n in (1, 2)])
        changed = transaction.run("UPDATE notes SET text = text || '?%s''?' WHERE number > ?", 1)
        assert changed == 1
        assert transaction.row(
            "SELECT number, text FROM notes WHERE 5 % number = 1 AND text = ?", "2 %s ??%s'?"
        ) == (2, "2 %s ??%s'?")
        assert (
            transaction.value(f"SELECT count(*) FROM notes WHERE number IN ({marks(2)})", 1, 2) == 2
        )
        assert transaction.row("SELECT 1 FROM notes WHERE number = ?", 99) is None
        assert transaction.value("SELECT 1 FROM notes WHERE number = ?", 99) is None


def test_values_come_back_as_what_they_were(notes: Database) -> None:
    values = (1 << 60, 0.1, "a%s? '\u00fc\n", b"\0\xff%s?", None)
    with notes.write() as db:
        kind = "BYTEA" if db.postgresql else "BLOB"
        db.run(f"CREATE TABLE held (a BIGINT, b DOUBLE PRECISION, c TEXT, d {kind}, e TEXT)")
        db.run_each("INSERT INTO held VALUES (?, ?, ?, ?, ?)", (values for _ in range(250)))
        assert db.rows("SELECT * FROM held WHERE d = ?", values[3]) == [values] * 250


def test_what_is_raised_in_a_transaction_undoes_it(notes: Database) -> None:
    def work() -> None:
        with notes.write() as transaction:
            transaction.run("DELETE FROM notes")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert texts(notes) == ["built"]


def test_a_read_sees_one_moment_and_changes_nothing(notes: Database, url: str) -> None:
    with notes.read() as transaction:
        count = "SELECT count(*) FROM notes"
        assert transaction.value(count) == 1
        # With a rollback journal SQLite's writer waits for the reader; it may be refused.
        with opened(url, wait_s=0.2) as other, suppress(Busy):
            write(other, 1)
        assert transaction.value(count) == 1
    driver = psycopg2.Error if url.startswith("postgresql") else sqlite3.Error
    for statement in ("DELETE FROM notes", "CREATE TABLE more (number BIGINT)"):
        with pytest.raises(driver, match=r"read-?only"), notes.read() as transaction:
            transaction.run(statement)
    assert "built" in texts(notes)
    write(notes, 2)


def test_whoever_waits_too_long_is_told_so(notes: Database, url: str) -> None:
    assert texts(notes) == ["built"]
    with notes.write() as transaction, opened(url, wait_s=0.1) as other:
        transaction.run("UPDATE notes SET text = 'mine'")
        with pytest.raises(Busy, match=r"not free within 0\.1 s"), other.write() as late:
            late.run("UPDATE notes SET text = 'theirs'")
    assert texts(notes) == ["mine"]


def test_threads_may_share_a_database(notes: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(notes, number), range(1, 41)))
    assert len(texts(notes)) == 41


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_a_value_that_the_database_cannot_hold_is_the_callers_fault(
    notes: Database, value: object
) -> None:
    column = "text" if isinstance(value, str) else "number"

    def work() -> None:
        with notes.write() as transaction:
            transaction.run("DELETE FROM notes WHERE number = ?", 5)
            transaction.run(f"UPDATE notes SET {column} = ?", value)

    with pytest.raises(InvalidRequest):
        work()
    assert texts(notes) == ["built"]


def test_a_key_that_no_index_takes_is_the_callers_fault(notes: Database) -> None:
    if not server_of(notes):
        return
    with notes.write() as transaction:
        transaction.run("CREATE UNIQUE INDEX notes_by_text ON notes (text)")
    long = "".join(f"{n * 7919:x}" for n in range(5000))
    with pytest.raises(InvalidRequest, match="maximum"):
        write(notes, 1, long)


def test_a_statement_that_fails_is_unavailable_and_the_next_one_works(notes: Database) -> None:
    with pytest.raises(Unreachable, match="nowhere"), notes.write() as transaction:
        transaction.run("DELETE FROM nowhere")
    assert texts(notes) == ["built"]


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELCT 1", ()),
        ("SELECT nothing FROM notes", ()),
        ("SELECT ?", ()),
        ("SELECT 1", (1,)),
        ("SELECT ?", (object(),)),
        ("INSERT INTO notes VALUES (?, 'x')", (-1,)),
    ],
)
def test_a_statement_that_is_wrong_is_the_authors_bug(
    notes: Database, statement: str, values: tuple[object, ...]
) -> None:
    assert texts(notes) == ["built"]

    def work() -> None:
        with notes.write() as transaction:
            transaction.run("UPDATE notes SET text = 'lost'")
            transaction.run(statement, *values)

    with pytest.raises(Exception, match=r".") as raised:
        work()
    assert not isinstance(raised.value, RpcError)
    assert texts(notes) == ["built"]


def test_a_failure_that_is_passed_over_is_no_rollback_that_is_called_a_success(
    notes: Database,
) -> None:
    def work() -> None:
        with notes.write() as transaction:
            transaction.run("INSERT INTO notes VALUES (1, 'x')")
            with suppress(sqlite3.Error, psycopg2.Error):
                transaction.run("SELECT nothing FROM notes")

    if server_of(notes):
        with pytest.raises(psycopg2.ProgrammingError, match="the whole transaction was undone"):
            work()
        assert texts(notes) == ["built"]
    else:
        work()
        assert texts(notes) == ["built", "x"]


def test_a_mark_in_a_comment_or_a_name_is_text(notes: Database) -> None:
    statement = """SELECT ? AS "why?" -- what's this? 100%\n, 'it?'"""
    with notes.read() as transaction:
        assert transaction.row(f"{statement}  -- and 'this?", 1) == (1, "it?")


def test_tables_that_a_newer_program_has_changed_are_told_from_a_bug(
    notes: Database, url: str
) -> None:
    def rename(transaction: Transaction, _found: int) -> None:
        transaction.run("ALTER TABLE notes RENAME COLUMN text TO words")

    assert texts(notes) == ["built"]
    with opened(url, Layout("notes", 3, "notes", rename)) as newer, newer.write():
        pass
    with pytest.raises(Unreachable, match="is 3, newer than this plugin's 2"):
        texts(notes)


def test_errors_show_no_row(notes: Database, url: str) -> None:
    if url.startswith("sqlite"):
        return
    trigger = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'no disk' USING DETAIL = NEW.text; END $$ LANGUAGE plpgsql"
    with notes.write() as transaction:
        transaction.run(trigger)
        transaction.run(
            "CREATE TRIGGER refuse BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    with pytest.raises(Unreachable) as raised, notes.write() as transaction:
        transaction.run("UPDATE notes SET text = 'private'")
    assert raised.value.message == "the database's URL: no disk"


def test_a_connection_that_the_server_ended_is_made_anew(notes: Database, url: str) -> None:
    if url.startswith("sqlite"):
        return
    assert texts(notes) == ["built"]
    with pytest.raises(Unreachable), notes.write() as transaction:
        transaction.value("SELECT pg_terminate_backend(pg_backend_pid())")
    assert texts(notes) == ["built"]


# ---- layouts ------------------------------------------------------------------------------------


def test_a_layout_is_made_once_and_then_migrated(url: str) -> None:
    versions: list[int] = []

    def counted(transaction: Transaction, found: int) -> None:
        versions.append(found)
        if found == 0:
            build(transaction, found)

    for version in (1, 1, 3, 3):
        with opened(url, Layout("notes", version, "notes", counted)) as notes:
            assert texts(notes) == ["built"]
    assert versions == [0, 1]


def test_a_layout_that_is_newer_is_refused_in_words(notes: Database, url: str) -> None:
    assert texts(notes) == ["built"]
    with (
        pytest.raises(
            Unreachable, match=r"layout of 'notes' in the database is 2, newer than .* 1"
        ),
        opened(url, NOTES._replace(version=1)) as older,
        older.read(),
    ):
        pass


def test_a_build_that_fails_leaves_nothing_behind(url: str) -> None:
    def broken(transaction: Transaction, found: int) -> None:
        build(transaction, found)
        raise ZeroDivisionError

    with (
        opened(url, NOTES._replace(build=broken)) as notes,
        pytest.raises(ZeroDivisionError),
        notes.read(),
    ):
        pass
    with opened(url) as notes:
        assert texts(notes) == ["built"]


def test_several_sets_of_tables_share_a_database(notes: Database, url: str) -> None:
    assert texts(notes) == ["built"]
    found: list[int] = []
    set_of_others = Layout("others", 1, "others", lambda _, version: found.append(version))
    with opened(url, set_of_others) as others, others.read():
        pass
    assert found == [0]
    assert texts(notes) == ["built"]


PROGRAM = """
import sys
sys.path[:0] = [{here!r}, {tests!r}]
from test_sql import NOTES, opened, write
with opened({url!r}) as notes:
    for number in range(int(sys.argv[1]), int(sys.argv[1]) + 20):
        write(notes, number)
"""


def test_processes_that_start_together_make_the_tables_once(url: str) -> None:
    here = Path(__file__).parent
    program = PROGRAM.format(here=str(here), tests=str(here.parent), url=url)
    command = [sys.executable, "-c", program]
    running = [subprocess.Popen([*command, str(n * 100)], cwd=ROOT) for n in range(4)]
    try:
        assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    finally:
        for process in running:
            process.kill()
    with opened(url) as notes:
        assert texts(notes).count("built") == 1
        assert len(texts(notes)) == 81


def test_whoever_waits_has_a_turn_between_slices(notes: Database, url: str) -> None:
    turns: list[str] = []
    begun = threading.Event()

    def slices(transaction: Transaction) -> bool:
        transaction.run("UPDATE notes SET text = 'slice'")
        turns.append("slice")
        begun.set()
        return "write" not in turns and len(turns) < 1000

    def other() -> None:
        assert begun.wait(10)
        with opened(url) as database:
            write(database, 7)
        turns.append("write")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other)
        notes.write_in_slices(slices)
        waiting.result(timeout=10)
    assert turns.count("slice") < 1000
