import re
from pathlib import Path
from random import Random

import pytest
from faulty_hosts import EXAMPLES, ROOT
from kept_stores import BY_NAME, STORES, Store
from killed_writes import killed_while_writing

STORING = re.compile(r"batteries\.(sql|outbox|lines)\b")
# What needs more than calls to be given something to keep.
ELSEWHERE = {
    name: f"tests/examples/test_{name}.py"
    for name in ("logs_clickhouse", "trigger_slack", "trigger_webhook")
}


@pytest.mark.parametrize("store", STORES, ids=[store.example for store in STORES])
def test_a_kill_at_any_moment_keeps_what_was_answered_and_nothing_twice(
    store: Store, tmp_path: Path
) -> None:
    figures = killed_while_writing(store, Random(15), tmp_path)
    assert figures.counts["writes answered"]


def test_every_example_that_stores_is_killed_here_or_in_its_own_tests() -> None:
    files = [file for file in EXAMPLES.glob("*.py") if STORING.search(file.read_text("utf-8"))]
    left = {file.stem for file in files} - set(BY_NAME)
    assert left <= set(ELSEWHERE)
    for test in ELSEWHERE.values():
        assert ".kill()" in (ROOT / test).read_text("utf-8")
