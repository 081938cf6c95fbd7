"""Packages whose names are loaded when they are asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def loader(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], object]:
    """A package's `__getattr__`.

    Args:
        package: Its name.
        homes: The names that each of its modules has; a module may also be asked for itself.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> object:
        if name in home_of:
            module = __import__(f"{package}.{home_of[name]}", fromlist=[name])
            value: object = getattr(module, name)
        elif name in homes:
            value = __import__(f"{package}.{name}", fromlist=[name])
        else:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        setattr(sys.modules[package], name, value)
        return value

    return load
