"""A report for a person, a program, or a server that shows the results of tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import msgspec

from animus_routes.conformance.report import Report, Result, Verdict

Writer = Callable[[Report], str]


def text(report: Report, *, frames: bool = False) -> str:
    """For a person; the frames of what failed, or of everything."""
    lines = [line for result in report.results for line in lines_of(result, frames=frames)]
    counts = ", ".join(f"{len(report.of(v))} {v.lower()}" for v in Verdict)
    failed = ", ".join(result.id for result in report.failed)
    warned = sum(len(result.warnings) for result in report.results)
    told = f"; {warned} warnings" if warned else ""
    verdict = f"FAIL: {failed}" if failed else "PASS"
    return "\n".join([*lines, f"{report.target}: {counts}{told} (seed {report.seed})", verdict, ""])


def lines_of(result: Result, *, frames: bool) -> Iterator[str]:
    """One result for a person."""
    yield f"{result.verdict:<4}  {result.id}  {result.title}"
    failed = result.verdict is Verdict.FAIL
    if result.reason:
        yield from _under("" if failed else "skipped: ", result.reason)
    for warning in result.warnings:
        yield from _under("warning: ", warning)
    for wrote in result.wrote:
        yield from _under("wrote: ", wrote)
    if failed:
        yield from _under("source: ", result.source)
    if failed or frames:
        yield from (f"        {frame}" for frame in result.frames)


def _under(label: str, said: str) -> Iterator[str]:
    first, *more = said.splitlines() or [""]
    yield f"      {label}{first}"
    yield from (f"        {line}" for line in more)


def as_json(report: Report) -> str:
    """For a program: the report as one JSON document."""
    return msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"


def junit(report: Report) -> str:
    """JUnit XML: a test case for each check."""
    suite = Element(
        "testsuite",
        name=f"animus-routes check {report.target}",
        tests=str(len(report.results)),
        failures=str(len(report.failed)),
        errors="0",
        skipped=str(len(report.of(Verdict.SKIP))),
        time=f"{sum(result.seconds for result in report.results):.3f}",
    )
    for result in report.results:
        floor, _, name = result.id.partition(".")
        case = SubElement(
            suite, "testcase", classname=f"check.{floor}", name=name, time=f"{result.seconds:.3f}"
        )
        if result.verdict is Verdict.FAIL:
            failure = SubElement(case, "failure", message=_clean(result.reason))
            failure.text = _clean("\n".join([result.source, *result.frames]))
        elif result.verdict is Verdict.SKIP:
            SubElement(case, "skipped", message=_clean(result.reason))
        told = [*(f"warning: {w}" for w in result.warnings), *(f"wrote: {w}" for w in result.wrote)]
        if told:
            SubElement(case, "system-out").text = _clean("\n".join(told))
    indent(suite)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(suite, encoding="unicode")}\n'


def _clean(said: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c if c in "\t\n\r" or c >= " " else f"\\x{ord(c):02x}" for c in said)


WRITERS: Final[Mapping[str, Writer]] = {"text": text, "json": as_json, "junit": junit}
