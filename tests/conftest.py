"""What holds for every test of the project."""

import os
from collections.abc import Generator, Iterator

import pytest

NO_SKIPS = "ANIMUS_TEST_NO_SKIPS"  # set by .ci/run, which brings everything that a test needs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is there, a skipped test is one that did not run: it fails."""
    report = yield
    if os.environ.get(NO_SKIPS) and report.skipped:
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True, scope="session")
def _sessions_within_have_a_place_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One that a test starts would close the folder above this one's to everybody else."""
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("within"))


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_left_above(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A project's folder above the tests' own would be that of every test after it."""
    base = tmp_path_factory.getbasetemp()
    yield
    left = [str(place) for above in (base, base.parent) for place in above.glob(".animus")]
    assert left == []
