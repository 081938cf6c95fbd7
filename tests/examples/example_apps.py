"""An example's app in this process, for tests of what it answers; see `example_host` for the rest."""

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from example_host import EXAMPLES

from animus_routes import App


@cache
def example(name: str) -> Any:
    """The module of an example, loaded once."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def example_app(name: str) -> App:
    app: App = example(name).app
    return app
