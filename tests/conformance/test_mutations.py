"""The share of mutations that is found; all of them with `make prove`, a few otherwise."""

from functools import partial

import pytest
from conformance_runs import PLAIN, PROVES, at_once, checked, edited, failed
from mutations import MUTATIONS, UNSEEN

from animus_routes.conformance import Report

TRIED = list(MUTATIONS) if PROVES else list(MUTATIONS)[::17]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("mutations")
    calls = {}
    for number, name in enumerate(TRIED):
        file = folder / f"{number}.py"
        file.write_text(edited(PLAIN.read_text("utf-8"), [MUTATIONS[name]]), "utf-8")
        calls[name] = partial(checked, file)
    return at_once(calls)


@pytest.mark.parametrize("name", TRIED)
def test_a_mutation_is_found_unless_the_protocol_leaves_it_open(
    name: str, reports: dict[str, Report]
) -> None:
    assert bool(failed(reports[name])) is (name not in UNSEEN)


def test_most_mutations_are_found() -> None:
    assert len(MUTATIONS) >= 50
    assert set(UNSEEN) < set(MUTATIONS)
    assert len(UNSEEN) / len(MUTATIONS) < 0.12
