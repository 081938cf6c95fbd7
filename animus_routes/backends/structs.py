"""What `app.include(backend)` takes, a Protocol per plugin kind, with msgspec Structs.

Written by `python tools/codegen.py` from the tables in `animus_routes/roles/`: do not edit. A
method takes the whole params, typed or as a plain dict, and may take the `Context` after them;
it may be plain or async. `Full...` has the optional methods too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from animus_routes.backends import Bare, Served
    from animus_routes.structs import (
        channel,
        config,
        durable_store,
        environment,
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

    _SubjectBackendList: TypeAlias = Served[
        subject.SubjectList | list[Any] | dict[str, Any] | None,
        subject.SubjectFilter,
    ]
    _SubjectBackendGet: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectGetRequest,
    ]
    _SubjectBackendCreate: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectCreateRequest,
    ]
    _SubjectBackendUpdate: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectUpdateRequest,
    ]
    _SubjectBackendStatus: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectStatusRequest,
    ]
    _SubjectBackendNext: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectNextRequest,
    ]
    _SubjectBackendDelete: TypeAlias = Served[
        subject.DeleteSubjectResponse | bool | dict[str, Any] | None,
        subject.DeleteSubjectRequest,
    ]
    _SubjectBackendSchema: TypeAlias = Bare[
        subject.SubjectSchema | dict[str, Any] | None
    ]
    _SubjectBackendWatch: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any],
        subject.SubjectWatchRequest,
    ]
    _SubjectBackendUnwatch: TypeAlias = Served[
        object,
        subject.SubjectUnwatchRequest,
    ]
    _SubjectBackendV2List: TypeAlias = Served[
        subject.SubjectList | list[Any] | dict[str, Any] | None,
        subject.SubjectListRequestV2,
    ]
    _SubjectBackendV2Get: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectGetRequestV2,
    ]
    _SubjectBackendV2Create: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectCreateRequestV2,
    ]
    _SubjectBackendV2Update: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectUpdateRequestV2,
    ]
    _SubjectBackendV2Status: TypeAlias = Served[
        subject.Subject | dict[str, Any] | None,
        subject.SubjectStatusRequestV2,
    ]
    _SubjectBackendV2Delete: TypeAlias = Served[
        subject.DeleteSubjectResponse | bool | dict[str, Any] | None,
        subject.SubjectDeleteRequestV2,
    ]
    _ProviderRun: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any] | provider.AgentRunResponse | str | dict[str, Any],
        provider.AgentRunRequest,
    ]
    _ProviderResume: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any] | provider.AgentRunResponse | str | dict[str, Any],
        provider.AgentRunRequest,
    ]
    _ProviderCancel: TypeAlias = Served[
        object,
        provider.AgentCancelRequest,
    ]
    _ProviderRespond: TypeAlias = Served[
        provider.AgentRespondResult | bool | dict[str, Any] | None,
        provider.AgentRespondParams,
    ]
    _TriggerBackendWatch: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any],
        plugin.TriggerWatchParams,
    ]
    _TriggerBackendAck: TypeAlias = Served[
        object,
        plugin.TriggerAckParams,
    ]
    _TriggerBackendSchema: TypeAlias = Bare[
        trigger.TriggerSchema | dict[str, Any] | None
    ]
    _LogStorageBackendStore: TypeAlias = Served[
        log_storage.LogStoreResult | int | dict[str, Any] | None,
        log_storage.LogStoreRequest,
    ]
    _LogStorageBackendQuery: TypeAlias = Served[
        log_storage.LogQueryResult | list[Any] | dict[str, Any] | None,
        log_storage.LogQuery,
    ]
    _LogStorageBackendTail: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any],
        log_storage.LogQuery,
    ]
    _LogStorageBackendSchema: TypeAlias = Bare[
        log_storage.LogStorageSchema | dict[str, Any] | None
    ]
    _TransportBackendStart: TypeAlias = Served[
        transport.TransportInfo | str | dict[str, Any] | None,
        transport.TransportConfig,
    ]
    _TransportBackendShutdown: TypeAlias = Bare[
        object
    ]
    _TransportBackendSchema: TypeAlias = Bare[
        transport.TransportSchema | dict[str, Any] | None
    ]
    _QueueEnqueue: TypeAlias = Served[
        queue.QueueEnqueueResponse | dict[str, Any],
        queue.QueueEnqueueRequest,
    ]
    _QueueList: TypeAlias = Served[
        queue.QueueListResponse | dict[str, Any],
        queue.QueueListRequest,
    ]
    _QueueLease: TypeAlias = Served[
        queue.QueueLeaseResponse | dict[str, Any],
        queue.QueueLeaseRequest,
    ]
    _QueueStats: TypeAlias = Bare[
        queue.QueueStats | dict[str, Any]
    ]
    _QueueHold: TypeAlias = Served[
        queue.QueueMutationResponse | dict[str, Any],
        queue.QueueHoldRequest,
    ]
    _QueueRelease: TypeAlias = Served[
        queue.QueueMutationResponse | dict[str, Any],
        queue.QueueReleaseRequest,
    ]
    _QueueDrop: TypeAlias = Served[
        queue.QueueMutationResponse | dict[str, Any],
        queue.QueueDropRequest,
    ]
    _QueueMarkAssigned: TypeAlias = Served[
        queue.QueueMutationResponse | dict[str, Any],
        queue.QueueMarkAssignedRequest,
    ]
    _QueueCompletion: TypeAlias = Served[
        queue.QueueMutationResponse | dict[str, Any],
        queue.QueueCompletionRequest,
    ]
    _QueueReorder: TypeAlias = Served[
        queue.QueueReorderResponse | dict[str, Any],
        queue.QueueReorderRequest,
    ]
    _QueueReleasePending: TypeAlias = Served[
        queue.QueueReleasePendingResponse | dict[str, Any],
        queue.QueueReleasePendingParams,
    ]
    _QueueNextDeadline: TypeAlias = Bare[
        queue.QueueNextDeadlineResponse | dict[str, Any]
    ]
    _QueueV2Enqueue: TypeAlias = Served[
        queue.QueueEnqueueV2Response | dict[str, Any],
        queue.QueueEnqueueV2Request,
    ]
    _QueueV2Lease: TypeAlias = Served[
        queue.QueueLeaseV2Response | list[Any] | dict[str, Any] | None,
        queue.QueueLeaseV2Request,
    ]
    _QueueV2LeaseRenew: TypeAlias = Served[
        queue.QueueLeaseMutationResponse | str | dict[str, Any] | None,
        queue.QueueLeaseRenewRequest,
    ]
    _QueueV2LeaseRecover: TypeAlias = Served[
        queue.QueueLeaseMutationResponse | str | dict[str, Any] | None,
        queue.QueueLeaseRecoverRequest,
    ]
    _QueueV2Completion: TypeAlias = Served[
        queue.QueueLeaseMutationResponse | str | dict[str, Any] | None,
        queue.QueueCompletionV2Request,
    ]
    _QueueV2ReleasePending: TypeAlias = Served[
        queue.QueueLeaseMutationResponse | str | dict[str, Any] | None,
        queue.QueueReleasePendingV2Request,
    ]
    _WorkflowRunnerExecute: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any] | workflow_runner.WorkflowExecuteResult | dict[str, Any],
        workflow_runner.WorkflowExecuteRequest,
    ]
    _WorkflowRunnerRunPhase: TypeAlias = Served[
        workflow_runner.WorkflowPhaseRunResult | dict[str, Any] | None,
        workflow_runner.WorkflowPhaseRunRequest,
    ]
    _DurableStoreBeginWorkflowRun: TypeAlias = Served[
        durable_store.BeginWorkflowRunResponse | dict[str, Any],
        durable_store.BeginWorkflowRunRequest,
    ]
    _DurableStoreBeginStep: TypeAlias = Served[
        durable_store.BeginStepResponse | dict[str, Any],
        durable_store.BeginStepRequest,
    ]
    _DurableStoreCommitStep: TypeAlias = Served[
        durable_store.CommitStepResponse | dict[str, Any],
        durable_store.CommitStepRequest,
    ]
    _DurableStoreAbandonStep: TypeAlias = Served[
        durable_store.AbandonStepResponse | dict[str, Any],
        durable_store.AbandonStepRequest,
    ]
    _DurableStoreRecoverInFlight: TypeAlias = Served[
        durable_store.RecoverInFlightResponse | dict[str, Any],
        durable_store.RecoverInFlightRequest,
    ]
    _DurableStoreQueryRun: TypeAlias = Served[
        durable_store.QueryRunResponse | dict[str, Any],
        durable_store.QueryRunRequest,
    ]
    _MemoryStorePut: TypeAlias = Served[
        memory_store.PutMemoryResponse | dict[str, Any],
        memory_store.PutMemoryRequest,
    ]
    _MemoryStoreGet: TypeAlias = Served[
        memory_store.GetMemoryResponse | dict[str, Any] | None,
        memory_store.GetMemoryRequest,
    ]
    _MemoryStoreQuery: TypeAlias = Served[
        memory_store.QueryMemoryResponse | list[Any] | dict[str, Any] | None,
        memory_store.QueryMemoryRequest,
    ]
    _MemoryStoreListScopes: TypeAlias = Served[
        memory_store.ListScopesResponse | list[Any] | dict[str, Any] | None,
        memory_store.ListScopesRequest,
    ]
    _MemoryStoreDeleteScope: TypeAlias = Served[
        memory_store.DeleteScopeResponse | bool | dict[str, Any] | None,
        memory_store.DeleteScopeRequest,
    ]
    _NotifierNotify: TypeAlias = Served[
        notifier.NotifierNotifyResult | bool | dict[str, Any] | None,
        notifier.NotifierNotifyParams,
    ]
    _NotifierFlush: TypeAlias = Served[
        notifier.NotifierFlushResult | list[Any] | dict[str, Any] | None,
        notifier.NotifierFlushParams,
    ]
    _NotifierSchema: TypeAlias = Bare[
        notifier.NotifierSchema | dict[str, Any] | None
    ]
    _ConfigSourceLoad: TypeAlias = Served[
        config.ConfigLoadResponse | dict[str, Any],
        config.ConfigLoadRequest,
    ]
    _ConfigSourceValidate: TypeAlias = Served[
        config.ConfigValidateResponse | dict[str, Any],
        config.ConfigValidateRequest,
    ]
    _ConfigSourceWrite: TypeAlias = Served[
        config.ConfigWriteResponse | dict[str, Any],
        config.ConfigWriteRequest,
    ]
    _WorkflowJournalSave: TypeAlias = Served[
        object,
        workflow_journal.SaveParams,
    ]
    _WorkflowJournalLoad: TypeAlias = Served[
        workflow_journal.LoadResult | dict[str, Any] | None,
        workflow_journal.WorkflowIdParams,
    ]
    _WorkflowJournalList: TypeAlias = Served[
        workflow_journal.ListResult | list[Any] | dict[str, Any] | None,
        workflow_journal.JournalQuery,
    ]
    _WorkflowJournalQueryIds: TypeAlias = Served[
        workflow_journal.QueryIdsResult | list[Any] | dict[str, Any] | None,
        workflow_journal.JournalQuery,
    ]
    _WorkflowJournalDelete: TypeAlias = Served[
        object,
        workflow_journal.WorkflowIdParams,
    ]
    _WorkflowJournalCheckpointSave: TypeAlias = Served[
        object,
        workflow_journal.CheckpointSaveParams,
    ]
    _WorkflowJournalCheckpointLoad: TypeAlias = Served[
        workflow_journal.CheckpointLoadResult | dict[str, Any] | None,
        workflow_journal.CheckpointLoadParams,
    ]
    _WorkflowJournalCheckpointList: TypeAlias = Served[
        workflow_journal.CheckpointListResult | list[Any] | dict[str, Any] | None,
        workflow_journal.WorkflowIdParams,
    ]
    _WorkflowJournalCheckpointPrune: TypeAlias = Served[
        object,
        workflow_journal.CheckpointPruneParams,
    ]
    _WorkflowJournalRecord: TypeAlias = Served[
        object,
        workflow_journal.RecordParams,
    ]
    _WorkflowJournalEvents: TypeAlias = Served[
        workflow_journal.EventsResult | list[Any] | dict[str, Any] | None,
        workflow_journal.EventQuery,
    ]
    _WorkflowJournalSchema: TypeAlias = Bare[
        workflow_journal.JournalSchema | dict[str, Any] | None
    ]
    _ConversationStoreCreate: TypeAlias = Served[
        plugin.ConversationCreateResponse | dict[str, Any],
        plugin.ConversationCreateRequest,
    ]
    _ConversationStoreLoadMeta: TypeAlias = Served[
        plugin.ConversationLoadMetaResponse | dict[str, Any] | None,
        plugin.ConversationLoadMetaRequest,
    ]
    _ConversationStoreSaveMeta: TypeAlias = Served[
        plugin.ConversationSaveMetaResponse | bool | dict[str, Any] | None,
        plugin.ConversationSaveMetaRequest,
    ]
    _ConversationStoreAppendMessage: TypeAlias = Served[
        plugin.ConversationAppendMessageResponse | bool | dict[str, Any] | None,
        plugin.ConversationAppendMessageRequest,
    ]
    _ConversationStoreLoadMessages: TypeAlias = Served[
        plugin.ConversationLoadMessagesResponse | list[Any] | dict[str, Any] | None,
        plugin.ConversationLoadMessagesRequest,
    ]
    _ConversationStoreList: TypeAlias = Served[
        plugin.ConversationListResponse | list[Any] | dict[str, Any] | None,
        plugin.ConversationListRequest,
    ]
    _ConversationStoreDelete: TypeAlias = Served[
        plugin.ConversationDeleteResponse | bool | dict[str, Any] | None,
        plugin.ConversationDeleteRequest,
    ]
    _ConversationStoreOperationBegin: TypeAlias = Served[
        plugin.ConversationOperationBeginResponse | plugin.ConversationOperationClaim | plugin.ConversationOperation | str | dict[str, Any] | None,
        plugin.ConversationOperationBeginRequest,
    ]
    _ConversationStoreOperationLoad: TypeAlias = Served[
        plugin.ConversationOperationLoadResponse | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationLoadRequest,
    ]
    _ConversationStoreOperationRenew: TypeAlias = Served[
        plugin.ConversationOperationMutationResponse | bool | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationRenewRequest,
    ]
    _ConversationStoreOperationBindExecution: TypeAlias = Served[
        plugin.ConversationOperationMutationResponse | bool | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationBindExecutionRequest,
    ]
    _ConversationStoreOperationRelease: TypeAlias = Served[
        plugin.ConversationOperationMutationResponse | bool | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationReleaseRequest,
    ]
    _ConversationStoreOperationAcceptUser: TypeAlias = Served[
        plugin.ConversationOperationMutationResponse | bool | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationAcceptUserRequest,
    ]
    _ConversationStoreOperationTerminalize: TypeAlias = Served[
        plugin.ConversationOperationMutationResponse | bool | plugin.ConversationOperation | dict[str, Any] | None,
        plugin.ConversationOperationTerminalizeRequest,
    ]
    _EnvironmentPrepare: TypeAlias = Served[
        environment.PrepareResponse | dict[str, Any],
        environment.PrepareRequest,
    ]
    _EnvironmentExec: TypeAlias = Served[
        environment.ExecResponse | dict[str, Any],
        environment.ExecRequest,
    ]
    _EnvironmentExecStream: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any] | environment.ExecResponse | dict[str, Any],
        environment.ExecRequest,
    ]
    _EnvironmentExecSession: TypeAlias = Served[
        Iterator[Any] | AsyncIterator[Any] | environment.ExecSessionResponse | str | dict[str, Any],
        environment.ExecSessionRequest,
    ]
    _EnvironmentTeardown: TypeAlias = Served[
        environment.TeardownResponse | dict[str, Any] | None,
        environment.TeardownRequest,
    ]
    _EnvironmentList: TypeAlias = Served[
        environment.ListNodesResponse | list[Any] | dict[str, Any] | None,
        environment.ListNodesRequest,
    ]
    _EnvironmentGet: TypeAlias = Served[
        environment.GetNodeResponse | environment.EnvironmentNode | dict[str, Any] | None,
        environment.GetNodeRequest,
    ]
    _EnvironmentTeardownNode: TypeAlias = Served[
        environment.TeardownNodeResponse | list[Any] | bool | dict[str, Any] | None,
        environment.TeardownNodeRequest,
    ]
    _EnvironmentReap: TypeAlias = Served[
        environment.ReapResponse | list[Any] | dict[str, Any] | None,
        environment.ReapRequest,
    ]
    _ChannelBackendSchema: TypeAlias = Bare[
        channel.ChannelSchema | dict[str, Any] | None
    ]
    _ChannelBackendReceive: TypeAlias = Served[
        channel.ChannelReceiveResult | bool | dict[str, Any] | None,
        channel.ChannelMessage,
    ]
    _ChannelBackendSend: TypeAlias = Served[
        channel.ChannelDelivery | str | dict[str, Any] | None,
        channel.ChannelSendParams,
    ]
    _ChannelBackendStatus: TypeAlias = Served[
        channel.ChannelDelivery | str | dict[str, Any] | None,
        channel.ChannelStatusParams,
    ]


class SubjectBackend(Protocol):
    """The methods that a `subject_backend` must have."""

    @property
    def list(self) -> _SubjectBackendList:
        """`subject/list`."""
        ...

    @property
    def get(self) -> _SubjectBackendGet:
        """`subject/get`."""
        ...


class FullSubjectBackend(SubjectBackend, Protocol):
    """Every method that a `subject_backend` may have."""

    @property
    def create(self) -> _SubjectBackendCreate:
        """`subject/create`."""
        ...

    @property
    def update(self) -> _SubjectBackendUpdate:
        """`subject/update`."""
        ...

    @property
    def status(self) -> _SubjectBackendStatus:
        """`subject/status`."""
        ...

    @property
    def next(self) -> _SubjectBackendNext:
        """`subject/next`."""
        ...

    @property
    def delete(self) -> _SubjectBackendDelete:
        """`subject/delete`."""
        ...

    @property
    def schema(self) -> _SubjectBackendSchema:
        """`subject/schema`."""
        ...

    @property
    def watch(self) -> _SubjectBackendWatch:
        """`subject/watch`."""
        ...

    @property
    def unwatch(self) -> _SubjectBackendUnwatch:
        """`subject/unwatch`."""
        ...

    @property
    def v2_list(self) -> _SubjectBackendV2List:
        """`subject/v2/list`."""
        ...

    @property
    def v2_get(self) -> _SubjectBackendV2Get:
        """`subject/v2/get`."""
        ...

    @property
    def v2_create(self) -> _SubjectBackendV2Create:
        """`subject/v2/create`."""
        ...

    @property
    def v2_update(self) -> _SubjectBackendV2Update:
        """`subject/v2/update`."""
        ...

    @property
    def v2_status(self) -> _SubjectBackendV2Status:
        """`subject/v2/status`."""
        ...

    @property
    def v2_delete(self) -> _SubjectBackendV2Delete:
        """`subject/v2/delete`."""
        ...


class Provider(Protocol):
    """The methods that a `provider` must have."""

    @property
    def run(self) -> _ProviderRun:
        """`agent/run`."""
        ...


class FullProvider(Provider, Protocol):
    """Every method that a `provider` may have."""

    @property
    def resume(self) -> _ProviderResume:
        """`agent/resume`."""
        ...

    @property
    def cancel(self) -> _ProviderCancel:
        """`agent/cancel`."""
        ...

    @property
    def respond(self) -> _ProviderRespond:
        """`agent/respond`."""
        ...


class TriggerBackend(Protocol):
    """The methods that a `trigger_backend` must have."""

    @property
    def watch(self) -> _TriggerBackendWatch:
        """`trigger/watch`."""
        ...


class FullTriggerBackend(TriggerBackend, Protocol):
    """Every method that a `trigger_backend` may have."""

    @property
    def ack(self) -> _TriggerBackendAck:
        """`trigger/ack`."""
        ...

    @property
    def schema(self) -> _TriggerBackendSchema:
        """`trigger/schema`."""
        ...


class LogStorageBackend(Protocol):
    """The methods that a `log_storage_backend` must have."""

    @property
    def store(self) -> _LogStorageBackendStore:
        """`log_storage/store`."""
        ...


class FullLogStorageBackend(LogStorageBackend, Protocol):
    """Every method that a `log_storage_backend` may have."""

    @property
    def query(self) -> _LogStorageBackendQuery:
        """`log_storage/query`."""
        ...

    @property
    def tail(self) -> _LogStorageBackendTail:
        """`log_storage/tail`."""
        ...

    @property
    def schema(self) -> _LogStorageBackendSchema:
        """`log_storage/schema`."""
        ...


class TransportBackend(Protocol):
    """The methods that a `transport_backend` must have."""

    @property
    def start(self) -> _TransportBackendStart:
        """`transport/start`."""
        ...


class FullTransportBackend(TransportBackend, Protocol):
    """Every method that a `transport_backend` may have."""

    @property
    def shutdown(self) -> _TransportBackendShutdown:
        """`transport/shutdown`."""
        ...

    @property
    def schema(self) -> _TransportBackendSchema:
        """`transport/schema`."""
        ...


class Queue(Protocol):
    """The methods that a `queue` must have."""

    @property
    def enqueue(self) -> _QueueEnqueue:
        """`queue/enqueue`."""
        ...

    @property
    def list(self) -> _QueueList:
        """`queue/list`."""
        ...

    @property
    def lease(self) -> _QueueLease:
        """`queue/lease`."""
        ...

    @property
    def stats(self) -> _QueueStats:
        """`queue/stats`."""
        ...

    @property
    def hold(self) -> _QueueHold:
        """`queue/hold`."""
        ...

    @property
    def release(self) -> _QueueRelease:
        """`queue/release`."""
        ...

    @property
    def drop(self) -> _QueueDrop:
        """`queue/drop`."""
        ...

    @property
    def mark_assigned(self) -> _QueueMarkAssigned:
        """`queue/mark_assigned`."""
        ...

    @property
    def completion(self) -> _QueueCompletion:
        """`queue/completion`."""
        ...

    @property
    def reorder(self) -> _QueueReorder:
        """`queue/reorder`."""
        ...


class FullQueue(Queue, Protocol):
    """Every method that a `queue` may have."""

    @property
    def release_pending(self) -> _QueueReleasePending:
        """`queue/release_pending`."""
        ...

    @property
    def next_deadline(self) -> _QueueNextDeadline:
        """`queue/next_deadline`."""
        ...

    @property
    def v2_enqueue(self) -> _QueueV2Enqueue:
        """`queue/v2/enqueue`."""
        ...

    @property
    def v2_lease(self) -> _QueueV2Lease:
        """`queue/v2/lease`."""
        ...

    @property
    def v2_lease_renew(self) -> _QueueV2LeaseRenew:
        """`queue/v2/lease/renew`."""
        ...

    @property
    def v2_lease_recover(self) -> _QueueV2LeaseRecover:
        """`queue/v2/lease/recover`."""
        ...

    @property
    def v2_completion(self) -> _QueueV2Completion:
        """`queue/v2/completion`."""
        ...

    @property
    def v2_release_pending(self) -> _QueueV2ReleasePending:
        """`queue/v2/release_pending`."""
        ...


class WorkflowRunner(Protocol):
    """The methods that a `workflow_runner` must have."""

    @property
    def execute(self) -> _WorkflowRunnerExecute:
        """`workflow/execute`."""
        ...

    @property
    def run_phase(self) -> _WorkflowRunnerRunPhase:
        """`workflow/run_phase`."""
        ...


class DurableStore(Protocol):
    """The methods that a `durable_store` must have."""

    @property
    def begin_workflow_run(self) -> _DurableStoreBeginWorkflowRun:
        """`durable/begin_workflow_run`."""
        ...

    @property
    def begin_step(self) -> _DurableStoreBeginStep:
        """`durable/begin_step`."""
        ...

    @property
    def commit_step(self) -> _DurableStoreCommitStep:
        """`durable/commit_step`."""
        ...

    @property
    def abandon_step(self) -> _DurableStoreAbandonStep:
        """`durable/abandon_step`."""
        ...

    @property
    def recover_in_flight(self) -> _DurableStoreRecoverInFlight:
        """`durable/recover_in_flight`."""
        ...

    @property
    def query_run(self) -> _DurableStoreQueryRun:
        """`durable/query_run`."""
        ...


class MemoryStore(Protocol):
    """The methods that a `memory_store` must have."""

    @property
    def put(self) -> _MemoryStorePut:
        """`memory/put`."""
        ...

    @property
    def get(self) -> _MemoryStoreGet:
        """`memory/get`."""
        ...

    @property
    def query(self) -> _MemoryStoreQuery:
        """`memory/query`."""
        ...

    @property
    def list_scopes(self) -> _MemoryStoreListScopes:
        """`memory/list_scopes`."""
        ...

    @property
    def delete_scope(self) -> _MemoryStoreDeleteScope:
        """`memory/delete_scope`."""
        ...


class Notifier(Protocol):
    """The methods that a `notifier` must have."""

    @property
    def notify(self) -> _NotifierNotify:
        """`notifier/notify`."""
        ...


class FullNotifier(Notifier, Protocol):
    """Every method that a `notifier` may have."""

    @property
    def flush(self) -> _NotifierFlush:
        """`notifier/flush`."""
        ...

    @property
    def schema(self) -> _NotifierSchema:
        """`notifier/schema`."""
        ...


class ConfigSource(Protocol):
    """The methods that a `config_source` must have."""

    @property
    def load(self) -> _ConfigSourceLoad:
        """`config/load`."""
        ...


class FullConfigSource(ConfigSource, Protocol):
    """Every method that a `config_source` may have."""

    @property
    def validate(self) -> _ConfigSourceValidate:
        """`config/validate`."""
        ...

    @property
    def write(self) -> _ConfigSourceWrite:
        """`config/write`."""
        ...


class WorkflowJournal(Protocol):
    """The methods that a `workflow_journal` must have."""

    @property
    def save(self) -> _WorkflowJournalSave:
        """`journal/save`."""
        ...

    @property
    def load(self) -> _WorkflowJournalLoad:
        """`journal/load`."""
        ...

    @property
    def list(self) -> _WorkflowJournalList:
        """`journal/list`."""
        ...

    @property
    def query_ids(self) -> _WorkflowJournalQueryIds:
        """`journal/query_ids`."""
        ...

    @property
    def delete(self) -> _WorkflowJournalDelete:
        """`journal/delete`."""
        ...


class FullWorkflowJournal(WorkflowJournal, Protocol):
    """Every method that a `workflow_journal` may have."""

    @property
    def checkpoint_save(self) -> _WorkflowJournalCheckpointSave:
        """`journal/checkpoint_save`."""
        ...

    @property
    def checkpoint_load(self) -> _WorkflowJournalCheckpointLoad:
        """`journal/checkpoint_load`."""
        ...

    @property
    def checkpoint_list(self) -> _WorkflowJournalCheckpointList:
        """`journal/checkpoint_list`."""
        ...

    @property
    def checkpoint_prune(self) -> _WorkflowJournalCheckpointPrune:
        """`journal/checkpoint_prune`."""
        ...

    @property
    def record(self) -> _WorkflowJournalRecord:
        """`journal/record`."""
        ...

    @property
    def events(self) -> _WorkflowJournalEvents:
        """`journal/events`."""
        ...

    @property
    def schema(self) -> _WorkflowJournalSchema:
        """`journal/schema`."""
        ...


class ConversationStore(Protocol):
    """The methods that a `conversation_store` must have."""

    @property
    def create(self) -> _ConversationStoreCreate:
        """`conversation/create`."""
        ...

    @property
    def load_meta(self) -> _ConversationStoreLoadMeta:
        """`conversation/load_meta`."""
        ...

    @property
    def save_meta(self) -> _ConversationStoreSaveMeta:
        """`conversation/save_meta`."""
        ...

    @property
    def append_message(self) -> _ConversationStoreAppendMessage:
        """`conversation/append_message`."""
        ...

    @property
    def load_messages(self) -> _ConversationStoreLoadMessages:
        """`conversation/load_messages`."""
        ...

    @property
    def list(self) -> _ConversationStoreList:
        """`conversation/list`."""
        ...

    @property
    def delete(self) -> _ConversationStoreDelete:
        """`conversation/delete`."""
        ...


class FullConversationStore(ConversationStore, Protocol):
    """Every method that a `conversation_store` may have."""

    @property
    def operation_begin(self) -> _ConversationStoreOperationBegin:
        """`conversation/operation_begin`."""
        ...

    @property
    def operation_load(self) -> _ConversationStoreOperationLoad:
        """`conversation/operation_load`."""
        ...

    @property
    def operation_renew(self) -> _ConversationStoreOperationRenew:
        """`conversation/operation_renew`."""
        ...

    @property
    def operation_bind_execution(self) -> _ConversationStoreOperationBindExecution:
        """`conversation/operation_bind_execution`."""
        ...

    @property
    def operation_release(self) -> _ConversationStoreOperationRelease:
        """`conversation/operation_release`."""
        ...

    @property
    def operation_accept_user(self) -> _ConversationStoreOperationAcceptUser:
        """`conversation/operation_accept_user`."""
        ...

    @property
    def operation_terminalize(self) -> _ConversationStoreOperationTerminalize:
        """`conversation/operation_terminalize`."""
        ...


class Environment(Protocol):
    """The methods that a `environment` must have."""

    @property
    def prepare(self) -> _EnvironmentPrepare:
        """`environment/prepare`."""
        ...

    @property
    def exec(self) -> _EnvironmentExec:
        """`environment/exec`."""
        ...

    @property
    def teardown(self) -> _EnvironmentTeardown:
        """`environment/teardown`."""
        ...


class FullEnvironment(Environment, Protocol):
    """Every method that a `environment` may have."""

    @property
    def exec_stream(self) -> _EnvironmentExecStream:
        """`environment/exec_stream`."""
        ...

    @property
    def exec_session(self) -> _EnvironmentExecSession:
        """`environment/exec_session`."""
        ...

    @property
    def list(self) -> _EnvironmentList:
        """`environment/list`."""
        ...

    @property
    def get(self) -> _EnvironmentGet:
        """`environment/get`."""
        ...

    @property
    def teardown_node(self) -> _EnvironmentTeardownNode:
        """`environment/teardown_node`."""
        ...

    @property
    def reap(self) -> _EnvironmentReap:
        """`environment/reap`."""
        ...


class ChannelBackend(Protocol):
    """The methods that a `channel_backend` must have."""

    @property
    def receive(self) -> _ChannelBackendReceive:
        """`channel/receive`."""
        ...

    @property
    def send(self) -> _ChannelBackendSend:
        """`channel/send`."""
        ...

    @property
    def status(self) -> _ChannelBackendStatus:
        """`channel/status`."""
        ...


class FullChannelBackend(ChannelBackend, Protocol):
    """Every method that a `channel_backend` may have."""

    @property
    def schema(self) -> _ChannelBackendSchema:
        """`channel/schema`."""
        ...
