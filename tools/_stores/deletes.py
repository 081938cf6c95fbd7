"""While a large thing is deleted, how long does anybody else wait?"""

import argparse
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

from _stores.calls import Params
from _stores.cases import BIG, message
from _stores.filling import PARENT
from _stores.places import Place, Places
from animus_routes.host import Plugin, PluginTimeoutError

BOUND_MS: Final = 50
ALONE_S: Final = 1.0
LONGEST_S: Final = 60.0
# What is deleted, and what others write meanwhile.
DELETES: Final[dict[str, tuple[str, Any, str, Params]]] = {
    "conversations_sql": (
        "conversation/delete",
        {"id": "c0"},
        "conversation/append_message",
        lambda number: {"id": "c101", "message": message(number)},
    ),
    "journal_sqlite": (
        "journal/delete",
        {"workflow_id": "big"},
        "journal/save",
        lambda number: {"run": {"workflow_id": f"n{number}", "status": "done", "blob": {}}},
    ),
    "memory_sqlite": (
        "memory/delete_scope",
        {"scope": BIG},
        "memory/put",
        lambda number: {"scope": {"project_id": "other"}, "key": f"{number}", "value": 1},
    ),
    "tasks_sqlite": (
        "task/delete",
        {"id": f"task:{PARENT + 1}"},
        "task/create",
        lambda number: {"title": f"{number}"},
    ),
}


def deletes(places: Places, options: argparse.Namespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for example in DELETES:
        for kind in places.kinds(example):
            if options.only in example:
                place = places.make(example, kind, options.rows[1])
                found += meanwhile(place, kind)
    return found


def meanwhile(place: Place, kind: str) -> list[dict[str, Any]]:
    """The longest call of the process that deletes and of another one, without and with a delete."""
    method, params, *_ = DELETES[place.example]
    own, another = "the same process", "another process"
    with ExitStack() as stack:
        plugins = {name: stack.enter_context(place.served()) for name in (own, another)}
        for plugin in plugins.values():
            longest(plugin, place, until(0))  # which opens the store
        without = together(plugins, place, dict.fromkeys(plugins, until(ALONE_S)))
        done = threading.Event()
        started = time.perf_counter()
        asked = plugins[own].request(method, params)

        def ended() -> bool:
            if answered(plugins[own], asked):
                done.set()
            return done.is_set()

        beside = together(plugins, place, {own: ended, another: done.is_set})
        seconds = time.perf_counter() - started
    return [
        {
            "store": place.example,
            "database": kind,
            "delete s": seconds,
            "who waits": name,
            "longest without ms": without[name],
            "longest beside ms": beside[name],
            "met": "met" if beside[name] - without[name] <= BOUND_MS else "**MISSED**",
        }
        for name in plugins
    ]


def together(
    plugins: dict[str, Plugin], place: Place, over: dict[str, Callable[[], bool]]
) -> dict[str, float]:
    """All of them write at the same time; the longest call of each, in milliseconds."""
    with ThreadPoolExecutor() as pool:
        found = {
            name: pool.submit(longest, plugin, place, over[name])
            for name, plugin in plugins.items()
        }
        return {name: one.result() for name, one in found.items()}


def until(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def answered(plugin: Plugin, request: int) -> bool:
    try:
        plugin.reply(request, 0.001)
    except PluginTimeoutError:
        return False
    return True


def longest(plugin: Plugin, place: Place, over: Callable[[], bool]) -> float:
    """Writes in a row, and how long the longest took, in milliseconds."""
    *_, method, params = DELETES[place.example]
    worst, last = 0.0, until(LONGEST_S)
    while True:
        started = time.perf_counter()
        plugin.call(method, params(time.monotonic_ns()))
        worst = max(worst, (time.perf_counter() - started) * 1000)
        if over() or last():
            return worst
