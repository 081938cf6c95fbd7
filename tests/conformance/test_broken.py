"""Each broken plugin is caught by the check that it should fail, and by no other."""

import shlex
import sys
from collections.abc import Iterator
from functools import partial

import pytest
from broken_plugins import BROKEN
from broken_stories import TAMPERED, Tampered
from conformance_runs import (
    EXAMPLES,
    PLAIN,
    PLUGINS,
    PROVES,
    Broken,
    at_once,
    checked,
    edited,
    failed,
)
from example_projects import VALUES as PARAMS
from example_projects import options_of
from test_start import MISHAPS

from animus_routes.conformance import Report
from animus_routes.conformance.catalogue import CHECKS

NAMES = [broken.name for broken in BROKEN]
VARIABLES = {"PLAIN_TOKEN": "x"}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("broken")
    calls = {}
    for number, broken in enumerate(BROKEN):
        file = folder / f"{number}.py"
        file.write_text(edited(broken.base.read_text("utf-8"), broken.edits), "utf-8")
        calls[broken.name] = partial(checked, file, env=VARIABLES)
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


@pytest.fixture(scope="module")
def tampered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Report]]:
    with options_of(tmp_path_factory.mktemp("tampered")) as options:
        calls = {
            f"{one.check}: {one.reason}": partial(
                checked,
                shlex.join(
                    [
                        sys.executable,
                        str(PLUGINS / "tampered.py"),
                        str(EXAMPLES / f"{one.example}.py"),
                        one.code,
                    ]
                ),
                word="story." if PROVES else one.check,
                values=PARAMS.get(one.example, {}),
                **options,
            )
            for one in TAMPERED
        }
        yield at_once(calls)


@pytest.mark.parametrize("one", TAMPERED, ids=[f"{one.check}: {one.reason}" for one in TAMPERED])
def test_a_story_that_is_tampered_with_fails_alone(
    one: Tampered, tampered: dict[str, Report]
) -> None:
    found = failed(tampered[f"{one.check}: {one.reason}"])
    assert list(found) == [one.check], found
    assert one.reason in found[one.check]


def test_every_check_has_a_plugin_that_breaks_it() -> None:
    broken = {one.check for one in (*BROKEN, *TAMPERED)}
    form = {mishap.check for mishap in MISHAPS.values()}
    assert {check.id for check in CHECKS} == broken | form
