"""What the protocol demands of its types beyond their schemas (protocol 1.2.0).

The protocol's crates hold these rules in code. Here they are data, by the name of the type, for
both families: a generated type that has rules has a method `check`, which holds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from animus_routes.errors import Invalid
from animus_routes.timestamps import parse

__all__ = [
    "COMPLETION_STATUSES",
    "EXECUTION_FENCE",
    "LONGEST_KEY",
    "PUBLICATION_RECEIPT",
    "RULES",
    "VERSION",
    "at",
    "check",
    "hold",
    "present",
]

EXECUTION_FENCE: Final = "animus.execution-fence.v1"
PUBLICATION_RECEIPT: Final = "animus.publication-receipt.v1"
PUBLICATION_CONFIG: Final = "animus.workflow-publication.v1"
VERSION: Final = 1
"""The version of each of the three."""

COMPLETION_STATUSES: Final = ("completed", "failed", "cancelled")
TERMINAL: Final = ("completed", "assistant_failed", "assistant_interrupted")
LONGEST_KEY: Final = 256
"""How many characters a queue's idempotency key may have."""

Problem = tuple[str, str]  # the path of a field, and what is wrong with it
Rule = Callable[[Any], Iterator[Problem]]


def check(value: Any, name: str) -> None:
    """Hold the rules of a type.

    Args:
        value: An object of either family.
        name: The type's name in the protocol.

    Raises:
        Invalid: Some do not hold; there is an issue for each, with the path of its field.
    """
    hold(found for rule in RULES[name] for found in rule(value))


def hold(problems: Iterator[Problem]) -> None:
    issues = [{"path": path, "message": said, "code": "value"} for path, said in problems]
    if issues:
        raise Invalid(issues)


def at(value: Any, path: str) -> Any:
    """What a dotted path leads to; None where something on the way is absent."""
    for name in path.split("."):
        value = getattr(value, "schema_" if name == "schema" else name, None)
        if value is None:
            return None
    return value


def _rule(said: str, fits: Callable[[Any], object]) -> Callable[..., Rule]:
    """A rule about single fields, each of which may be absent."""

    def of(*paths: str) -> Rule:
        def broken(value: Any) -> Iterator[Problem]:
            for path in paths:
                found = at(value, path)
                if found is not None and not fits(found):
                    yield path, said

        return broken

    return of


def _is_ref(ref: str) -> bool:
    return ref.startswith("refs/") and len(ref) > len("refs/") and _has_no_way_out(ref)


def _has_no_way_out(ref: str) -> bool:
    return ".." not in ref and not ref.endswith("/")


def _is_qualified(qualified_id: str) -> bool:
    kind, _, native = qualified_id.partition(":")
    return bool(kind.strip() and native.strip())


def _is_time(text: str) -> bool:
    try:
        parse(text)
    except ValueError:  # also a day that its month does not have
        return False
    return True


filled = _rule("Expected a string that is not blank", str.strip)
positive = _rule("Expected an integer > 0", lambda number: number > 0)
qualified = _rule("Expected `<kind>:<id>`, with neither part blank", _is_qualified)
ref = _rule("Expected a full ref such as `refs/heads/main`", _is_ref)
time = _rule("Expected an RFC 3339 date-time such as 2026-01-31T09:30:00Z", _is_time)
sha = _rule(
    "Expected 40 or 64 hexadecimal digits",
    lambda text: re.fullmatch(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", text),
)


def within(path: str, *words: Any) -> Rule:
    """One of these."""
    listed = ", ".join(f"'{word}'" if isinstance(word, str) else str(word) for word in words)
    said = f"Expected {'one of ' if len(words) > 1 else ''}{listed}"
    return _rule(said, lambda found: found in words)(path)


def present(path: str) -> Rule:
    """It may not be absent here."""

    def absent(value: Any) -> Iterator[Problem]:
        if at(value, path) is None:
            yield path, "Field required"

    return absent


def same(path: str, other: str) -> Rule:
    """The two agree where both are present."""

    def differ(value: Any) -> Iterator[Problem]:
        found, wanted = at(value, path), at(value, other)
        if None not in (found, wanted) and found != wanted:
            yield path, f"Expected the value of `{other}`"

    return differ


def apart(path: str, other: str) -> Rule:
    """The two differ."""

    def agree(value: Any) -> Iterator[Problem]:
        found, taken = at(value, path), at(value, other)
        if None not in (found, taken) and found.strip() == taken.strip():
            yield path, f"Expected another value than that of `{other}`"

    return agree


def held(*paths: str) -> Rule:
    """The rules of what is there hold too; in a list, of every item."""

    def inside(value: Any) -> Iterator[Problem]:
        for path in paths:
            found = at(value, path)
            if found is None:
                continue
            if hasattr(found, "check"):
                yield from _of(path, found)
                continue
            for number, item in enumerate(found):
                yield from _of(f"{path}.{number}", item)

    return inside


def _of(path: str, found: Any) -> Iterator[Problem]:
    try:
        found.check()
    except Invalid as invalid:
        for issue in invalid.issues:
            yield f"{path}.{issue['path']}", issue["message"]


def _lease(request: Any) -> Iterator[Problem]:
    ids = request.workflow_ids
    if len(ids) != request.max:
        yield "workflow_ids", f"Expected as many as `max` says, {request.max}, got {len(ids)}"
    if not all(one.strip() for one in ids):
        yield "workflow_ids", "Expected ids that are not blank"
    if len(set(ids)) != len(ids):
        yield "workflow_ids", "Expected ids of which no two are the same"


def _due(request: Any) -> Iterator[Problem]:
    """The end of the grace window has to be a time that can be written."""
    if request.run_at is None or request.expire_after_secs is None or not _is_time(request.run_at):
        return
    from datetime import timedelta

    try:
        _ = parse(request.run_at) + timedelta(seconds=request.expire_after_secs)
    except OverflowError:
        yield "expire_after_secs", "Expected an end before the year 10000"


def _key(request: Any) -> Iterator[Problem]:
    key = request.idempotency_key
    if key is not None and len(key.strip()) > LONGEST_KEY:
        yield "idempotency_key", f"Expected at most {LONGEST_KEY} characters"


def _owned(fenced: Any) -> Iterator[Problem]:
    """A leased entry and its fence speak of the same work."""
    subject, entry = fenced.execution.subject, fenced.entry
    if subject is None:
        return
    known = subject.qualified_id
    if known != entry.subject_id and not known.endswith(f":{entry.subject_id}"):
        yield "execution.subject.qualified_id", "Expected the entry's subject"


def _published_by_one(config: Any) -> Iterator[Problem]:
    if config.required and config.owner is None:
        yield "owner", "Expected an owner, because publication is required"


FENCED: Final = (held("execution"), present("execution.queue_lease"))
MESSAGE: Final = (filled("scope.tenant_id", "scope.connection_id"),)
RECEIPT_SUBJECT: Final = (qualified("qualified_id"), positive("generation"))

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    # Execution
    "ExecutionFence": (
        within("schema", EXECUTION_FENCE),
        within("version", VERSION),
        filled("workflow_id"),
        positive("workflow_generation"),
        held("subject", "queue_lease", "repository"),
    ),
    "SubjectGeneration": RECEIPT_SUBJECT,
    "QueueLeaseFence": (
        filled("entry_id", "owner_id"),
        positive("generation"),
        time("expires_at"),
    ),
    "RepositoryReservation": (
        filled("repository"),
        ref("base_ref", "head_ref"),
        apart("head_ref", "base_ref"),
    ),
    # Queue
    "QueueEnqueueV2Request": (
        present("subject_dispatch.subject"),
        filled(
            "subject_dispatch.subject.kind",
            "subject_dispatch.subject.id",
            "subject_dispatch.workflow_ref",
            "idempotency_key",
        ),
        _key,
        held("repository"),
        time("run_at"),
        _due,
    ),
    "QueueLeaseV2Request": (positive("max"), filled("owner_id"), _lease, held("exclude")),
    "QueueLeaseRenewRequest": (*FENCED, positive("ttl_secs")),
    "QueueLeaseRecoverRequest": (
        *FENCED,
        filled("new_owner_id"),
        apart("new_owner_id", "execution.queue_lease.owner_id"),
        positive("ttl_secs"),
    ),
    "QueueCompletionV2Request": (*FENCED, within("status", *COMPLETION_STATUSES)),
    "QueueReleasePendingV2Request": (*FENCED, filled("reason")),
    "FencedQueueEntry": (
        *FENCED,
        same("execution.queue_lease.entry_id", "entry.entry_id"),
        present("entry.workflow_id"),
        same("execution.workflow_id", "entry.workflow_id"),
        _owned,
    ),
    # Conversations
    "ConversationOperationTerminalizeRequest": (within("status", *TERMINAL),),
    # Environment
    "ExecSessionRequest": (
        held("execution_fence"),
        same("workflow_id", "execution_fence.workflow_id"),
        same("subject_id", "execution_fence.subject.qualified_id"),
    ),
    # Runner
    "WorkflowExecuteRequest": (
        held("execution_fence"),
        same("workflow_id", "execution_fence.workflow_id"),
    ),
    "WorkflowPhaseRunRequest": (
        held("execution_fence"),
        same("workflow_id", "execution_fence.workflow_id"),
    ),
    "PublicationSubjectGeneration": RECEIPT_SUBJECT,
    "PublicationPullRequest": (positive("number"), filled("url"), sha("head_sha")),
    "PublicationReceipt": (
        within("schema", PUBLICATION_RECEIPT),
        within("version", VERSION),
        filled("workflow_id", "remote", "recovery_ref", "issuer.component", "issuer.version"),
        filled("issuer.phase_id"),
        positive("workflow_generation"),
        held("subject", "pull_request"),
        sha("commit_sha", "tree_sha", "observed_remote_sha"),
        same("observed_remote_sha", "commit_sha"),
        same("pull_request.head_sha", "commit_sha"),
        ref("remote_ref"),
        time("issued_at"),
    ),
    # Configuration
    "WorkflowPublicationConfig": (
        within("schema", PUBLICATION_CONFIG),
        within("version", VERSION),
        filled("owner.phase_id"),
        _published_by_one,
    ),
    # Channels
    "ChannelMessage": (*MESSAGE, filled("message_id", "peer_id"), time("occurred_at")),
    "ChannelSendParams": (*MESSAGE, filled("delivery_id", "peer_id", "reply_to")),
    "ChannelStatusParams": (*MESSAGE, filled("delivery_id")),
}
"""The rules of each type that has some, in the order in which they are held."""
