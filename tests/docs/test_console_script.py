"""The quickstart's package: after `pip install .` it has the file that a host installs."""

import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from doc_blocks import REPO, blocks

from animus_routes.host import Plugin, read_manifest

NAME = "animus-subject-tasks"
BOUND_S = 120


def newest_setuptools() -> bool:
    """pip's own environment for a build would have it from the index; 70.1 needs no other package."""
    try:
        major, minor, *_ = version("setuptools").split(".")
    except PackageNotFoundError:
        return False
    return (int(major), int(minor)) >= (70, 1)


def write_package(folder: Path) -> None:
    """The files of the page that a package is made of, as its blocks write them."""
    for block in blocks("docs/quickstart.md"):
        if block.file is not None and block.file["name"] in ("tasks.py", "pyproject.toml"):
            with (folder / block.file["name"]).open("a" if block.file["more"] else "w") as file:
                file.write(block.text)


def environment(folder: Path) -> Path:
    """The interpreter of a new environment that has what this one has."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=BOUND_S
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    known = [str(REPO), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (packages / "known.pth").write_text("\n".join(dict.fromkeys(known)))
    return folder / "bin" / "python"


@pytest.mark.skipif(not newest_setuptools(), reason="needs setuptools 70.1 to build a package")
def test_what_pip_installs_is_a_file_for_hosts(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    for folder in (source, elsewhere):
        folder.mkdir()
    write_package(source)
    python = environment(tmp_path / "environment")
    # The page's line is `pip install .`; the rest keeps it off the index.
    line = [sys.executable, "-m", "pip", "--python", str(python), "install", "."]
    line += ["--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(line, cwd=source, check=True, timeout=BOUND_S)
    script = python.with_name(NAME)
    file = Path(shutil.copy(script, elsewhere))
    shutil.rmtree(source)
    assert read_manifest([str(file)], cwd=elsewhere)["name"] == NAME
    with Plugin.start([str(file)], cwd=elsewhere) as plugin:
        assert plugin.initialize()["plugin_info"]["name"] == NAME
        assert plugin.call("$/ping") == {}
        assert plugin.call("task/create", {"title": "t"})["kind"] == "task"
