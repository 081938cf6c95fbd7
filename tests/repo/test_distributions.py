"""What is wrong with a wheel or an sdist is told before anybody installs it."""

import tarfile
import tomllib
import zipfile
from pathlib import Path

import distributions
from repo_files import REPO, files

import animus_routes

STEM = f"animus_routes-{animus_routes.__version__}"


def wheel(folder: Path, *names: str) -> Path:
    path = folder / f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def sdist(folder: Path, *names: str) -> Path:
    path = folder / f"{STEM}.tar.gz"
    (folder / "empty").touch()
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(folder / "empty", f"{STEM}/{name}")
    return path


def test_the_version_stands_in_the_package_alone() -> None:
    assert distributions.version() == animus_routes.__version__
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]


def test_a_wheel_has_the_package_and_its_licence_and_nothing_else(tmp_path: Path) -> None:
    licence = f"{STEM}.dist-info/licenses/LICENSE"
    assert distributions.of_wheel(wheel(tmp_path, *distributions.WHEEL_HAS, licence)) == []
    told = distributions.of_wheel(
        wheel(tmp_path, *distributions.WHEEL_HAS, "tests/x.py", "animus_routes/x.pyc")
    )
    assert told == [
        f"{STEM}-py3-none-any.whl has tests/x.py, which does not belong there",
        f"{STEM}-py3-none-any.whl has animus_routes/x.pyc, which does not belong there",
        f"{STEM}-py3-none-any.whl has no {licence}",
    ]


def test_an_sdist_has_what_the_next_person_builds_and_tests_with(tmp_path: Path) -> None:
    assert distributions.of_sdist(sdist(tmp_path, *distributions.SDIST_HAS)) == []
    assert distributions.of_sdist(
        sdist(tmp_path, *distributions.SDIST_HAS[1:], ".venv/bin/python")
    ) == [
        f"{STEM}.tar.gz has .venv/bin/python, which does not belong there",
        f"{STEM}.tar.gz has no {distributions.SDIST_HAS[0]}",
    ]
    assert set(distributions.SDIST_HAS) <= set(files())
