from pathlib import Path
from random import Random

import pytest
from bad_hosts import HOSTS, SIGNALS, repeated

ROUNDS = 2


@pytest.mark.parametrize("host", HOSTS)
def test_whatever_a_host_does_answers_are_right_and_nothing_is_left(
    host: str, tmp_path: Path
) -> None:
    assert repeated(HOSTS[host], ROUNDS)(Random(15), tmp_path).counts["processes"] == ROUNDS


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_at_any_moment_tears_no_frame_and_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    assert repeated(SIGNALS[name], ROUNDS)(Random(15), tmp_path).counts["processes"] == ROUNDS
