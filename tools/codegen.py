"""Writes the wire types of both families from ``schemas/``, and the names from the role tables.

``python tools/codegen.py`` writes ``animus_routes/types/``, ``animus_routes/structs/``,
``animus_routes/backends/``, ``animus_routes/compat/types/generated/`` and
``animus_routes/names.py``; ``--check`` writes nothing and fails,
naming every file that differs, is missing or is unexpected.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _codegen import backends, names, reader, shared
from _codegen.classic import Classic, classic
from _codegen.model import GenerationError
from _codegen.structs import Structs
from _codegen.types import Types
from _codegen.writing import module

if TYPE_CHECKING:
    from collections.abc import Callable

    from _codegen.model import Bundle
    from _codegen.writing import Family

ROOT = Path(__file__).resolve().parent.parent
FAMILIES: dict[str, Callable[[Bundle], Family]] = {
    "types": lambda _: Types(),
    "structs": Structs,
}
CLASSIC = "compat/types/generated"
TITLES = {"types": Types.title, "structs": Structs.title}


def generate() -> dict[Path, str]:
    """Every generated file and its content."""
    package = ROOT / "animus_routes"
    bundles = reader.read(ROOT / "schemas")
    written = {
        package / folder / f"{bundle.module}.py": module(bundle, family(bundle))
        for bundle in shared.apart(bundles)
        for folder, family in FAMILIES.items()
    }
    for bundle in classic(bundles):
        written[package / CLASSIC / f"{bundle.module}.py"] = module(bundle, Classic())
    written[package / "names.py"] = names.module()
    for folder, title in TITLES.items():
        written[package / "backends" / f"{folder}.py"] = backends.module(folder, title)
    return written


def present() -> set[Path]:
    """Every file that stands where generated ones do."""
    folders = [ROOT / "animus_routes" / folder for folder in (*FAMILIES, "backends", CLASSIC)]
    found = {path for folder in folders for path in folder.glob("[a-z]*.py")}
    return found | {*(ROOT / "animus_routes").glob("names.py")}


def differences(wanted: dict[Path, str]) -> list[str]:
    """What stands in the way of the tree being what the schemas say."""
    found = present()
    lines = [f"missing: {path.relative_to(ROOT)}" for path in wanted.keys() - found]
    lines += [f"unexpected: {path.relative_to(ROOT)}" for path in found - wanted.keys()]
    for path in wanted.keys() & found:
        if path.read_text("utf-8") != wanted[path]:
            lines.append(f"differs: {path.relative_to(ROOT)}")
    return sorted(lines)


def main(argv: list[str]) -> int:
    """Runs the generator; the exit code is 1 if ``--check`` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, report drift")
    check: bool = parser.parse_args(argv).check
    try:
        wanted = generate()
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 1
    if check:
        lines = differences(wanted)
        print("\n".join(lines) if lines else f"{len(wanted)} files are up to date", file=sys.stderr)
        return 1 if lines else 0
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    for path in present() - wanted.keys():
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
