"""`dependency_overrides` of a test client: what is no dependency of the app is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from animus_routes.errors import ConfigurationError, unknown
from animus_routes.handlers.depends import SETTINGS
from animus_routes.handlers.signature import analyse, name_of, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animus_routes.handlers.depends import Dependency
    from animus_routes.routing.declaration import Declaration

Function = Callable[..., Any]


class Overrides(MutableMapping[Function, Function]):
    """An app's `dependency_overrides`, with a look at what goes in."""

    def __init__(self, app: Declaration) -> None:
        self._app = app
        self._given = app.dependency_overrides

    def check(self) -> None:
        """Look at all of them.

        Raises:
            ConfigurationError: Something there replaces nothing.
        """
        for function, replacement in self._given.items():
            self._look(function, replacement)

    def __setitem__(self, function: Function, replacement: Function) -> None:
        self._look(function, replacement)
        self._given[function] = replacement

    def __getitem__(self, function: Function) -> Function:
        return self._given[function]

    def __delitem__(self, function: Function) -> None:
        del self._given[function]

    def __iter__(self) -> Iterator[Function]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def _look(self, function: object, replacement: object) -> None:
        if not any(function == found for found in (*self._named(), *self._standing_in())):
            known = dict.fromkeys(map(name_of, self._named()))
            said = unknown("dependency", name_of(function), known)
            names = ", ".join(f"'{name}'" for name in known) or "none"
            raise ConfigurationError(
                [f"dependency_overrides: {said}; Depends(...) of this app names {names}"]
            )
        if not callable(replacement):
            kind = type(replacement).__name__
            said = f"'{name_of(function)}' is replaced by a {kind}: give a function that returns it"
            raise ConfigurationError([f"dependency_overrides: {said}"])

    def _named(self) -> Iterator[Function]:
        """What `Depends` names in the app."""
        app = self._app
        hooks = [*app.initialize_hooks, *([app.health_check] if app.health_check else ())]
        handlers = [app.registry.signature(found) for found in app.registry.handlers.values()]
        for signature in (*handlers, *map(analyse, hooks)):
            yield from _functions(signature.dependencies.values())

    def _standing_in(self) -> Iterator[Function]:
        """What replaces something so far, and what that depends on."""
        stand_ins = [found for found in self._given.values() if callable(found)]
        yield from _functions(resolve(found, []) for found in stand_ins)


def _functions(dependencies: Iterable[Dependency]) -> Iterator[Function]:
    for dependency in dependencies:
        if dependency.name == SETTINGS:
            continue  # a client is given those by itself
        yield dependency.function
        yield from _functions(dependency.dependencies.values())
