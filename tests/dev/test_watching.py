"""Which files a plugin is made of."""

import os
import threading
from pathlib import Path

import pytest

from animus_routes.dev.watching import changes, of_command, of_python


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def names(folder: Path, found: dict[str, tuple[int, int, int]]) -> set[str]:
    return {os.path.relpath(name, folder) for name in found}


def test_an_apps_sources_are_beside_its_file(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "helper.py", "sub/deep.py", "notes.json", "app.pyc", "data.sqlite3")
    made(tmp_path, ".venv/x.py", "env/pyvenv.cfg", "env/lib/x.py", "node_modules/x.py")
    made(tmp_path, "__pycache__/x.py", ".git/x.py", "sub/site-packages/x.py")
    found = of_python(tmp_path / "app.py").snapshot()
    assert names(tmp_path, found) == {"app.py", "helper.py", "sub/deep.py"}


def test_a_package_is_watched_as_a_whole(tmp_path: Path) -> None:
    made(tmp_path, "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/app.py", "other.py")
    found = of_python(tmp_path / "pkg" / "sub" / "app.py").snapshot()
    assert names(tmp_path, found) == {"pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/app.py"}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["plugin.js"], {"plugin.js", "lib/x.js"}),
        (["runner", "plugin.js", "--debug"], {"plugin.js", "lib/x.js"}),
        (["compiled"], {"compiled"}),
    ],
)
def test_a_command_is_made_of_the_files_that_it_names(
    tmp_path: Path, command: list[str], expected: set[str]
) -> None:
    made(tmp_path, "plugin.js", "lib/x.js", "runner", "compiled", "x.py")
    words = [str(tmp_path / w) if (tmp_path / w).exists() else w for w in command]
    assert names(tmp_path, of_command(words).snapshot()) == expected


def test_more_can_be_named(tmp_path: Path) -> None:
    made(tmp_path, "app.py", "conf/a.yaml", "conf/state.db", "conf/x.sqlite3-wal", "one.txt")
    watched = of_python(tmp_path / "app.py").also([tmp_path / "conf", tmp_path / "one.txt"])
    assert names(tmp_path, watched.snapshot()) == {"app.py", "conf/a.yaml", "one.txt"}


def test_changes_are_what_was_made_changed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path, "app.py", "a.py", "b.py", "same.py")
    watched = of_python(tmp_path / "app.py")
    before = watched.snapshot()
    (tmp_path / "a.py").write_text("longer")
    (tmp_path / "b.py").unlink()
    made(tmp_path, "c.py", "d.txt")
    assert changes(before, watched.snapshot()) == ["a.py", "b.py", "c.py"]


def test_what_is_written_without_a_pause_does_not_keep_files_from_being_looked_at(
    tmp_path: Path,
) -> None:
    made(tmp_path, "app.py", "notes")
    asked, done = threading.Semaphore(0), threading.Event()

    def write() -> None:
        while not done.wait(0.02):
            made(tmp_path, "notes")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        of_python(tmp_path / "app.py").watch(asked.release)
        assert all(asked.acquire(timeout=30) for _ in range(2)), "now and then"
    finally:
        done.set()
        writer.join()
