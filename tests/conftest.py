"""What holds for every test of the project."""

import os
from collections.abc import Generator

import pytest

NO_SKIPS = "ANIMUS_TEST_NO_SKIPS"  # set by .ci/run, which brings everything that a test needs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is there, a skipped test is one that did not run: it fails."""
    report = yield
    if os.environ.get(NO_SKIPS) and report.skipped:
        report.outcome = "failed"
    return report
