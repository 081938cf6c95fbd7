"""Imports msgspec without modules that it hardly uses, which cost it a third of its start-up.

- `typing_extensions`: msgspec takes the same names from `typing` where it is missing, and since
  Python 3.11 the two agree on everything msgspec asks for.
- `msgspec.inspect`, which makes thirty classes: the module is imported once it is used.
- `textwrap`, for the docstrings of JSON schemas; the same.
- `platform`, of which `uuid` asks for the system's name, up to Python 3.12; the same.

What a program has imported by itself before is left as it is. What an import makes is no garbage, so
the collector does not look at it meanwhile, and has it among what is old afterwards.
"""

import gc
import os
import sys
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands in for a module where it is imported, and is that module where it is used."""

    def __getattr__(self, name: str) -> Any:
        __import__(self.__name__)
        return getattr(sys.modules[self.__name__], name)


if "msgspec" not in sys.modules and "typing_extensions" not in sys.modules:
    _standing: dict[str, Any] = {"typing_extensions": None}
    _standing |= {
        name: _Later(name)
        for name in ("msgspec.inspect", "platform", "textwrap")
        if name not in sys.modules
    }
    if "platform" in _standing:
        _standing["platform"].system = lambda: os.uname().sysname
    sys.modules.update(_standing)
    _collects = gc.isenabled()
    gc.disable()
    try:
        import msgspec  # noqa: F401  # pyright: ignore[reportUnusedImport]
    finally:
        for _name in _standing:
            del sys.modules[_name]
        if not gc.get_freeze_count():  # what somebody has frozen stays so
            gc.freeze()
            gc.unfreeze()
        if _collects:
            gc.enable()
