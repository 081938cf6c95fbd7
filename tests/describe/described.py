"""Apps to describe: every example, loaded once in this process."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from animus_routes import App

REPO = Path(__file__).resolve().parents[2]
EXAMPLES = [
    path
    for path in sorted((REPO / "examples").glob("*.py"))
    if "app = App(" in path.read_text("utf-8")
]
NAMES = [path.stem for path in EXAMPLES]


def loaded(path: Path, name: str) -> Any:
    """A file as a module."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@cache
def example(name: str) -> App:
    """The app of an example."""
    found: App = loaded(REPO / "examples" / f"{name}.py", f"described_{name}").app
    return found
