import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from read_only_folders import as_nobody, read_only
from sql_databases import postgres

from animus_routes import InvalidRequest, RpcError
from animus_routes.batteries.sql import Busy, Database, Layout, Transaction, Unreachable, marks
from animus_routes.batteries.sqlite import SQLite, turn

ROOT = Path(__file__).resolve().parents[2]


def build(transaction: Transaction, found: int) -> None:
    if found == 0:
        transaction.run("CREATE TABLE notes (number BIGINT PRIMARY KEY, text TEXT)")
    transaction.run("INSERT INTO notes VALUES (?, ?)", -1 - found, "built")


NOTES = Layout("notes", 2, "notes", build)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[str | None]:
    if request.param == "sqlite":
        yield None
        return
    with postgres() as url:
        yield url


@pytest.fixture
def url(server: str | None, tmp_path: Path) -> str:
    """An empty database of the test's own."""
    if server is None:
        return f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def notes(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database


@contextmanager
def opened(
    place: str | Path, layout: Layout = NOTES, wait_s: float = 10.0, *, wal: bool = False
) -> Iterator[Database]:
    with closing(Database(place, layout, wait_s=wait_s, wal=wal)) as database:
        yield database


def server_of(database: Database) -> bool:
    with database.read() as transaction:
        return transaction.postgresql


def texts(database: Database) -> list[str]:
    with database.read() as transaction:
        return [text for (text,) in transaction.rows("SELECT text FROM notes ORDER BY number")]


def write(database: Database, number: int, text: str = "x") -> None:
    with database.write() as transaction:
        transaction.run("INSERT INTO notes VALUES (?, ?)", number, text)


def journal_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as db:
        mode: str = db.execute("PRAGMA journal_mode").fetchone()[0]
        return mode


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


# ---- SQLite's files -----------------------------------------------------------------------------


def test_a_turn_is_waited_for_as_long_as_it_says_whatever_the_connection_says(
    tmp_path: Path,
) -> None:
    file = tmp_path / "turns.sqlite3"
    asked: list[str] = []

    def ask() -> None:
        with closing(sqlite3.connect(file, timeout=600, isolation_level=None)) as db:
            db.set_trace_callback(asked.append)
            with pytest.raises(sqlite3.OperationalError, match="locked"), turn(db, 0.5):
                pass
            assert db.execute("PRAGMA busy_timeout").fetchone() == (600_000,)

    with closing(sqlite3.connect(file, isolation_level=None)) as db, ThreadPoolExecutor(1) as pool:
        db.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(ask)
        try:
            waiting.result(timeout=30)
        finally:
            db.execute("ROLLBACK")
    # It did not look away for as long as SQLite does of itself.
    assert asked.count("BEGIN IMMEDIATE") > 5


def test_a_connection_is_prepared_however_busy_the_file_is(tmp_path: Path) -> None:
    file = tmp_path / "busy.sqlite3"
    with opened(file) as notes:
        write(notes, 1)
    tried = threading.Event()

    def prepare(db: sqlite3.Connection) -> None:
        tried.set()
        db.execute("PRAGMA synchronous = FULL")  # reads the schema

    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as db:
        db.execute("BEGIN EXCLUSIVE")
        late = Database(file, NOTES, wait_s=10.0, prepare=prepare)
        with closing(late), ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(texts, late)
            assert tried.wait(10)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            db.execute("ROLLBACK")
            assert waiting.result(timeout=10) == ["built", "x"]


def test_a_connection_of_ones_own_finds_the_tables(tmp_path: Path) -> None:
    file = tmp_path / "own.sqlite3"
    with opened(file) as notes, closing(notes.connection()) as db:
        assert not db.in_transaction
        with turn(db, 10):
            db.execute("INSERT INTO notes VALUES (1, 'x')")
        assert texts(notes) == ["built", "x"]
        with notes.write(), pytest.raises(sqlite3.OperationalError, match="locked"), turn(db, 0):
            pass


def test_a_connection_of_ones_own_is_one_to_a_file(notes: Database, url: str) -> None:
    if url.startswith("sqlite"):
        with closing(notes.connection()) as db:
            assert isinstance(db, sqlite3.Connection)
    else:
        with pytest.raises(TypeError, match="SQLite"):
            notes.connection()


def test_a_file_without_layouts_is_read_as_it_is_until_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE notes (number BIGINT PRIMARY KEY, text TEXT)")
        db.execute("PRAGMA user_version = 2")
        before = file.read_bytes()
        with opened(file) as notes:
            assert texts(notes) == []
            assert file.read_bytes() == before
            write(notes, 1)
            assert texts(notes) == ["x"]
        assert db.execute("SELECT name, version FROM animus_layouts").fetchall() == [("notes", 2)]


def test_the_number_of_an_older_file_is_taken_over_once(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE notes (number BIGINT PRIMARY KEY, text TEXT)")
        db.execute("PRAGMA user_version = 4")
    found: list[int] = []
    newer = Layout("notes", 5, "notes", lambda _, version: found.append(version))
    with opened(file, newer) as notes, notes.read():
        pass
    with opened(file, newer._replace(name="another", table="elsewhere")) as notes, notes.read():
        pass
    # The file's number speaks of what was in it before there were layouts.
    with opened(file, newer._replace(name="third")) as notes, notes.read():
        pass
    assert found == [4, 0, 1]


def test_a_log_is_kept_where_it_can_be_had(tmp_path: Path) -> None:
    for name, wal in (("a", True), ("b", False)):
        with opened(tmp_path / name, wal=wal) as notes:
            assert texts(notes) == ["built"]
        assert journal_of(tmp_path / name) == ("wal" if wal else "delete")


def test_somebody_who_reads_keeps_the_journal_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "read.sqlite3"

    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as reader:
        reader.execute("CREATE TABLE other (x)")
        change = SQLite.log_ahead

        def read_meanwhile(link: SQLite) -> None:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM other").fetchone()
            change(link)
            reader.execute("COMMIT")

        monkeypatch.setattr(SQLite, "log_ahead", read_meanwhile)
        with opened(file, wal=True) as notes:
            write(notes, 1)
            assert texts(notes) == ["built", "x"]
    assert journal_of(file) == "delete"


def read_as_nobody(place: str) -> str:
    return as_nobody(
        [Path(__file__).parent, Path(__file__).parents[1]],
        "import animus_routes.batteries.sqlite\nfrom pathlib import Path\nfrom test_sql import opened, texts",
        f"with opened(Path({place!r})) as notes:\n    print(texts(notes))",
    )


@pytest.mark.parametrize("wal", [False, True])
def test_a_store_in_a_read_only_folder_is_read(tmp_path: Path, wal: bool) -> None:
    folder = tmp_path / "100%25 odd?mode=rw#"  # of what a URI gives a meaning to
    folder.mkdir()
    with opened(folder / "notes.sqlite3", wal=wal) as notes:
        write(notes, 1)
    with read_only(folder):
        assert read_as_nobody(str(folder / "notes.sqlite3")) == "['built', 'x']\n"


@pytest.mark.parametrize(
    ("version", "said"),
    [(1, "'notes' has to be made or migrated: attempt to write"), (3, "is 3, newer than")],
)
def test_another_layout_in_a_read_only_folder_is_refused_in_words(
    tmp_path: Path, version: int, said: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with opened(folder / "notes.sqlite3", NOTES._replace(version=version)) as notes:
        assert texts(notes) == ["built"]
    with read_only(folder):
        assert said in read_as_nobody(str(folder / "notes.sqlite3"))


def test_a_log_that_cannot_be_opened_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "notes.sqlite3"
    with opened(file, wal=True) as notes:
        write(notes, 1)
        log = Path(f"{file}-wal").read_bytes()
    Path(f"{file}-wal").write_bytes(log)
    with read_only(folder):
        said = read_as_nobody(str(file))
    assert "can only be read where notes.sqlite3-wal beside it may be written" in said


def test_a_journal_of_a_change_that_was_not_made_to_the_end_is_refused_in_words(
    tmp_path: Path,
) -> None:
    made, folder = tmp_path / "notes.sqlite3", tmp_path / "folder"
    with opened(made) as notes:
        write(notes, 1)
    folder.mkdir()
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")  # so that some of it is in the file already
        db.execute("BEGIN IMMEDIATE")
        text = "half done " * 1000
        db.executemany("INSERT INTO notes VALUES (?, ?)", ((n, text) for n in range(2, 200)))
        for suffix in ("", "-journal"):
            shutil.copy(f"{made}{suffix}", folder)
        db.execute("ROLLBACK")
    with read_only(folder):
        said = read_as_nobody(str(folder / made.name))
    assert "can only be read where notes.sqlite3-journal beside it may be written" in said
    with opened(folder / made.name) as notes:  # which undoes it
        assert texts(notes) == ["built", "x"]


# ---- URLs and drivers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "mysql://server/x",
        "notes.sqlite3",
        "oracle+driver://x",
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:x.db",
        "sqlite://x.db",
        "sqlite:///x.db?mode=ro",
        "sqlite:///:memory:",
        "postgresql:",
    ],
)
def test_another_kind_of_database_is_refused(url: str) -> None:
    database = Database(url, NOTES)
    for use in (database.check, database.read().__enter__, database.write().__enter__):
        with pytest.raises(
            Unreachable, match=r"not supported: take sqlite:///relative\.db, sqlite://"
        ):
            use()


@pytest.mark.parametrize("url", [None, ""])
def test_a_file_stands_in_for_a_url_that_is_missing(tmp_path: Path, url: str | None) -> None:
    file = tmp_path / "made" / "with it" / "notes.sqlite3"
    with closing(Database(url, NOTES, file=str(file))) as notes:
        assert (notes.check(), file.parent.exists()) == (None, False)
        assert texts(notes) == ["built"]
        assert file.exists()


def test_a_url_comes_before_a_file(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    url = f"sqlite:///{tmp_path / 'notes.sqlite3'}"
    with closing(Database(url, NOTES, file=str(other))) as notes:
        assert texts(notes) == ["built"]
    assert [file.name for file in tmp_path.iterdir()] == ["notes.sqlite3"]


def test_a_url_may_name_a_driver_and_a_relative_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened("sqlite+pysqlite:///here.sqlite3") as notes:
        assert texts(notes) == ["built"]
    assert (tmp_path / "here.sqlite3").exists()


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/x?host={tmp_path}"
    with opened(url) as notes, pytest.raises(Unreachable), notes.read():
        pass


@pytest.mark.parametrize(
    "password", ["p50q%offq", "qpaq@qssq", "qs3q/qcretq", "qaq/qbq?qcq", "qxq%zzq", "qpq@1q:2q/qxq"]
)
def test_no_piece_of_a_password_is_shown(password: str) -> None:
    with opened(f"postgresql://bob:{password}@127.0.0.1:9/ex") as notes:
        for use in (notes.check, notes.read().__enter__):
            with pytest.raises(Unreachable, match="cannot be read as a URL") as raised:
                use()
            assert not any(part in str(raised.value) for part in re.split(r"\W", password) if part)


def test_a_password_that_is_escaped_is_read(tmp_path: Path) -> None:
    url = f"postgresql://bob:50%25%40%2Foff@/x?host={tmp_path}"
    with (
        opened(url) as notes,
        pytest.raises(Unreachable, match="No such file or directory Is the server") as raised,
    ):
        notes.check()
    assert "off" not in str(raised.value)


@pytest.mark.parametrize("wal", [False, True])
@pytest.mark.parametrize("change", ["removed", "folder removed", "replaced", "renamed"])
def test_a_file_that_has_gone_is_written_no_more(tmp_path: Path, wal: bool, change: str) -> None:
    file = tmp_path / "folder" / "notes.sqlite3"
    with opened(file, wal=wal) as notes:
        write(notes, 1)
        assert notes.own.execute("SELECT count(*) FROM notes").fetchone() == (2,)
        if change == "removed":
            file.unlink()
        elif change == "folder removed":
            shutil.rmtree(file.parent)
        elif change == "renamed":
            file.parent.rename(tmp_path / "elsewhere")
        else:
            with opened(tmp_path / "other.sqlite3") as other:
                write(other, 1)
            (tmp_path / "other.sqlite3").rename(file)
        how = "replaced by another file" if change == "replaced" else "removed"
        for use in (
            lambda: write(notes, 2),
            lambda: texts(notes),
            lambda: notes.own,
            notes.connection,
            notes.check,
        ):
            with pytest.raises(
                Unreachable, match=f"notes.sqlite3 has been {how} while it was open"
            ):
                use()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere/notes.sqlite3", "there is no folder nowhere"),
        ("folder", "unable to open database file: it is a folder"),
    ],
)
def test_a_file_that_cannot_be_opened_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with opened(f"sqlite:///{place}") as notes, pytest.raises(Unreachable) as raised, notes.read():
        pass
    assert raised.value.message.startswith(f"{place}: ")
    assert said in raised.value.message


def test_a_file_that_this_user_may_not_read_says_so_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.sqlite3"
    with opened(file) as notes:
        write(notes, 1)
    file.chmod(0)
    tmp_path.chmod(0o755)
    asked = "import warnings, sys\nwarnings.simplefilter('error')\nsys.unraisablehook = print"
    said = as_nobody(
        [Path(__file__).parent, Path(__file__).parents[1]],
        "from pathlib import Path\nfrom test_sql import opened, texts",
        f"{asked}\nwith opened(Path({str(file)!r})) as notes:\n    texts(notes)",
    )
    assert said.count("this user may not read it") == 1
    assert "Unraisable" not in said


def test_health_knows_what_a_user_of_the_server_may_do(server: str | None, url: str) -> None:
    if server is None:
        return
    guest = url.replace("postgres@", "guest@")
    with closing(psycopg2.connect(url)) as db, db, db.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS guest")
        cursor.execute("CREATE ROLE guest LOGIN")
    with opened(guest) as notes:
        assert notes.check() == (
            "the database's URL: this user may make no tables, or has no INSERT on 'notes'"
        )
        with opened(url) as made:
            write(made, 1)
        with closing(psycopg2.connect(url)) as db, db, db.cursor() as cursor:
            cursor.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO guest")
        assert texts(notes) == ["built", "x"]
        assert "no UPDATE on 'notes'" in str(notes.check())


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.delitem(sys.modules, "animus_routes.batteries._postgresql", raising=False)
    with (
        opened("postgresql://server/x") as notes,
        pytest.raises(Unreachable, match="needs the package psycopg2"),
        notes.read(),
    ):
        pass


def test_the_driver_waits_for_the_first_transaction(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from animus_routes.batteries.sql import Database, Layout
notes = Database("sqlite:///notes.sqlite3", Layout("notes", 1, "notes", lambda *_: None))
drivers = ("sqlite3", "psycopg2")
print([name for name in drivers if name in sys.modules])
with notes.read():
    print([name for name in drivers if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n['sqlite3']\n"
