"""`install` builds and calls the host's command; `--check` checks what was built."""

from __future__ import annotations

import os
from pathlib import Path

from building import NAME, app_with, command

# As much of a host as an install needs: it takes an executable file, and copies it.
HOST = """#!/bin/sh
[ "$1 $2 $3" = "plugin install --path" ] && [ -x "$4" ] && "$4" --manifest >/dev/null || exit 3
[ "$5" = --force ] || [ ! -e "$HOME/installed" ] || exit 4
cp "$4" "$HOME/installed"
"""


def environment(home: Path, *, host: bool = True) -> dict[str, str]:
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    if host:
        (folder / "animus").write_text(HOST)
        (folder / "animus").chmod(0o755)
    return {"PATH": f"{folder}:{os.defpath}", "HOME": str(home)}


def test_the_hosts_own_command_installs_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(app_with())
    file = tmp_path / "dist" / NAME
    done = command(tmp_path, "install", "tasks.py", env=environment(tmp_path))
    assert f"running: animus plugin install --path {file}\n" in done.stderr
    assert done.returncode == 0
    assert (tmp_path / "installed").read_bytes() == file.read_bytes()
    assert command(tmp_path, "install", "tasks.py", env=environment(tmp_path)).returncode == 4
    forced = ("--force", "--out", f"../{tmp_path.name}/dist")
    done = command(tmp_path, "install", "tasks.py", *forced, env=environment(tmp_path))
    assert f"--path {file} --force\n" in done.stderr
    assert done.returncode == 0


def test_without_a_host_it_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(app_with().replace(NAME, "animus-provider-claude"))
    done = command(tmp_path, "install", "tasks.py", env=environment(tmp_path, host=False))
    file = tmp_path / "dist" / "animus-provider-claude"
    assert f"animus plugin install --path {file} --allow-shadow-builtin\n" in done.stderr
    assert done.returncode == 1


def test_what_is_built_is_checked(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(app_with())
    done = command(tmp_path, "build", "tasks.py", "--bundle", "--check", "--out", ".")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / NAME}\n"
    assert "PASS" in done.stderr
    assert "in HOME" not in done.stderr  # a bundle unpacks itself into a cache
    wrong = app_with().replace("return [Subject(", "raise OSError('down')\n    return [Subject(")
    (tmp_path / "tasks.py").write_text(wrong)
    done = command(tmp_path, "build", "tasks.py", "--check", "--out", ".")
    assert (done.returncode, done.stdout) == (1, "")
    assert "FAIL" in done.stderr


def test_an_archive_has_no_lines(tmp_path: Path) -> None:
    """What it is made of by chance is not taken for the ends of the lines before it."""
    (tmp_path / "tasks.py").write_text(app_with())
    assert command(tmp_path, "build", "tasks.py", "--out", ".").returncode == 0
    file = tmp_path / NAME
    for more, code in ((b"PK\3\4\x14\0 \r\n", 0), (b"exit\r\n", 1)):
        file.write_bytes(file.read_bytes() + more)
        done = command(tmp_path, "check", str(file), "-k", "form.first-line")
        assert done.returncode == code, done.stdout + done.stderr
        file.write_bytes(file.read_bytes().removesuffix(more))
