"""Builds wheel and sdist, checks them, and tries each as a user would.

`python tools/distributions.py [FOLDER]` leaves both in FOLDER, `dist/` unless it is given. It fails if their
metadata is not what an index takes, if they have too much or too little in them, or if README's first
plugin does not run in a fresh environment that has nothing but one of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "docs"))

from doc_blocks import Page, blocks  # noqa: E402 - README's blocks, as the tests run them

BOUND_S = 600.0
WHEEL_HAS = (
    "animus_routes/py.typed",
    "animus_routes/cli/__init__.py",
    "animus_routes/inspector/static/index.html",
    "animus_routes/inspector/static/main.js",
)
SDIST_HAS = (
    "animus_routes/py.typed",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs/quickstart.md",
    "examples/hello.py",
    "pyproject.toml",
    "schemas/SHA256SUMS",
    "tests/docs/doc_blocks.py",
    "tools/distributions.py",
)
NEVER = re.compile(r"(^|/)(__pycache__|\.venv|\.git|[^/]+\.py[co])(/|$)")


def main(arguments: list[str]) -> int:
    """Build, check and try; the exit code is 1 if something is wrong."""
    target = Path(arguments[0] if arguments else ROOT / "dist").resolve()
    wheel, sdist = build(target)
    wrong = [*of_wheel(wheel), *of_sdist(sdist)]
    _run([sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)])
    for found in (wheel, sdist):
        try_out(found)
        print(f"{found.name}: README's first plugin runs", file=sys.stderr)
    print("\n".join([*wrong, f"{wheel}\n{sdist}"]))
    return 1 if wrong else 0


def version() -> str:
    """The version, which stands in the package alone."""
    text = (ROOT / "animus_routes" / "__init__.py").read_text("utf-8")
    (found,) = re.findall(r'^__version__.*= "(.+)"$', text, re.MULTILINE)
    return str(found)


def build(target: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is made of it."""
    for old in target.glob("animus_routes-*"):
        old.unlink()
    _run([sys.executable, "-m", "build", "--outdir", str(target), str(ROOT)])
    stem = f"animus_routes-{version()}"
    return target / f"{stem}-py3-none-any.whl", target / f"{stem}.tar.gz"


def of_wheel(wheel: Path) -> list[str]:
    """What is wrong with what the wheel has in it."""
    names = zipfile.ZipFile(wheel).namelist()
    own = f"animus_routes-{version()}.dist-info/"
    strange = [n for n in names if not n.startswith(("animus_routes/", own)) or NEVER.search(n)]
    missing = [n for n in (*WHEEL_HAS, f"{own}licenses/LICENSE") if n not in names]
    return _told(wheel, strange, missing)


def of_sdist(sdist: Path) -> list[str]:
    """What is wrong with what the sdist has in it."""
    with tarfile.open(sdist) as archive:
        names = [n.partition("/")[2] for n in archive.getnames()]
    return _told(
        sdist, [n for n in names if NEVER.search(n)], [n for n in SDIST_HAS if n not in names]
    )


def _told(file: Path, strange: list[str], missing: list[str]) -> list[str]:
    found = [f"{file.name} has {name}, which does not belong there" for name in strange]
    return found + [f"{file.name} has no {name}" for name in missing]


def try_out(found: Path) -> None:
    """Install it into a fresh environment, and run README's first plugin and its call there.

    Raises:
        WrongBlockError: README shows something else than what happens.
        subprocess.CalledProcessError: It cannot be installed.
    """
    with tempfile.TemporaryDirectory() as place:
        environment, folder = Path(place) / "venv", Path(place) / "plugin"
        folder.mkdir()
        venv.create(environment, with_pip=True)
        binaries = environment / "bin"
        pip = [str(binaries / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, "--disable-pip-version-check", str(found)])
        page = Page(folder)
        page.environment["PATH"] = os.pathsep.join([str(binaries), os.environ["PATH"]])
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            page.environment.pop(name, None)
        hello, call = list(blocks("README.md"))[:2]
        page.run(hello, call)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=BOUND_S, cwd=ROOT, stdout=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
