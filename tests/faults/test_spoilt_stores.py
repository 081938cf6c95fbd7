from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from kept_stores import STORES, Store
from spoilt_stores import LOCKABLE, damaged, full, locked

NAMES = [store.example for store in STORES]
EACH = [pytest.param(store, seed, id=f"{store.example}") for seed, store in enumerate(STORES)]


def test_a_locked_store_is_waited_for_and_then_refused_by_name(tmp_path: Path) -> None:
    """All at once: most of it is waiting."""
    lockable = [store for store in STORES if store.sql or store.example in LOCKABLE]

    def one(store: Store) -> int:
        folder = tmp_path / store.example
        return locked(store, Random(15), folder).counts["writes refused while locked"]

    with ThreadPoolExecutor(len(lockable)) as pool:
        assert list(pool.map(one, lockable)) == [1] * len(lockable)


@pytest.mark.parametrize("store", STORES, ids=NAMES)
def test_a_full_disk_is_refused_by_name_and_forgotten_once_there_is_room(
    store: Store, tmp_path: Path
) -> None:
    assert full(store, Random(15), tmp_path).counts["writes refused on a full disk"]


@pytest.mark.parametrize(("store", "seed"), EACH)
def test_a_damaged_store_is_refused_by_name_and_served_once_it_is_whole(
    store: Store, seed: int, tmp_path: Path
) -> None:
    assert damaged(store, Random(seed), tmp_path).counts
