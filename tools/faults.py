"""Run the fault suite for longer than CI does, and count what it has seen.

    python tools/faults.py [--seeds N ...] [--minutes N] [--only TEXT] [--json FILE]

Each seed goes through every case once: conversations of any bytes, hosts and signals, kills of the
examples that store, and stores that are locked, full or damaged. While there is time left, more
seeds follow. What fails is told with the words that repeat it; the tables are those of
docs/reliability.md.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "faults"))

from bad_hosts import HOSTS, SIGNALS, repeated
from faulty_hosts import Figures, Scenario
from kept_stores import STORES, Store
from killed_writes import killed_while_writing
from spoilt_stores import LOCKABLE, damaged, filled_up, full, locked, small_disk
from talked_frames import FAMILIES, WAYS, talked

PROMISED_S: Final = 0.5
CONVERSATIONS: Final = 100
ROUNDS: Final = 5
MOUNTED: Final = "full disks, mounted"


def of(store: Store, scenario: Any) -> Scenario:
    return partial(scenario, store)


def all_locked(chance: Random, folder: Path) -> Figures:
    """Every store at once: most of it is waiting."""
    lockable = [store for store in STORES if store.sql or store.example in LOCKABLE]
    figures, seed = Figures(), chance.getrandbits(32)

    def one(store: Store) -> Figures:
        return locked(store, Random(f"{seed} {store.example}"), folder / store.example)

    with ThreadPoolExecutor(len(lockable)) as pool:
        for found in pool.map(one, lockable):
            figures.add(found)
    return figures


def mounted(store: Store, chance: Random, _folder: Path) -> Figures:
    """On a real file system that is full."""
    with small_disk() as place:
        assert place is not None, "nothing may be mounted any more"
        return full(store, chance, place, filled_up)


def per_store(scenario: Any) -> dict[str, Scenario]:
    return {store.example: of(store, scenario) for store in STORES}


PARTS: Final[dict[str, dict[str, Scenario]]] = {
    "frames": {
        f"{way}, {family}": talked(way, family, CONVERSATIONS)
        for way in WAYS
        for family in FAMILIES
    },
    "hosts": {name: repeated(fault, ROUNDS) for name, fault in HOSTS.items()},
    "signals": {name: repeated(fault, ROUNDS) for name, fault in SIGNALS.items()},
    "kills": per_store(killed_while_writing),
    "locks": {"all of them": all_locked},
    "full disks, by a limit": per_store(full),
    MOUNTED: per_store(mounted),
    "damage": per_store(damaged),
}


@dataclass
class Run:
    """What came of all cases so far."""

    figures: dict[str, Figures] = field(default_factory=dict)
    cases: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)

    def take(self, part: str, case: str, seed: int) -> None:
        runs = self.cases.setdefault(part, {})
        runs[case] = runs.get(case, 0) + 1
        chance = Random(f"{seed} {part} {case}")
        try:
            with tempfile.TemporaryDirectory(prefix="animus-faults-") as folder:
                found = PARTS[part][case](chance, Path(folder))
        except Exception as problem:  # noqa: BLE001 - whatever fails is a fault that was found
            told = "".join(traceback.format_exception(problem))
            again = f"python tools/faults.py --seeds {seed} --only '{part}: {case}'"
            self.faults.append({"part": part, "case": case, "seed": seed, "told": told})
            print(f"{told}\nFAULT in {part}: {case}; again with: {again}\n", flush=True)
        else:
            self.figures.setdefault(part, Figures()).add(found)

    def tables(self) -> str:
        return "\n\n".join(("\n".join(self._counts()), "\n".join(self._times())))

    def _counts(self) -> Iterator[str]:
        yield "| part | cases | runs | what was seen | faults |"
        yield "|---|---:|---:|---|---:|"
        for part, runs in self.cases.items():
            counts = self.figures.get(part, Figures()).counts
            seen = ", ".join(f"{number:,} {name}" for name, number in counts.items())
            faults = sum(fault["part"] == part for fault in self.faults)
            yield f"| {part} | {len(runs)} | {sum(runs.values())} | {seen} | {faults} |"

    def _times(self) -> Iterator[str]:
        yield "| what ended it | times | median, ms | longest, ms | within 500 ms |"
        yield "|---|---:|---:|---:|---:|"
        for figures in self.figures.values():
            for name, times in figures.times_s.items():
                within = sum(one <= PROMISED_S for one in times)
                shown = f"{median(times) * 1000:.0f} | {max(times) * 1000:.0f}"
                yield f"| {name} | {len(times)} | {shown} | {within} |"

    def as_json(self) -> dict[str, Any]:
        parts = {
            part: {
                "runs": runs,
                "counts": dict(self.figures.get(part, Figures()).counts),
                "times_s": self.figures.get(part, Figures()).times_s,
            }
            for part, runs in self.cases.items()
        }
        return {"python": platform.python_version(), "parts": parts, "faults": self.faults}


def chosen(text: str) -> list[tuple[str, str]]:
    """The cases whose name has this; without what this process may not do."""
    every = [(part, case) for part, cases in PARTS.items() for case in cases]
    found = [(part, case) for part, case in every if text in f"{part}: {case}"]
    with small_disk() as place:
        if place is None:
            print("no file system may be mounted here: those cases are left out", file=sys.stderr)
            return [(part, case) for part, case in found if part != MOUNTED]
    return found


def seeds(given: list[int], until: float) -> Iterable[int]:
    """Those that were asked for, then more while there is time."""

    def more() -> Iterator[int]:
        for seed in count(max(given) + 1):
            if time.monotonic() > until:
                return
            yield seed

    return chain(given, more())


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the fault suite for longer than CI does.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--minutes", type=float, default=0.0, help="go on with more seeds so long")
    parser.add_argument("--only", default="", help="cases whose `part: case` has this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    run, cases, start = Run(), chosen(options.only), time.monotonic()
    if not cases:
        parser.error(f"no case has '{options.only}' in its name: {', '.join(PARTS)}")
    try:
        for seed in seeds(options.seeds, until):
            for part, case in cases:
                if seed in options.seeds or time.monotonic() < until:
                    run.take(part, case, seed)
            took = time.monotonic() - start
            print(f"seed {seed}: {took / 60:.1f} min, {len(run.faults)} faults", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: this is what was seen until now", file=sys.stderr)
    print(run.tables())
    if options.json:
        options.json.write_text(json.dumps(run.as_json(), indent=1) + "\n", "utf-8")
    return bool(run.faults)


if __name__ == "__main__":
    raise SystemExit(main())
