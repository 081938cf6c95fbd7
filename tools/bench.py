"""Measure the framework against bare loops and a plugin written by hand, over real pipes.

Every contender is a plugin process with a cleared environment; the contenders take turns at each
measure, several times a round, so that a slow moment of the machine hits them alike. The table has
medians over all turns, and the median of each turn's ratio to `limit`; for the framework's plugins
also to the bare loop that does the same work: the same types, the same functions, called alike.

    python tools/bench.py [--quick] [--rounds N] [--only NAME] [--json FILE]
"""

import argparse
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from bench_client import BenchError, Contender
from bench_measures import MEASURES, Measure, verify

LIMIT: Final = "limit"
STRUCTS: Final = "routes_structs"
PYDANTIC: Final = "routes_pydantic"
SAME: Final = {STRUCTS: "limit_same", PYDANTIC: "pydantic_same"}
CONTENDERS: Final = (LIMIT, "pydantic_loop", "limit_same", STRUCTS, "pydantic_same", PYDANTIC)

ROUNDS: Final = 7
QUICK_ROUNDS: Final = 2
QUICK_SCALE: Final = 0.34
FAILURES: Final = (BenchError, OSError, ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class Target:
    """What a contender has to reach: a ratio to `limit` or to its same loop, or a value."""

    sense: Literal["<=", ">="]
    bound: float
    on: Literal["limit", "same", "value"] = "limit"

    def is_met(self, reached: float) -> bool:
        return reached <= self.bound if self.sense == "<=" else reached >= self.bound

    def __str__(self) -> str:
        unit = {"limit": "x", "same": "x same", "value": ""}[self.on]
        return f"{self.sense} {self.bound:g}{unit}"


@dataclass(frozen=True)
class Metric:
    """One row of the table; `key` is what a measure calls it."""

    key: str
    title: str
    unit: str
    targets: Mapping[str, Target] = field(default_factory=dict)


def both(structs: Target, pydantic: Target) -> dict[str, Target]:
    return {STRUCTS: structs, PYDANTIC: pydantic}


def at_most(structs: float, pydantic: float) -> dict[str, Target]:
    """Ratios to `limit` that are not to be exceeded."""
    return both(Target("<=", structs), Target("<=", pydantic))


def below(bound: float) -> dict[str, Target]:
    """An absolute value that holds for both families."""
    return dict.fromkeys((STRUCTS, PYDANTIC), Target("<=", bound, on="value"))


OF_SAME: Final = both(Target(">=", 0.9, on="same"), Target(">=", 0.85, on="same"))

METRICS: Final = (
    Metric("initialize_ms", "spawn to `initialize` answer", "ms", at_most(1.15, 3.4)),
    Metric("first_get_ms", "spawn to first `task/get` answer", "ms", at_most(1.15, 3.4)),
    Metric("manifest_ms", "`--manifest`, whole process", "ms", at_most(1.15, 3.4)),
    Metric(
        "get_p50_us",
        "sequential `task/get`, p50",
        "µs",
        both(Target("<=", 1.15, on="same"), Target("<=", 1.15, on="same")),
    ),
    Metric("get_p99_us", "sequential `task/get`, p99", "µs", {STRUCTS: Target("<=", 1.5)}),
    Metric("get_per_s", "pipelined `task/get`", "/s", OF_SAME),
    Metric("get_cpu_us", "processor time per pipelined `task/get`", "µs"),
    Metric("list_per_s", "pipelined `task/list` of 50", "/s", OF_SAME),
    Metric("list_cpu_us", "processor time per pipelined `task/list`", "µs"),
    Metric(
        "events_per_s",
        "streamed events",
        "/s",
        both(Target(">=", 0.7), Target(">=", 0.85, on="same")),
    ),
    Metric("first_event_ms", "time to the first event", "ms"),
    Metric("ping_stream_ms", "`$/ping` during the 100,000 events of a stream", "ms"),
    Metric("ping_sleep_ms", "`$/ping` in a handler that sleeps 1 s, median", "ms", below(5)),
    Metric("ping_sleep_max_ms", "the slowest of these pings", "ms", below(20)),
    Metric("ping_spin_ms", "`$/ping` in a handler that spins 1 s, median", "ms", below(25)),
    Metric("ping_spin_max_ms", "the slowest of these pings", "ms", below(50)),
    Metric("resident_mib", "resident memory after the first answer", "MiB", at_most(1.2, 2.3)),
    Metric("frame_1_mib_ms", "one frame of 1 MiB", "ms"),
    Metric("frame_4_mib_ms", "one frame of 4 MiB", "ms"),
    Metric("frame_16_mib_ms", "one frame of 16 MiB", "ms"),
    # Linear is 4 and quadratic 16; the bound between them leaves room for the machine's noise.
    Metric("frame_growth", "16 MiB frame over 4 MiB frame", "times", below(7)),
)

Samples = dict[str, dict[str, list[float | None]]]


@dataclass
class Results:
    """Samples by contender and metric, one per turn, None where a measure failed."""

    samples: Samples = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    problems: dict[str, str] = field(default_factory=dict)

    def blame(self, contender: str, what: str, problem: Exception) -> None:
        """Keep and show why a contender could not be measured."""
        self.problems.setdefault(f"{contender}: {what}", str(problem))
        print(f"!!! SKIPPED {contender}: {what}: {problem}", file=sys.stderr, flush=True)

    def value(self, contender: str, key: str) -> float | None:
        """The median over all turns."""
        known = [sample for sample in self.samples[contender][key] if sample is not None]
        return median(known) if known else None

    def ratio(self, contender: str, key: str, to: str = LIMIT) -> float | None:
        """The median of the ratios to another contender in the same turn."""
        pairs = zip(self.samples[contender][key], self.samples[to][key], strict=False)
        ratios = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
        return median(ratios) if ratios else None

    def reached(self, contender: str, key: str, on: str) -> float | None:
        """What a target on `on` looks at."""
        if on == "value":
            return self.value(contender, key)
        return self.ratio(contender, key, LIMIT if on == "limit" else SAME[contender])


def starting_contenders(names: Sequence[str], scale: float, results: Results) -> list[Contender]:
    """Those that start and answer as `limit` does; the others are named loudly."""
    fit: list[Contender] = []
    expected: dict[str, object] = {}
    for contender in (Contender(name, scale) for name in names):
        try:
            with contender.bounded():
                answers = verify(contender)
            expected = expected or answers
            check_same(answers, expected)
        except FAILURES as problem:
            results.blame(contender.name, "start", problem)
        else:
            fit.append(contender)
        finally:
            contender.close()
    return fit


def check_same(answers: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Refuse a contender whose answers are not those of `limit`: it would not do the same work."""
    for method, answer in expected.items():
        if answers[method] != answer:
            raise BenchError(
                f"{method}: answered {str(answers[method])[:600]}, not {answer!s:.600}"
            )


def run_round(number: int, contenders: Sequence[Contender], results: Results) -> None:
    """Every measure on every contender; each turn begins with another contender."""
    for what, (measure, turns) in MEASURES.items():
        for turn in range(number * turns, (number + 1) * turns):
            first = turn % len(contenders)
            for contender in (*contenders[first:], *contenders[:first]):
                take_turn(contender, what, measure, turn, results)
    for contender in contenders:
        contender.close()


def take_turn(
    contender: Contender, what: str, measure: Measure, turn: int, results: Results
) -> None:
    """One measure on one contender."""
    try:
        with contender.bounded():
            sample = measure(contender)
    except FAILURES as problem:
        results.blame(contender.name, what, problem)
        contender.close()
        return
    for key, value in sample.items():
        seen = results.samples[contender.name][key]
        seen.extend([None] * (turn - len(seen)))
        seen.append(value)


def figure(value: float) -> str:
    """Three digits that count, thousands grouped."""
    digits = next((digits for digits, above in ((0, 100), (1, 10)) if value >= above), 2)
    return f"{value:,.{digits}f}"


def cell(results: Results, contender: str, metric: Metric) -> str:
    """A median, its ratios, and its target with whether it is met."""
    value = results.value(contender, metric.key)
    if value is None:
        return "-"
    if contender == LIMIT:
        return figure(value)
    ratios = [("", results.ratio(contender, metric.key))]
    if contender in SAME:
        ratios.append((" same", results.ratio(contender, metric.key, SAME[contender])))
    known = [f"{ratio:.2f}x{to}" for to, ratio in ratios if ratio is not None]
    shown = f"{figure(value)} ({', '.join(known)})" if known else figure(value)
    target = metric.targets.get(contender)
    reached = results.reached(contender, metric.key, target.on) if target else None
    if target is None or reached is None:
        return shown
    return f"{shown}; {target}: {'met' if target.is_met(reached) else '**MISSED**'}"


def table(results: Results, names: Sequence[str]) -> Iterator[str]:
    """The Markdown table, line by line, with what was left out below it."""
    yield f"| measure | unit | {' | '.join(names)} |"
    yield f"|---|---|{'---:|' * len(names)}"
    for metric in METRICS:
        cells = [cell(results, name, metric) for name in names]
        yield f"| {metric.title} | {metric.unit} | {' | '.join(cells)} |"
    for what, problem in results.problems.items():
        yield f"\nNot measured: {what}: {problem.splitlines()[-1]}"


def as_json(results: Results, names: Sequence[str], rounds: int) -> dict[str, Any]:
    """Everything, with the single samples."""
    verdicts = {
        name: {
            metric.key: {
                "median": results.value(name, metric.key),
                "ratio": results.ratio(name, metric.key),
                "ratio_to_same": results.ratio(name, metric.key, SAME.get(name, name)),
                "target": str(metric.targets[name]) if name in metric.targets else None,
            }
            for metric in METRICS
        }
        for name in names
    }
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "rounds": rounds,
        "results": verdicts,
        "samples": results.samples,
        "problems": results.problems,
    }


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}, quick {QUICK_ROUNDS}")
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="beside limit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    wanted = [name for name in CONTENDERS if name == LIMIT or name in (options.only or CONTENDERS)]
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    results = Results()
    contenders = starting_contenders(wanted, QUICK_SCALE if options.quick else 1.0, results)
    if not contenders or contenders[0].name != LIMIT:
        print("nothing to compare with: limit itself does not run", file=sys.stderr)
        return 1
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        run_round(number, contenders, results)
    names = [contender.name for contender in contenders]
    print("\n".join(table(results, names)))
    if options.json:
        options.json.write_text(json.dumps(as_json(results, names, rounds), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
