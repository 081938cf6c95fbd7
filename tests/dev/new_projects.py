"""New projects for the tests: every kind, in one family of types or in both."""

import os
from pathlib import Path

from animus_routes.dev.new import Project, plan, write
from animus_routes.roles import KINDS

ALL = bool(os.environ.get("ANIMUS_NEW_ALL"))
"""All that `make new-projects` tries: every kind in both families, and all of them together."""
FAMILIES = ("structs", "types")
EVERY = "every"


def wanted() -> list[tuple[str, str]]:
    """Kinds, and the families in which they are made: both of them, or one after the other."""
    names = [*KINDS, EVERY]
    if ALL:
        return [(name, family) for name in names for family in FAMILIES]
    return [(name, FAMILIES[place % 2]) for place, name in enumerate(names)]


def made(kind: str, family: str, folder: Path) -> Project:
    """One project, written; `every` kind is all of them in one."""
    kinds = [*KINDS] if kind == EVERY else [kind]
    name = f"new-{kind}-{family}".replace("_", "-")
    has_subjects = kind in {EVERY, "subject_backend"}
    subject_kinds = ["task", "bug"] if has_subjects else []
    project = plan(kinds, name, family=family, subject_kinds=subject_kinds, out=folder / name)
    write(project)
    return project
