"""The ten roles of the class-based SDK as Protocols, with what their methods take and return.

A backend need not inherit from any of them: any object whose methods are named after the verbs
will do. One that does inherits methods that return None, and they count as written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from animus_routes.compat._lazy import loader

if TYPE_CHECKING:
    from animus_routes.compat.roles.context import CallContext as CallContext
    from animus_routes.compat.roles.context import HealthReport as HealthReport
    from animus_routes.compat.roles.durable_store import DurableStore as DurableStore
    from animus_routes.compat.roles.log_storage import LogStorageBackend as LogStorageBackend
    from animus_routes.compat.roles.memory_store import MemoryStore as MemoryStore
    from animus_routes.compat.roles.notifier import Notifier as Notifier
    from animus_routes.compat.roles.provider import AgentRunRequest as AgentRunRequest
    from animus_routes.compat.roles.provider import AgentRunResponse as AgentRunResponse
    from animus_routes.compat.roles.provider import AgentStream as AgentStream
    from animus_routes.compat.roles.provider import Provider as Provider
    from animus_routes.compat.roles.provider import ProviderCallContext as ProviderCallContext
    from animus_routes.compat.roles.provider import ProviderRunParams as ProviderRunParams
    from animus_routes.compat.roles.provider import ProviderRunResult as ProviderRunResult
    from animus_routes.compat.roles.queue import Queue as Queue
    from animus_routes.compat.roles.subject import Subject as Subject
    from animus_routes.compat.roles.subject import SubjectBackend as SubjectBackend
    from animus_routes.compat.roles.subject import SubjectCallContext as SubjectCallContext
    from animus_routes.compat.roles.subject import SubjectCreateRequest as SubjectCreateRequest
    from animus_routes.compat.roles.subject import SubjectListParams as SubjectListParams
    from animus_routes.compat.roles.subject import SubjectListResult as SubjectListResult
    from animus_routes.compat.roles.subject import SubjectPatch as SubjectPatch
    from animus_routes.compat.roles.subject import SubjectStatus as SubjectStatus
    from animus_routes.compat.roles.transport import TransportBackend as TransportBackend
    from animus_routes.compat.roles.trigger import TriggerBackend as TriggerBackend
    from animus_routes.compat.roles.trigger import TriggerEvent as TriggerEvent
    from animus_routes.compat.roles.trigger import TriggerSchema as TriggerSchema
    from animus_routes.compat.roles.workflow_runner import WorkflowRunner as WorkflowRunner

HOMES = {
    "context": ("CallContext", "HealthReport"),
    "durable_store": ("DurableStore",),
    "log_storage": ("LogStorageBackend",),
    "memory_store": ("MemoryStore",),
    "notifier": ("Notifier",),
    "provider": (
        "AgentRunRequest",
        "AgentRunResponse",
        "AgentStream",
        "Provider",
        "ProviderCallContext",
        "ProviderRunParams",
        "ProviderRunResult",
    ),
    "queue": ("Queue",),
    "subject": (
        "Subject",
        "SubjectBackend",
        "SubjectCallContext",
        "SubjectCreateRequest",
        "SubjectListParams",
        "SubjectListResult",
        "SubjectPatch",
        "SubjectStatus",
    ),
    "transport": ("TransportBackend",),
    "trigger": ("TriggerBackend", "TriggerEvent", "TriggerSchema"),
    "workflow_runner": ("WorkflowRunner",),
}

__getattr__ = loader(__name__, HOMES)
