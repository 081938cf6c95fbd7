"""For each type with rules beyond its schema, JSON that holds all of them, and changes that break one."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SUBJECT: Json = {"qualified_id": "task:TASK-1", "generation": 3}
LEASE: Json = {
    "entry_id": "e-1",
    "owner_id": "daemon-a",
    "generation": 1,
    "expires_at": "2026-11-25T12:30:00Z",
}
RESERVATION: Json = {
    "repository": "github.com/acme/app",
    "base_ref": "refs/heads/main",
    "head_ref": "refs/heads/animus/TASK-1",
}
FENCE: Json = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": SUBJECT,
    "queue_lease": LEASE,
    "repository": RESERVATION,
}
DISPATCH: Json = {
    "subject": {"kind": "task", "id": "TASK-1"},
    "workflow_ref": "coding",
    "trigger_source": "ready-queue",
    "requested_at": "2026-11-25T12:00:00Z",
}
ENTRY: Json = {
    "entry_id": "e-1",
    "subject_id": "TASK-1",
    "subject_dispatch": DISPATCH,
    "status": "assigned",
    "workflow_id": "wf-1",
    "enqueued_at": "2026-11-25T12:00:01Z",
}
SHA = "0123456789abcdef0123456789abcdef01234567"
RECEIPT: Json = {
    "schema": "animus.publication-receipt.v1",
    "version": 1,
    "workflow_id": "wf-1",
    "workflow_generation": 1,
    "subject": SUBJECT,
    "commit_sha": SHA,
    "tree_sha": SHA,
    "observed_remote_sha": SHA,
    "remote": "https://github.com/acme/app",
    "remote_ref": "refs/heads/animus/TASK-1",
    "recovery_ref": "refs/animus/recovery/wf-1",
    "pull_request": {"number": 7, "url": "https://github.com/acme/app/pull/7", "head_sha": SHA},
    "issuer": {"kind": "phase", "phase_id": "publish", "component": "runner", "version": "1.0.0"},
    "issued_at": "2026-11-25T12:10:00Z",
}
SCOPE: Json = {"tenant_id": "t-1", "connection_id": "wa-1"}
CHANNEL: Json = {"schema": "animus.channel.v1", "scope": SCOPE}
HANDLE: Json = {"id": "h-1", "workspace_root": "/repo"}
KEYS: Json = {
    "conversation_id": "c-1",
    "caller_key": "send-1",
    "operation_id": "op-1",
    "lease_token": "tok",
}

# Type -> a payload that holds every rule, and changes to it that break one, each by its path.
CASES: dict[str, tuple[Json, list[tuple[str, Any]]]] = {
    "execution.ExecutionFence": (
        FENCE,
        [
            ("schema", "animus.execution-fence.v2"),
            ("version", 2),
            ("workflow_id", " "),
            ("workflow_generation", 0),
            ("subject.generation", 0),
            ("subject.qualified_id", "TASK-1"),
            ("queue_lease.owner_id", ""),
            ("queue_lease.expires_at", "2026-02-30T00:00:00Z"),
            ("repository.head_ref", "main"),
        ],
    ),
    "execution.SubjectGeneration": (
        SUBJECT,
        [("qualified_id", ":TASK-1"), ("qualified_id", "task: "), ("generation", 0)],
    ),
    "execution.QueueLeaseFence": (
        LEASE,
        [
            ("entry_id", ""),
            ("owner_id", " "),
            ("generation", 0),
            ("expires_at", "2026-02-30T00:00:00Z"),
        ],
    ),
    "execution.RepositoryReservation": (
        RESERVATION,
        [
            ("repository", ""),
            ("base_ref", "heads/main"),
            ("base_ref", "refs/heads/../main"),
            ("head_ref", "refs/heads/x/"),
            ("head_ref", "refs/heads/main"),
        ],
    ),
    "queue.QueueEnqueueV2Request": (
        {
            "subject_dispatch": DISPATCH,
            "idempotency_key": "k" * 256,
            "repository": RESERVATION,
            "run_at": "2026-11-25T12:00:00Z",
            "expire_after_secs": 60,
        },
        [
            ("subject_dispatch.subject", None),
            ("subject_dispatch.subject.kind", " "),
            ("subject_dispatch.subject.id", " "),
            ("subject_dispatch.workflow_ref", ""),
            ("idempotency_key", " "),
            ("idempotency_key", "k" * 257),
            ("repository.base_ref", "main"),
            ("run_at", "tomorrow"),
            ("run_at", "2026-02-31T00:00:00Z"),
            ("run_at", "0000-01-01T00:00:00Z"),
            ("expire_after_secs", 2**63),
        ],
    ),
    "queue.QueueLeaseV2Request": (
        {"max": 2, "owner_id": "daemon-a", "workflow_ids": ["a", "b"], "exclude": [FENCE]},
        [
            ("max", 0),
            ("owner_id", " "),
            ("workflow_ids", ["a"]),
            ("workflow_ids", ["a", " "]),
            ("workflow_ids", ["a", "a"]),
            ("exclude.0.workflow_generation", 0),
        ],
    ),
    "queue.QueueLeaseRenewRequest": (
        {"execution": FENCE, "ttl_secs": 60},
        [("execution.queue_lease", None), ("ttl_secs", 0), ("execution.version", 2)],
    ),
    "queue.QueueLeaseRecoverRequest": (
        {"execution": FENCE, "new_owner_id": "daemon-b"},
        [
            ("execution.queue_lease", None),
            ("new_owner_id", ""),
            ("new_owner_id", " daemon-a "),
            ("ttl_secs", 0),
        ],
    ),
    "queue.QueueCompletionV2Request": (
        {"execution": FENCE, "status": "completed"},
        [("execution.queue_lease", None), ("status", "done")],
    ),
    "queue.QueueReleasePendingV2Request": (
        {"execution": FENCE, "reason": "draining"},
        [("execution.queue_lease", None), ("reason", " ")],
    ),
    "queue.FencedQueueEntry": (
        {"entry": ENTRY, "execution": FENCE},
        [
            ("execution.queue_lease", None),
            ("execution.queue_lease.entry_id", "e-2"),
            ("entry.workflow_id", None),
            ("execution.workflow_id", "wf-2"),
            ("execution.subject.qualified_id", "task:TASK-2"),
        ],
    ),
    "plugin.ConversationOperationTerminalizeRequest": (
        KEYS | {"status": "completed"},
        [("status", "pending"), ("status", "user_accepted")],
    ),
    "environment.ExecSessionRequest": (
        {
            "handle": HANDLE,
            "subject_id": "task:TASK-1",
            "workflow_id": "wf-1",
            "execution_fence": FENCE,
        },
        [
            ("workflow_id", "wf-2"),
            ("subject_id", "task:TASK-2"),
            ("execution_fence.workflow_generation", 0),
        ],
    ),
    "workflow_runner.WorkflowExecuteRequest": (
        {"workflow_id": "wf-1", "execution_fence": FENCE},
        [("workflow_id", "wf-2"), ("execution_fence.version", 2)],
    ),
    "workflow_runner.WorkflowPhaseRunRequest": (
        {"workflow_id": "wf-1", "execution_fence": FENCE},
        [("workflow_id", "wf-2"), ("execution_fence.version", 2)],
    ),
    "workflow_runner.PublicationSubjectGeneration": (
        SUBJECT,
        [("qualified_id", "x"), ("generation", 0)],
    ),
    "workflow_runner.PublicationPullRequest": (
        RECEIPT["pull_request"],
        [("number", 0), ("url", ""), ("head_sha", "HEAD")],
    ),
    "workflow_runner.PublicationReceipt": (
        RECEIPT,
        [
            ("issued_at", "2026-02-30T00:00:00Z"),
            ("schema", "animus.publication-receipt.v2"),
            ("version", 0),
            ("workflow_id", ""),
            ("workflow_generation", 0),
            ("subject.generation", 0),
            ("commit_sha", SHA[1:]),
            ("tree_sha", "g" * 40),
            ("observed_remote_sha", "f" * 40),
            ("remote", " "),
            ("remote_ref", "main"),
            ("recovery_ref", ""),
            ("pull_request.number", 0),
            ("pull_request.head_sha", "f" * 40),
            ("issuer.component", ""),
            ("issuer.version", ""),
            ("issuer.phase_id", ""),
        ],
    ),
    "config.WorkflowPublicationConfig": (
        {"required": True, "owner": {"kind": "phase", "phase_id": "publish"}},
        [
            ("schema", "animus.workflow-publication.v2"),
            ("version", 2),
            ("owner", None),
            ("owner.phase_id", " "),
        ],
    ),
    "channel.ChannelMessage": (
        CHANNEL
        | {
            "message_id": "m-1",
            "peer_id": "+1555",
            "occurred_at": "2026-11-25T12:00:00Z",
            "text": "",
        },
        [
            ("scope.tenant_id", ""),
            ("scope.connection_id", ""),
            ("message_id", ""),
            ("peer_id", " "),
            ("occurred_at", "now"),
            ("occurred_at", "2026-02-31T00:00:00Z"),
        ],
    ),
    "channel.ChannelSendParams": (
        CHANNEL | {"delivery_id": "d-1", "peer_id": "+1555", "text": "Done.", "reply_to": "m-1"},
        [("scope.tenant_id", ""), ("delivery_id", ""), ("peer_id", ""), ("reply_to", "")],
    ),
    "channel.ChannelStatusParams": (
        CHANNEL | {"delivery_id": "d-1"},
        [("scope.connection_id", " "), ("delivery_id", "")],
    ),
}
