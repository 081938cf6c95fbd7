"""The models that the class-based SDK generates, a module for each crate, loaded when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_routes.compat._lazy import loader

if TYPE_CHECKING:
    from animus_routes.compat.types.generated import durable_store as durable_store
    from animus_routes.compat.types.generated import log_storage as log_storage
    from animus_routes.compat.types.generated import memory_store as memory_store
    from animus_routes.compat.types.generated import notifier as notifier
    from animus_routes.compat.types.generated import plugin as plugin
    from animus_routes.compat.types.generated import provider as provider
    from animus_routes.compat.types.generated import queue as queue
    from animus_routes.compat.types.generated import subject as subject
    from animus_routes.compat.types.generated import transport as transport
    from animus_routes.compat.types.generated import trigger as trigger
    from animus_routes.compat.types.generated import workflow_runner as workflow_runner

__all__ = [
    "durable_store",
    "log_storage",
    "memory_store",
    "notifier",
    "plugin",
    "provider",
    "queue",
    "subject",
    "transport",
    "trigger",
    "workflow_runner",
]

__getattr__ = loader(__name__, dict.fromkeys(__all__, ()))
