"""Plugins with a mistake in them, as an author would write them: one file, the mistake on top.

The numbers in the tests beside this are those of the list of mistakes that authors make.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from animus_routes import App

IMPORTS = """from typing import Annotated, Any
from animus_routes import App, Context, Depends, Router, RpcError
from animus_routes.structs.subject import Subject, SubjectFilter, SubjectList, SubjectPatch
"""
APP = 'app = App(kind="{kind}", name="mistaken", version="1.0.0", description="d"{more})\n'
HANDLERS = {
    "list": """
@app.method("subject/list")
def list_tasks(filter: SubjectFilter) -> list[Subject]:
    return [Subject(id="task:1", kind="task", title="t")]
""",
    "get": """
@app.method("subject/get")
def get_task(id: str) -> Subject:
    return Subject(id=id, kind="task", title="t")
""",
    "update": """
@app.method("subject/update")
def update_task(id: str, patch: SubjectPatch) -> Subject:
    return Subject(id=id, kind="task", title="t")
""",
}
RUN = """
if __name__ == "__main__":
    app.run()
"""
BOUND_S = 30


def subjects(given: str = "", *, without: str = "", app: str | None = None, run: str = RUN) -> str:
    """A subject backend with its required methods, but for one that is given."""
    made = APP.format(kind="subject_backend", more=', subject_kinds=["task"]')
    others = [text for verb, text in HANDLERS.items() if verb != without]
    return "".join([IMPORTS, app or made, given.lstrip("\n"), *others, run])


def custom(given: str = "", *, more: str = "", run: str = RUN) -> str:
    """A plugin of kind custom."""
    return IMPORTS + APP.format(kind="custom", more=more) + given.lstrip("\n") + run


def loaded(folder: Path, source: str) -> App:
    """The app of a file, `m.py`, which is not run."""
    path = folder / "m.py"
    path.write_text(source)
    spec = spec_from_file_location("mistaken_plugin", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    app: App = module.app
    return app


def animus_routes(
    folder: Path, *arguments: str, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """A command at a shell that has these variables beside PATH."""
    return subprocess.run(
        [sys.executable, "-m", "animus_routes", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env={"PATH": os.defpath, **env},
    )
