"""One command makes an example, or what somebody writes after the quickstart, installable."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from example_host import EXAMPLES, ROOT

from animus_routes.host import Plugin, read_manifest

PLUGINS = [
    path.name
    for path in sorted(EXAMPLES.glob("*.py"))
    if "app.run()" in path.read_text("utf-8").replace("\n", "")
]


# What they are built on imports it by itself.
# What these import needs it, at least on older Pythons.
WITH_TYPING_EXTENSIONS = {"tools_custom.py", "transport_http.py"}


def command(page: str) -> str:
    """The command of a page that writes the file to install."""
    (found,) = re.findall(
        r"^\$ (animus-routes build .*)$", (ROOT / page).read_text("utf-8"), re.MULTILINE
    )
    return str(found)


def installed(folder: Path, line: str) -> Path:
    """What a host has after the command and an install: a copy of the file, in another folder."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", line], cwd=folder, env=environment, check=True, timeout=60)
    (file,) = (folder / "dist").glob("animus-*")
    assert os.access(file, os.X_OK)
    place = folder.parent / "installed"
    place.mkdir()
    return Path(shutil.copy(file, place))


@pytest.mark.parametrize("name", PLUGINS)
def test_an_example_is_installable_by_one_command(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.delenv(variable, raising=False)
    place = tmp_path / "with a space and 'quotes'"
    place.mkdir()
    shutil.copy(EXAMPLES / name, place)
    (place / name).chmod(0o644)
    there = read_manifest([sys.executable, str(place / name)])["name"]
    line = command("README.md").replace("hello.py", name)
    file = installed(place, line)
    assert file.name == there
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert read_manifest([str(file)], cwd=elsewhere)["name"] == file.name
    with Plugin.start([str(file)], cwd=elsewhere) as plugin:
        assert plugin.initialize()["plugin_info"]["name"] == file.name
        assert plugin.call("$/ping") == {}


def test_the_file_passes_on_its_arguments_and_needs_nothing_of_the_environment(
    tmp_path: Path,
) -> None:
    shutil.copy(EXAMPLES / "hello.py", tmp_path)
    inner = tmp_path / "folder"
    inner.mkdir()
    shutil.copy(EXAMPLES / "hello.py", inner)
    file = installed(inner, command("README.md"))
    for flag, code, told in (("--manifest", 0, '"name":'), ("--no such", 2, "'--no such'")):
        done = subprocess.run(
            [str(file), flag], env={}, capture_output=True, text=True, timeout=10, check=False
        )
        assert done.returncode == code
        assert told in done.stdout + done.stderr


def test_the_file_changes_with_the_program(tmp_path: Path) -> None:
    files: list[bytes] = []
    for version in ("0.1.0", "0.2.0"):
        folder = tmp_path / version / "source"
        folder.mkdir(parents=True)
        text = (EXAMPLES / "hello.py").read_text("utf-8").replace("0.1.0", version)
        (folder / "hello.py").write_text(text, "utf-8")
        files.append(installed(folder, command("README.md")).read_bytes())
    assert files[0] != files[1]


def test_both_pages_have_the_same_command() -> None:
    ours = command("README.md").replace("hello.py", "FILE")
    assert command("docs/quickstart.md").replace("tasks.py", "FILE") == ours


@pytest.mark.parametrize("name", [one for one in PLUGINS if one not in WITH_TYPING_EXTENSIONS])
def test_an_example_starts_without_what_msgspec_would_like_to_have(name: str) -> None:
    """It takes a tenth of the start, and is left out if animus_routes is the first to ask for msgspec."""
    told = f"import sys, {name.removesuffix('.py')}\nprint('typing_extensions' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=EXAMPLES, capture_output=True, timeout=30, check=True
    )
    assert done.stdout == b"False\n"
