"""The files of a new project."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from animus_routes import __version__
from animus_routes.dev.new.imports import free_names, imports
from animus_routes.dev.new.plugin import put_together, source, types

if TYPE_CHECKING:
    from animus_routes.dev.new.project import Project

PARTS: Final = Path(__file__).parent / "parts"
# Where each part goes; the tests are put together from the kinds.
PLACES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "ci.yml": ".github/workflows/ci.yml",
}


def files(project: Project) -> dict[str, str]:
    """Every file of the project: its path in the project's folder, and its text."""
    words = _words(project)
    found = {place: _part(part, words) for part, place in PLACES.items()}
    found[f"{project.module}.py"] = source(project)
    found[f"tests/test_{project.module}.py"] = _tests(project, words)
    return dict(sorted(found.items()))


def write(project: Project) -> list[Path]:
    """Write the project; its files, in order. Of a project that cannot be written, nothing is left.

    Raises:
        OSError: One of its files cannot be written, or is there by now.
    """
    made: list[Path] = []
    try:
        for place, text in files(project).items():
            path = project.folder / place
            made += _folders(path.parent)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
    except BaseException:
        for path in reversed(made):
            with suppress(OSError):  # somebody else has put something there
                path.rmdir() if path.is_dir() else path.unlink()
        raise
    return [path for path in made if not path.is_dir()]


def _folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; the ones that were not there, from above."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _part(name: str, words: dict[str, str]) -> str:
    return Template((PARTS / f"{name}.txt").read_text("utf-8")).substitute(words)


def _words(project: Project) -> dict[str, str]:
    """What differs from project to project."""
    kinds = [kind.role.kind for kind in project.kinds]
    rows = [(row.name, written.does) for kind in project.kinds for row, written in kind.rows()]
    major, minor, *_ = __version__.split(".")
    return {
        "plugin": project.plugin,
        "module": project.module,
        "kinds": f"kind{'s' * (len(kinds) > 1)} {' and '.join(f'`{kind}`' for kind in kinds)}",
        "primary": kinds[0],
        "about": project.about,
        "served": _served(rows),
        "notes": "".join(f"\n{kind.note}\n" for kind in project.kinds if kind.note),
        "atleast": __version__,
        "below": f"{int(major) + 1}" if int(major) else f"0.{int(minor) + 1}",
    }


def _served(rows: list[tuple[str, str]]) -> str:
    """A table of the methods; a plugin whose methods are its author's alone has none."""
    if not rows:
        return "What its author likes: `animus-routes routes` shows it.\n"
    lines = ["| method | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {does} |" for name, does in rows]
    return "\n".join(lines) + "\n"


def _tests(project: Project, words: dict[str, str]) -> str:
    """The tests of every kind, behind the fixture that they share."""
    own = [kind.tests for kind in project.kinds if kind.tests]
    body = "\n\n\n".join([_part("tests.py", words).strip("\n"), *own])
    constants = ""
    if "SUBJECT_KIND" in free_names(body):
        constants = f'SUBJECT_KIND = "{project.subject_kinds[0]}"\n'
    body = f"{constants}{body}"
    head = f'"""What {project.plugin} does, in process and as a host starts it."""'
    return put_together(head, imports(body, types(project), {"app": project.module}), body)
