"""Every advertised method, with params that fit and params that do not (facts 5 and 7; host 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.codes import ABSENT, UNAVAILABLE, ordinary
from animus_routes.conformance.decoding import undecodable
from animus_routes.conformance.making import Expected, Made, made
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.rows import advertised, reads, row_of
from animus_routes.conformance.start import HANDSHAKE
from animus_routes.errors import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from animus_routes.conformance.bench import Bench
    from animus_routes.roles import MethodRow


def each(bench: Bench) -> Iterable[str]:
    """The methods that are called by themselves: requests that come to an end."""
    for name in advertised(bench):
        row = row_of(bench, name)
        if row is None or not row.one_way:
            yield name


def _made(bench: Bench, method: str) -> list[Made]:
    """What a method is tried with, if it may be."""
    if not reads(bench, method):
        bench.may_act(method)
    found = list(made(bench, method))
    if not found:
        raise Skipped(f"nothing is known of its params: --values may name some for {method}")
    return found


def _accepts(bench: Bench, method: str) -> None:
    row = row_of(bench, method)
    tried = [one for one in _made(bench, method) if one.expected is not Expected.REFUSE]
    if row is not None and row.long_running and not row.reads:
        raise Skipped("it takes its time: its story runs it, with params that fit each other")
    for one in tried:
        _accepted(bench, method, row, one)
    bench.shared.is_alive()


def _accepted(bench: Bench, method: str, row: MethodRow | None, one: Made) -> None:
    answer = bench.shared.ask(method, one.params)
    if answer.code in ABSENT:
        raise Skipped(f"it is not served, which is another check's: {answer}")
    ordinary(method, answer, one.what)
    if answer.error is None:
        if said := undecodable(row, method, answer.result):
            fail(f"{said}; it was called with {one.what}")
    elif answer.category == UNAVAILABLE:
        raise Skipped(f"what is behind it is not there: {answer}")
    elif one.expected is Expected.ACCEPT:
        fail(f"{method} refuses {one.what}, {one.params!r:.200}: {answer}")
    elif answer.code == INTERNAL_ERROR and not answer.category:
        bench.warnings.append(f"{one.what} is answered with {answer}, and no category")


def _refuses(bench: Bench, method: str) -> None:
    tried = [one for one in _made(bench, method) if one.expected is Expected.REFUSE]
    if not tried:
        raise Skipped("there are no params that every source refuses")
    for one in tried:
        answer = bench.shared.ask(method, one.params)
        if answer.code in ABSENT:
            raise Skipped(f"it is not served, which is another check's: {answer}")
        expect(
            answer.code in {INVALID_PARAMS, INVALID_REQUEST},
            f"{method} with {one.what} is answered with {answer}, and not with -32602",
        )


def _check(name: str, title: str, source: str, run: Any) -> Check:
    return Check(f"method.{name}", title, source, run, each=each, after=(HANDSHAKE,))


CHECKS: Final = (
    _check(
        "accepts",
        "Params that fit are taken, and the answer decodes",
        "host 4: results are decoded strictly; host 4.0: other error codes are death-like",
        _accepts,
    ),
    _check(
        "refuses",
        "Params that do not fit are refused",
        "facts 5: -32602; no source takes them",
        _refuses,
    ),
)
