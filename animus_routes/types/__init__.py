"""The protocol's wire types as pydantic models: they validate, and keep unknown keys.

One module per protocol crate, loaded when first asked for; ``animus_routes.structs`` has the same
names as msgspec Structs, which are several times faster.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from animus_routes.types import (
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
