"""Queues: entries on their way, leases, fences, and races for them (host 4.5; newer 3.2)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.outcomes import Skipped, expect
from animus_routes.conformance.rows import serves
from animus_routes.conformance.stories.play import NOW, Play, story
from animus_routes.timestamps import parse

if TYPE_CHECKING:
    from animus_routes.conformance.wire import Wire

Params = dict[str, Any]
RACERS: Final = 2
LEASE_LENGTH: Final = (
    "ANIMUS_QUEUE_LEASE_TTL_SECS"  # where hosts set it, as `env_required` names it
)
LEASE_S: Final = 1
LONGEST_S: Final = 5.0


def dispatch(play: Play, number: int = 0) -> Params:
    """A subject on its way to a workflow."""
    return {
        "subject": {"kind": "task", "id": f"{play.name}-{number}"},
        "workflow_ref": "animus-check",
        "trigger_source": "animus-check",
        "requested_at": NOW,
    }


def enqueued(play: Play, method: str = "queue/enqueue", number: int = 0, **more: Any) -> Params:
    """A new entry; what becomes of it is said."""
    found: Params = play.call(method, {"subject_dispatch": dispatch(play, number), **more})
    play.wrote(f"the queue's entry {found['entry_id']}")
    return found


def only_mine(play: Play) -> None:
    """Other entries are somebody's work: nothing is leased beside them."""
    pending = play.call("queue/list", {"limit": 500})["stats"]["pending"]
    if pending:
        raise Skipped(f"{pending} entries wait in this queue, and a lease would take them")


def dropped(play: Play, *entries: str) -> None:
    """Take them out again."""
    for entry in entries:
        play.ask("queue/drop", {"entry_id": entry})
    play.wrote("nothing of it is left: its entries are dropped or completed")


def _life(play: Play) -> None:
    entry = enqueued(play)["entry_id"]
    with play.another() as other:
        listed = {e["entry_id"]: e for e in other.call("queue/list", {"limit": 500})["entries"]}
        expect(
            entry in listed, "another process does not see the entry: hosts start one for each call"
        )
        again = other.call("queue/enqueue", {"subject_dispatch": dispatch(play)})
        expect(
            again["entry_id"] == entry and not again["enqueued"],
            "the same subject is queued twice: an entry without its own time is added once",
        )
    for verb, status in (("hold", "held"), ("release", "pending")):
        play.call(f"queue/{verb}", {"entry_id": entry})
        found = _status(play, entry)
        expect(found == status, f"after queue/{verb}, the entry is {found}, and not {status}")
    play.call("queue/drop", {"entry_id": entry})
    expect(_status(play, entry) is None, "after queue/drop, the entry is still there")
    missing = play.call("queue/drop", {"entry_id": entry})
    expect(not missing["changed"], "queue/drop of an entry that is gone says that it changed")
    dropped(play)


def _status(play: Play, entry: str) -> str | None:
    for one in play.call("queue/list", {"limit": 500})["entries"]:
        if one["entry_id"] == entry:
            return str(one["status"])
    return None


def _lease(play: Play) -> None:
    only_mine(play)
    entry = enqueued(play)["entry_id"]
    leased = play.call("queue/lease", {"max": 2})["leased"]
    expect(
        [one["entry_id"] for one in leased] == [entry],
        f"a lease without workflow ids gives {[one['entry_id'] for one in leased]}, not {entry}",
    )
    expect(not play.call("queue/lease", {"max": 2})["leased"], "an entry is leased twice")
    done = {"entry_id": entry, "status": "completed", "workflow_id": f"{play.name}-run"}
    finished = play.call("queue/completion", done)
    expect(
        finished["changed"],
        "a completion with the runner's own workflow id is not taken: it is matched by the entry",
    )
    dropped(play, entry)


def _race(play: Play) -> None:
    only_mine(play)
    entries = [enqueued(play, number=n)["entry_id"] for n in range(2 * RACERS)]
    bench = play.bench

    def lease(wire: Wire) -> list[str]:
        found = Play(bench, wire, play.name).call("queue/lease", {"max": RACERS})["leased"]
        return [str(one["entry_id"]) for one in found]

    with bench.serving() as one, bench.serving() as other, ThreadPoolExecutor(RACERS) as pool:
        taken = [entry for found in pool.map(lease, (one, other)) for entry in found]
    twice = {entry for entry in taken if taken.count(entry) > 1}
    dropped(play, *entries)
    expect(not twice, f"two processes lease the same entry: {', '.join(sorted(twice))}")


def _fence(play: Play) -> None:
    only_mine(play)
    key: Params = {"idempotency_key": play.name}
    first = enqueued(play, "queue/v2/enqueue", **key)
    again = play.call("queue/v2/enqueue", {"subject_dispatch": dispatch(play), **key})
    expect(
        (again["entry_id"], again["enqueued"]) == (first["entry_id"], False),
        "the same idempotency key adds another entry, or says that it did",
    )
    owner = {"max": 1, "owner_id": play.name, "workflow_ids": [f"{play.name}-run"]}
    leased = play.call("queue/v2/lease", owner)["leased"]
    expect(len(leased) == 1, f"queue/v2/lease gives {len(leased)} entries of the one that waits")
    fence: Params = leased[0]["execution"]
    _renewed(play, fence)
    _stale(play, fence)
    done = {"execution": fence, "status": "completed"}
    for wanted in ("applied", "already_applied"):
        _outcome(play, "completion", done, wanted)
    refused = {**owner, "x_unknown": 1}
    play.refused("queue/v2/lease", refused, "with a field that is none of v2")
    dropped(play)


def _renewed(play: Play, fence: Params) -> None:
    _outcome(play, "lease/renew", {"execution": fence}, "applied")
    recover = {"execution": fence, "new_owner_id": f"{play.name}-2"}
    _outcome(play, "lease/recover", recover, "lease_still_live")


def _stale(play: Play, fence: Params) -> None:
    lease = fence["queue_lease"]
    for change in ({"generation": lease["generation"] + 1}, {"owner_id": f"{play.name}-3"}):
        stale = {**fence, "queue_lease": {**lease, **change}}
        _outcome(play, "completion", {"execution": stale, "status": "failed"}, "stale_fence")
        _outcome(play, "lease/renew", {"execution": stale}, "stale_fence")


def _outcome(play: Play, verb: str, params: Params, wanted: str) -> None:
    found = play.call(f"queue/v2/{verb}", params)["outcome"]
    expect(found == wanted, f"queue/v2/{verb} says {found}, and not {wanted}")


def _put_back(play: Play) -> None:
    only_mine(play)
    entry = enqueued(play, "queue/v2/enqueue")["entry_id"]
    owner = {"max": 1, "owner_id": play.name, "workflow_ids": [f"{play.name}-run"]}
    fence = play.call("queue/v2/lease", owner)["leased"][0]["execution"]
    back = {"execution": fence, "reason": "put back"}
    _outcome(play, "release_pending", back, "applied")
    again = play.call("queue/v2/lease", {**owner, "workflow_ids": [f"{play.name}-other"]})
    newer = again["leased"][0]["execution"]
    expect(
        newer["workflow_id"] == fence["workflow_id"],
        "an entry that was put back gets another workflow id with its next lease",
    )
    expect(
        newer["queue_lease"]["generation"] > fence["queue_lease"]["generation"],
        "the next lease of an entry that was put back does not raise its generation",
    )
    _outcome(play, "completion", {"execution": newer, "status": "cancelled"}, "applied")
    if serves(play.bench, "queue/drop"):
        dropped(play, entry)


def _expiry(play: Play) -> None:
    if LEASE_LENGTH not in play.bench.variables:
        raise Skipped(f"a lease lasts too long to wait for: it declares no {LEASE_LENGTH}")
    only_mine(play)
    entry = enqueued(play, "queue/v2/enqueue")["entry_id"]
    owner = {"max": 1, "owner_id": play.name, "workflow_ids": [f"{play.name}-run"]}
    with play.bench.serving(env={LEASE_LENGTH: str(LEASE_S)}) as wire:
        short = Play(play.bench, wire, play.name)
        fence = short.call("queue/v2/lease", owner)["leased"][0]["execution"]
        _expired(fence)
        _outcome(short, "lease/renew", {"execution": fence}, "stale_fence")
        heir = f"{play.name}-2"
        other = {**owner, "owner_id": heir, "workflow_ids": [f"{play.name}-other"]}
        again = short.call("queue/v2/lease", other)["leased"]
        expect(not again, "an entry whose lease has expired is leased again, and not recovered")
        newer = _recovered(short, fence, heir)
        _outcome(short, "completion", {"execution": fence, "status": "failed"}, "stale_fence")
        _outcome(short, "completion", {"execution": newer, "status": "completed"}, "applied")
    if serves(play.bench, "queue/drop"):
        dropped(play, entry)


def _expired(fence: Params) -> None:
    """Wait until a lease is over by what it says."""
    end = parse(fence["queue_lease"]["expires_at"])
    left = (end - datetime.now(UTC)).total_seconds()
    expect(left < LONGEST_S, f"with {LEASE_LENGTH}={LEASE_S}, a lease lasts {left:.0f} s")
    time.sleep(max(left, 0.0) + 0.1)


def _recovered(play: Play, fence: Params, owner: str) -> Params:
    found = play.call("queue/v2/lease/recover", {"execution": fence, "new_owner_id": owner})
    said = found["outcome"]
    expect(said == "applied", f"queue/v2/lease/recover of an expired lease says {said}")
    newer: Params = found["execution"]
    old, new = fence["queue_lease"], newer["queue_lease"]
    expect(
        (new["owner_id"], new["generation"]) == (owner, old["generation"] + 1)
        and newer["workflow_generation"] == fence["workflow_generation"],
        f"a recovered lease is not its new owner's, or not one generation newer: {new!r:.200}",
    )
    return newer


V2: Final = ("queue/v2/enqueue", "queue/v2/lease", "queue/v2/completion", "queue/list")

STORIES: Final = (
    story(
        "queued",
        "An entry is added once, held, released and dropped, whatever process is asked",
        "host 4.5: a new process for each call",
        _life,
        "queue/enqueue",
        "queue/list",
        "queue/hold",
        "queue/release",
        "queue/drop",
    ),
    story(
        "lease",
        "An entry is leased once, and completed by the runner's own workflow id",
        "installing 3: a lease without workflow ids; completions are matched by the entry",
        _lease,
        "queue/enqueue",
        "queue/list",
        "queue/lease",
        "queue/completion",
    ),
    story(
        "lease-race",
        "Two processes never lease the same entry",
        "host 4.5; newer 3.2.6",
        _race,
        "queue/enqueue",
        "queue/list",
        "queue/lease",
        "queue/drop",
    ),
    story(
        "fences",
        "A fenced lease is renewed and completed by its fence alone",
        "newer 3.2.3 and 3.2.4: compare-and-swap; stale_fence changes nothing",
        _fence,
        *V2,
        "queue/v2/lease/renew",
        "queue/v2/lease/recover",
    ),
    story(
        "expired",
        "An expired lease is recovered by another owner, and never leased again as it is",
        "newer 3.2.3: expiry, recover; newer 3.2.4: the length of a lease",
        _expiry,
        *V2,
        "queue/v2/lease/renew",
        "queue/v2/lease/recover",
    ),
    story(
        "put-back",
        "An entry that is put back keeps its workflow, and its next lease is newer",
        "newer 3.2.3: put-back keeps workflow id and generation",
        _put_back,
        *V2,
        "queue/v2/release_pending",
    ),
)
