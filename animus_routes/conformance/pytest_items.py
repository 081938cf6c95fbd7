"""The checks as tests of pytest: one for each, behind `pytest --animus-app TARGET`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from animus_routes.conformance.bench import Bench, Options
from animus_routes.conformance.candidate import candidate
from animus_routes.conformance.catalogue import cases
from animus_routes.conformance.report import Result, Verdict
from animus_routes.conformance.running import result_of
from animus_routes.conformance.writers import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from animus_routes.conformance.checks import Case


Node = TypeVar("Node", bound=pytest.Collector | pytest.Item)


class CheckFailedError(Exception):
    """A check failed; what it found is told without a traceback."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


class Checked(pytest.Collector):
    """One plugin, whose checks are tests."""

    def __init__(self, *, bench: Bench, **rest: Any) -> None:
        super().__init__(**rest)
        self.bench = bench
        self.tried: dict[str, Result] = {}

    def collect(self) -> Iterable[CheckItem]:
        """A test for each check."""
        for case in cases(self.bench):
            yield _made(CheckItem, self, name=case.id, case=case)


class CheckItem(pytest.Item):
    """One check of one plugin."""

    def __init__(self, name: str, parent: Any = None, *, case: Case, **rest: Any) -> None:
        base: Any = super()
        base.__init__(name, parent, **rest)
        self.case = case

    def runtest(self) -> None:
        """Try it."""
        parent = self.parent
        assert isinstance(parent, Checked)
        result = result_of(parent.bench, self.case, parent.tried)
        told = [*result.warnings, *(f"wrote: {what}" for what in result.wrote)]
        if told:
            self.add_report_section("call", "check", "\n".join(told))
        if result.verdict is Verdict.SKIP:
            pytest.skip(result.reason)
        if result.verdict is Verdict.FAIL:
            raise CheckFailedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the command line would print of it."""
        if isinstance(excinfo.value, CheckFailedError):
            return "\n".join(lines_of(excinfo.value.result, frames=True))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where pytest says that it is."""
        return self.path, None, f"{self.case.id}: {self.case.check.title}"


def items_of(session: pytest.Session, target: str, options: Options) -> list[CheckItem]:
    """The checks of a plugin as items of a session, at whose end it is ended.

    Raises:
        NotAnApp: There is no such target.
    """
    bench = Bench(candidate(target), options)
    bench.__enter__()
    session.config.add_cleanup(lambda: bench.__exit__(None, None, None))
    plugin = _made(Checked, session, name=target, nodeid=target, bench=bench)
    return list(plugin.collect())


def _made(cls: type[Node], parent: pytest.Collector, **options: Any) -> Node:
    """A node of pytest, whose constructors take whatever they are given."""
    return cast("Node", cast("Any", cls).from_parent(parent, **options))
