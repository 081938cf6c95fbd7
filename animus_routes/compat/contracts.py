"""The roles as classes, for hints and as base classes: what a backend of each role must have.

A backend need not inherit from any of these. One that does cannot be created while a required
method is missing. `animus-routes routes` shows the role's table, with its optional methods and
what each of them may leave out.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from animus_routes.compat.adapter import CallContext

__all__ = [
    "DurableStore",
    "LogStorageBackend",
    "MemoryStore",
    "Notifier",
    "Provider",
    "Queue",
    "SubjectBackend",
    "TransportBackend",
    "TriggerBackend",
    "WorkflowRunner",
]


@runtime_checkable
class SubjectBackend(Protocol):
    """Also: `create`, `update`, `status`, `next`, `delete`, `watch`, `schema`, `health`."""

    @abstractmethod
    def list(self, params: Any, ctx: CallContext) -> Any:
        """A `SubjectListResult`, or a list of subjects."""

    @abstractmethod
    def get(self, params: Any, ctx: CallContext) -> Any:
        """A `Subject`, or None for "not found"."""


@runtime_checkable
class Provider(Protocol):
    """Also: `resume`, `cancel`, `respond`, `health`."""

    @abstractmethod
    def run(self, params: Any, ctx: CallContext) -> Any:
        """An `AgentRunResponse`, or some of its fields; `ctx.stream` reports the rest."""


@runtime_checkable
class TriggerBackend(Protocol):
    """Also: `ack`, `schema`, `health`."""

    @abstractmethod
    def watch(self, params: Any, ctx: CallContext) -> Any:
        """An iterable of `TriggerEvent`, usually a generator."""


@runtime_checkable
class LogStorageBackend(Protocol):
    """Also: `query`, `tail`, `schema`, `health`."""

    @abstractmethod
    def store(self, params: Any, ctx: CallContext) -> Any:
        """The number of entries that were stored; None for all of them."""


@runtime_checkable
class TransportBackend(Protocol):
    """Also: `shutdown`, `schema`, `health`."""

    @abstractmethod
    def start(self, params: Any, ctx: CallContext) -> Any:
        """A `TransportInfo`, or the bound address."""


@runtime_checkable
class Notifier(Protocol):
    """Also: `flush`, `schema`, `health`."""

    @abstractmethod
    def notify(self, params: Any, ctx: CallContext) -> Any:
        """A `NotifierNotifyResult`, or whether a connector accepted the event."""


@runtime_checkable
class WorkflowRunner(Protocol):
    """Also: `health`."""

    @abstractmethod
    def execute(self, params: Any, ctx: CallContext) -> Any:
        """A `WorkflowExecuteResult`."""

    @abstractmethod
    def run_phase(self, params: Any, ctx: CallContext) -> Any:
        """A `WorkflowPhaseRunResult`."""


@runtime_checkable
class MemoryStore(Protocol):
    """Also: `health`."""

    @abstractmethod
    def put(self, params: Any, ctx: CallContext) -> Any:
        """A `PutMemoryResponse`."""

    @abstractmethod
    def get(self, params: Any, ctx: CallContext) -> Any:
        """A `GetMemoryResponse`."""

    @abstractmethod
    def query(self, params: Any, ctx: CallContext) -> Any:
        """A `QueryMemoryResponse`."""

    @abstractmethod
    def list_scopes(self, params: Any, ctx: CallContext) -> Any:
        """A `ListScopesResponse`."""

    @abstractmethod
    def delete_scope(self, params: Any, ctx: CallContext) -> Any:
        """A `DeleteScopeResponse`."""


@runtime_checkable
class DurableStore(Protocol):
    """Also: `health`."""

    @abstractmethod
    def begin_workflow_run(self, params: Any, ctx: CallContext) -> Any:
        """A `BeginWorkflowRunResponse`."""

    @abstractmethod
    def begin_step(self, params: Any, ctx: CallContext) -> Any:
        """A `BeginStepResponse`."""

    @abstractmethod
    def commit_step(self, params: Any, ctx: CallContext) -> Any:
        """A `CommitStepResponse`."""

    @abstractmethod
    def abandon_step(self, params: Any, ctx: CallContext) -> Any:
        """An `AbandonStepResponse`."""

    @abstractmethod
    def recover_in_flight(self, params: Any, ctx: CallContext) -> Any:
        """A `RecoverInFlightResponse`."""

    @abstractmethod
    def query_run(self, params: Any, ctx: CallContext) -> Any:
        """A `QueryRunResponse`."""


@runtime_checkable
class Queue(Protocol):
    """Also: `release_pending`, `next_deadline`, `health`."""

    @abstractmethod
    def enqueue(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueEnqueueResponse`."""

    @abstractmethod
    def list(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueListResponse`."""

    @abstractmethod
    def lease(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueLeaseResponse`."""

    @abstractmethod
    def stats(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueStats`."""

    @abstractmethod
    def hold(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    @abstractmethod
    def release(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    @abstractmethod
    def drop(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    @abstractmethod
    def mark_assigned(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    @abstractmethod
    def completion(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueMutationResponse`."""

    @abstractmethod
    def reorder(self, params: Any, ctx: CallContext) -> Any:
        """A `QueueReorderResponse`."""
