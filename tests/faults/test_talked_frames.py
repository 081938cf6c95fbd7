from pathlib import Path
from random import Random

import pytest
from talked_frames import FAMILIES, WAYS, talked


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_sent_each_request_is_answered_once_and_rightly(
    way: str, family: str, tmp_path: Path
) -> None:
    figures = talked(way, family)(Random(15), tmp_path)
    assert figures.counts["results"]
    assert figures.counts["errors"]
