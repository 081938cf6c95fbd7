"""What is called on the queue."""

from typing import Any, Final

from _stores.calls import After, Call, Params, Row, same
from _stores.filling import AT, FEW

KINDS: Final = 5


def dispatch(subject: str) -> dict[str, Any]:
    task = {"kind": "animus.task", "id": subject}
    return {"subject": task, "workflow_ref": "w", "trigger_source": "t", "requested_at": AT}


def entry(of: int) -> Params:
    """Entries of one of so many kinds of calls, none of which changes those of another."""
    # Numbers that are 2, 3, 5, 7, 9 modulo 10 and no multiple of 4: pending, in the large queue, none of the few.
    spots = [n for n in range(3 * FEW, 1000) if n % 4 and n % 10 != 1]
    return lambda number: {"entry_id": f"e{spots[number * KINDS + of]:06}"}


def few(of: int, **more: Any) -> Params:
    """One of the few that are held (0) or assigned (1)."""
    return lambda number: {"entry_id": f"e{of * FEW + number % FEW:06}", **more}


def fenced(of: str, **more: Any) -> After:
    """An entry of its own that has just been leased."""

    def asked(call: Call, number: int) -> Any:
        envelope = {**dispatch(f"F-{of}-{number}"), "priority": "critical"}
        call("queue/v2/enqueue", {"subject_dispatch": envelope})
        lease = {"max": 1, "owner_id": "d", "workflow_ids": [f"w-{of}-{number}"]}
        (leased,) = call("queue/v2/lease", lease)["leased"]
        return {"execution": leased["execution"], **more}

    return After(asked)


@After
def completed(call: Call, number: int) -> Any:
    params = fenced("again", status="completed").asked(call, number)
    call("queue/v2/completion", params)
    return params


@After
def leased(call: Call, _number: int) -> Any:
    (entry,) = call("queue/lease", {"max": 1})["leased"]
    return {"entry_id": entry["entry_id"], "reason": "r"}


@After
def stands_for_nothing(call: Call, _number: int) -> Any:
    """A subject all of whose many entries v1 has leased."""
    params = {"subject_dispatch": dispatch("S-leased")}
    call("queue/drop", {"entry_id": call("queue/v2/enqueue", params)["entry_id"]})
    return params


QUEUE: Final[tuple[Row, ...]] = (
    ("stats", "stats", same()),
    ("list, first page", "list", same(limit=10)),
    ("list of the few that are held", "list", same(limit=10, status=["held"])),
    ("list of two statuses", "list", same(limit=10, status=["held", "pending"])),
    ("next_deadline", "next_deadline", same()),
    ("enqueue, new", "enqueue", lambda n: {"subject_dispatch": dispatch(f"N-{n}")}),
    ("enqueue, known", "enqueue", lambda n: {"subject_dispatch": dispatch(f"S-{n * 4 + 102}")}),
    (
        "enqueue, one of many of a subject",
        "enqueue",
        lambda _: {"subject_dispatch": dispatch("S-many"), "run_at": "2116-01-01T00:00:00Z"},
    ),
    ("hold", "hold", entry(0)),
    ("release", "release", few(0)),
    ("mark_assigned", "mark_assigned", entry(1)),
    ("drop", "drop", entry(2)),
    ("completion, not of this workflow", "completion", few(1, status="completed", workflow_id="x")),
    ("completion", "completion", lambda n: {**entry(1)(n), "status": "completed"}),
    (
        "reorder",
        "reorder",
        lambda n: {"entry_ids": [entry(3)(n)["entry_id"], entry(4)(n)["entry_id"]]},
    ),
    ("lease of 1", "lease", same(max=1)),
    ("lease of 3", "lease", same(max=3)),
    ("lease with exclusions", "lease", same(max=1, exclude_subjects=["S-1", "S-2"])),
    ("release_pending", "release_pending", leased),
    (
        "v2/enqueue, new",
        "v2/enqueue",
        lambda n: {"subject_dispatch": dispatch(f"V-{n}"), "idempotency_key": f"k{n}"},
    ),
    ("v2/enqueue of what v1 has leased", "v2/enqueue", stands_for_nothing),
    ("v2/lease of 3", "v2/lease", same(max=3, owner_id="d", workflow_ids=["a", "b", "c"])),
    ("v2/lease/renew", "v2/lease/renew", fenced("renew")),
    ("v2/lease/recover", "v2/lease/recover", fenced("recover", new_owner_id="e")),
    ("v2/completion", "v2/completion", fenced("completion", status="completed")),
    ("v2/completion, again", "v2/completion", completed),
    ("v2/release_pending", "v2/release_pending", fenced("release", reason="r")),
)
