import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from notes_store import NOTES, opened, texts, write

from animus_routes.batteries.sql import Database, Unreachable

pytest_plugins = ["database_fixtures", "sql_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


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
    "password",
    [
        "p50q%offq",
        "qpaq@qssq",
        "qs3q/qcretq",
        "qaq/qbq?qcq",
        "qxq%zzq",
        "qpq@1q:2q/qxq",
        "12/qsec?sslmode=qretq",
    ],
)
def test_no_piece_of_a_password_is_shown(password: str) -> None:
    with opened(f"postgresql://bob:{password}@127.0.0.1:9/ex") as notes:
        for use in (notes.check, notes.read().__enter__):
            with pytest.raises(Unreachable, match="cannot be read as a URL") as raised:
                use()
            assert not any(part in str(raised.value) for part in re.split(r"\W", password) if part)


def test_a_part_of_a_url_that_the_driver_does_not_take_is_no_bug(tmp_path: Path) -> None:
    url = f"postgresql://bob@/x?host={tmp_path}&connect_timeout=soon"
    with opened(url) as notes, pytest.raises(Unreachable):
        notes.check()


def test_a_password_that_is_escaped_is_read(tmp_path: Path) -> None:
    url = f"postgresql://bob:50%25%40%2Foff@/x?host={tmp_path}"
    with (
        opened(url) as notes,
        pytest.raises(Unreachable, match="No such file or directory Is the server") as raised,
    ):
        notes.check()
    assert "off" not in str(raised.value)


def test_health_knows_what_a_user_of_the_server_may_do(database: str | None, url: str) -> None:
    if database is None:
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
