"""Plugins as hosts start them, and what of them is left when they are gone."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = ROOT / "examples"
PLUGINS: Final = Path(__file__).parent / "plugins"
# The host clears the environment; this stands for an installed package.
INSTALLED: Final = {"PYTHONPATH": str(ROOT)}
WAIT_S: Final = 20.0


@dataclass
class Figures:
    """What a run has seen: things that were counted, and times of which the longest count."""

    counts: Counter[str] = field(default_factory=Counter)
    times_s: dict[str, list[float]] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        self.counts.update(other.counts)
        for name, times in other.times_s.items():
            self.times_s.setdefault(name, []).extend(times)


Scenario = Callable[[Random, Path], Figures]
