"""A tool that makes one program of a plugin finds by its imports whatever may be loaded by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import pytest

import animus_routes

BOUND_S = 30
PACKAGE = Path(animus_routes.__file__).parent
# Only for type checkers; each plugin asks for its own; what leads the tools, and pytest.
LEFT_OUT = (
    "names",
    "backends",
    "batteries",
    "types",
    "compat",
    "testing",
    "build",
    "cli.build",
    "cli.install",
    "cli.schema",
    "dev",
    "inspector",
    "cli.candidates",
    "cli.completion",
    "cli.dev",
    "cli.inspect",
    "cli.new",
    "cli.record",
    "cli.replay",
    "cli.shell",
    "cli.variables",
    "describe.named_errors",
    "describe.classes",
    "describe.literal",
    "describe.openrpc",
    "describe.static_manifest",
    "conformance",
    "cli.check",
    "describe.explaining",
    "cli.explain",
    "pytest_plugin",
    "__main__",
)


def modules(*rooms: str) -> set[str]:
    """The names of the package's modules, below these rooms if some are given."""
    found = {
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for file in PACKAGE.rglob("*.py")
    }
    wanted = tuple(f"animus_routes.{room}" for room in rooms)
    return {name for name in found if not rooms or name.startswith(wanted)}


def followed(program: Path) -> set[str]:
    """What reading the imports of a program leads to, as tools do that freeze programs."""
    finder = ModuleFinder(
        [str(program.parent), str(PACKAGE.parent)], excludes=["pydantic", "pytest", "msgspec"]
    )
    finder.run_script(str(program))
    return set(finder.modules)


@pytest.mark.parametrize(
    ("imported", "wanted"),
    [
        ("from animus_routes import App", modules() - modules(*LEFT_OUT)),
        ("from animus_routes.compat import define_plugin", modules("compat")),
        ("import animus_routes.types", modules("types")),
    ],
)
def test_every_module_is_found_by_its_import(
    tmp_path: Path, imported: str, wanted: set[str]
) -> None:
    program = tmp_path / "plugin.py"
    program.write_text(f"{imported}\n")
    assert wanted - followed(program) == set()
    assert len(wanted) > 10


RUNNER = """
import sys
from animus_routes import App

sys.frozen = True
app = App(kind="workflow_runner", name="animus-runner-frozen", version="1.0.0", description="d")


@app.method("workflow/execute")
def execute(params: dict) -> dict:
    return {"workflow_id": "w", "success": True}


@app.method("workflow/run_phase")
def run_phase(params: dict) -> None:
    return None


sys.executable = sys.argv[0]
app.run()
"""


def test_a_frozen_runner_starts_itself_to_execute(tmp_path: Path) -> None:
    """The program is its own interpreter: a file of that shape stands for one here."""
    program = tmp_path / "runner"
    program.write_text(f"#!{sys.executable}{RUNNER}")
    program.chmod(0o700)
    done: Any = subprocess.run(
        [str(program), "execute", "--task-id", "t", "--project-root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env={"PATH": os.defpath},
    )
    assert json.loads(done.stdout)["success"], done.stderr
