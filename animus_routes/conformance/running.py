"""Try the checks of one plugin, one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from animus_routes.conformance.bench import Bench, Options
from animus_routes.conformance.catalogue import CHECKS, cases
from animus_routes.conformance.checks import Case
from animus_routes.conformance.outcomes import Failed, Skipped
from animus_routes.conformance.report import Report, Result, Verdict
from animus_routes.conformance.rows import kind_of, serves
from animus_routes.errors import RpcError
from animus_routes.host.process import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.conformance.candidate import Candidate
    from animus_routes.conformance.checks import Check


class Chosen(Struct, frozen=True):
    """Which checks are wanted.

    Attributes:
        word: A part of their id or title.
        kind: Only those of methods of this plugin kind.
    """

    word: str = ""
    kind: str = ""

    def has(self, bench: Bench, case: Case) -> bool:
        """Is a case wanted?"""
        if self.word.lower() not in f"{case.id} {case.check.title}".lower():
            return False
        if not self.kind:
            return True
        names = case.check.methods or ((case.name,) if case.check.each else ())
        return any(kind_of(bench, name) == self.kind for name in names)


def run(
    candidate: Candidate,
    options: Options,
    chosen: Chosen | None = None,
    progress: Callable[[int, int, str], object] | None = None,
) -> Report:
    """Check a plugin.

    Args:
        candidate: The plugin.
        options: How.
        chosen: Which checks; all of them if left out.
        progress: Called before each check with its number, how many there are, and its id.

    Returns:
        A result for each check that was wanted.
    """
    with Bench(candidate, options) as bench:
        found = list(results(bench, chosen or Chosen(), progress))
        return Report(
            target=candidate.target,
            command=candidate.command,
            seed=options.seed,
            manifest=bench.manifest,
            results=found,
        )


def results(
    bench: Bench, chosen: Chosen, progress: Callable[[int, int, str], object] | None
) -> Iterator[Result]:
    """The result of each check that is wanted, as it comes.

    Args:
        bench: Where.
        chosen: Which checks.
        progress: As for `run`.
    """
    found = list(cases(bench))
    wanted = [case for case in found if chosen.has(bench, case)]
    tried: dict[str, Result] = {}
    for number, case in enumerate(wanted, 1):
        if progress is not None:
            progress(number, len(wanted), case.id)
        yield result_of(bench, case, tried)
    names = {case.id for case in wanted}
    # What others were skipped for is told, although nobody asked for it.
    yield from (r for r in tried.values() if r.verdict is Verdict.FAIL and r.id not in names)


def result_of(bench: Bench, case: Case, tried: dict[str, Result]) -> Result:
    """The result of a case; what it depends on is tried first, if it was not wanted itself.

    Args:
        bench: Where.
        case: The check.
        tried: The results so far, by id; this one is added.
    """
    if case.id not in tried:
        failed = [one for one in case.check.after if not _holds(bench, one, tried)]
        tried[case.id] = _skipped(case, f"{failed[0]} failed") if failed else _tried(bench, case)
    return tried[case.id]


def _holds(bench: Bench, needed: str, tried: dict[str, Result]) -> bool:
    check = by_id(needed)
    if check.installed and bench.candidate.file is None:
        return True
    result = result_of(bench, Case(check), tried)
    return result.verdict is Verdict.PASS or (
        result.verdict is Verdict.SKIP and not result.reason.endswith(" failed")
    )


def by_id(needed: str) -> Check:
    """The row of the table with an id.

    Raises:
        KeyError: There is none.
    """
    for check in CHECKS:
        if check.id == needed:
            return check
    raise KeyError(needed)


def _tried(bench: Bench, case: Case) -> Result:
    begun = time.monotonic()
    bench.begin()
    verdict, reason = Verdict.PASS, ""
    try:
        _may_be_tried(bench, case.check)
        case.run(bench)
    except Skipped as skipped:
        verdict, reason = Verdict.SKIP, str(skipped)
    except (Failed, HostError, RpcError) as failed:
        verdict, reason = Verdict.FAIL, _said(failed)
    except (LookupError, TypeError, ValueError, AttributeError) as strange:
        # What came has another shape than a check reads: the plugin's fault, and not the end of all.
        verdict = Verdict.FAIL
        reason = f"what it answers cannot be read: {type(strange).__name__}: {strange}"
    return Result(
        id=case.id,
        title=case.check.title,
        source=case.check.source,
        verdict=verdict,
        reason=reason,
        warnings=list(dict.fromkeys(bench.warnings)),
        wrote=list(dict.fromkeys(bench.wrote)),
        frames=bench.trace.frames(),
        seconds=round(time.monotonic() - begun, 3),
    )


def _may_be_tried(bench: Bench, check: Check) -> None:
    missing = [name for name in check.methods if not serves(bench, name)]
    if missing:
        raise Skipped(f"it does not serve {missing[0]}")
    if check.acts:
        bench.may_act("this story")


def _said(error: Exception) -> str:
    if isinstance(error, RpcError):
        return f"answered with error {error.code}: {error.message}"
    return str(error)


def _skipped(case: Case, reason: str) -> Result:
    return Result(
        id=case.id,
        title=case.check.title,
        source=case.check.source,
        verdict=Verdict.SKIP,
        reason=reason,
    )
