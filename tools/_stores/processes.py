"""One and four processes on one queue: does each get its share, and is nothing lost?"""

import argparse
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from _stores.places import Place, Places
from animus_routes import RpcError
from animus_routes.host import Plugin

WAITING: Final = (1_000, 20_000)
LEASE: Final = {"max": 1}


def processes(places: Places, options: argparse.Namespace) -> list[dict[str, Any]]:
    if options.only not in "queue_sql processes":
        return []
    found: list[dict[str, Any]] = []
    for kind in places.kinds("queue_sql"):
        rates: dict[tuple[int, int], float] = {}
        for waiting in WAITING:
            for number in (1, 4):
                # Leases take what waits: there is enough of it, and the rest is filled up.
                place = places.make("queue_sql", kind, waiting)
                row = together(place, number, options.seconds)
                rates[waiting, number] = row["a second"]
                row = {"database": kind, "waiting": waiting, "processes": number, **row}
                found.append({**row, "met": judged(kind, waiting, number, row, rates)})
    return found


def judged(
    kind: str, waiting: int, number: int, row: dict[str, Any], rates: dict[tuple[int, int], float]
) -> str:
    if number == 1:
        return ""
    held = row["errors"] == row["leased twice"] == 0
    if kind == "sqlite":
        held = held and row["largest share"] <= 2 and row["p99.9 ms"] <= 500
        held = held and row["longest ms"] <= 2000
        if waiting == WAITING[-1]:
            held = held and rates[waiting, 4] >= 0.9 * rates[WAITING[0], 4]
    else:
        held = held and rates[waiting, 4] >= 1.3 * rates[waiting, 1]
    return "met" if held else "**MISSED**"


@dataclass
class Worker:
    """One process of several, and what came of its calls."""

    plugin: Plugin
    times: list[float] = field(default_factory=list)
    leased: list[str] = field(default_factory=list)
    errors: list[RpcError] = field(default_factory=list)

    def call(self, method: str, params: Any) -> Any:
        started = time.perf_counter()
        try:
            return self.plugin.call(method, params)
        except RpcError as problem:
            self.errors.append(problem)
            return {"leased": []}
        finally:
            self.times.append((time.perf_counter() - started) * 1000)

    def work(self, until: float) -> None:
        while time.monotonic() < until:
            for entry in self.call("queue/lease", LEASE)["leased"]:
                self.leased.append(entry["entry_id"])
                done = {"entry_id": entry["entry_id"], "status": "completed"}
                self.call("queue/completion", done)
                self.call("queue/enqueue", {"subject_dispatch": entry["subject_dispatch"]})


def together(place: Place, number: int, seconds: float) -> dict[str, Any]:
    """Leases and completions in a loop, an entry added for each that is done."""
    with ExitStack() as stack:
        workers = [Worker(stack.enter_context(place.served())) for _ in range(number)]
        for worker in workers:
            worker.plugin.call("queue/stats")  # what a start costs is not measured here
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=w.work, args=(until,)) for w in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = sorted(ms for worker in workers for ms in worker.times)
    done = [len(worker.leased) for worker in workers]
    ids = [entry_id for worker in workers for entry_id in worker.leased]
    return {
        "a second": sum(done) / seconds,
        "largest share": max(done) / max(min(done), 1),
        "p99.9 ms": times[int(len(times) * 0.999)],
        "longest ms": times[-1],
        "leased twice": len(ids) - len(set(ids)),
        "errors": sum(len(worker.errors) for worker in workers),
    }
