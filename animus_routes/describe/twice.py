"""A file that has run twice under two names: handlers that went to the other app.

Imported where more than one app or router was made.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from animus_routes.describe.static import hands_on
from animus_routes.handlers.signature import location
from animus_routes.routing.router import Registration, routers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.routing.router import Router

ADVICE = "keep it in a module of its own, and import it from there under one name"


def lost(app: Router, routers: list[Router]) -> Iterator[str]:
    """What an app does not serve because it was registered with a twin of it, or of its routers."""
    groups: dict[tuple[str, int], list[Router]] = {}
    for router in routers:
        if _is_loaded(router):
            file, line = router.written.file, router.written.line
            groups.setdefault((os.path.realpath(file), line), []).append(router)
    for (file, line), group in groups.items():
        modules = list(dict.fromkeys(router.written.module for router in group))
        if len(modules) < 2:
            continue
        for router in group:
            kept = set(_shown(app))
            for other in group:
                if other.written.module != router.written.module:
                    kept |= set(_shown(other))
            missing = [what for what in _shown(router) if what not in kept]
            if router is not app and missing:
                names = " and again as ".join(f"`{module}`" for module in modules)
                yield (
                    f"{file}:{line}: this {type(router).__name__} was made twice, because its file "
                    f"ran as {names}; the one that is served lacks {', '.join(missing)}: {ADVICE}"
                )


def left_out(app: Router) -> list[Router]:
    """Routers with handlers that no app includes, where this app is the only one that could."""
    made = [router for router in routers() if _is_loaded(router)]
    if any(router is not app and hasattr(router, "kinds") for router in made):
        return []
    return [r for r in made if r is not app and r.registrations and not r.is_included]


def forgotten(app: Router) -> list[Router]:
    """Those of them that the app's own module makes or imports, by name or with their module.

    A module that has another router which is included may have some for other plugins, too, and one
    that the program gives to something is included on another day, or by a function.
    """
    module = sys.modules.get(app.written.module)
    named = list(vars(module).values()) if module is not None and _is_loaded(app) else []
    spaces = {id(vars(value)) for value in named if type(value) is ModuleType}
    spaces -= {router.written.namespace for router in routers() if router.is_included}
    spaces.add(app.written.namespace)
    found = left_out(app)
    found = [r for r in found if r.written.namespace in spaces or any(r is v for v in named)]
    return [r for r in found if not _is_handed_on(r, app)]


def _is_handed_on(router: Router, app: Router) -> bool:
    modules = [sys.modules.get(one.written.module) for one in (router, app)]
    spaces = [vars(module) for module in modules if module is not None]
    names = {name for space in spaces for name, value in space.items() if value is router}
    return any(hands_on(_text(file), names) for file in {router.written.file, app.written.file})


def _text(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError):
        return b""


def _is_loaded(router: Router) -> bool:
    """Is the module that it was made in still the one of that name?"""
    module = sys.modules.get(router.written.module)
    return module is not None and id(vars(module)) == router.written.namespace


def _shown(router: Router) -> list[str]:
    """What was registered, and where."""
    found: list[str] = []
    for item in router.collected():
        value: Any = item.value
        if isinstance(value, Registration):
            found.append(f"'{value.name}' ({value.where})")
        elif callable(value):
            found.append(f"@{item.called}.{item.what} ({location(value)})")
    return found
