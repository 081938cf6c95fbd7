"""Does a call cost the same on a small and on a large store?"""

import argparse
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from _stores.calls import Case
from _stores.cases import CASES
from _stores.cores import one_core
from _stores.places import Place, Places
from animus_routes import RpcError
from animus_routes.host import Plugin

WARM_UPS: Final = 20
CALLS: Final = 7
LEAST_MS: Final = 0.3  # what is cheaper is as good as this
BOUND: Final = 1.5
AGAIN: Final = 2


def flat(places: Places, options: argparse.Namespace) -> list[dict[str, Any]]:
    wanted = [case for case in CASES if options.only in f"{case.example} {case.title}"]
    found: list[dict[str, Any]] = []
    with one_core(places.server):
        for example in dict.fromkeys(case.example for case in wanted):
            for kind in places.kinds(example):
                cases = [case for case in wanted if case.example == example]
                found += measured(places, kind, cases, options.rows)
    return found


def measured(
    places: Places, kind: str, cases: list[Case], sizes: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    small, large = (places.make(cases[0].example, kind, rows) for rows in sizes)
    with small.served() as one, large.served() as two:
        for case in cases:
            runs = [ratio(case, one, two, 0)]
            if runs[0]["ratio"] > BOUND:
                runs += [ratio(case, one, two, turn + 1) for turn in range(AGAIN)]
            runs.sort(key=lambda run: run["ratio"])
            middle = runs[len(runs) // 2]
            met = "met" if middle["ratio"] <= BOUND else "**MISSED**"
            named = {"store": case.example, "database": kind, "method": case.title}
            yield {**named, **middle, "met": met, "measured": [run["ratio"] for run in runs]}


def ratio(case: Case, small: Plugin, large: Plugin, turn: int) -> dict[str, float]:
    """Medians of calls taken in turn from both, and the larger over the smaller, both raised."""
    first = turn * (WARM_UPS + CALLS)
    for number in range(first, first + WARM_UPS):
        for plugin in (small, large):
            timed(plugin, case, number)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(first + WARM_UPS, first + WARM_UPS + CALLS):
        for plugin, into in zip((small, large), times, strict=True):
            into.append(timed(plugin, case, number))
    one, two = map(median, times)
    return {"small ms": one, "large ms": two, "ratio": max(two, LEAST_MS) / max(one, LEAST_MS)}


def timed(plugin: Plugin, case: Case, number: int) -> float:
    params = case.asked(plugin.call, number)
    started = time.perf_counter()
    try:
        plugin.call(case.method, params)
    except RpcError as problem:
        raise RuntimeError(f"{case.example}, {case.title}: {problem}") from problem
    return (time.perf_counter() - started) * 1000


__all__ = ["Place", "flat"]
