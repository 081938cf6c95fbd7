"""Every example is clean, its stories included, in a copy of a project that it works on."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conformance_runs import EXAMPLES, at_once, checked, failed, programs
from example_projects import VALUES, options_of

from animus_routes.conformance import Report, Verdict


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Report]]:
    with options_of(tmp_path_factory.mktemp("examples")) as options:
        calls = {
            name: partial(
                checked,
                EXAMPLES / f"{name}.py",
                values=VALUES.get(name, {}),
                examples=4,
                **options,
            )
            for name in programs()
        }
        yield at_once(calls)


@pytest.mark.parametrize("name", programs())
def test_an_example_is_clean(name: str, reports: dict[str, Report]) -> None:
    assert failed(reports[name]) == {}


def test_every_story_is_played_by_an_example(reports: dict[str, Report]) -> None:
    results = [result for report in reports.values() for result in report.results]
    stories = {result.id for result in results if result.id.startswith("story.")}
    played = {result.id for result in results if result.verdict is Verdict.PASS}
    assert stories - played <= {"story.subject-ids"}
    told = {result.id: result.reason for result in results if result.id in stories - played}
    assert set(told.values()) <= {"there are no subjects"}


def test_what_acts_is_left_alone_without_leave(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "tasks_sqlite.py", tmp_path)
    report = checked(tmp_path / "tasks_sqlite.py", allow_writes=False, project=tmp_path, examples=2)
    assert failed(report) == {}
    acting = [r for r in report.results if r.verdict is Verdict.SKIP and "acts" in r.reason]
    assert {"method.accepts:task/create", "method.refuses:task/delete", "story.subjects"} <= {
        result.id for result in acting
    }
    assert all("--allow-writes" in result.reason for result in acting)
    assert not any(result.wrote for result in report.results)
