"""How long does a host wait for the first answer of a process that it starts for a call?"""

import argparse
import shutil
import time
from statistics import median
from typing import Any, Final

from _stores.cores import one_core
from _stores.filling import EXAMPLES
from _stores.places import ENVIRONMENT, Place, Places
from animus_routes.host import Plugin

ROUNDS: Final = 15
CALLS: Final = {
    "queue_sql": ("queue/stats", {}),
    "durable_sql": ("durable/recover_in_flight", {"since_epoch": 0}),
    "conversations_sql": ("conversation/list", {}),
}
BOUNDS: Final = {"sqlite": 1.6, "postgresql": 3.5}
ROWS: Final = 1_000


def cold(places: Places, options: argparse.Namespace) -> list[dict[str, Any]]:
    hello = Place("hello", places.folder)
    asked: dict[str, tuple[Place, str, dict[str, Any]]] = {"hello": (hello, "task/list", {})}
    for example, (method, params) in CALLS.items():
        for kind in places.kinds(example):
            if options.only in example:
                store = places.make(example, kind, ROWS)
                asked[f"{example} {kind}"] = (store, method, params)
                if kind == "sqlite":
                    asked[f"{example} sqlite, wal"] = (with_log(places, store), method, params)
    times: dict[str, list[float]] = {name: [] for name in asked}
    with one_core(None):
        for _ in range(ROUNDS + 1):
            for name, (place, method, params) in asked.items():
                times[name].append(first_answer(place, method, params))
    hello_ms = median(times["hello"][1:])
    found = []
    for name, measured in times.items():
        ms = median(measured[1:])
        kind = name.partition(" ")[2]
        bound = BOUNDS.get(kind)
        met = "" if bound is None else "met" if ms / hello_ms <= bound else "**MISSED**"
        row = {"store": name, "first answer ms": ms, "of hello's": ms / hello_ms}
        found.append({**row, "bound": bound or "", "met": met, "measured": measured})
    return found


def with_log(places: Places, store: Place) -> Place:
    """The same store with a write-ahead log."""
    import sqlite3

    project = places.folder / f"{store.project.name}-wal"
    shutil.copytree(store.project, project)
    (file,) = (project / ".animus").iterdir()
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    return Place(store.example, project)


def first_answer(place: Place, method: str, params: Any) -> float:
    started = time.perf_counter()
    with Plugin.start(place.command(), cwd=place.project, env=place.environment) as plugin:
        place.greet(plugin)
        plugin.call(method, params)
        return (time.perf_counter() - started) * 1000


__all__ = ["ENVIRONMENT", "EXAMPLES", "cold"]
