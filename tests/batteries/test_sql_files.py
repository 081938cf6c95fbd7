import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from notes_store import NOTES, journal_of, opened, texts, write
from read_only_folders import as_nobody, read_only

from animus_routes.batteries.sql import Busy, Database, Layout, Unreachable
from animus_routes.batteries.sqlite import SQLite, turn

pytest_plugins = ["database_fixtures", "sql_fixtures"]


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
        "import animus_routes.batteries.sqlite\nfrom pathlib import Path\nfrom notes_store import opened, texts",
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


def test_a_write_that_waited_for_its_turn_looks_again(tmp_path: Path) -> None:
    file, other = tmp_path / "notes.sqlite3", tmp_path / "other.sqlite3"
    for one in (file, other):
        with opened(one, wal=True) as made:
            write(made, 1)

    def replace() -> None:
        other.replace(file)
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)

    def held() -> sqlite3.Connection:
        db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        db.execute("BEGIN IMMEDIATE")
        return db

    with opened(file) as notes, closing(held()) as db:

        def let_go(_connection: sqlite3.Connection) -> None:
            replace()
            db.execute("ROLLBACK")

        notes._prepared = let_go  # when it has looked, and before it has its turn
        with pytest.raises(Unreachable, match="has been replaced by another file"):
            write(notes, 3)


def test_a_connection_that_did_not_get_its_turn_is_known(tmp_path: Path) -> None:
    file, other = tmp_path / "notes.sqlite3", tmp_path / "other.sqlite3"
    for one in (file, other):
        with opened(one, wal=True) as made:
            write(made, 1)
    with opened(file, wait_s=0.1) as notes:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(Busy):
                write(notes, 2)
        other.replace(file)
        with pytest.raises(Unreachable, match="has been replaced by another file"):
            write(notes, 3)


def test_after_its_close_a_database_is_looked_at_anew(tmp_path: Path) -> None:
    file = tmp_path / "notes.sqlite3"
    with opened(file) as notes:
        write(notes, 1)
        notes.close()
        file.unlink()
        assert texts(notes) == ["built"]


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


def test_a_folder_that_this_user_may_not_enter_holds_no_empty_store(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    with opened(folder / "notes.sqlite3") as notes:
        write(notes, 1)
    folder.chmod(0)
    tmp_path.chmod(0o755)
    said = as_nobody(
        [Path(__file__).parent, Path(__file__).parents[1]],
        "from pathlib import Path\nfrom notes_store import opened, texts",
        f"with opened(Path({str(folder / 'notes.sqlite3')!r})) as notes:\n    print(notes.check())",
    )
    assert said.endswith(f"{folder / 'notes.sqlite3'}: Permission denied (-32603)\n")


def test_a_file_that_this_user_may_not_read_says_so_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.sqlite3"
    with opened(file) as notes:
        write(notes, 1)
    file.chmod(0)
    tmp_path.chmod(0o755)
    asked = "import warnings, sys\nwarnings.simplefilter('error')\nsys.unraisablehook = print"
    said = as_nobody(
        [Path(__file__).parent, Path(__file__).parents[1]],
        "from pathlib import Path\nfrom notes_store import opened, texts",
        f"{asked}\nwith opened(Path({str(file)!r})) as notes:\n    texts(notes)",
    )
    assert said.count("this user may not read it") == 1
    assert "Unraisable" not in said
