"""Each broken plugin is caught by the check that it should fail, and by no other."""

from functools import partial

import pytest
from broken_plugins import BROKEN
from conformance_runs import PLAIN, Broken, at_once, checked, edited, failed

from animus_routes.conformance import Report

NAMES = [broken.name for broken in BROKEN]
VALUES = {"PLAIN_TOKEN": "x"}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("broken")
    calls = {}
    for number, broken in enumerate(BROKEN):
        file = folder / f"{number}.py"
        file.write_text(edited(broken.base.read_text("utf-8"), broken.edits), "utf-8")
        calls[broken.name] = partial(checked, file, env=VALUES)
    return at_once({**calls, "none": partial(checked, PLAIN)})


def test_the_plugin_that_they_are_made_of_is_clean(reports: dict[str, Report]) -> None:
    assert failed(reports["none"]) == {}


@pytest.mark.parametrize("broken", BROKEN, ids=NAMES)
def test_it_is_caught_by_the_check_that_it_should_fail_and_no_other(
    broken: Broken, reports: dict[str, Report]
) -> None:
    found = failed(reports[broken.name])
    assert {name.partition(":")[0] for name in found} == {broken.check}, found
    assert broken.reason in next(iter(found.values()))
