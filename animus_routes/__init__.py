"""Write Animus plugins by decorating plain functions.

Each name is loaded when it is first used, so a plugin pays at start only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from msgspec import UNSET, UnsetType

    from animus_routes.app import App
    from animus_routes.errors import (
        Cancelled,
        ConfigurationError,
        InvalidRequest,
        NotFound,
        NotSupported,
        PermissionDenied,
        QuotaExceeded,
        RpcError,
        Timeout,
        Unavailable,
    )
    from animus_routes.handlers.context import Context
    from animus_routes.handlers.depends import Depends
    from animus_routes.handlers.settings import Env
    from animus_routes.routing.router import Router

__all__ = [
    "UNSET",
    "App",
    "Cancelled",
    "ConfigurationError",
    "Context",
    "Depends",
    "Env",
    "InvalidRequest",
    "NotFound",
    "NotSupported",
    "PermissionDenied",
    "QuotaExceeded",
    "Router",
    "RpcError",
    "Timeout",
    "Unavailable",
    "UnsetType",
]

_HOMES = {
    "App": "app",
    "Context": "handlers.context",
    "Depends": "handlers.depends",
    "Env": "handlers.settings",
    "Router": "routing.router",
    "UNSET": "",
    "UnsetType": "",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'animus_routes' has no attribute '{name}'")
    if name == "App":
        import gc
        import sys

        frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        was_on = gc.isenabled()
        gc.disable()  # until it is known whether the program is held back until it serves
        try:
            from animus_routes.engine.program import claim_for_program

            claim_for_program(frame)
        finally:
            if was_on:
                gc.enable()
    home = _HOMES.get(name, "errors")
    if not home:
        import animus_routes._lean  # noqa: F401  # pyright: ignore[reportUnusedImport]
    module = __import__(f"animus_routes.{home}" if home else "msgspec", fromlist=[name])
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def _for_tools_that_freeze() -> None:  # pyright: ignore[reportUnusedFunction]
    """Never called: it leads tools that follow imports to what is imported by name."""
    import animus_routes._frozen  # noqa: F401  # pyright: ignore[reportUnusedImport]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
