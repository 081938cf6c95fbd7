"""The protocol's wire types as msgspec Structs: quick to load and to run; unknown keys are dropped.

One module per protocol crate, loaded when first asked for; ``animus_routes.types`` has the same
names as pydantic models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import animus_routes._lean  # noqa: F401  # pyright: ignore[reportUnusedImport]

if TYPE_CHECKING:
    from types import ModuleType

    from animus_routes.structs import (
        application,
        channel,
        config,
        durable_store,
        environment,
        execution,
        log_storage,
        memory_store,
        notifier,
        plugin,
        provider,
        queue,
        subject,
        transport,
        trigger,
        workflow_journal,
        workflow_runner,
    )

__all__ = [
    "application",
    "channel",
    "config",
    "durable_store",
    "environment",
    "execution",
    "log_storage",
    "memory_store",
    "notifier",
    "plugin",
    "provider",
    "queue",
    "subject",
    "transport",
    "trigger",
    "workflow_journal",
    "workflow_runner",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
