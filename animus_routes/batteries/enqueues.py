"""What a queue decides about `queue/v2/enqueue`, whatever it stores its entries in.

The other half of `animus_routes.batteries.leases`: a store hands in what one transaction has read,
and writes what comes back in the same one.

    with database.turn() as turn:
        decision = enqueues.enqueue(
            request,
            uuid4().hex,
            turn.receipt(enqueues.key_of(request)),
            turn.live(enqueues.qualified_id(request.subject_dispatch.subject)),
            turn.count_up,
        )

Both families of wire types are taken; answers are Structs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, json, structs

from animus_routes.batteries.leases import Lease
from animus_routes.errors import InvalidRequest
from animus_routes.structs.execution import RepositoryReservation, SubjectGeneration
from animus_routes.structs.queue import QueueEnqueueV2Response
from animus_routes.values.codecs import to_builtins

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "EnqueueDecision",
    "Receipt",
    "content_of",
    "enqueue",
    "is_live",
    "key_of",
    "qualified_id",
    "reservation_of",
]

ALIASES: Final = {"animus.task": "task", "animus.requirement": "requirement"}


class Receipt(Struct, frozen=True, kw_only=True):
    """What a store keeps of an idempotency key, for ever.

    Attributes:
        content: Of `content_of`.
    """

    key: str
    entry_id: str
    subject_id: str
    subject_generation: int
    content: str


class EnqueueDecision(Struct, frozen=True, kw_only=True):
    """What to store after `queue/v2/enqueue`, and what to answer.

    Attributes:
        answer: The call's result.
        added: The new entry; None = there is one already.
        changed: The entry that is there already, if it got its generation now.
        receipt: What to keep of the request's key; None = nothing new.
    """

    answer: QueueEnqueueV2Response
    added: Lease | None = None
    changed: Lease | None = None
    receipt: Receipt | None = None


def qualified_id(subject: Any) -> str:
    """A subject's id as fences have it: `<kind>:<id>`, trimmed, the kind's prefix once.

    Args:
        subject: A `SubjectRef`.

    Raises:
        InvalidRequest: Its kind or id is blank.
    """
    kind: str = subject.kind.strip()
    kind = ALIASES.get(kind.lower(), kind)
    native: str = subject.id.strip()
    prefix, colon, rest = native.partition(":")
    if colon and prefix.strip().lower() == kind.lower():
        native = rest.strip()
    if not kind or not native:
        raise InvalidRequest("the subject needs a kind and an id that are not blank")
    return f"{kind}:{native}"


def reservation_of(given: Any) -> RepositoryReservation | None:
    """A reservation as it is stored: trimmed.

    Args:
        given: A `RepositoryReservation` of either family, or None.
    """
    if given is None:
        return None
    return RepositoryReservation(
        repository=given.repository.strip(),
        base_ref=given.base_ref.strip(),
        head_ref=given.head_ref.strip(),
    )


def content_of(request: Any) -> str:
    """What two enqueue requests of one idempotency key have to have in common.

    Everything but the key and `subject_dispatch.requested_at`, which hosts stamp anew when they
    try again. Compare it, or a hash of it.

    Args:
        request: A `QueueEnqueueV2Request` of either family.
    """
    found: dict[str, Any] = to_builtins(request)
    found.pop("idempotency_key", None)
    found["subject_dispatch"].pop("requested_at", None)
    return json.encode(found, order="sorted").decode()


def key_of(request: Any) -> str | None:
    """A request's idempotency key, trimmed; None if it has none.

    Args:
        request: A `QueueEnqueueV2Request` of either family.
    """
    key: str | None = request.idempotency_key
    return None if key is None else key.strip()


def is_live(entry: Lease) -> bool:
    """Does an entry stand for its subject, so that no second one is added?

    One that v1 has assigned does not: its owner does not know of fences.
    """
    return entry.status != "assigned" or entry.expires_at is not None


def enqueue(
    request: Any,
    entry_id: str,
    known: Receipt | None,
    live: Lease | None,
    allocate: Callable[[str], int],
) -> EnqueueDecision:
    """Decide `queue/v2/enqueue`.

    Args:
        request: A `QueueEnqueueV2Request` of either family.
        entry_id: The id of a new entry, if there is to be one.
        known: What is kept of the request's key.
        live: An entry of the subject that `is_live`; also one whose grace window this call ended.
        allocate: Gives a subject's next generation: the highest so far, and one.

    Raises:
        InvalidRequest: The key was used for something else, or the subject is blank.
    """
    content = content_of(request)
    if known is not None:
        if known.content != content:
            raise InvalidRequest("the idempotency key belongs to a request with other content")
        return EnqueueDecision(answer=_answer(known))
    subject_id = qualified_id(request.subject_dispatch.subject)
    entry = live or Lease(
        entry_id=entry_id,
        status="pending",
        subject_id=subject_id,
        repository=reservation_of(request.repository),
    )
    if not entry.subject_generation:
        entry = structs.replace(entry, subject_generation=allocate(subject_id))
    key = key_of(request)
    receipt = Receipt(
        key=key or "",
        entry_id=entry.entry_id,
        subject_id=subject_id,
        subject_generation=entry.subject_generation,
        content=content,
    )
    return EnqueueDecision(
        answer=_answer(receipt, live, enqueued=live is None),
        added=entry if live is None else None,
        changed=entry if live is not None and entry is not live else None,
        receipt=receipt if key is not None else None,
    )


def _answer(
    receipt: Receipt, live: Lease | None = None, *, enqueued: bool = False
) -> QueueEnqueueV2Response:
    warning = None
    if live is not None:
        warning = f"the subject is already in the queue: {live.entry_id} ({live.status})"
    return QueueEnqueueV2Response(
        enqueued=enqueued,
        entry_id=receipt.entry_id,
        subject=SubjectGeneration(
            qualified_id=receipt.subject_id, generation=receipt.subject_generation
        ),
        warning=warning,
    )
