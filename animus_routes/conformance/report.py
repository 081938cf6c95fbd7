"""What a run of the checks found, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

SCHEMA: Final = "animus-routes.check.v1"


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "PASS"  # noqa: S105 - a verdict's word
    FAIL = "FAIL"
    SKIP = "SKIP"


class Result(Struct, kw_only=True, omit_defaults=True):
    """One check of one plugin.

    Attributes:
        id: Such as `start.manifest`, or `method.accepts:task/list` for one of many.
        title: What holds if it passes.
        source: The section of the protocol, or the host's habit, behind it.
        verdict: How it ended.
        reason: Why it failed or was skipped; empty if it passed.
        warnings: What hosts cope with, and people may stumble over.
        wrote: What it left in the system behind the plugin, or made there and deleted again.
        frames: The last frames of its conversations: `->` what the host sent, `<-` what came.
        seconds: How long it took.
    """

    id: str
    title: str
    source: str
    verdict: Verdict
    reason: str = ""
    warnings: list[str] = []
    wrote: list[str] = []
    frames: list[str] = []
    seconds: float = 0.0


class Report(Struct, kw_only=True):
    """Every check of one plugin.

    Attributes:
        target: As the caller named the plugin.
        command: What was started.
        seed: With which the same params are made again.
        manifest: What the plugin printed; None if it printed none.
        results: In the order of the checks.
    """

    target: str
    command: list[str]
    seed: int
    manifest: dict[str, Any] | None
    results: list[Result]
    schema: str = SCHEMA

    def of(self, verdict: Verdict) -> list[Result]:
        """The results that ended so."""
        return [result for result in self.results if result.verdict is verdict]

    @property
    def failed(self) -> list[Result]:
        """The results that a person has to look at."""
        return self.of(Verdict.FAIL)

    @property
    def exit_code(self) -> int:
        """0, or 1 if a check failed."""
        return 1 if self.failed else 0
