from pathlib import Path
from random import Random

import pytest
from kept_stores import STORES, Store
from killed_writes import killed_while_writing


@pytest.mark.parametrize("store", STORES, ids=[store.example for store in STORES])
def test_a_kill_at_any_moment_keeps_what_was_answered_and_nothing_twice(
    store: Store, tmp_path: Path
) -> None:
    figures = killed_while_writing(store, Random(15), tmp_path)
    assert figures.counts["writes answered"]
